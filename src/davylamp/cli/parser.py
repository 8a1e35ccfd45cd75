"""The command line's grammar; nothing heavy is imported here, so that --help is quick."""

from __future__ import annotations

import argparse
from typing import NoReturn

import davylamp
from davylamp.errors import UsageError

SCAN_FORMATS = ("text", "json", "html", "ocsf")
WATCH_FORMATS = ("text", "jsonl")
WATCH_ACTIONS = ("install", "uninstall")
EVENT_FORMATS = ("jsonl", "csv", "parquet")

_DESCRIPTION = """\
Finds crypto mining in cloud fleets, tells how it got in, what it costs by the
hour, and what to do. Start with: davylamp scan host, or davylamp scan PATH"""
_EPILOG = """\
exit codes: 0 everything read, 1 internal error, 2 usage, 3 nothing readable,
4 coverage is partial; with --exit-code, 11 to 15 by the highest severity found
(11 informational, 12 low, 13 medium, 14 high, 15 critical) come before 0 and 4."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("the command line cannot be understood", why=message, hint=f"{self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the `davylamp` command."""
    parser = _Parser(
        prog="davylamp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"davylamp {davylamp.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _scan(commands)
    _drill(commands)
    _watch(commands)
    _baseline(commands)
    _show(commands)
    _catalog(commands)
    _case_views(commands)
    _intel(commands)
    return parser


def _scan(commands: argparse._SubParsersAction[_Parser]) -> None:
    scan = commands.add_parser(
        "scan",
        help="look at this host, or read evidence, and tell what it says",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scan.add_argument(
        "paths", nargs="*", metavar="PATH", help="host (this machine; the default), file, folder, glob, or -"
    )
    scan.add_argument("--observe", metavar="TIME", help="how long to look (default: 20s, or 60s at a suspect)")
    scan.add_argument("--metadata", action="store_true", help="ask the cloud's metadata service what this host is")
    scan.add_argument("--baseline", metavar="FILE", help="what this host is meant to have (default: what is approved)")
    scan.add_argument("--assets", metavar="FILE", help="assets file (default: davylamp.toml in a scanned folder)")
    scan.add_argument("--prices", metavar="FILE", help="CSV of your own prices, laid over the bundled ones")
    _case_option(scan, "keep the evidence store here; can be scanned into again")
    scan.add_argument("--format", choices=SCAN_FORMATS, default="text", help="report format (default: text)")
    scan.add_argument("--output", metavar="FILE", help="write the report here instead of standard output")
    scan.add_argument("--since", metavar="T", help="only events from this instant on (ISO, or a duration such as 24h)")
    scan.add_argument("--until", metavar="T", help="only events before this instant")
    scan.add_argument("--memory", metavar="SIZE", default="1GB", help="memory to stay under (default: 1GB)")
    scan.add_argument("--exit-code", action="store_true", help="answer with 11 to 15 by the highest severity found")


def _drill(commands: argparse._SubParsersAction[_Parser]) -> None:
    drill = commands.add_parser("drill", help="prove on this machine, without harm, that mining is caught")
    drill.add_argument("drills", nargs="*", metavar="DRILL", help="letters (a to i) or names (default: all)")
    drill.add_argument("--list", action="store_true", help="say what each drill plays, and play nothing")
    drill.add_argument("--observe", metavar="TIME", help="how long to look (default: 20s, or 60s at a suspect)")
    drill.add_argument("--seed", type=int, default=1, help="seed of the emulated dialogues (default: 1)")
    drill.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def _watch(commands: argparse._SubParsersAction[_Parser]) -> None:
    watch = commands.add_parser(
        "watch", help="sense this host always, judge when it is worth it, tell what opens, changes and closes"
    )
    watch.add_argument(
        "action", nargs="?", choices=WATCH_ACTIONS, help="install or uninstall the systemd unit (default: watch now)"
    )
    _case_option(watch, "keep spool and evidence store here (default: the state folder)")
    watch.add_argument("--for", dest="for_", metavar="DURATION", help="end after so long, such as 10m")
    watch.add_argument("--format", choices=WATCH_FORMATS, default="text", help="default: text")
    watch.add_argument("--cpu-cap", metavar="PERCENT", default="2", help="of one core, over ten minutes (default: 2)")
    watch.add_argument("--spool", metavar="SIZE", default="64MiB", help="size of the spool (default: 64MiB)")
    watch.add_argument("--prices", metavar="FILE", help="CSV of your own prices")
    watch.add_argument("--assets", metavar="FILE", help="assets file")
    watch.add_argument(
        "--alert",
        metavar="TARGET",
        action="append",
        default=[],
        help="send changes of incidents to journald, file:PATH, or an apprise URL (extra: davylamp[alerts])",
    )
    watch.add_argument("--dry-run", action="store_true", help="with install: print what would be written")


def _baseline(commands: argparse._SubParsersAction[_Parser]) -> None:
    baseline = commands.add_parser("baseline", help="what this host is meant to have: approve, show, diff")
    actions = baseline.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    approve = actions.add_parser("approve", help="approve what this host has now, as the newest look saw it")
    approve.add_argument("--yes", action="store_true", help="do not ask")
    approve.add_argument("--previous", action="store_true", help="put the baseline before this one in place again")
    show = actions.add_parser("show", help="what is approved")
    diff = actions.add_parser("diff", help="what is new, with who did it and when; exit code 10 when anything is")
    for action in (approve, show, diff):
        action.add_argument(
            "--file", metavar="FILE", help="the baseline (default: /etc/davylamp/baseline.json, or the user's own)"
        )
    diff.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    for action in (approve, diff):
        _case_option(action, "a case that holds a look at this host (default: the last scan, or a new look)")
        action.add_argument("--now", action="store_true", help="look at the host now (about two seconds)")


def _show(commands: argparse._SubParsersAction[_Parser]) -> None:
    show = commands.add_parser("show", help="one incident in full, with the lines that say so")
    show.add_argument("incident", metavar="INCIDENT", help="its uid, or the beginning of it")
    _case_option(show)


def _catalog(commands: argparse._SubParsersAction[_Parser]) -> None:
    explain = commands.add_parser("explain", help="a unit's own page: what it sees, how it decides, what it misses")
    explain.add_argument("unit", metavar="UNIT")
    units = commands.add_parser("units", help="list detections, drills and sources")
    units.add_argument("kind", nargs="?", metavar="KIND", help="detections, drills or sources")


def _case_views(commands: argparse._SubParsersAction[_Parser]) -> None:
    coverage = commands.add_parser("coverage", help="what was read, what was not, and what that means")
    _case_option(coverage)
    assets = commands.add_parser("assets", help="which identities were joined to one machine, and why")
    _case_option(assets)
    events = commands.add_parser("events", help="the normalised rows of one event class, with their origin")
    events.add_argument("event_class", metavar="CLASS")
    _case_option(events)
    events.add_argument("--format", choices=EVENT_FORMATS, default="jsonl", help="default: jsonl")
    events.add_argument("--output", metavar="FILE", help="write here instead of standard output")


def _intel(commands: argparse._SubParsersAction[_Parser]) -> None:
    intel = commands.add_parser("intel", help="indicators of mining pools: check, list, import, lint")
    actions = intel.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    check = actions.add_parser("check", help="what the set says of a name or address; nothing is resolved")
    check.add_argument("indicator", metavar="NAME|IP[:PORT]")
    actions.add_parser("list", help="every live entry with its provenance")
    add = actions.add_parser("import", help="add a hosts file, list, AdBlock list, RPZ zone, STIX bundle or MISP list")
    add.add_argument("file", metavar="FILE")
    add.add_argument(
        "--class", dest="indicator_class", default="pool_endpoint", metavar="CLASS", help="default: pool_endpoint"
    )
    check_list = actions.add_parser("lint", help="refuse broken or dangerous entries")
    check_list.add_argument("file", nargs="?", metavar="FILE", help="a list (default: the bundled and imported sets)")


def _case_option(parser: argparse.ArgumentParser, text: str = "a case (default: the last scan)") -> None:
    parser.add_argument("--case", metavar="DIR", help=text)
