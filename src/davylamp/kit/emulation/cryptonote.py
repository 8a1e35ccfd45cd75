"""The CryptoNote dialect: `login`, pushed `job`, `submit`, `keepalived`."""

from __future__ import annotations

import random

from davylamp.kit.emulation.dialect import JsonWriter, Line
from davylamp.kit.emulation.message import random_hex


class CryptoNote:
    """JSON-RPC with named parameters, as CPU miners speak it.

    Args:
        login: what stands where a wallet would; random hexadecimal when empty.
        modern: algorithm list, height and seed hash, as newer servers and clients write them.
        long_id: session and job ids of 28 digits instead of short ones.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        agent: str = "emulated/1.0",
        login: str = "",
        spaced: bool = False,
        modern: bool = True,
        long_id: bool = False,
    ) -> None:
        self.rng = rng
        self.write = JsonWriter(rng, spaced=spaced)
        self.agent = agent
        self.login = login or random_hex(rng, 48)[:95]
        self.modern = modern
        self.id_bytes = 14 if long_id else 8
        self.session = random_hex(rng, self.id_bytes)
        self.job_id = random_hex(rng, self.id_bytes)
        self.number = 0
        self.height = rng.randrange(2_000_000, 3_000_000)

    def _request(self, method: str, params: dict[str, object]) -> bytes:
        self.number += 1
        return self.write.line({"id": self.number, "jsonrpc": "2.0", "method": method, "params": params})

    def _answer(self, result: dict[str, object]) -> bytes:
        return self.write.line({"id": self.number, "jsonrpc": "2.0", "error": None, "result": result})

    def _job(self) -> dict[str, object]:
        self.job_id = random_hex(self.rng, self.id_bytes)
        job: dict[str, object] = {"blob": "0e0e" + random_hex(self.rng, 74), "job_id": self.job_id}
        job["target"] = random_hex(self.rng, 4)
        if self.modern:
            job |= {"id": self.session, "height": self.height, "seed_hash": random_hex(self.rng, 32), "algo": "rx/0"}
        return job

    def hello(self) -> list[Line]:
        """Login, answered with session and first job."""
        params: dict[str, object] = {"login": self.login, "pass": "x", "agent": self.agent}
        if self.modern:
            params["algo"] = ["rx/0", "rx/wow", "cn/r", "cn-lite/1", "argon2/chukwa"]
        sent = self._request("login", params)
        return [(True, sent), (False, self._answer({"id": self.session, "job": self._job(), "status": "OK"}))]

    def share(self) -> tuple[bytes, bytes]:
        """`submit` and `status: OK`."""
        params: dict[str, object] = {
            "id": self.session,
            "job_id": self.job_id,
            "nonce": random_hex(self.rng, 4),
            "result": random_hex(self.rng, 32),
        }
        return self._request("submit", params), self._answer({"status": "OK"})

    def job(self) -> bytes:
        """A pushed `job`."""
        self.height += 1
        return self.write.line({"jsonrpc": "2.0", "method": "job", "params": self._job()})

    def ping(self) -> tuple[bytes, bytes] | None:
        """`keepalived`."""
        return self._request("keepalived", {"id": self.session}), self._answer({"status": "KEEPALIVED"})

    def difficulty(self) -> bytes | None:
        """A new difficulty arrives as a job."""
        return self.job()
