"""Names that miners send nowhere or elsewhere: security vendors, agents of clouds, updates, paste and code hosts.

From reports of agents removed by mining campaigns (Alibaba's, Tencent's, BMC's: ATT&CK G0139, G0106; knowledge base
1.5 and E1) and the vendors' own lists of addresses that their agents need.
"""

from __future__ import annotations

SECURITY = (
    "aegis.aliyun.com", "aegis.alibaba-inc.com", "update.aegis.aliyun.com", "cloudmonitor.aliyun.com",
    "yunjing.tencent.com", "secu.tencentyun.com", "update2.agent.tencentyun.com", "clamav.net", "virustotal.com",
    "cloudsink.net", "crowdstrike.com", "sentinelone.net", "trendmicro.com", "sophosupd.com", "sophos.com",
    "kaspersky.com", "eset.com", "bitdefender.com", "bitdefender.net", "malwarebytes.com", "mwbsys.com",
    "f-secure.com", "avast.com", "wazuh.com", "sysdig.com", "sysdigcloud.com", "falco.org", "lacework.net",
    "aquasec.com", "elastic-cloud.com", "carbonblack.io", "cbdefense.com", "qualys.com", "rapid7.com",
    "tenable.com", "threatstack.com", "datadoghq.com", "wdcp.microsoft.com", "endpoint.security.microsoft.com",
    "abuse.ch", "bmc.com",
)  # fmt: skip
UPDATES = (
    "security.debian.org", "ftp.debian.org", "security.ubuntu.com", "archive.ubuntu.com", "esm.ubuntu.com",
    "mirrors.fedoraproject.org", "mirrorlist.centos.org", "mirrors.rockylinux.org", "cdn.redhat.com",
    "amazonlinux.com", "dl-cdn.alpinelinux.org", "download.opensuse.org", "packages.microsoft.com",
)  # fmt: skip


def within(name: str, zones: tuple[str, ...]) -> str | None:
    """The zone a name belongs to, on a label boundary; None when to none."""
    return next((zone for zone in zones if name == zone or name.endswith("." + zone)), None)
