"""Checks of a service's stages: each is known, used, and does not copy from itself or through too many others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from envctl.definition import stage_names
from envctl.definition.checks.spec_to_check import SpecToCheck
from envctl.definition.keys.service import ServiceData
from envctl.definition.problems import suggestion
from envctl.definition.tree import abbreviated

DEEPEST: Final = 50
"""How many stages may copy from each other in a row: far more than anybody needs, and far less than would exhaust the stack."""


def check_stages(spec: SpecToCheck, name: str) -> None:
    """Check what the steps of a service copy from its stages."""
    service = spec.data["services"][name]
    if spec.is_invalid(name, "build", "stages"):
        return
    # Otherwise a stage whose name was misspelt would be reported as unused.
    if _are_known(spec, name, service):
        layers, waiting = stage_names.layers(service["stages"])
        _check_circles(spec, name, service, waiting)
        _check_depth(spec, name, layers)
        _check_use(spec, name, service)


def _are_known(spec: SpecToCheck, name: str, service: ServiceData) -> bool:
    """Whether all stages that steps name exist. Those that do not are reported."""
    are_known = True
    known = service["stages"]
    for path, steps in stage_names.builds(service):
        for index, step in enumerate(steps):
            if step["step"] == "copy_from" and step["stage"] not in known:
                are_known = False
                spec.problems.add(
                    spec.position(name, *path, index, "stage"),
                    f"services.{name}.{'.'.join(path)}.{index}: no such stage: {step['stage']!r}",
                    expected="the name of one of the service's `stages`",
                    hint=suggestion(step["stage"], known) if known else "the service has no stages",
                )
    return are_known


def _check_circles(
    spec: SpecToCheck, name: str, service: ServiceData, waiting: Collection[str]
) -> None:
    stages = service["stages"]
    reported: set[str] = set()
    for stage, data in stages.items():
        may_be_one = stage in waiting and stage not in reported
        circle = stage_names.circle(stage, stages) if may_be_one else []
        if not circle:
            continue
        reported.update(circle)
        index = next(
            index
            for index, step in enumerate(data["build"])
            if step["step"] == "copy_from" and step["stage"] == circle[1]
        )
        spec.problems.add(
            spec.position(name, "stages", stage, "build", index, "stage"),
            f"services.{name}: stages copy from each other in a circle: {abbreviated(circle, ' → ')}",
            hint="a stage copies only from stages that are complete before it",
        )


def _check_depth(spec: SpecToCheck, name: str, layers: Sequence[Collection[str]]) -> None:
    if len(layers) > DEEPEST:
        stage = min(layers[DEEPEST])
        spec.problems.add(
            spec.position_of_name(name, "stages", stage),
            f"services.{name}: the stage {stage!r} copies through {DEEPEST} other stages or more",
            expected=f"at most {DEEPEST} stages that copy from each other in a row",
        )


def _check_use(spec: SpecToCheck, name: str, service: ServiceData) -> None:
    unused = service["stages"].keys() - stage_names.reached(service)
    for stage in service["stages"]:
        if stage in unused:
            spec.problems.add(
                spec.position_of_name(name, "stages", stage),
                f"services.{name}: nothing is copied from the stage {stage!r}, so it would never be built",
                expected=f"a step such as copy_from: {{stage: {stage}, from: /out, to: /srv}}",
                hint="or remove the stage",
            )
