"""Dialogues of our emulation between real sockets: a machine's and one outside, through the gateway."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

from davylamp.kit.emulation.loopback import Tls, play_between
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.twins import twin_dialogue
from examples.make import plan
from examples.make.namespaces import OUTSIDE, run, socket_in
from examples.make.servers import SCRATCH

LONGEST_S = 60.0


def dialogue_of(talk: plan.Talk, seed: int) -> Dialogue:
    """What is said; the same seed says the same."""
    family, _, name = talk.dialogue.partition(":")
    if family == "twin":
        return twin_dialogue(name, seed, talk.duration_s)
    return mining_dialogue(name, seed, MiningRhythm(duration_s=talk.duration_s, share_gap_s=20.0))


def hold_all(seed: int) -> None:
    """Plays every talk of the plan at once.

    Raises:
        RuntimeError: one of them did not come to its end in time.
    """
    contexts = _contexts()

    async def together() -> None:
        await asyncio.gather(*(_hold(talk, seed + number, contexts) for number, talk in enumerate(plan.TALKS)))

    asyncio.run(together())


async def _hold(talk: plan.Talk, seed: int, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        socket_in(OUTSIDE, socket.AF_INET, socket.SOCK_STREAM) as listening,
        socket_in(talk.host, socket.AF_INET, socket.SOCK_STREAM) as calling,
    ):
        listening.bind((talk.server, talk.server_port))
        calling.bind((plan.HOSTS[talk.host], talk.client_port))
        played = await play_between(
            dialogue_of(talk, seed),
            listening,
            calling,
            speed_ratio=talk.speed_ratio,
            longest_s=LONGEST_S,
            tls=Tls(*contexts, server_name=talk.server_name) if talk.server_name else None,
        )
    if not played.complete:
        raise RuntimeError(f"the dialogue of {talk.host} with {talk.server} did not end within {LONGEST_S:.0f} s")


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of both ends; the certificate is made here and forgotten with the scratch folder."""
    key, certificate = Path(SCRATCH / "tls.key"), Path(SCRATCH / "tls.crt")
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", "/CN=edge", "-keyout", str(key), "-out", str(certificate)),
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client
