"""The units of one service: their source, and how they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.errors import Place
from envctl.files import located
from envctl.plan.model import (
    Check,
    Condition,
    Hooks,
    Kind,
    Port,
    Probe,
    ProbeKind,
    Process,
    Resources,
    Restart,
    Run,
    Unit,
    Volume,
)
from envctl.planner.build import source
from envctl.planner.mounts import mounts
from envctl.planner.service_context import ServiceContext
from envctl.planner.service_secrets import plain_env, secret_env, secrets

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData


def units_of(context: ServiceContext) -> Iterator[Unit]:
    """One unit for each replica."""
    name, service = context.name, context.service
    unit = Unit(
        name,
        name,
        source(context),
        _run(context),
        depends_on={key: Condition(value) for key, value in service["depends_on"].items()},
        checks=tuple(
            Check(
                check["name"],
                tuple(check["command"]),
                check["timeout"],
                context.where("checks", index),
            )
            for index, check in enumerate(service["checks"])
        ),
        hooks=Hooks(
            tuple(tuple(argv) for argv in service["hooks"]["after_start"]),
            tuple(tuple(argv) for argv in service["hooks"]["before_stop"]),
        ),
        where=context.where(),
        origins=_origins(context),
        restart_on=tuple(
            located(context.root, path, context.where("restart_on", index))
            for index, path in enumerate(service["restart_on"])
        ),
    )
    yield unit
    for replica in range(2, service["replicas"] + 1):
        replica_name = f"{name}-{replica}"
        run = replace(unit.run, aliases=(name, replica_name))
        yield replace(unit, name=replica_name, replica=replica, run=run)


def _run(context: ServiceContext) -> Run:
    service = context.service
    argv = tuple(service["command"]) if service["command"] is not None else None
    workdir = service["workdir"] or ("/" if service["base"] is not None else None)
    capabilities = tuple(service["capabilities"])
    return Run(
        kind=Kind(service["kind"]),
        process=Process(
            argv, _user(context), workdir, plain_env(service), capabilities, secret_env(service)
        ),
        ports=tuple(
            Port(port["container"], port["host"], port["address"], port["protocol"])
            for port in service["ports"]
        ),
        mounts=tuple(mounts(context)),
        volumes=tuple(
            Volume(key, volume["target"], volume["read_only"])
            for key, volume in sorted(service["volumes"].items())
        ),
        secrets=secrets(context),
        probe=_probe(service),
        restart=Restart(service["restart"]),
        resources=Resources(service["resources"]["cpus"], service["resources"]["memory"]),
        aliases=(context.name,),
        options=service["options"].get(context.backend, {}),
        platform=service["platform"] or "",
    )


def _user(context: ServiceContext) -> str | None:
    """Return the user of the process. A ready image may have no user with the owner's uid and gid, so the numbers are used."""
    user = context.service["user"]
    is_built = context.service["base"] is not None
    if is_built or user is None or user["uid"] != "host" or context.owner is None:
        return context.user
    return ":".join(map(str, context.owner))


def _probe(service: ServiceData) -> Probe | None:
    probe = service["healthcheck"]
    if probe is None:
        return None
    return Probe(
        ProbeKind(probe["kind"]),
        tuple(probe["test"]),
        probe["interval"],
        probe["timeout"],
        probe["retries"],
        probe["start_period"],
        probe["start_interval"],
    )


def _origins(context: ServiceContext) -> Mapping[str, Place]:
    """Return the places that set a unit's run, by path in the run."""
    places: dict[str, Place] = {}
    resolved = context.resolved
    for path in resolved.origins.of_service(context.name):
        key, *inner = map(str, path or ("",))
        if key == "options":
            # A unit runs with the settings of its own backend only.
            if inner[:1] != [context.backend]:
                continue
            del inner[0]
        if key in resolved.run_paths:
            place = resolved.origins.place(("services", context.name, *path))
            places[".".join([resolved.run_paths[key], *inner])] = place
    return places
