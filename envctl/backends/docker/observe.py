"""What of an environment is there: from the engine's lists, which are cheap and hold still."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from envctl.backends.docker import names as n
from envctl.backends.docker.client import Engine, missing
from envctl.backends.docker.images import Images
from envctl.backends.docker.names import Names
from envctl.backends.docker.volumes import nameless
from envctl.errors import EnvctlError
from envctl.plan.image_volumes import called
from envctl.plan.state import Health, Observed, Status, UnitState

Listed: TypeAlias = Mapping[str, Any]
"""A container as the engine lists it."""

_STATUS: Final = {
    "created": Status.CREATED,
    "running": Status.RUNNING,
    "restarting": Status.RESTARTING,
    "paused": Status.PAUSED,
    "exited": Status.EXITED,
    "dead": Status.EXITED,
}
_CODE: Final = re.compile(r"^(?:Exited|Restarting) \((\d+)\)")
_SIZES_TIMEOUT: Final = 5.0
_LOST: Final = "its secrets went when the engine was restarted"
_EVERYWHERE: Final = frozenset({"0.0.0.0", ""})  # noqa: S104 - recognised, not bound


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of an environment: those of its units, by unit, and the keepers of its secrets."""

    units: Mapping[str, Listed]
    keepers: Sequence[Listed]


def containers(engine: Engine, names: Names, *, unit: str = "") -> Containers:
    """The environment's containers, or those of one unit; what is being removed is left out.

    A container is known by its labels and its name together: labels alone are inherited by whatever
    is made from an image that somebody made of one.
    """
    filters = names.unit_filters(unit) if unit else names.filters
    with engine.doing("list containers") as api:
        listed: list[Listed] = api.containers(all=True, filters=dict(filters))
    there = [one for one in listed if one.get("State") != "removing"]
    return Containers(
        {one["Labels"][n.UNIT]: one for one in there if _is_unit(one, names)},
        [one for one in there if _is_keeper(one, names)],
    )


def _is_unit(one: Listed, names: Names) -> bool:
    unit = one["Labels"].get(n.UNIT)
    return bool(unit) and f"/{_names_of(one, names).container(unit)}" in one["Names"]


def _is_keeper(one: Listed, names: Names) -> bool:
    start = f"/{_names_of(one, names).keeper('')}"
    named = any(name.startswith(start) for name in one["Names"])
    return named and bool(one["Labels"].get(n.KEEPER))


def _names_of(one: Listed, names: Names) -> Names:
    """What it is called by: the project may have another name by now, or none that can be read."""
    project = one["Labels"].get(n.PROJECT) or names.scope.project
    return Names(replace(names.scope, project=project))


def observe(engine: Engine, names: Names, *, images: bool) -> Observed:
    """The environment; with `images` also which builds are at hand."""
    there = containers(engine, names)
    held = held_volumes(there.keepers)
    with engine.doing("look at the environment") as api:
        volumes = api.volumes(filters=dict(names.filters))["Volumes"] or []
        networks = api.networks(filters=dict(names.filters))
        built = (
            api.images(filters={"label": [f"{n.PROJECT}={names.scope.project}"]}) if images else []
        )
    current = {digest: str(image.get("Id")) for digest, image in _named(built, names)}
    if images:
        current |= _moved(engine, there.units.values())
    units = {
        name: _state(engine, names, one, held=held, current=current)
        for name, one in sorted(there.units.items())
    }
    own = {
        called(name, str(mount["Destination"]))
        for name, one in there.units.items()
        for mount in nameless(one)
    }
    leftovers = [
        *(f"network {one['Name']}" for one in networks),
        *(f"container {_name(one)}" for one in there.keepers),
        *(f"volume {one['Name']}" for one in volumes if n.VOLUME not in one["Labels"]),
    ]
    return Observed(
        units,
        {digest: image["Labels"].get(n.STEPS, "") for digest, image in _named(built, names)},
        frozenset(one["Labels"][n.VOLUME] for one in volumes if n.VOLUME in one["Labels"]) | own,
        tuple(sorted(leftovers)),
    )


