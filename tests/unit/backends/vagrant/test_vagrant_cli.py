"""What is shown of a Vagrant command that failed."""

from __future__ import annotations

import os

import pytest

from envctl.backends.vagrant.vagrant_cli import informative_lines, version
from envctl.errors import EnvctlError


def test_the_reason_is_shown_and_not_the_way_there():
    text = (
        "==> web: Uploading\r\x1b[KProgress: 10%\rProgress: 99%\n\n"
        "/usr/lib/fog.rb:3:in `create': Call failed: it exists already (Libvirt::Error)\n"
        "\tfrom /usr/lib/one.rb:1:in `call'\n\tfrom /usr/lib/two.rb:2:in `call'\n"
    )
    assert informative_lines(text) == [
        "==> web: Uploading",
        "/usr/lib/fog.rb:3:in `create': Call failed: it exists already (Libvirt::Error)",
    ]


@pytest.mark.parametrize(
    ("text", "told_version"),
    [("Vagrant 2.3.4", (2, 3, 4)), ("Vagrant 2.4.10.dev", (2, 4, 10)), ("no\nVagrant 2.4", (2, 4))],
)
def test_the_version_is_what_vagrant_tells(tmp_path, monkeypatch, text, told_version):
    program(tmp_path, monkeypatch, f"printf '%s\\n' '{text}'")
    assert version() == told_version


@pytest.mark.parametrize("script", ["exit 3", "echo Vagrant", "kill $$"])
def test_a_vagrant_that_does_not_tell_its_version_is_an_error(tmp_path, monkeypatch, script):
    program(tmp_path, monkeypatch, script)
    with pytest.raises(EnvctlError, match="cannot read Vagrant's version"):
        version()


def program(folder, monkeypatch, script: str) -> None:
    """Have a script in Vagrant's place."""
    file = folder / "vagrant"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
