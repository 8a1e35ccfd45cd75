"""What one JSON object says in a mining dialect, judged by the shape of its parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HASH = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_NONCE = re.compile(r"(?:0x)?[0-9a-fA-F]{6,16}")
_BLOCK_NUMBER_DIGITS_MOST = 16
_TEMPLATE_METHODS = ("getblocktemplate", "get_block_template")
_BLOCK_METHODS = ("submitblock", "submit_block")
CLIENT, SERVER = "client", "server"

_STRATUM_CLIENT = {
    "mining.subscribe": "subscribe",
    "mining.authorize": "authorize",
    "mining.configure": "subscribe",
    "mining.extranonce.subscribe": "subscribe",
    "mining.suggest_difficulty": "subscribe",
    "mining.suggest_target": "subscribe",
    "mining.hello": "subscribe",
    "mining.multi_version": "subscribe",
    "mining.get_transactions": "poll",
}
_STRATUM_SERVER = {
    "mining.set_difficulty": "difficulty",
    "mining.set_target": "difficulty",
    "mining.set_extranonce": "difficulty",
    "mining.set": "difficulty",
}
_ETHEREUM = {
    "eth_submitlogin": "login",
    "eth_login": "login",
    "eth_getwork": "poll",
    "eth_submithashrate": "rate",
}
Line = tuple[str, str, str]
"""Side (`client`, `server`), dialect and word."""


def is_hash(value: object) -> bool:
    """32 bytes as hexadecimal."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def is_hex(value: object, least: int) -> bool:
    """Hexadecimal of at least so many digits."""
    return isinstance(value, str) and len(value) >= least and _HEX.fullmatch(value) is not None


def line_of(message: dict[str, object]) -> Line | None:
    """The line a message is, or None when it is none of a mining dialect."""
    method = message.get("method") or message.get("type")
    params = message.get("params")
    if isinstance(method, str):
        return _called(method.strip().lower(), params)
    return _answered(message.get("result"))


def _called(method: str, params: object) -> Line | None:
    if method.startswith("mining."):
        return _stratum(method, params if isinstance(params, list) else [])
    if method.startswith("eth_"):
        return _ethereum(method, params if isinstance(params, list) else [])
    if isinstance(params, dict):
        return _cryptonote(method, params)
    return _http_work(method, params if isinstance(params, list) else [])


def _stratum(method: str, params: Sequence[object]) -> Line | None:
    if method in _STRATUM_CLIENT:
        return CLIENT, "stratum", _STRATUM_CLIENT[method]
    if method in _STRATUM_SERVER:
        return SERVER, "stratum", _STRATUM_SERVER[method]
    if method == "mining.notify" and len(params) >= 3 and any(is_hash(value) for value in params[1:]):
        return SERVER, "stratum", "job"
    if method == "mining.submit" and len(params) >= 3 and any(is_hex(value, 6) for value in params[2:]):
        return CLIENT, "stratum", "submit"
    return None


def _ethereum(method: str, params: Sequence[object]) -> Line | None:
    if method == "eth_submitwork" and sum(is_hash(value) for value in params) >= 1:
        return CLIENT, "ethereum", "submit"
    if method in _ETHEREUM:
        return CLIENT, "ethereum", _ETHEREUM[method]
    return None


def _cryptonote(method: str, params: dict[str, object]) -> Line | None:
    if method == "job":
        return (SERVER, "cryptonote", "job") if is_job(params) else None
    if method == "login" and isinstance(params.get("login"), str) and "pass" in params:
        return CLIENT, "cryptonote", "login"
    if method == "submit" and is_share(params):
        return CLIENT, "cryptonote", "submit"
    if method in ("keepalived", "getjob"):
        return CLIENT, "cryptonote", "poll"
    if method in _TEMPLATE_METHODS:
        return CLIENT, "http", "template"
    return None


def is_job(value: object) -> bool:
    """A CryptoNote job: a blob of hexadecimal with a target, under an id; Grin's has a difficulty and no target."""
    if not isinstance(value, dict) or not isinstance(value.get("job_id"), str | int):
        return False
    if is_hex(value.get("pre_pow"), 64):
        return isinstance(value.get("difficulty"), int)
    return is_hex(value.get("target"), 4) and is_hex(value.get("blob"), 64)


def is_share(params: dict[str, object]) -> bool:
    """A CryptoNote share: a nonce and a 32-byte result against a job, under the id that the login gave.

    Without the id it is a build server's result as well: those have jobs, nonces and digests, too.
    """
    nonce = params.get("nonce")
    good = isinstance(nonce, str) and _NONCE.fullmatch(nonce) is not None
    return good and is_hash(params.get("result")) and "job_id" in params and "id" in params


def _http_work(method: str, params: Sequence[object]) -> Line | None:
    if method == "getwork":
        return CLIENT, "http", "submit" if params and is_hex(params[0], 160) else "work"
    if method in _TEMPLATE_METHODS and all(isinstance(value, dict) for value in params):
        return CLIENT, "http", "template"
    if method in _BLOCK_METHODS and params and is_hex(params[0], 160):
        return CLIENT, "http", "submit"
    return None


def _answered(result: object) -> Line | None:
    if isinstance(result, dict):
        return _answered_object(result)
    if isinstance(result, list):
        return _answered_list(result)
    return None


def _answered_object(result: dict[str, object]) -> Line | None:
    if is_job(result.get("job")) or is_job(result):
        return SERVER, "cryptonote", "job"
    if is_hex(result.get("data"), 160) and is_hash(result.get("target")):
        return SERVER, "http", "work"
    if is_hash(result.get("previousblockhash")) and "bits" in result:
        return SERVER, "http", "work"
    if isinstance(result.get("blocktemplate_blob"), str):
        return SERVER, "http", "work"
    return None


def _answered_list(result: Sequence[object]) -> Line | None:
    if is_work(result):
        return SERVER, "ethereum", "job"
    if 2 <= len(result) <= 3 and isinstance(result[0], list) and is_hex(result[1], 2) and _names(result[0]):
        return SERVER, "stratum", "session"
    return None


def is_work(result: object) -> bool:
    """Ethereum work: header, seed and boundary, and nothing more but a block number.

    A node lists transactions and blocks as hashes, too: as many as there are.
    """
    if not isinstance(result, list) or not 3 <= len(result) <= 4 or not all(is_hash(value) for value in result[:3]):
        return False
    return len(result) == 3 or (is_hex(result[3], 1) and len(str(result[3])) <= _BLOCK_NUMBER_DIGITS_MOST)


def _names(subscriptions: Sequence[object]) -> bool:
    flat = [item for entry in subscriptions for item in (entry if isinstance(entry, list) else [entry])]
    return any(isinstance(item, str) and item.startswith("mining.") for item in flat)
