"""Lets `python -m davylamp` behave exactly like the `davylamp` command."""

import sys

from davylamp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
