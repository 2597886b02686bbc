"""Applies one change. Each change converges, even after an interrupted one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from envctl.backends.common.mount_points import make_mount_points
from envctl.backends.common.probe_results import ProbeResults
from envctl.backends.docker import names as n
from envctl.backends.docker import network
from envctl.backends.docker.containers import container
from envctl.backends.docker.engine import STOP_TIMEOUT, Engine, taken_port
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError, is_conflict
from envctl.backends.docker.engine_platforms import Platforms
from envctl.backends.docker.engine_probe_log import knows_start_interval, last_mark
from envctl.backends.docker.engine_requests import USUAL
from envctl.backends.docker.images import Images
from envctl.backends.docker.names import Names
from envctl.backends.docker.owned_containers import Listed, containers
from envctl.backends.docker.ownership import claim_volumes, is_ours, name_taken
from envctl.backends.docker.ports import in_use
from envctl.backends.docker.records import STOPPED, STOPPING, Records
from envctl.backends.docker.secrets_container import SecretsContainer
from envctl.backends.docker.volumes import Volumes
from envctl.errors import EnvctlError, Place
from envctl.plan.changes import Action, Change
from envctl.plan.image_volumes import with_volumes
from envctl.plan.model import ReadyImage, Unit, Volume

_REMOVAL_TIMEOUT: Final = 300.0
"""How many seconds the engine may take to remove a container. 360,000 files took it 9 s on a laptop's disk."""


