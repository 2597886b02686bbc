"""A base of kept packages: what reaches mmdebstrap's command line."""

from __future__ import annotations

import pytest

from envctl.bases.vendored_base import bootstrap_kept
from envctl.errors import EnvctlError
from envctl.plan.model import Base
from envctl.progress import no_progress


@pytest.mark.parametrize(
    "name",
    [
        "-oDir::Bin::Methods::copy=/evil.sh",
        "/tmp/evil.deb",
        "apt-",
        "a,b",
        "a b",
        "?true",
        "a\n",
        "",
    ],
)
def test_what_is_no_package_never_reaches_a_command_line(store, tmp_path, name):
    with pytest.raises(EnvctlError, match="cannot be built from the vendored packages") as caught:
        bootstrap_kept(
            Base("debian:bookworm", "debian:bookworm"),
            tmp_path,
            packages=["libc6", name],
            sources="",
            store=store,
            report=no_progress,
        )

    assert "is not a package name" in caught.value.details
    assert not store.images
    assert not list(tmp_path.iterdir())
