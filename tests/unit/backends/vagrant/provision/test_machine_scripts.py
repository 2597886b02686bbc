"""Scripts in a machine that is built in, here in a shell of this host."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import pytest

from envctl.backends.common.build_inputs import ContainerScript
from envctl.backends.common.capped import MAX_OUTPUT
from envctl.backends.vagrant.provision.build_runner import run_script
from envctl.errors import EnvctlError


@dataclass
class Machine:
    """A machine whose commands are this host's."""

    unit: str = "web"

    def stream(self, script: str, *, stdout, stderr, timeout: float, **_given) -> int:
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", script], capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        stdout(done.stdout)
        stderr(done.stderr)
        return done.returncode


def told(script: str, *words: str, **given) -> bytes:
    return run_script(Machine(), ContainerScript(script, words, **given))  # type: ignore[arg-type]


def test_a_script_is_given_its_words_as_they_are_and_its_output_as_it_is():
    assert told("printf '%s\\0' \"$@\"", "it's $x", "") == b"it's $x\0\0"


def test_a_script_that_fails_is_reported_with_its_last_words():
    with pytest.raises(EnvctlError, match="web: its script ended with exit code 3") as caught:
        told("echo why >&2; exit 3")

    assert caught.value.details == "why\n"


def test_a_script_that_does_not_end_is_reported():
    with pytest.raises(EnvctlError, match=r"did not finish within 0\.1 s"):
        told("sleep 5", timeout=0.1)


def test_what_is_beyond_measure_is_not_taken_for_what_it_begins_with():
    with pytest.raises(EnvctlError, match="more than 64 MB"):
        told(f"head -c {MAX_OUTPUT + 1} /dev/zero")
