"""Reads the observed state from the engine's lists, which are fast and tolerate containers removed meanwhile."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from envctl.backends.common.parallel import all_at_once
from envctl.backends.docker import names as n
from envctl.backends.docker import records
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.held_secrets import secrets_defect
from envctl.backends.docker.images import Images
from envctl.backends.docker.inspect_containers import inspect, look_closer
from envctl.backends.docker.names import Names
from envctl.backends.docker.owned_containers import Containers, Listed, containers, is_own
from envctl.backends.docker.volumes import nameless
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.image_volumes import called
from envctl.plan.model import Plan
from envctl.plan.platforms import plain_name
from envctl.plan.scope import FoundEnvironment, Scope
from envctl.plan.state import BEING_STOPPED, Drift, Health, Observed, Status, UnitState

_STATUS: Final = {
    "created": Status.CREATED,
    "running": Status.RUNNING,
    "restarting": Status.RESTARTING,
    "paused": Status.PAUSED,
    "exited": Status.EXITED,
    # The engine failed to remove the container ("dead"), and it can no longer be used.
    "dead": Status.UNKNOWN,
}
_CODE: Final = re.compile(r"^(?:Exited|Restarting) \((\d+)\)")
_SIZES_TIMEOUT: Final = 5.0
_DEAD: Final = "the engine failed to remove it"
_KILLED: Final = 137
"""The exit code of a process that was killed by SIGKILL."""
_EVERYWHERE: Final = frozenset({"0.0.0.0", ""})  # noqa: S104 - recognised, not bound


def environments(engine: Engine, names: Names) -> Sequence[str]:
    """The names of this checkout's environments that have units."""
    with engine.doing("list containers") as api:
        filters = {"label": f"{n.PROJECT_ID}={names.scope.project_id}"}
        present = {
            container["Labels"].get(n.ENVIRONMENT, "")
            for container in api.containers(all=True, filters=filters)
            if container["Labels"].get(n.UNIT) and is_own(api, container, names.scope)
        }
    return sorted(present - {""})


def observe(engine: Engine, names: Names, *, plan: Plan | None) -> Observed:
    """The environment; with a plan, also the images of builds, and drift."""
    existing = containers(engine, names)
    with engine.doing("look at the environment") as api:
        volumes = api.volumes(filters=dict(names.filters))
        networks = api.networks(filters=dict(names.filters))
    built = _built_images(engine, names, plan, existing) if plan is not None else {}
    current = {digest: str(image["Id"]) for digest, image in built.items()}
    if plan is not None:
        current |= _moved(engine, existing.units.values())
    secrets = {
        name: secrets_defect(engine, names, container, existing.secrets_containers)
        for name, container in existing.units.items()
    }
    seen = _Seen(secrets, current, records.read(volumes), _details(engine, existing, volumes))
    units = {name: _state(seen, container) for name, container in sorted(existing.units.items())}
    anonymous = {
        called(name, str(mount["Destination"]))
        for name, container in existing.units.items()
        for mount in nameless(container)
    }
    if plan is not None:
        units = _with_twins(look_closer(engine, names, plan, units), existing.twins)
    leftovers = [
        *(f"network {network['Name']}" for network in networks),
        *(
            f"container {_name(container)}"
            for container in (*existing.secrets_containers, *existing.twins)
        ),
        *(f"volume {volume['Name']}" for volume in volumes if _is_leftover(volume)),
    ]
    return Observed(
        units,
        {digest: str(_labels(image).get(n.STEPS, "")) for digest, image in built.items()},
        frozenset(volume["Labels"][n.VOLUME] for volume in volumes if n.VOLUME in volume["Labels"])
        | anonymous,
        tuple(sorted(leftovers)),
    )


def _with_twins(units: Mapping[str, UnitState], twins: Iterable[Listed]) -> dict[str, UnitState]:
    """The states, with drift for further containers of the same unit."""
    states = dict(units)
    for twin in twins:
        unit = states[twin["Labels"][n.UNIT]]
        drift = Drift(f"another container of it was renamed: {_name(twin)}")
        states[unit.name] = replace(unit, drift=(*unit.drift, drift))
    return states


def everything(engine: Engine) -> Sequence[FoundEnvironment]:
    """All environments that own a resource, according to the labels."""
    filters = {"label": [n.PROJECT_ID, n.ENVIRONMENT]}
    with engine.doing("look for environments") as api:
        listed = [
            *api.containers(all=True, filters=filters),
            *api.volumes(filters=filters),
            *api.networks(filters=filters),
        ]
        listed = [resource for resource in listed if _is_found(api, resource)]
    scopes: dict[tuple[str, str], Scope] = {}
    units: dict[tuple[str, str], set[str]] = {}
    volumes: dict[tuple[str, str], set[str]] = {}
    running: dict[tuple[str, str], set[str]] = {}
    for resource in listed:
        labels, scope = resource["Labels"], _scope_of(resource)
        key = scope.project_id, scope.environment
        scopes.setdefault(key, scope)
        if labels.get(n.UNIT) and "Names" in resource:
            units.setdefault(key, set()).add(labels[n.UNIT])
            if resource["State"] == "running":
                running.setdefault(key, set()).add(labels[n.UNIT])
        if labels.get(n.VOLUME) and "Mountpoint" in resource:
            volumes.setdefault(key, set()).add(labels[n.VOLUME])
    return [
        FoundEnvironment(
            scope, "docker", *(tuple(sorted(of.get(key, ()))) for of in (units, volumes, running))
        )
        for key, scope in sorted(scopes.items())
    ]