def volume_sizes(engine: Engine, names: Names, volumes: Collection[str]) -> Mapping[str, int]:
    """The bytes in these volumes; nothing where the engine takes long, since it reads all that it has for it."""
    if not volumes:
        return {}
    with suppress(EnvctlError), engine.doing("ask for the sizes of volumes") as api:
        answer = api.get(f"{api.base_url}/v{api.api_version}/system/df", timeout=_SIZES_TIMEOUT)
        listed = answer.json().get("Volumes") or ()
        return {
            str(labels[n.VOLUME]): int(one["UsageData"]["Size"])
            for one in listed
            if (labels := one.get("Labels") or {}).get(n.VOLUME) in volumes
            and names.own.items() <= labels.items()
            and (one.get("UsageData") or {}).get("Size", -1) >= 0
        }
    return {}


def _named(images: Sequence[Listed], names: Names) -> Iterator[tuple[str, Listed]]:
    """Builds at hand, by digest: an image counts if it still has the name it is found by."""
    for image in images:
        digest = (image.get("Labels") or {}).get(n.BUILD, "")
        if digest and f"{names.repository}:{digest}" in (image.get("RepoTags") or ()):
            yield digest, image


def held_volumes(keepers: Iterable[Listed]) -> frozenset[str]:
    """The volumes that a running keeper keeps in memory."""
    return frozenset(
        mount.get("Name", "")
        for one in keepers
        if one["State"] == "running"
        for mount in one.get("Mounts", ())
    )


def _state(
    engine: Engine,
    names: Names,
    one: Listed,
    *,
    held: frozenset[str],
    current: Mapping[str, str],
) -> UnitState:
    labels, text = one["Labels"], str(one.get("Status", ""))
    status = _STATUS.get(one["State"], Status.EXITED)
    cause = ""
    if status is not Status.CREATED and _has_lost_secrets(names, one, held):
        # It runs, if at all, without its secrets: it has to be started anew.
        status, cause = Status.EXITED, _LOST
    running = status is Status.RUNNING
    code = _CODE.match(text)
    return UnitState(
        labels[n.UNIT],
        labels.get(n.SERVICE) or labels[n.UNIT],
        status,
        replica=number(labels.get(n.REPLICA, "")) or 1,
        health=_health(text) if running else Health.NONE,
        exit_code=int(code[1]) if code else None,
        build=labels.get(n.BUILD, ""),
        image=labels.get(n.IMAGE, ""),
        run=labels.get(n.RUN, ""),
        id=one["Id"],
        addresses=_addresses(one.get("Ports") or ()) if running else (),
        restarts=_restarts(engine, one["Id"]) if status is Status.RESTARTING else 0,
        cause=cause,
        outdated=_is_outdated(one, current),
    )


def _is_outdated(one: Listed, current: Mapping[str, str]) -> bool:
    labels = one["Labels"]
    image = current.get(labels.get(n.BUILD) or labels.get(n.IMAGE, ""))
    return image is not None and one.get("ImageID", image) != image


def _moved(engine: Engine, units: Iterable[Listed]) -> Mapping[str, str]:
    """The ids of ready images that other images than the units' are called by now.

    The engine lists a container's image by its name only as long as the name means that image.
    """
    wanted = {
        name
        for one in units
        if (name := one["Labels"].get(n.IMAGE)) and one.get("Image", name) != name
    }
    images = Images(engine)
    return {name: found for name in sorted(wanted) if (found := images.find(name))}


def _has_lost_secrets(names: Names, one: Listed, held: frozenset[str]) -> bool:
    volume = names.secrets(one["Labels"][n.UNIT])
    mounted = any(mount.get("Name") == volume for mount in one.get("Mounts", ()))
    ended_well = str(one.get("Status", "")).startswith("Exited (0)")
    return mounted and volume not in held and not ended_well


def _restarts(engine: Engine, container: str) -> int:
    from docker.errors import APIError

    with engine.doing("look at a container") as api:
        try:
            return int(api.inspect_container(container).get("RestartCount", 0))
        except APIError as error:
            if missing(error):
                return 0
            raise


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
    """Where published TCP ports can be reached; the same port over IPv6 is not told twice."""
    found = {
        (port["PrivatePort"], f"{_host(port.get('IP', ''))}:{port['PublicPort']}")
        for port in ports
        if port.get("PublicPort") and port.get("Type") == "tcp" and ":" not in port.get("IP", "")
    }
    return tuple(address for _, address in sorted(found))


def _host(address: str) -> str:
    return "127.0.0.1" if address in _EVERYWHERE else address


def _name(one: Listed) -> str:
    return str(one["Names"][0]).lstrip("/")


def number(text: str) -> int | None:
    """A number that somebody may have written by hand; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() else None
