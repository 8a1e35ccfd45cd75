"""Bitcoin-style stratum version 1, with the Zcash and NiceHash Ethereum variants of its messages."""

from __future__ import annotations

import random

from davylamp.kit.emulation.dialect import JsonWriter, Line
from davylamp.kit.emulation.message import random_hex


class BitcoinStratum:
    """Stratum v1: subscribe, authorize, then submits against pushed `mining.notify`.

    Args:
        merkle_branches: hashes a job carries; a full block has 10 to 13.
        branches_spread: a job carries up to so many more, as the waiting transactions grow.
        rejected_ratio: share of submits the server answers with an error.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        agent: str = "emulated/1.0",
        worker: str = "tester.rig1",
        spaced: bool = False,
        merkle_branches: int = 12,
        branches_spread: int = 0,
        rejected_ratio: float = 0.01,
    ) -> None:
        self.rng = rng
        self.write = JsonWriter(rng, spaced=spaced)
        self.agent = agent
        self.worker = worker
        self.merkle_branches = merkle_branches
        self.branches_spread = branches_spread
        self.rejected_ratio = rejected_ratio
        self.number = 0
        self.job_number = rng.randrange(4096, 65535)

    def _request(self, method: str, params: list[object]) -> bytes:
        self.number += 1
        return self.write.line({"id": self.number, "method": method, "params": params})

    def _answer(self, result: object, error: object = None) -> bytes:
        return self.write.line({"id": self.number, "result": result, "error": error})

    def hello(self) -> list[Line]:
        """Subscribe, authorize, first difficulty, first job."""
        lines: list[Line] = [(True, self._request("mining.subscribe", [self.agent]))]
        session = random_hex(self.rng, 8)
        names = [["mining.set_difficulty", session], ["mining.notify", session]]
        lines.append((False, self._answer([names, random_hex(self.rng, 4), 4])))
        lines.append((True, self._request("mining.authorize", [self.worker, "x"])))
        lines.append((False, self._answer(True)))
        first = self.difficulty()
        if first is not None:
            lines.append((False, first))
        lines.append((False, self.job()))
        return lines

    def share(self) -> tuple[bytes, bytes]:
        """`mining.submit` and its answer."""
        fields: list[object] = [self.worker, f"{self.job_number:x}"]
        fields += [random_hex(self.rng, 4) for _ in range(3)]
        sent = self._request("mining.submit", fields)
        if self.rng.random() < self.rejected_ratio:
            return sent, self._answer(None, [21, "Job not found", None])
        return sent, self._answer(True)

    def job(self) -> bytes:
        """`mining.notify` of nine parameters."""
        self.job_number += 1
        more = self.rng.randrange(self.branches_spread + 1) if self.branches_spread else 0
        return self._push(
            "mining.notify",
            [
                f"{self.job_number:x}",
                random_hex(self.rng, 32),
                random_hex(self.rng, 74),
                random_hex(self.rng, 118),
                [random_hex(self.rng, 32) for _ in range(self.merkle_branches + more)],
                "20000000",
                random_hex(self.rng, 4),
                random_hex(self.rng, 4),
                self.rng.random() < 0.3,
            ],
        )

    def _push(self, method: str, params: list[object]) -> bytes:
        return self.write.line({"id": None, "method": method, "params": params})

    def ping(self) -> tuple[bytes, bytes] | None:
        """The dialect has none."""
        return None

    def difficulty(self) -> bytes | None:
        """`mining.set_difficulty`."""
        return self._push("mining.set_difficulty", [2 ** self.rng.randrange(9, 16)])


class ZcashStratum(BitcoinStratum):
    """Stratum v1 as Equihash coins speak it: a target instead of a difficulty, a long solution."""

    def job(self) -> bytes:
        """`mining.notify` of eight parameters."""
        self.job_number += 1
        hashes = [random_hex(self.rng, 32) for _ in range(3)]
        return self._push(
            "mining.notify",
            [f"{self.job_number:x}", "04000000", *hashes, random_hex(self.rng, 4), random_hex(self.rng, 4), False],
        )

    def share(self) -> tuple[bytes, bytes]:
        """`mining.submit` with a solution of 1,347 bytes."""
        fields: list[object] = [self.worker, f"{self.job_number:x}", random_hex(self.rng, 4)]
        fields += [random_hex(self.rng, 28), "fd4005" + random_hex(self.rng, 1344)]
        return self._request("mining.submit", fields), self._answer(True)

    def difficulty(self) -> bytes | None:
        """`mining.set_target`."""
        return self._push("mining.set_target", ["0000" + random_hex(self.rng, 30)])


class EthereumStratum(BitcoinStratum):
    """The NiceHash variant for Ethereum-like coins: seed and header hash in a notify of four parameters."""

    def hello(self) -> list[Line]:
        """Subscribe naming `EthereumStratum/1.0.0`, authorize, difficulty, job."""
        lines: list[Line] = [(True, self._request("mining.subscribe", [self.agent, "EthereumStratum/1.0.0"]))]
        names = ["mining.notify", random_hex(self.rng, 16), "EthereumStratum/1.0.0"]
        lines.append((False, self._answer([names, random_hex(self.rng, 2)])))
        lines.append((True, self._request("mining.extranonce.subscribe", [])))
        lines.append((False, self._answer(True)))
        lines.append((True, self._request("mining.authorize", [self.worker, "x"])))
        lines.append((False, self._answer(True)))
        lines.append((False, self._push("mining.set_difficulty", [1.25])))
        lines.append((False, self.job()))
        return lines

    def job(self) -> bytes:
        """`mining.notify` of four parameters."""
        self.job_number += 1
        hashes = [random_hex(self.rng, 32) for _ in range(2)]
        return self._push("mining.notify", [f"{self.job_number:08x}", *hashes, True])

    def share(self) -> tuple[bytes, bytes]:
        """`mining.submit` of three parameters."""
        sent = self._request("mining.submit", [self.worker, f"{self.job_number:08x}", random_hex(self.rng, 6)])
        return sent, self._answer(True)

    def difficulty(self) -> bytes | None:
        """`mining.set_difficulty` with a fraction."""
        return self._push("mining.set_difficulty", [self.rng.choice([0.5, 1.25, 2.5])])
