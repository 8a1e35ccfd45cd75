"""The cloud's link-local metadata service (AWS, version 2): asked only when the user says so."""

from __future__ import annotations

import json
import socket

ADDRESS, PORT, ANSWER_S, ANSWER_BYTES = "169.254.169.254", 80, 1.0, 64 * 1024
TOKEN = "/latest/api/token"
DOCUMENT = "/latest/dynamic/instance-identity/document"
NAMES = {
    "instance_uid": "instanceId",
    "instance_type": "instanceType",
    "region": "region",
    "account_uid": "accountId",
    "image_uid": "imageId",
    "zone": "availabilityZone",
}


def identity(address: str = ADDRESS, port: int = PORT) -> dict[str, str]:
    """What the identity document says of this machine.

    Raises:
        OSError: nobody answered within a second, or the answer was none of the service's.
    """
    token = _ask(address, port, "PUT", TOKEN, "X-aws-ec2-metadata-token-ttl-seconds: 60")
    if not token or len(token) > 1024 or not token.isascii() or any(letter.isspace() for letter in token):
        raise OSError("the metadata service gave no token")
    text = _ask(address, port, "GET", DOCUMENT, f"X-aws-ec2-metadata-token: {token}")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OSError("the metadata service's document is no JSON") from error
    if not isinstance(document, dict):
        raise OSError("the metadata service's document is no object")
    return {name: str(document[key]) for name, key in NAMES.items() if isinstance(document.get(key), str)}


def _ask(address: str, port: int, method: str, path: str, header: str) -> str:
    request = f"{method} {path} HTTP/1.0\r\nHost: {address}\r\n{header}\r\nContent-Length: 0\r\n\r\n"
    answer = b""
    with socket.create_connection((address, port), timeout=ANSWER_S) as connection:
        connection.sendall(request.encode("ascii"))
        while len(answer) < ANSWER_BYTES and (piece := connection.recv(8192)):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or words[1] != b"200":
        raise OSError("the metadata service refused")
    return body.decode("utf-8", "replace")
