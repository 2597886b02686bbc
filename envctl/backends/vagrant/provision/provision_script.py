"""Turns a build into a script for a machine: the values for its template. Pure."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.step_views import view
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.plan.artifact import Quoted
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Build, CopyFromStage, Step

TEMPLATE: Final = "vagrant/provision.sh.j2"
FILES: Final = "/var/tmp/envctl-files"  # noqa: S108 - in the machine, which has no other users
"""The folder of the build's files in the machine."""
STAGES: Final = "/var/tmp/envctl-stages"  # noqa: S108 - in the machine, which has no other users
"""The folder of the stages' root filesystems in the machine, while it is built."""
MARK: Final = "envctl: step "
"""The prefix of lines in which the script reports its current step."""


def secret_input(values: Mapping[str, bytes]) -> bytes:
    """Return the script's standard input: the values of the build's secrets, in order, a line of base64 each."""
    return b"".join(base64.b64encode(value) + b"\n" for value in values.values())


def context(
    name: str, build: Build, *, trust: bool, build_inputs: BuildInputs = NO_BUILD_INPUTS
) -> Mapping[str, Any]:
    """Return the values for the script's template. With `trust`, the files include `trust/ca.crt`; those of `build_inputs` are in `media`."""
    numbers = {stage.build.digest: number for number, stage in enumerate(build.stages, 1)}
    count = itertools.count(1)

    def views(steps: Iterable[Step]) -> Sequence[Mapping[str, Any]]:
        return [
            {**view(step), "number": next(count), "stage_number": _stage_number(step, numbers)}
            for step in steps
        ]

    # Steps are numbered as in `all_steps`.
    stages = [
        {
            "number": numbers[stage.build.digest],
            "name": stage.name,
            "steps": views(stage.build.steps),
        }
        for stage in build.stages
    ]
    kinds = {view(step)["kind"] for step in build.all_steps}
    return {
        **FUNCTIONS,
        # The name of a function or variable of the script: not quoted.
        "function": Quoted,
        "name": name,
        "steps": views(build.steps),
        "stages": stages,
        "stages_folder": STAGES,
        "count": len(build.all_steps),
        # Copies from stages use a function of other copies.
        "kinds": sorted(kinds | ({"copy"} if "copy_from" in kinds else set())),
        "trust": trust,
        "secrets": [secret.name for secret in build_secrets(build)],
        "settings": list(build_inputs.env.items()),
    }


def _stage_number(step: Step, numbers: Mapping[str, int]) -> int:
    """Return the number of the stage that a step copies from; 0 for other steps."""
    return numbers[step.digest] if isinstance(step, CopyFromStage) else 0
