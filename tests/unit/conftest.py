"""Property tests have no deadline: a machine that runs other things as well is slow now and then.

No unit test sees the caches of this host: what boxes and images others have made there is none of its business.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings

from tests.support.examples import QUICK

settings.register_profile("envctl", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=QUICK)
# The same examples each time, as few, and none made smaller: a fault is noticed or it is not.
settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=QUICK,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("envctl")


@pytest.fixture(autouse=True, scope="session")
def _caches_of_their_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("VAGRANT_HOME", str(tmp_path_factory.mktemp("vagrant")))
        yield
