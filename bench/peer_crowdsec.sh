#!/bin/bash
# crowdsec over one syslog file, offline: peer_crowdsec.sh FOLDER FILE, where FOLDER is the unpacked Debian package.
# It runs in a network namespace of its own with nothing but loopback (its parts talk over that), so nobody can be
# contacted; no central service is configured.
set -euo pipefail
package=$1
evidence=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hub=$package/usr/share/crowdsec/hub
mkdir -p "$work"/{data,hub,parsers/s00-raw,parsers/s01-parse,parsers/s02-enrich,scenarios,postoverflows}
cp "$hub/parsers/s00-raw/crowdsecurity/syslog-logs.yaml" "$work/parsers/s00-raw/"
cp "$hub/parsers/s01-parse/crowdsecurity/sshd-logs.yaml" "$work/parsers/s01-parse/"
cp "$hub/parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml" "$work/parsers/s02-enrich/"
cp "$hub/scenarios/crowdsecurity/"{ssh-bf,ssh-slow-bf}.yaml "$work/scenarios/"
cp -r "$package/etc/crowdsec/patterns" "$work/patterns"
printf '{"parsers": {}, "scenarios": {}, "postoverflows": {}, "collections": {}}' > "$work/hub/.index.json"
printf 'simulation: false\n' > "$work/simulation.yaml"
cat > "$work/config.yaml" <<CONFIG
common: {daemonize: false, log_media: stdout, log_level: error, working_dir: "$work"}
config_paths: {config_dir: "$work", data_dir: "$work/data", simulation_path: "$work/simulation.yaml", hub_dir: "$work/hub", index_path: "$work/hub/.index.json"}
api:
  client: {insecure_skip_verify: false, credentials_path: "$work/credentials.yaml"}
  server: {enable: true, listen_uri: "127.0.0.1:8080", profiles_path: "$package/etc/crowdsec/profiles.yaml", log_level: error}
crowdsec_service: {parser_routines: 1, buckets_routines: 1, output_routines: 1}
db_config: {type: sqlite, db_path: "$work/data/crowdsec.db"}
prometheus: {enabled: false}
CONFIG
touch "$work/credentials.yaml"
unshare --net bash -c '
    ip link set lo up
    "$0/usr/bin/cscli" -c "$1/config.yaml" machines add bench --password bench -f "$1/credentials.yaml" -u http://127.0.0.1:8080
    "$0/usr/bin/crowdsec" -c "$1/config.yaml" -type syslog -dsn "file://$2"
' "$package" "$work" "$evidence"
