"""The page: whole in itself, escaped, and every link in it leads somewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from davylamp.report.charts import cpu_curve, rhythm, timeline
from davylamp.report.html import render_html
from davylamp.report.visible import clipped, visible
from tests.rooms.hostile_document import EXAMPLE, hostile_document

SNAPSHOT = Path(__file__).parent / "snapshots/html_outline.txt"
TAGS = {
    "a", "article", "aside", "b", "body", "caption", "circle", "code", "dd", "details", "div", "dl", "dt", "figcaption",
    "figure", "footer", "g", "h1", "h2", "h3", "h4", "head", "header", "html", "i", "li", "line", "main", "meta", "ol",
    "output", "p", "path", "polygon", "polyline", "rect", "script", "section", "small", "span", "style", "summary",
    "svg", "table", "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul", "br",
}  # fmt: skip
VOID = {"meta", "br"}
OUTLINE = {"h1", "h2", "h3", "h4", "summary", "figcaption", "dt", "dd", "td", "th", "li", "p", "caption", "title"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.pieces: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in OUTLINE:
            self.pieces.append(f"\n{'  ' * len(self.open)}{tag}: ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.raw[self.open[-1]] = data
        elif data.strip():
            self.pieces.append(" ".join(data.split()) + " ")

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module", params=["example", "hostile", "empty"])
def scan(request: pytest.FixtureRequest) -> Any:
    if request.param == "hostile":
        return hostile_document()
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    if request.param == "empty":
        return {**example, "coverage": [], "findings": [], "incidents": [], "looks": [], "assets": []}
    return example


@pytest.fixture(scope="module")
def page(scan: Any) -> Page:
    text = render_html(scan)
    text.encode("utf-8")
    return Page(text)


def test_the_outline_of_the_example() -> None:
    outline = "".join(Page(render_html(json.loads(EXAMPLE.read_text(encoding="utf-8")))).pieces)
    outline = "\n".join(line.rstrip() for line in outline.splitlines()).strip() + "\n"
    if os.environ.get("DAVYLAMP_WRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(outline, encoding="utf-8")
    assert outline == SNAPSHOT.read_text(encoding="utf-8")


def test_only_our_own_tags_stand_in_the_page(page: Page) -> None:
    assert {tag for tag, _ in page.tags} <= TAGS
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []


def test_nothing_is_asked_of_a_network(page: Page) -> None:
    names = {name for _, attributes in page.tags for name in attributes}
    assert names & {"src", "srcset", "action", "data", "poster", "style", "xlink:href"} == set()
    assert [href for href in page.values("href") if not href.startswith("#")] == []
    assert re.search(r"url\(|@import|https?:", page.raw["style"]) is None
    assert re.search(r"fetch|XMLHttp|import|innerHTML|eval|https?:", page.raw["script"]) is None


def test_the_policy_allows_our_style_and_script_and_nothing_else(page: Page) -> None:
    policy = next(value for value in page.values("content") if value.startswith("default-src"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag].encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_links_lead_to_what_is_there(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+\d*", name)] == []


def test_hidden_letters_are_shown() -> None:
    text = render_html(hostile_document())
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert "<i>\\x1b</i>[2J" in text
    assert "<i>\\u202e</i>gnp.exe" in text
    assert "W" * 801 not in text


def test_a_page_is_the_same_each_time(scan: Any) -> None:
    assert render_html(scan) == render_html(scan)


def test_visible_and_clipped() -> None:
    assert visible("plain text, ünï → ok") == "plain text, ünï → ok"
    assert visible("\x00\x1b\n\u202e\U000e0041") == "\\x00\\x1b\\n\\u202e\\U000e0041"
    assert clipped("abcdef", 4) == "abcd… (2 more characters)"
    assert clipped("ab abcdef cd", word_limit_count=4) == "ab abcd… (2 more characters) cd"


def _finding(uid: str, first: str, last: str, asset: str) -> dict[str, Any]:
    return {"uid": uid, "first_seen": first, "last_seen": last, "assets": [{"name": asset}]}


def test_marks_that_would_touch_stand_on_rows_of_their_own() -> None:
    near = [_finding(str(n), f"2026-01-01T00:0{n}:00Z", "2026-01-02T00:00:00Z", "a") for n in range(3)]
    far = _finding("9", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", "b")
    drawn = timeline([*near, far], lambda item: str(item["assets"][0]["name"]))
    assert drawn is not None
    assert [(lane.name, lane.rows_count) for lane in drawn.lanes] == [("a", 3), ("b", 1)]
    assert [mark.row for mark in drawn.marks] == [0, 1, 2, 3]
    assert all(0 <= mark.x <= 100 and mark.x + mark.width <= 100 for mark in drawn.marks)


def test_many_assets_share_the_last_lane() -> None:
    many = [_finding(f"{n:03}", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", f"h{n:03}") for n in range(50)]
    drawn = timeline(many, lambda item: str(item["assets"][0]["name"]))
    assert drawn is not None
    assert len(drawn.lanes) == 14
    assert drawn.lanes[-1].name == "others"
    assert len(drawn.marks) == 50


def test_series_with_holes_are_drawn_without_them() -> None:
    series: dict[str, Any] = {"kind": "cpu_floor", "x": [0, 600, None, 1800], "y": [0.1, None, 0.3, 0.9]}
    series["levels"] = {"a": 0.1, "b": None}
    curve = cpu_curve(series)
    assert curve is not None
    assert curve.points == ((0.0, 90.0), (1000.0, 10.0))
    assert [level.text for level in curve.levels] == ["a 10 %"]
    assert cpu_curve({**series, "y": [None] * 4}) is None
    assert rhythm({"kind": "rhythm", "x": [], "y": [], "levels": {}}) is None


def test_long_series_keep_their_valleys_and_peaks() -> None:
    shares = [0.5] * 20_000
    shares[777], shares[15_000] = 0.0, 1.0
    curve = cpu_curve({"kind": "cpu_floor", "x": list(range(20_000)), "y": shares, "levels": {}})
    assert curve is not None
    heights = [y for _, y in curve.points]
    assert len(heights) < 800
    assert {100.0, 0.0} <= set(heights)


def test_a_curve_of_many_points_is_drawn_whole() -> None:
    """The page once cut a long list of points as if it were a long word, and drew no line at all."""
    scan = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    [finding] = [each for each in scan["findings"] if any(item["kind"] == "cpu_floor" for item in each["series"])]
    finding["series"] = [
        {"kind": "cpu_floor", "x": list(range(600)), "y": [0.25 + 0.5 * (n % 2) for n in range(600)], "levels": {}}
    ]
    [drawn] = re.findall(r'<polyline class="curve" points="([^"]*)"', render_html(scan))
    assert len(drawn.split()) == 600
    assert re.fullmatch(r"[0-9., ]+", drawn)


def test_a_long_dialogue_shows_its_start_unthinned() -> None:
    drawn = rhythm({"kind": "rhythm", "x": list(range(5000)), "y": [64.0, -400.0] * 2500, "levels": {}})
    assert drawn is not None
    assert (len(drawn.stems), drawn.total_count) == (400, 5000)
    assert (drawn.largest_up_bytes, drawn.largest_down_bytes) == (64, 400)


def test_long_lists_are_cut_and_their_links_still_lead_somewhere() -> None:
    scan = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    uids = [f"u{number}" for number in range(700)]
    scan["findings"] = [{**scan["findings"][0], "uid": uid} for uid in uids]
    scan["incidents"] = [{**scan["incidents"][0], "findings": uids[:300]}]
    scan["incidents"][0]["story"] = [{**scan["incidents"][0]["story"][0], "finding": uid} for uid in uids[:300]]
    scan["coverage"] = [{**scan["coverage"][0], "path": f"{number}.log"} for number in range(400)]
    text = render_html(scan)
    page = Page(text)
    assert {href[1:] for href in page.values("href")} <= set(page.values("id"))
    for rest in ("240 more lines", "100 more findings", "200 more findings", "100 more files", "300 later findings"):
        assert rest in text


def test_a_handshake_does_not_flatten_the_rhythm() -> None:
    sizes = [4749.0, *[64.0, -64.0] * 60]
    drawn = rhythm({"kind": "rhythm", "x": list(range(121)), "y": sizes, "levels": {}})
    assert drawn is not None
    assert drawn.cut_at_bytes == 76
    assert drawn.stems[1].height > 38


def test_what_no_longer_runs_has_no_clock() -> None:
    scan = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    for incident in scan["incidents"]:
        incident["cost"]["run_rate_usd_per_hour"] = 0.0
    page = Page(render_html(scan))
    assert page.values("data-rate") == []
    assert "nothing was seen running" in "".join(page.pieces)
