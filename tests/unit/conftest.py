"""Property tests have no deadline: a machine that runs other things as well is slow now and then."""

from __future__ import annotations

from hypothesis import settings

from tests.support.examples import QUICK

settings.register_profile("envctl", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=QUICK)
settings.load_profile("envctl")
