"""Dependencies between the stages of a service, and circles in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from envctl.definition.keys.build_source import StageData, StepData
    from envctl.definition.keys.service import ServiceData

BuildPath: TypeAlias = tuple[str, ...]
"""The path of a list of build steps in a service."""


def builds(service: ServiceData) -> Iterator[tuple[BuildPath, Sequence[StepData]]]:
    """Yield the build steps of a service and of each of its stages, with their paths."""
    yield ("build",), service["build"]
    for name, stage in service["stages"].items():
        yield ("stages", name, "build"), stage["build"]


def all_steps(service: ServiceData) -> list[StepData]:
    """Return the build steps of a service and of all its stages."""
    return [step for _, steps in builds(service) for step in steps]


def sources_of(steps: Iterable[StepData]) -> list[str]:
    """Return the stages that steps copy from, each once."""
    return list(dict.fromkeys(step["stage"] for step in steps if step["step"] == "copy_from"))


def reached(service: ServiceData) -> set[str]:
    """Return the stages that the build of a service copies from, directly or through another stage."""
    stages = service["stages"]
    todo, names = sources_of(service["build"]), set[str]()
    while todo:
        name = todo.pop()
        if name in stages and name not in names:
            names.add(name)
            todo += sources_of(stages[name]["build"])
    return names


def layers(stages: Mapping[str, StageData]) -> tuple[list[set[str]], set[str]]:
    """Group the stages into layers that copy only from earlier layers. The second result is stages that depend on a circle."""
    left = {name: {*sources_of(stage["build"])} for name, stage in stages.items()}
    ordered: list[set[str]] = []
    while layer := {name for name, sources in left.items() if not sources & left.keys()}:
        ordered.append(layer)
        left = {name: sources for name, sources in left.items() if name not in layer}
    return ordered, {*left}


def circle(start: str, stages: Mapping[str, StageData]) -> list[str]:
    """Return the circle of stages through which a stage copies from itself, starting and ending with it; [] if there is no circle."""
    todo, seen = [[start]], set[str]()
    while todo:
        trail = todo.pop()
        for name in sources_of(stages[trail[-1]]["build"]):
            if name == start:
                return [*trail, name]
            if name in stages and name not in seen:
                seen.add(name)
                todo.append([*trail, name])
    return []


def without_unknown(service: ServiceData) -> ServiceData:
    """Return the part of the service that can be planned: without copies from stages that do not exist or are part of a circle."""
    stages = service["stages"]
    waiting = layers(stages)[1]
    known = {name for name in stages if name not in waiting or not circle(name, stages)}

    def with_known(steps: Sequence[StepData]) -> list[StepData]:
        return [step for step in steps if step["step"] != "copy_from" or step["stage"] in known]

    return {
        **service,
        "build": with_known(service["build"]),
        "stages": {
            name: {**stage, "build": with_known(stage["build"])} for name, stage in stages.items()
        },
    }
