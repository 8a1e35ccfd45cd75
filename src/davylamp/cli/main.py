"""Entry of the `davylamp` command: errors become four calm lines, Ctrl-C a sentence, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from davylamp.errors import CaseError, DavylampError, NothingReadableError, UsageError

_INTERNAL_ERROR, _USAGE, _NOTHING_READABLE, _INTERRUPTED = 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    from davylamp.cli.parser import build_parser

    try:
        parser = build_parser()
        options = parser.parse_args(arguments)
        if options.command is None:
            parser.print_help()
            return 0
        from davylamp.cli.commands import run

        code = run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("stopped; what was read until now is kept in the case", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away: not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UsageError as error:
        return _say(str(error), _USAGE)
    except NothingReadableError as error:
        return _say(str(error), _NOTHING_READABLE)
    except (CaseError, DavylampError) as error:
        return _say(str(error), _INTERNAL_ERROR if not isinstance(error, CaseError) else _USAGE)
    except MemoryError:
        return _say("the machine ran out of memory\nnow: davylamp scan --memory 500MB PATH", _INTERNAL_ERROR)
    except Exception as error:  # noqa: BLE001 - the last wall: a defect of ours, told without a traceback
        return _internal(error)


def _internal(error: Exception) -> int:
    if os.environ.get("DAVYLAMP_TRACEBACK"):
        raise error
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    hint = "DAVYLAMP_TRACEBACK=1 davylamp ... shows where; please report it"
    return _say(f"this is a defect of Davylamp\nwhy: {what}\nnow: {hint}", _INTERNAL_ERROR)


def _say(text: str, code: int) -> int:
    first, *rest = _visible(text).split("\n")
    sys.stderr.write("\n".join([f"davylamp: {first}", *(f"  {line}" for line in rest)]) + "\n")
    return code


def _visible(text: str) -> str:
    """Control characters of file names and evidence must not act on the terminal."""
    return "".join(char if char == "\n" or char.isprintable() else f"\\x{ord(char):02x}" for char in text)


if __name__ == "__main__":
    sys.exit(main())
