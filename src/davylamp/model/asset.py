"""Assets: which identities speak of the same machine, and on what ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PRICE_MODELS = (
    "on_demand",
    "spot",
    "reserved",
    "burstable_standard",
    "burstable_unlimited",
    "autoscaled",
    "serverless",
)


@dataclass(frozen=True, slots=True)
class DeclaredAsset:
    """An asset as the user declares it in `davylamp.toml` or `--assets FILE`.

    Args:
        paths: globs of evidence files that are this asset's.
    """

    name: str
    addresses: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    instance_id: str = ""
    instance_type: str = ""
    region: str = ""
    account: str = ""
    price_model: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine as joined from declaration and evidence; `grounds` say why each identity is its."""

    name: str
    kind: str = "host"
    addresses: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    instance_id: str = ""
    instance_type: str = ""
    region: str = ""
    account: str = ""
    price_model: str = ""
    grounds: tuple[str, ...] = ()
