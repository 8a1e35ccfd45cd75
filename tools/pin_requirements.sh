#!/usr/bin/env bash
# Pins the requirement files with hashes and without download addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install pip-tools
pin() {
  "$work/venv/bin/pip-compile" -q --strip-extras --allow-unsafe --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o "$@" pyproject.toml requirements/build.in
}
pin requirements/runtime.txt
pin requirements/dev.txt --extra dev
pin "$work/all.txt" --extra dev --extra spark
diff requirements/dev.txt "$work/all.txt" | sed -n 's/^> //p' >requirements/spark.txt || true
