"""The Ethereum dialect (`eth_*` methods over a raw connection) and work over HTTP."""

from __future__ import annotations

import random

from davylamp.kit.emulation.dialect import JsonWriter, Line
from davylamp.kit.emulation.message import random_hex


class EthereumProxy:
    """`eth_submitLogin`, polled and pushed work, `eth_submitWork`, `eth_submitHashrate`."""

    def __init__(self, rng: random.Random, *, worker: str = "rig1", spaced: bool = False) -> None:
        self.rng = rng
        self.write = JsonWriter(rng, spaced=spaced)
        self.worker = worker
        self.account = "0x" + random_hex(rng, 20)
        self.number = 0

    def _request(self, method: str, params: list[object]) -> bytes:
        self.number += 1
        body = {"worker": self.worker, "jsonrpc": "2.0", "params": params, "id": self.number, "method": method}
        return self.write.line(body)

    def _answer(self, result: object) -> bytes:
        return self.write.line({"id": self.number, "jsonrpc": "2.0", "result": result})

    def _work(self) -> list[str]:
        return ["0x" + random_hex(self.rng, 32) for _ in range(3)]

    def hello(self) -> list[Line]:
        """Login and the first work."""
        lines: list[Line] = [(True, self._request("eth_submitLogin", [self.account, "x"]))]
        lines.append((False, self._answer(True)))
        lines.append((True, self._request("eth_getWork", [])))
        lines.append((False, self._answer(self._work())))
        return lines

    def share(self) -> tuple[bytes, bytes]:
        """`eth_submitWork` and `true`."""
        nonce = "0x" + random_hex(self.rng, 8)
        found = [nonce, "0x" + random_hex(self.rng, 32), "0x" + random_hex(self.rng, 32)]
        return self._request("eth_submitWork", [*found]), self._answer(True)

    def job(self) -> bytes:
        """Pushed work, under id 0."""
        return self.write.line({"id": 0, "jsonrpc": "2.0", "result": self._work()})

    def ping(self) -> tuple[bytes, bytes] | None:
        """Every third time a reported rate, else a poll for work."""
        if self.rng.random() < 1 / 3:
            rate = "0x" + random_hex(self.rng, 4)
            return self._request("eth_submitHashrate", [rate, "0x" + random_hex(self.rng, 32)]), self._answer(True)
        return self._request("eth_getWork", []), self._answer(self._work())

    def difficulty(self) -> bytes | None:
        """The target is in the work."""
        return self.job()


class HttpWork:
    """`getwork` or `getblocktemplate` over kept-alive HTTP: the client polls, nothing is pushed."""

    def __init__(self, rng: random.Random, *, method: str = "getwork", host: str = "192.0.2.40:8332") -> None:
        self.rng = rng
        self.method = method
        self.host = host
        self.write = JsonWriter(rng, spaced=True)
        self.number = 0

    def _request(self, method: str, params: list[object]) -> bytes:
        self.number += 1
        body = self.write.line({"method": method, "params": params, "id": self.number})
        head = f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
        return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def _answer(self, result: object) -> bytes:
        body = self.write.line({"result": result, "error": None, "id": self.number})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _work(self) -> object:
        if self.method == "getwork":
            return {"data": random_hex(self.rng, 128), "target": random_hex(self.rng, 32)}
        return {
            "version": 536870912,
            "previousblockhash": random_hex(self.rng, 32),
            "transactions": [],
            "coinbasevalue": 625000000,
            "target": random_hex(self.rng, 32),
            "bits": random_hex(self.rng, 4),
            "curtime": 1_600_000_000,
            "height": 700_000,
        }

    def hello(self) -> list[Line]:
        """The first poll."""
        sent, answer = self.ping()
        return [(True, sent), (False, answer)]

    def share(self) -> tuple[bytes, bytes]:
        """`getwork` with data, or `submitblock`."""
        if self.method == "getwork":
            return self._request("getwork", [random_hex(self.rng, 128)]), self._answer(True)
        return self._request("submitblock", [random_hex(self.rng, 200)]), self._answer(None)

    def job(self) -> bytes | None:
        """Nothing is pushed."""
        return None

    def ping(self) -> tuple[bytes, bytes]:
        """A poll for work."""
        params: list[object] = [] if self.method == "getwork" else [{"capabilities": ["coinbasetxn", "workid"]}]
        return self._request(self.method, params), self._answer(self._work())

    def difficulty(self) -> bytes | None:
        """The target is in the work."""
        return None
