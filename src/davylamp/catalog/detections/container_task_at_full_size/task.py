"""Task definitions as CloudTrail writes them: size, images, and words that name mining."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from davylamp.kit.audit import first_text, number, request, response, text_of, walk
from davylamp.kit.detection import Row

PUBLIC_REGISTRIES = frozenset(
    {
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "registry.hub.docker.com",
        "public.ecr.aws",
        "ghcr.io",
        "quay.io",
        "gcr.io",
        "registry.gitlab.com",
        "docker.pkg.github.com",
        "ttl.sh",
    }
)
_VCPU = re.compile(r"^\s*(\d{1,3}(?:\.\d{1,3})?)\s*vcpu\s*$", re.IGNORECASE)
_GB = re.compile(r"^\s*(\d{1,4}(?:\.\d{1,3})?)\s*gb\s*$", re.IGNORECASE)
_STRATUM = re.compile(r"stratum(?:\+|%2b)?[a-z0-9]{0,6}(?:://|%3a%2f%2f)", re.IGNORECASE)
_MINING_NAME = re.compile(
    r"^(?:.*_)?(?:wallet|pool(?:_?(?:url|host|user|pass|address))?|miner|algo|worker_?name)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Task:
    """A task definition.

    Args:
        key: family:revision, as starts name it; family alone where the answer is missing.
        cpu_units: 1024 a vCPU; the larger of the task's figure and the sum of its containers.
        public_image: image of the largest container when it is from a public registry, else empty.
        mining_words: names or addresses in command or environment that speak of a pool or wallet.
    """

    family: str
    key: str
    cpu_units: int
    memory_mib: int
    public_image: str
    mining_words: tuple[str, ...]


def cpu_units(value: object) -> int:
    """CPU units of `16384`, 16384 or `16 vCPU`."""
    match = _VCPU.match(str(value))
    return int(float(match.group(1)) * 1024) if match else number(str(value))


def memory_mib(value: object) -> int:
    """MiB of `32768`, 32768 or `32 GB`."""
    match = _GB.match(str(value))
    return int(float(match.group(1)) * 1024) if match else number(str(value))


def is_public(image: str) -> bool:
    """Whether anybody may have put the image where it is pulled from: no host names Docker Hub."""
    host, slash, _ = image.partition("/")
    named = bool(slash) and ("." in host or ":" in host or host == "localhost")
    return (host.lower() in PUBLIC_REGISTRIES) if named else bool(image)


def task_of(row: Row) -> Task:
    """The task definition that a RegisterTaskDefinition call wrote."""
    asked = request(row)
    top: Mapping[str, object] = asked if isinstance(asked, dict) else {}
    listed = top.get("containerDefinitions")
    containers = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    units = [cpu_units(item.get("cpu", 0)) for item in containers]
    memory = sum(memory_mib(item.get("memory", 0)) for item in containers)
    family = str(top.get("family", ""))
    revision = first_text(response(row), "revision")
    return Task(
        family=family,
        key=f"{family}:{revision}" if revision else family,
        cpu_units=max(cpu_units(top.get("cpu", 0)), sum(units)),
        memory_mib=max(memory_mib(top.get("memory", 0)), memory),
        public_image=_public_image(containers, units),
        mining_words=_mining_words(containers),
    )


def _public_image(containers: list[dict[str, object]], units: list[int]) -> str:
    images = [str(item.get("image", "")) for item in containers]
    if not images:
        return ""
    largest = max(units)
    decisive = [image for image, unit in zip(images, units, strict=True) if unit == largest]
    return decisive[0] if all(is_public(image) for image in decisive) else ""


def _mining_words(containers: list[dict[str, object]]) -> tuple[str, ...]:
    words: dict[str, None] = {}
    for key, value in walk(containers):
        if not isinstance(value, str):
            continue
        if _STRATUM.search(value):
            words["a stratum address"] = None
        if key == "name" and _MINING_NAME.match(value):
            words[value] = None
    return tuple(words)


def names_stratum(row: Row) -> bool:
    """Whether a start call overrides the command with a pool's address."""
    return _STRATUM.search(text_of(row, "request")) is not None
