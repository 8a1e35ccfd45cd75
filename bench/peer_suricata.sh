#!/bin/bash
# Suricata over one capture, offline: peer_suricata.sh COMMAND RULES CAPTURE. COMMAND may hold arguments, such as
# "suricata -c suricata.yaml" where its configuration lies elsewhere. Any address is at home and abroad, since a capture
# says nothing of a site, and checksums are not looked at, since a capture of one's own machine often has none.
set -euo pipefail
read -ra suricata <<< "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${suricata[@]}" -r "$3" -S "$2" -l "$work" -k none --set vars.address-groups.HOME_NET=any \
    --set vars.address-groups.EXTERNAL_NET=any --set unix-command.enabled=no > "$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
python3 - "$work/eve.json" <<'PYTHON'
import collections, json, sys

alerts, flows_count = collections.Counter(), 0
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        # The other events are as many as the requests seen; only these two kinds are read.
        if '"event_type":"flow"' in line:
            flows_count += 1
        elif '"event_type":"alert"' in line:
            alert = json.loads(line)["alert"]
            alerts[f"{alert['signature_id']} {alert['signature']}"] += 1
print(f"flows: {flows_count}; alerts:", "; ".join(f"{name} ({count})" for name, count in sorted(alerts.items())) or "none")
PYTHON
