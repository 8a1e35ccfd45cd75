"""The machine itself: cloud, type, region and identity from files; the metadata service only when asked for."""

from __future__ import annotations

import json
from typing import Any

from davylamp.agent import metadata_service
from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

DMI = "/sys/class/dmi/id"
DMI_NAMES = ("sys_vendor", "product_name", "product_version", "chassis_asset_tag", "bios_vendor", "board_asset_tag")
INSTANCE_DATA = "/run/cloud-init/instance-data.json"
CLOUDS = {
    "amazon": "aws", "google": "gcp", "microsoft": "azure", "alibaba": "alibaba", "digitalocean": "digitalocean",
    "hetzner": "hetzner", "oracle": "oracle", "openstack": "openstack", "tencent": "tencent", "linode": "linode",
}  # fmt: skip
# Names that clouds give the same fact in cloud-init's instance data.
TYPE = ("instance-type", "instanceType", "vmSize")


def collect(files: HostFiles, metadata: bool) -> None:
    """Settings of kind `instance`, and one `device_inventory` row with what names this machine.

    Args:
        metadata: ask the cloud's link-local metadata service as well (one token, one document, 1 s each).
    """
    facts = _from_files(files)
    if metadata and not files.look.root.rstrip("/"):
        try:
            facts |= metadata_service.identity()
        except OSError as error:
            files.failures.append(("metadata service", error.strerror or str(error)))
    for name, value in facts.items():
        write_setting(files, "instance", name, value)
    files.look.record(
        "device_inventory",
        ground="metadata_service" if metadata and "instance_uid" in facts else "instance_data",
        device_name=files.look.recorder.device_name,
        instance_uid=facts.get("instance_uid"),
        instance_type=facts.get("instance_type"),
        image_uid=facts.get("image_uid"),
        account_uid=facts.get("account_uid"),
        region=facts.get("region"),
    )


def _from_files(files: HostFiles) -> dict[str, str]:
    facts = {f"dmi.{name}": value for name in DMI_NAMES if (value := files.text(f"{DMI}/{name}"))}
    vendor = " ".join(facts.values()).lower()
    cloud = next((name for word, name in CLOUDS.items() if word in vendor), None)
    facts |= {"machine_id": files.text("/etc/machine-id"), "kernel": files.text("/proc/sys/kernel/osrelease")}
    facts |= _hardware(files)
    if cloud == "aws":
        # On Nitro machines the asset tag is the instance's id and the product's name its type.
        tag = facts.get("dmi.board_asset_tag", "")
        facts |= {
            "instance_uid": tag if tag.startswith("i-") else "",
            "instance_type": facts.get("dmi.product_name", ""),
        }
    facts |= _from_cloud_init(files)
    facts.setdefault("cloud", cloud or "")
    return {name: value for name, value in facts.items() if value}


def _hardware(files: HostFiles) -> dict[str, str]:
    model, cpus_count, memory = "", 0, ""
    for _, line in files.lines("/proc/cpuinfo"):
        cpus_count += line.startswith("processor")
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    for _, line in files.lines("/proc/meminfo"):
        words = line.split()
        if line.startswith("MemTotal:") and len(words) >= 2 and words[1].isdigit():
            memory = str(int(words[1]) * 1024)
    return {"cpu_count": str(cpus_count or ""), "cpu_model": model, "memory_bytes": memory}


def _from_cloud_init(files: HostFiles) -> dict[str, str]:
    facts = {"instance_uid": files.text("/var/lib/cloud/data/instance-id")}
    try:
        data = json.loads(files.read(INSTANCE_DATA) or b"{}")
    except (ValueError, RecursionError):
        files.failures.append((INSTANCE_DATA, "no JSON"))
        data = {}
    known = data.get("v1") if isinstance(data, dict) else None
    if isinstance(known, dict):
        names = {"cloud": "cloud_name", "region": "region", "instance_uid": "instance_id", "zone": "availability_zone"}
        facts |= {name: str(known[key]) for name, key in names.items() if isinstance(known.get(key), str)}
    facts |= {"instance_type": _deep(data, TYPE), "account_uid": _deep(data, ("accountId", "account-id"))}
    return {name: value for name, value in facts.items() if value and value not in ("None", "unknown", "nocloud")}


def _deep(data: Any, names: tuple[str, ...], depth: int = 0) -> str:
    """The first text under one of the names, at most six levels down."""
    if not isinstance(data, dict) or depth > 6:
        return ""
    for name in names:
        if isinstance(data.get(name), str):
            return str(data[name])
    return next((found for value in data.values() if (found := _deep(value, names, depth + 1))), "")
