"""Settings of every test: no deadline on generated examples, since a busy machine is no defect."""

import signal

from hypothesis import settings

settings.register_profile("davylamp", deadline=None)
settings.load_profile("davylamp")

# A shell that runs the tests in the background hands down an ignored Ctrl-C, and they hand it down to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
