"""The detection `name_image_mismatch`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_started_at
from davylamp.kit.temporary_folders import HIDDEN_FOLDER, KNOWN_HIDDEN_FOLDER, TEMPORARY_FOLDER
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

# Services of the system whose program has that name and stands where packages put programs. Language runtimes and
# programs that people build and keep in homes (node, java, python, postgres, redis) are no proof of anything.
_DAEMON = (
    "^(sshd|sshd-session|crond?|anacron|atd|systemd|systemd-[a-z]+|dbus-daemon|dbus-broker|rsyslogd|syslogd|"
    "syslog-ng|auditd|udevd|networkmanager|dhclient|dhcpcd|wpa_supplicant|polkitd|accounts-daemon|acpid|irqbalance|"
    "agetty|getty|sudo|su|chronyd|ntpd|ntpdate|timesyncd|unattended-upgr|apt|dpkg|rpm|yum|dnf|packagekitd|"
    "apache2|httpd|nginx|lighttpd|mysqld|mariadbd|php-fpm[0-9.]*|named|unbound|dnsmasq|postfix|exim4?|sendmail|"
    "dockerd|containerd|containerd-shim.*|kubelet|kube-proxy|lvmetad|multipathd|snapd|fwupd|udisksd|upowerd|"
    "bash|sh|dash|rsync|ssh)$"
)
_INTERPRETER = (
    "^(python|pypy|perl|ruby|php|node|nodejs|bun|deno|java|jsvc|bash|sh|dash|zsh|ksh|ash|lua|tclsh|mono|dotnet|busybox|"
    "toybox|coreutils|systemd|tini|dumb-init|docker-init|catatonit|s6-|runit|supervisord|qemu-|rosetta|box64|box86|"
    "ld-|ld[.]so|gdb|strace|ltrace|valgrind|rr|proot|uwsgi|electron|openresty|tengine|angie|freenginx)"
)
_SYSTEM_FOLDER = (
    "^(/usr/|/bin/|/sbin/|/lib/|/lib64/|/lib32/|/opt/|/snap/|/var/lib/snapd/|/var/lib/flatpak/|/app/|/nix/store/|"
    "/gnu/store/|/run/current-system/|/System/|/Library/|/Applications/|/ostree/|/sysroot/|/var/lib/rancher/|"
    "/var/lib/k0s/|/k3s/|/home/linuxbrew/|/proc/|/mnt/wsl|/init$|/[a-z0-9_.-]+$)"
)


class NameImageMismatch(Detection):
    """A process calls itself a service of the system, and its image is another program or stands in an odd place.

    What it sees.
    A name or command line of a well-known daemon or tool (`sshd`, `crond`, `systemd-...`, `nginx`, `rsync`) over an
    image of another name outside the folders that packages use; a file named so in a temporary or hidden folder; and a
    process whose command line was emptied.

    Why it matters.
    Names are what people read, and arguments are what gives miners away. Miners call themselves `sshd`, `crond` or
    `[nginx]` and are somebody's file in a home; Outlaw's is `rsync` in `~/.configrc/`, Rocke's was `java` in `/tmp`.

    How it decides.
    That a name differs from a file's name is ordinary: threads rename themselves, scripts and titles have their own
    names, busybox is a hundred programs. So only names count that one program alone has a right to, the list is in the
    unit, and only over an image outside the folders of packages, that no package owns and that is no interpreter, init
    or wrapper: ratio 3.0, and 3.5 when the image stands in a temporary or hidden folder as well. A file with such a
    name in a temporary folder, or a hidden one that is no tool's own, gives 2.5. The first four letters must differ, so
    that `sshd` over `sshd-session`, `php-fpm` over `php-fpm8.2` and `mysqld` over `mysqld-debug` agree.

    An empty command line, over an image that no package owns, gives 2.0: a program has its own name there unless
    somebody removed it. A process within its first two seconds (`settled_s`) may not have been given its arguments yet.

    What it misses.
    Names of programs that people keep where they like (`node`, `java`, `python3`); a false name over an image in `/usr`
    or `/opt`; names nobody knows; an image in the plain home of a user under its own name.

    What looks like it and is not.
    `nginx: worker process`, `postgres: writer`, `sshd: root [priv]`, `(sd-pam)`, `tmux: server`, fail2ban and amavis
    over their interpreters, a container's `init`, builds of a daemon in its developer's home.

    What to do.
    Copy the image; see who started it and since when; compare with the service it claims to be.

    References.
    https://attack.mitre.org/techniques/T1036/005/
    https://attack.mitre.org/techniques/T1036/011/
    """

    meta = DetectionMeta(
        uid="name_image_mismatch",
        title="Process under the name of another program",
        group="host_identity",
        stage="impairment",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1036.005", "Masquerading: Match Legitimate Resource Name or Location"),
            Technique("T1036.011", "Masquerading: Overwrite Process Arguments"),
        ),
        reads=("process_activity",),
        references=(
            "https://attack.mitre.org/techniques/T1036/005/",
            "https://attack.mitre.org/techniques/T1036/011/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {
        "daemon": _DAEMON,
        "interpreter": _INTERPRETER,
        "system_folder": _SYSTEM_FOLDER,
        "temporary_folder": TEMPORARY_FOLDER,
        "hidden_folder": HIDDEN_FOLDER,
        "known_hidden_folder": KNOWN_HIDDEN_FOLDER,
        "settled_s": 2.0,
        "rows_count": 5,
    }
    false_llr, false_and_odd_llr, odd_llr, wiped_llr = 3.0, 3.5, 2.5, 2.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            false_name = first["false_name"]
            if false_name is not None:
                llr = self.false_and_odd_llr if first["in_odd_place"] == 1 else self.false_llr
                said = f"calls itself {false_name} and runs {first['image_path']}"
            elif first["odd_place_name"] is None:
                llr = self.wiped_llr
                said = f"shows no command line, not even its name, and runs {first['image_path']}"
            else:
                llr = self.odd_llr
                said = f"runs {first['image_path']}, named like {first['odd_place_name']} and no place for it"
            yield process_finding(
                self.meta,
                rows,
                because=f"process {first['process_pid']} on {first['asset']} {said}",
                llr=llr,
                first_seen=process_started_at(first),
                columns=("image_state",),
                evidence_count=whole_of(first, "records_count"),
            )
