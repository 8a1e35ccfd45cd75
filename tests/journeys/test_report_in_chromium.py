"""The page in a real browser: hostile evidence runs nothing, and the page fits narrow and wide screens."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from davylamp.report.html import render_html
from tests.rooms.hostile_document import EXAMPLE, hostile_document

pytestmark = pytest.mark.slow
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--allow-file-access-from-files", "--virtual-time-budget=1500",
)  # fmt: skip
# Blink's own numbers for the preferred colour scheme.
SCHEMES = {"dark": 0, "light": 1}
MEASURE = """<!DOCTYPE html><title>not measured</title>
<iframe src="{name}" width="{width}" height="2000" style="border:0"></iframe>
<script>onload = () => {{
  document.title = document.querySelector("iframe").contentDocument.documentElement.scrollWidth;
}};</script>"""


class _Tags(HTMLParser):
    def __init__(self, dom: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.feed(dom)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


def _chromium(profile: Path, *arguments: str) -> str:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("chromium is missing, so the page was not tried: apt-get install chromium (`make test` does it)")
    ran = subprocess.run(
        [program, *FLAGS, f"--user-data-dir={profile}", *arguments], capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")[-2000:]
    return ran.stdout.decode("utf-8")


def _example() -> Any:
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


def _titles(dom: str) -> list[str]:
    head = dom[: dom.index("</head>")]
    return re.findall(r"<title>(.*?)</title>", head)


@pytest.mark.parametrize("policy", ["kept", "stripped"])
def test_no_script_from_evidence_runs(tmp_path: Path, policy: str) -> None:
    text = render_html(hostile_document())
    if policy == "stripped":
        # Escaping alone must hold: the policy is the second wall, not the first.
        text, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        assert count == 1
    page = tmp_path / "report.html"
    page.write_text(text, encoding="utf-8")
    dom = _chromium(tmp_path / "profile", "--dump-dom", page.as_uri())
    assert _titles(dom) == ["Davylamp: 2 incidents, $37.08 an hour."]
    tags = _Tags(dom)
    assert set(tags.names) & {"img", "iframe", "base", "textarea", "object", "embed", "form", "link"} == set()
    assert tags.names.count("script") == 1
    assert [name for name in tags.attributes if name.startswith("on")] == []
    assert len(re.findall(r"<output>\+\$\d", dom)) == 2, "our own script must run: it makes the money clocks"


def test_a_link_to_a_finding_opens_it(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_html(_example()), encoding="utf-8")
    dom = _chromium(tmp_path / "profile", "--dump-dom", f"{page.as_uri()}#f3")
    assert re.findall(r'<details class="finding" id="(f\d+)" open', dom) == ["f3"]


@pytest.mark.parametrize("width_px", [380, 1280])
@pytest.mark.parametrize("text_from", ["example", "hostile"])
def test_the_page_never_scrolls_sideways(tmp_path: Path, width_px: int, text_from: str) -> None:
    scan = _example() if text_from == "example" else hostile_document()
    (tmp_path / "report.html").write_text(render_html(scan), encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(MEASURE.format(name="report.html", width=width_px), encoding="utf-8")
    dom = _chromium(tmp_path / "profile", "--dump-dom", outer.as_uri())
    assert _titles(dom) == [str(width_px)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width_px", [380, 1280])
@pytest.mark.parametrize("text_from", ["example", "hostile"])
def test_it_is_drawn(tmp_path: Path, scheme: str, width_px: int, text_from: str) -> None:
    scan = _example() if text_from == "example" else hostile_document()
    page, picture = tmp_path / "report.html", tmp_path / f"{text_from}-{scheme}-{width_px}.png"
    page.write_text(render_html(scan), encoding="utf-8")
    _chromium(
        tmp_path / "profile",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--window-size={width_px},1600",
        f"--screenshot={picture}",
        page.as_uri(),
    )
    raw = picture.read_bytes()
    assert raw.startswith(b"\x89PNG")
    assert struct.unpack(">II", raw[16:24]) == (width_px, 1600)
    assert len(raw) > 40_000, "an empty page would make a far smaller picture"
