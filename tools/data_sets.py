"""The data sets beside the checkout: where they lie, what each says, and how it becomes evidence.

They are not part of the repository (some are copyleft). `DAVYLAMP_DATA` names their folder; without it they are
looked for in `shared/data` beside the checkout.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.recut_data import dns_log_of_pools, dns_log_of_popular_names, events_apart, flow_logs, sshd_lines

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "DAVYLAMP_DATA"


@dataclass(frozen=True)
class DataSet:
    """One set, or one set written anew in a form that a source reads.

    Args:
        name: the name of its golden file, and of its folder unless `folder` says otherwise.
        says: what its origin states, in a sentence.
        benign: no mining is known in it, so it must give no incident.
        folder: the folder below the data folder.
        recut: writes evidence from (set's folder) to (new folder); without it the folder is the evidence.
    """

    name: str
    says: str
    benign: bool = True
    folder: str = ""
    recut: Callable[[Path, Path], None] | None = None

    def evidence(self, scratch: Path) -> Path:
        """The folder to scan; a recut is written below `scratch`."""
        origin = data_folder() / (self.folder or self.name)
        if self.recut is None:
            return origin
        made = scratch / self.name
        made.mkdir(parents=True)
        self.recut(origin, made)
        return made

    def missing(self) -> str:
        """Why the set cannot be looked at; empty when it can."""
        origin = data_folder() / (self.folder or self.name)
        return "" if origin.is_dir() else f"the data set {self.name} was not looked at: there is no {origin}"


def data_folder() -> Path:
    """The folder of all sets; it need not exist."""
    return Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "data").resolve()


_NO_SOURCE = "no source reads its formats: unrecognized, and said so"

SETS: tuple[DataSet, ...] = (
    DataSet(
        "audit_go_libaudit", "Linux audit records of five distributions; the golden parses beside them are no evidence"
    ),
    DataSet("aws_log_examples", "one Route 53 Resolver record; the flow records are wrapped with their statements"),
    DataSet(
        "aws_log_examples_as_files",
        "21 flow records in five formats, each with the documentation's statement",
        folder="aws_log_examples",
        recut=flow_logs,
    ),
    DataSet("benign_domains_misp", f"popular names as JSON lists; {_NO_SOURCE}"),
    DataSet(
        "benign_domains_misp_looked_up",
        "a hundred machines look up every popular name: a hit is false unless the name is a mining business",
        folder="benign_domains_misp",
        recut=dns_log_of_popular_names,
    ),
    DataSet("cloudtrail_stratus", "ten attack techniques, one a file; none of them launches machines"),
    DataSet("cspm_c7n_placebo", f"recorded AWS API answers; {_NO_SOURCE}, but for one answer with CPU data"),
    DataSet("cspm_checkov", f"infrastructure code; {_NO_SOURCE}"),
    DataSet("cspm_cloudgoat", f"Terraform; {_NO_SOURCE}"),
    DataSet("focus", f"billing rows; {_NO_SOURCE}"),
    DataSet("gcp_security_analytics", f"Google Cloud audit and flow records; {_NO_SOURCE}"),
    DataSet("host_msticpy", f"syslog as CSV and osquery results of two Linux hosts; {_NO_SOURCE}"),
    DataSet("hub_crowdsec", "scenario.assert holds the offenders, parser.assert the parsed fields"),
    DataSet("iam_cloudsplaining", f"IAM account details; {_NO_SOURCE}"),
    DataSet("k8s_audit_falco", f"Kubernetes audit events; {_NO_SOURCE}"),
    DataSet("k8s_goat", f"Kubernetes manifests; {_NO_SOURCE}"),
    DataSet("logs_plaso", "log samples of many kinds: syslog in eight dialects, CloudTrail, utmp, audit"),
    DataSet("nab", "server metrics with labelled anomalies; no series is known to hold a miner"),
    DataSet("net_arkime", "captures without mining"),
    DataSet("net_ndpi", "2,209 flows, none of them mining (truth.tsv)"),
    DataSet("net_suricata_verify", "malformed, evasive, tunnelled and attack traffic without mining"),
    DataSet("net_zeek_cryptomining", "four captures of mining; expected/ and flow_index.tsv name flows", benign=False),
    DataSet("net_zeek_traces", "protocol traces without mining, some malformed"),
    DataSet("packages_osv_scalibr", f"package databases; {_NO_SOURCE}"),
    DataSet("pools_maltrail", f"names and addresses of pools; {_NO_SOURCE}"),
    DataSet("pools_nocoin", f"names of browser miners; {_NO_SOURCE}"),
    DataSet(
        "pools_maltrail_looked_up",
        "each listed name of a pool is looked up by a machine of its own",
        benign=False,
        folder="pools_maltrail",
        recut=dns_log_of_pools,
    ),
    DataSet("prices", f"list prices; {_NO_SOURCE}"),
    DataSet("rule_tests_panther", "events with expected true or false for each rule"),
    DataSet(
        "rule_tests_panther_apart",
        "its CloudTrail events, each in an account of its own, because each is a test of its own",
        folder="rule_tests_panther",
        recut=events_apart,
    ),
    DataSet("ssh_honeypot_2025", f"user names tried on a honeypot; {_NO_SOURCE}"),
    DataSet(
        "ssh_honeypot_2025_as_sshd_lines",
        "every user name that was tried, in sshd's own words, from one documentation address",
        folder="ssh_honeypot_2025",
        recut=sshd_lines,
    ),
    DataSet("vuln_kev", f"known exploited vulnerabilities; {_NO_SOURCE}"),
    DataSet("vuln_match_labels", f"package matches; {_NO_SOURCE}"),
    DataSet(
        "zeek_stratosphere", "labelled flows, none of them mining: benign, command and control, attacks from outside"
    ),
    DataSet("zeek_wrccdc", "a competition's network, TSV and JSON; no labels, no mining known"),
)