def _scope_of(resource: Listed) -> Scope:
    labels = resource.get("Labels") or {}
    keys = (n.PROJECT, n.PROJECT_ID, n.ENVIRONMENT, n.ROOT)
    return Scope(*(labels.get(key, "") for key in keys))


def _is_found(api: EngineApi, resource: Listed) -> bool:
    """Whether a resource really belongs to the environment in its labels. Containers may inherit labels from images."""
    scope = _scope_of(resource)
    called = resource.get("Names") or [resource.get("Name", "")]
    named = any(str(name).lstrip("/").startswith(Names(scope).prefix) for name in called)
    return named or ("Names" in resource and is_own(api, resource, scope))


def volume_sizes(engine: Engine, names: Names, volumes: Collection[str]) -> Mapping[str, int]:
    """The sizes of these volumes in bytes; empty if the engine takes too long, because it measures all its volumes."""
    if not volumes:
        return {}
    with suppress(EnvctlError), engine.doing("ask for the sizes of volumes") as api:
        listed = api.volume_sizes(timeout=_SIZES_TIMEOUT)
        return {
            str(labels[n.VOLUME]): int(volume["UsageData"]["Size"])
            for volume in listed
            if (labels := volume.get("Labels") or {}).get(n.VOLUME) in volumes
            and names.own_labels.items() <= labels.items()
            and (volume.get("UsageData") or {}).get("Size", -1) >= 0
        }
    return {}


def _is_leftover(volume: Listed) -> bool:
    # Records are removed with their unit.
    return n.VOLUME not in volume["Labels"] and not records.is_record(volume)


def _built_images(
    engine: Engine, names: Names, plan: Plan, existing: Containers
) -> Mapping[str, Listed]:
    """The images of the plan's builds and of running units by digest, if they still have their names.

    Inspects each image, because listing is slower: the engine reads all its images (0.2 s for 500).
    """
    running = {str(listed["Labels"].get(n.BUILD) or "") for listed in existing.units.values()}
    digests = sorted({*plan.builds(), *running} - {""})
    images = Images(engine)
    inspected = all_at_once(lambda digest: images.inspect(f"{names.repository}:{digest}"), digests)
    return {
        digest: image
        for digest, image in zip(digests, inspected, strict=True)
        if image is not None and _labels(image).get(n.BUILD) == digest
    }


def _labels(image: Listed) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = (image.get("Config") or {}).get("Labels") or {}
    return labels


@dataclass(frozen=True, slots=True)
class _Seen:
    """Additional details of an environment's containers.

    `secrets` is the problem with each unit's secrets, and whether it must be restarted because of it; `details` are, by
    id, inspected containers whose listing is not enough.
    """

    secrets: Mapping[str, tuple[str, bool]]
    current: Mapping[str, str]
    records: records.Read
    details: Mapping[str, Listed]


def _details(
    engine: Engine, existing: Containers, volumes: Sequence[Listed]
) -> Mapping[str, Listed]:
    """The inspected containers of units whose listing does not show their state, by id."""
    stops = (records.STOPPED, records.STOPPING)
    noted = {container for container, kind in records.read(volumes) if kind in stops}
    ids = [
        container["Id"]
        for container in existing.units.values()
        if container["Id"] in noted or _tells_little(container)
    ]
    pairs = zip(ids, all_at_once(lambda identity: inspect(engine, identity), ids), strict=True)
    return {identity: container for identity, container in pairs if container is not None}


def _tells_little(container: Listed) -> bool:
    text = str(container.get("Status", ""))
    if container["State"] == "exited":
        return not text.startswith("Exited (0)")
    return container["State"] in {"created", "restarting"} or _health(text) is Health.UNHEALTHY


