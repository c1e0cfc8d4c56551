"""For all tests: Hypothesis without a time limit, since speed is never asserted here."""

from hypothesis import settings

settings.register_profile("vsr", deadline=None)
settings.load_profile("vsr")
