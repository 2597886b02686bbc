"""Turns a build into a script for a machine: the values for its template. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.step_views import view
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.plan.artifact import Quoted
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Build

TEMPLATE: Final = "vagrant/provision.sh.j2"
FILES: Final = "/var/tmp/envctl-files"  # noqa: S108 - in the machine, which has no other users
"""The folder of the build's files in the machine."""
MARK: Final = "envctl: step "
"""The prefix of lines in which the script reports its current step."""


def secret_input(values: Mapping[str, bytes]) -> bytes:
    """Return the script's standard input: the values of the build's secrets, in order, a line of base64 each."""
    return b"".join(base64.b64encode(value) + b"\n" for value in values.values())


def context(
    name: str, build: Build, *, trust: bool, build_inputs: BuildInputs = NO_BUILD_INPUTS
) -> Mapping[str, Any]:
    """Return the values for the script's template. With `trust`, the files include `trust/ca.crt`; those of `build_inputs` are in `media`."""
    steps = [view(step) for step in build.steps]
    return {
        **FUNCTIONS,
        # The name of a function or variable of the script: not quoted.
        "function": Quoted,
        "name": name,
        "steps": steps,
        "kinds": sorted({step["kind"] for step in steps}),
        "trust": trust,
        "secrets": [secret.name for secret in build_secrets(build)],
        "settings": list(build_inputs.env.items()),
    }