def _state(seen: _Seen, container: Listed) -> UnitState:
    labels, text = container["Labels"], str(container.get("Status", ""))
    code = _CODE.match(text)
    detail = seen.details.get(container["Id"], {})
    status, cause = _status(container, detail.get("State", {}), seen)
    running = status is Status.RUNNING
    defect, needs_restart = seen.secrets[labels[n.UNIT]]
    stopping = seen.records.get((container["Id"], records.STOPPING), frozenset())
    # It may have been stopped and started by hand since.
    if running and detail.get("State", {}).get("StartedAt") in stopping:
        defect, needs_restart = BEING_STOPPED, True
    return UnitState(
        labels[n.UNIT],
        labels.get(n.SERVICE) or labels[n.UNIT],
        status,
        replica=number(labels.get(n.REPLICA, "")) or 1,
        health=_health(text) if running else Health.NONE,
        exit_code=int(code[1]) if code else None,
        build=labels.get(n.BUILD, ""),
        image=plain_name(labels.get(n.IMAGE, ""))[0],
        run=labels.get(n.RUN, ""),
        id=container["Id"],
        addresses=_addresses(container.get("Ports") or ()) if running else (),
        published=_published(container.get("Ports") or ()) if running else {},
        restarts=int(detail.get("RestartCount", 0)) if status is Status.RESTARTING else 0,
        cause=cause,
        outdated=_is_outdated(container, seen.current),
        defect=defect,
        needs_restart=needs_restart,
        unfinished=container["State"] == "dead",
        hooks=tuple(sorted(seen.records.get((container["Id"], records.HOOK), ()))),
    )


def _status(container: Listed, inspected: Mapping[str, Any], seen: _Seen) -> tuple[Status, str]:
    """The status of a unit's process, and its cause."""
    status = _STATUS.get(container["State"], Status.UNKNOWN)
    error = str(inspected.get("Error") or "").strip().partition("\n")[0]
    if status is Status.UNKNOWN:
        return status, _DEAD if container[
            "State"
        ] == "dead" else f"unknown state {container['State']!r}"
    if status is Status.EXITED:
        stops = seen.records.get((container["Id"], records.STOPPED), frozenset())
        # It may have been started by hand since.
        if stops and inspected.get("FinishedAt") in stops:
            return Status.STOPPED, ""
    if status in (Status.EXITED, Status.RESTARTING) and inspected.get("OOMKilled"):
        if inspected.get("ExitCode") == _KILLED and status is Status.EXITED:
            return Status.OOM_KILLED, error
        return status, "a process in it was killed: out of memory"
    if status is Status.RUNNING and _health(str(container.get("Status", ""))) is Health.UNHEALTHY:
        return status, _probe_said(inspected)
    return status, error


def _probe_said(inspected: Mapping[str, Any]) -> str:
    """The last output of the engine's health check, on one line."""
    log = (inspected.get("Health") or {}).get("Log") or [{}]
    lines = str(log[-1].get("Output") or "").strip().splitlines()
    return f"its probe fails: {lines[0]}" if lines else "its probe fails"


def _is_outdated(container: Listed, current: Mapping[str, str]) -> bool:
    labels = container["Labels"]
    image = current.get(labels.get(n.BUILD) or labels.get(n.IMAGE, ""))
    return image is not None and container.get("ImageID", image) != image


def _moved(engine: Engine, units: Iterable[Listed]) -> Mapping[str, str]:
    """The ids of ready images whose name now belongs to another image than the unit's.

    The engine lists a container's image by name only as long as the name belongs to that image.
    """
    image_names = {
        name
        for container in units
        if (name := container["Labels"].get(n.IMAGE)) and container.get("Image", name) != name
    }
    images = Images(engine)
    return {name: image_id for name in sorted(image_names) if (image_id := images.find(name))}


def _health(status: str) -> Health:
    for sign, health in (
        ("(healthy)", Health.HEALTHY),
        ("(unhealthy)", Health.UNHEALTHY),
        ("(health: starting)", Health.STARTING),
    ):
        if status.endswith(sign):
            return health
    return Health.NONE


def _addresses(ports: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The addresses of published ports, with the protocol if it is not TCP, without IPv6 duplicates."""
    published = {
        (port["PrivatePort"], _address(port))
        for port in ports
        if port.get("PublicPort") and ":" not in port.get("IP", "")
    }
    return tuple(address for _, address in sorted(published))


def _published(ports: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The addresses on this host by port of the container, without IPv6 duplicates."""
    published: dict[str, tuple[str, ...]] = {}
    for port in sorted(ports, key=lambda port: (port["PrivatePort"], port.get("PublicPort", 0))):
        if port.get("PublicPort") and ":" not in port.get("IP", ""):
            key = f"{port['PrivatePort']}/{port.get('Type', 'tcp')}"
            address = f"{_host(port.get('IP', ''))}:{port['PublicPort']}"
            published[key] = (*published.get(key, ()), address)
    return published


def _address(port: Mapping[str, Any]) -> str:
    address = f"{_host(port.get('IP', ''))}:{port['PublicPort']}"
    protocol = port.get("Type", "tcp")
    return address if protocol == "tcp" else f"{address}/{protocol}"


def _host(address: str) -> str:
    return "127.0.0.1" if address in _EVERYWHERE else address


def _name(resource: Listed) -> str:
    return str(resource["Names"][0]).lstrip("/")


def number(text: str) -> int | None:
    """A number in a label that may have been edited by hand; None if it is not a number."""
    return int(text) if text.isascii() and text.isdigit() else None
