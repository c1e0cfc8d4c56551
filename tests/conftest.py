"""For all tests: Hypothesis without a time limit, since speed is never asserted here."""

import signal

from hypothesis import settings

settings.register_profile("vsr", deadline=None)
settings.load_profile("vsr")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit
    # that: the tests that press it would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)
