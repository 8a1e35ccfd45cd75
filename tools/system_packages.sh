#!/usr/bin/env bash
# Installs the Debian packages that the tests use, where they are missing.
set -euo pipefail

declare -A package_of=([chromium]=chromium [sshd]=openssh-server [ssh]=openssh-client [dnsmasq]=dnsmasq-base [ip]=iproute2 [java]=openjdk-17-jre-headless)
missing=()
for program in chromium sshd ssh dnsmasq ip java; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "the tests need these Debian packages: ${missing[*]}" >&2
  echo "now: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
