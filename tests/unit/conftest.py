"""Property tests have no deadline: a machine that runs other things as well is slow now and then."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("envctl", deadline=None)
settings.load_profile("envctl")