class Lifecycle:
    """Creates, starts, stops and removes the units of one environment, and what they share."""

    def __init__(
        self,
        engine: Engine,
        names: Names,
        images: Images,
        secrets: SecretsContainer,
        volumes: Volumes,
        *,
        answers: ProbeResults,
        platforms: Platforms,
    ) -> None:
        self._engine = engine
        self._names = names
        self._images = images
        self._secrets = secrets
        self._volumes = volumes
        self._answers = answers
        self._platforms = platforms
        self.records = Records(engine, names)
        self.resumed: dict[str, str] = {}
        """By container that this run resumed, the start of the last health check before that."""
        self._guard = Lock()
        self._network_there = False
        self._removals_over = False
        self._log_driver = ""

    def apply(self, change: Change) -> None:
        """Apply a change of a unit, a volume, or a shared resource of the environment."""
        unit = change.target if isinstance(change.target, Unit) else None
        self._wait_for_removals()
        if change.action in (Action.CREATE, Action.REPLACE) and unit:
            self.create(unit)
        elif change.action in (Action.START, Action.RESTART) and unit:
            self.start(unit, anew=change.action is Action.RESTART)
        else:
            without_target: dict[Action, Callable[[str], None]] = {
                Action.STOP: self.stop,
                Action.REMOVE: self.remove,
                Action.DELETE_VOLUME: self.delete_volume,
                Action.TEAR_DOWN: self.tear_down,
            }
            without_target[change.action](change.unit)

    def _wait_for_removals(self) -> None:
        """Wait once for removals that the engine continues after a killed command, because they hold names and volumes."""
        with self._guard, self._engine.doing("wait for containers that are being removed") as api:
            if not self._removals_over:
                for listed in api.containers(all=True, filters=dict(self._names.filters)):
                    if listed["State"] == "removing":
                        _tolerant(api.wait_until_removed, listed["Id"], timeout=_REMOVAL_TIMEOUT)
            self._removals_over = True

    def create(self, unit: Unit) -> None:
        """Create a unit's container and start it. An existing container of the unit is removed first."""
        where = unit.where
        self.have_image(unit)
        self._remove_container(unit.name)
        self.records.clear(unit.name)
        image_volumes = self._volumes.of_image(unit) or ()
        self.prepare(unit, image_volumes)
        with self._engine.doing(f"create {unit.name}", where=where) as api:
            identity = self._make(api, unit, image_volumes)
        self._secrets.give(unit, identity)
        self._answers.begin(unit.name)
        with self._engine.doing(f"start {unit.name}", where=_place(unit)) as api:
            _start(api, unit, identity)

    def prepare(self, unit: Unit, image_volumes: tuple[Volume, ...] = ()) -> None:
        """Create what a unit's container needs: the network and volumes; `image_volumes` are those that its image declares."""
        make_mount_points(with_volumes(unit, image_volumes).run)
        self._have_network(unit.where)
        with self._engine.doing(f"create {unit.name}", where=unit.where) as api:
            claim_volumes(api, with_volumes(unit, image_volumes), self._names)
        self._volumes.begin(unit)

    def start(self, unit: Unit, *, anew: bool = False) -> None:
        """Start or resume an existing unit. Does nothing if it runs, unless `anew` is set or its secrets are lost."""
        current = self._container(unit.name)
        if current is None:
            self.create(unit)
            return
        if current["State"] == "paused" and not anew:
            with self._engine.doing(f"resume {unit.name}") as api:
                # The engine does not check a paused container, and still shows its earlier health.
                mark = last_mark(api.inspect_container(current["Id"])["State"])
                self.resumed[current["Id"]] = mark
                self._answers.begin(unit.name, after=mark)
                api.unpause(current["Id"])
            current = {**current, "State": "running"}
        if current["State"] == "running" and not anew and self._secrets.keep(unit, current):
            return
        self._end(unit.name, current)
        # Hooks that succeeded after the previous start must run again after this one.
        self.records.clear(unit.name)
        self._secrets.give(unit, current["Id"])
        self._answers.begin(unit.name)
        with self._engine.doing(f"start {unit.name}", where=_place(unit)) as api:
            try:
                _start(api, unit, current["Id"])
                return
            except ApiError as error:
                # Its network was removed. A container refers to its network by id, so a new network of the same name
                # does not help.
                if "network" not in str(error) or "not found" not in str(error):
                    raise
        self.create(unit)

    def stop(self, unit: str) -> None:
        """Stop a unit's process (SIGTERM, later SIGKILL) and record that envctl did so."""
        current = self._container(unit)
        if current is not None and self._end(unit, current):
            with self._engine.doing(f"look at {unit}") as api:
                ended = str(api.inspect_container(current["Id"])["State"].get("FinishedAt", ""))
            self.records.write(unit, current["Id"], STOPPED, ended)

    def _end(self, unit: str, current: Listed) -> bool:
        """Stop a container's process. Returns whether it was running."""
        if current["State"] not in {"running", "restarting", "paused"}:
            return False
        with self._engine.doing(f"stop {unit}") as api:
            if current["State"] == "paused":
                api.unpause(current["Id"])
            with suppress(NotFoundError):
                self._stop(api, unit, current["Id"])
        return True

    def _stop(self, api: EngineApi, unit: str, container: str) -> None:
        """Stop the process. The engine answers when it has ended, or was killed after its own timeout."""
        details = api.inspect_container(container)
        self.records.write(unit, container, STOPPING, str(details["State"].get("StartedAt", "")))
        grace = details["Config"].get("StopTimeout") or STOP_TIMEOUT
        api.stop(container, timeout=grace + USUAL)

    def remove(self, unit: str) -> None:
        """Stop and remove a unit, with its secrets."""
        self._remove_container(unit)
        self.records.clear(unit)
        self._secrets.forget(unit)

    def delete_volume(self, volume: str) -> None:
        """Remove a named volume and the data in it."""
        filters = {"label": [*self._names.filters["label"], f"{n.VOLUME}={volume}"]}
        with self._engine.doing(f"remove the volume {volume}") as api:
            for listed in api.volumes(filters=filters):
                _tolerant(api.remove_volume, listed["Name"])

    def tear_down(self, _unit: str = "") -> None:
        """Remove the secrets container, the in-memory volumes and the network."""
        for twin in containers(self._engine, self._names).twins:
            self._remove_container(twin["Labels"][n.UNIT])
        self._secrets.dismiss()
        with self._engine.doing("remove leftovers of interrupted runs") as api:
            self._volumes.sweep(api)
        self.records.sweep()
        with self._guard, self._engine.doing("remove the network") as api:
            self._network_there = False
            for listed in api.networks(filters=dict(self._names.filters)):
                network.remove(api, listed)

    # --- parts

    def _container(self, unit: str) -> Listed | None:
        return containers(self._engine, self._names, unit=unit).units.get(unit)

    def _remove_container(self, unit: str) -> None:
        for current in containers(self._engine, self._names, unit=unit).of_unit(unit):
            self._end(unit, current)
            # Earlier versions of envctl created anonymous volumes.
            prunable = self._volumes.carry_over(unit, current)
            with self._engine.doing(f"remove {unit}") as api:
                _tolerant(api.remove_container, current["Id"], v=prunable, force=True)

    def have_image(self, unit: Unit) -> None:
        """Make sure that the unit's image exists. Pulls a ready image; EnvctlError if the image must be built first."""
        name, platform = self._names.image_of(unit), unit.run.platform
        self._platforms.require(platform, unit.origins.get("platform") or unit.where)
        if self._images.at_hand(name) is not None:
            self._platforms.look_at(unit.name, name, platform)
            return
        if not isinstance(unit.source, ReadyImage):
            raise EnvctlError(
                f"the image of {unit.name} was removed",
                hint="run the same command again: it will be rebuilt",
                where=unit.where,
            )
        try:
            self._images.pull(name)
            self._platforms.look_at(unit.name, name, platform)
        except EnvctlError as error:
            error.where = error.where or unit.source.where or unit.where
            raise

    def image_config(self, unit: Unit) -> Mapping[str, Any]:
        """The configuration of a unit's image, if a wrapper starts its process."""
        if not unit.run.process.secret_env:
            return {}
        return (self._images.inspect(self._names.image_of(unit)) or {}).get("Config") or {}

    def _have_network(self, where: Place | None) -> None:
        with self._guard, self._engine.doing("create the network", where=where) as api:
            if self._network_there:
                return
            ours = api.networks(filters=dict(self._names.filters))
            if not any(item["Name"] == self._names.network for item in ours):
                try:
                    api.create_network(self._names.network, labels=self._names.labels)
                except ApiError as error:
                    if not is_conflict(error):
                        raise
                    raise name_taken("network", self._names.network, where) from error
            self._network_there = True

    def _make(self, api: EngineApi, unit: Unit, image_volumes: Sequence[Volume]) -> str:
        if not self._log_driver:
            self._log_driver = str(api.info().get("LoggingDriver") or "json-file")
        name, platform = self._names.container(unit.name), unit.run.platform or None
        body = container(
            unit,
            self._names,
            log_driver=self._log_driver,
            own_volumes=image_volumes,
            start_interval=knows_start_interval(api.api_version),
            image=self.image_config(unit),
        )
        try:
            return api.create_container(body, name, platform)
        except ApiError as error:
            if not is_conflict(error):
                raise
            if not is_ours(api, name, self._names, {n.UNIT: unit.name}):
                raise name_taken("container", name, unit.where) from error
        _tolerant(api.remove_container, name, force=True)
        return api.create_container(body, name, platform)


def _start(api: EngineApi, unit: Unit, container: str) -> None:
    try:
        api.start(container)
    except ApiError as error:
        port = taken_port(error)
        if port is None:
            raise
        raise in_use(api, port, unit, message=str(error)) from error


def _place(unit: Unit) -> Place | None:
    """The place of the ports in the spec, the most common reason why a container does not start."""
    return unit.origins.get("ports") or unit.where


def _tolerant(act: Callable[..., object], *args: Any, **options: Any) -> None:
    """Call a function; do nothing if the resource no longer exists."""
    with suppress(NotFoundError):
        act(*args, **options)
