"""A build as a script that is run in a machine, and the files it needs there. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.staging import view
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.plan.artifact import Quoted
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Build

TEMPLATE: Final = "vagrant/provision.sh.j2"
FILES: Final = "/var/tmp/envctl-files"  # noqa: S108 - in the machine, where nobody else is
"""Where the files are in the machine while it is built."""
MARK: Final = "envctl: step "
"""What the lines begin with in which the script tells where it is."""


def secret_input(values: Mapping[str, bytes]) -> bytes:
    """What the script reads on its standard input: the values of its build's secrets, in their order."""
    return b"".join(base64.b64encode(value) + b"\n" for value in values.values())


def context(
    name: str, build: Build, *, trust: bool, build_inputs: BuildInputs = NO_BUILD_INPUTS
) -> Mapping[str, Any]:
    """What the script's template is given; with `trust`, the files have `trust/ca.crt` among them.

    Those of `build_inputs` are in the folder `media`.
    """
    steps = [view(step) for step in build.steps]
    return {
        **FUNCTIONS,
        # One of KINDS, which are functions of the script, or a variable of it.
        "function": Quoted,
        "name": name,
        "steps": steps,
        "kinds": sorted({step["kind"] for step in steps}),
        "trust": trust,
        "secrets": [secret.name for secret in build_secrets(build)],
        "settings": list(build_inputs.env.items()),
    }
