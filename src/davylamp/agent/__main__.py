"""`python -m davylamp.agent`."""

import sys

from davylamp.agent.main import main

sys.exit(main())
