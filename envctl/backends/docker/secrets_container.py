"""Secrets in containers: files in memory, which one small container per environment keeps alive.

Each unit has an in-memory volume (tmpfs), mounted read-only at /run/secrets. The engine keeps the content of such a
volume only while a container mounts it. The secrets container mounts all of them, so a unit that crashes finds its
secrets again. envctl writes the files through it with the engine's API, so no value is in a container's configuration,
on a disk or in an argv.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from envctl.backends.docker import container_paths, pause_image
from envctl.backends.docker import names as n
from envctl.backends.docker.containers import SECRETS_FOLDER, secret_file, secrets_mount
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError, is_conflict
from envctl.backends.docker.held_secrets import has_secrets, held_volumes
from envctl.backends.docker.names import Names, slug
from envctl.backends.docker.observe import number
from envctl.backends.docker.owned_containers import Containers, Listed, containers
from envctl.backends.docker.ownership import claim_secrets, is_ours, name_taken
from envctl.errors import EnvctlError
from envctl.plan.model import Plan, Secret, Unit

_HELD = "/held"
_LARGEST_PASSWD = 4 * 1024 * 1024
_LARGEST_HELD = 16 * 1024 * 1024
"""The maximum size of /etc/passwd and of a unit's secrets that is read, in bytes."""


class SecretsContainer:
    """Keeps the secrets of one environment's units."""

    def __init__(self, engine: Engine, names: Names, secret: Callable[[str], bytes]) -> None:
        self._engine = engine
        self._names = names
        self._secret = secret
        self._expected: frozenset[str] = frozenset()
        self._guard = Lock()

    def expect(self, plan: Plan) -> None:
        """Remember which units have secrets, so that one secrets container is created for all of them."""
        self._expected = frozenset(unit.name for unit in plan.units if unit.run.secrets)

    def give(self, unit: Unit, container: str) -> None:
        """Write the unit's secrets into the volume of its container, which has not started yet."""
        if not unit.run.secrets:
            return
        values = {secret.name: self._secret(secret.name) for secret in unit.run.secrets}
        with self._engine.doing(f"give {unit.name} its secrets") as api:
            _insist_on_own_places(api, unit, container)
            owner = self._owner(api, unit, container)
            files = {secret_file(secret): values[secret.name] for secret in unit.run.secrets}
            with self._guard:
                holder = self._hold(api, unit)
                api.put_archive(holder, self._folder(unit.name), _archive(files, owner))
            _link(api, unit, container)

    def lend(self, unit: Unit, container: str, *, name: str, labels: Mapping[str, str]) -> None:
        """Write the secrets of a one-off into the volume of its container, which has not started yet.

        A container with this name and these labels keeps them; the caller removes it and the volume.
        """
        if not unit.run.secrets:
            return
        values = {secret.name: self._secret(secret.name) for secret in unit.run.secrets}
        with self._engine.doing(f"give {unit.name} its secrets") as api:
            _insist_on_own_places(api, unit, container)
            owner = self._owner(api, unit, container)
            files = {secret_file(secret): values[secret.name] for secret in unit.run.secrets}
            mount = secrets_mount(unit.name, self._names, _HELD, read_only=False)
            lender = api.create_container(_body(pause_image.have(api), labels, [mount]), name)
            api.start(lender)
            api.put_archive(lender, _HELD, _archive(files, owner))
            _link(api, unit, container)

    def keep(self, unit: Unit, container: Listed) -> bool:
        """Make sure that a running container's secrets stay in memory; False if it has lost them."""
        if not unit.run.secrets:
            return True
        with self._engine.doing(f"keep the secrets of {unit.name}") as api, self._guard:
            if not has_secrets(api, container):
                return False
            self._hold(api, unit)
            return True

    def forget(self, unit: str) -> None:
        """Empty the files of a removed unit; its volume is removed with the secrets container."""
        import tarfile

        volume = self._names.secrets(unit)
        with self._engine.doing(f"forget the secrets of {unit}") as api, self._guard:
            for holder in _holding(
                containers(self._engine, self._names).secrets_containers, volume
            ):
                folder = self._folder(unit)
                with api.get_archive(holder["Id"], folder) as answer:
                    archive = container_paths.read_up_to(answer, _LARGEST_HELD)
                with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                    held = [posixpath.basename(entry.name) for entry in tar if entry.isfile()]
                api.put_archive(holder["Id"], folder, _archive(dict.fromkeys(held, b""), (0, 0)))

    def dismiss(self) -> None:
        """Remove the secrets container and all its volumes."""
        with self._engine.doing("forget secrets") as api, self._guard:
            for holder in containers(self._engine, self._names).secrets_containers:
                _remove(api, holder["Id"])
            self._sweep(api, frozenset())

    # --- the secrets container itself

    def _folder(self, unit: str) -> str:
        return f"{_HELD}/{slug(unit)}"

    def _hold(self, api: EngineApi, unit: Unit) -> str:
        """The secrets container that mounts the unit's volume: the existing one, or a new one that takes over."""
        existing = containers(self._engine, self._names)
        holding = _holding(existing.secrets_containers, self._names.secrets(unit.name))
        if holding:
            return str(holding[0]["Id"])
        needed = {unit.name, *self._expected, *self._still_needed(existing)}
        # A unit that has lost its secrets must not look as if it had them. It gets them again when it is restarted.
        needed -= {name for name in needed - {unit.name} if _lacks(api, existing.units.get(name))}
        holder = self._start(api, needed, unit)
        # The new container already mounts the volumes, so their content survives the removal of the old one.
        for former in existing.secrets_containers:
            _remove(api, former["Id"])
        self._sweep(api, frozenset(self._names.secrets(name) for name in needed))
        return holder

    def _still_needed(self, existing: Containers) -> Iterable[str]:
        held = held_volumes(existing.secrets_containers)
        return {unit for unit in existing.units if self._names.secrets(unit) in held}

    def _start(self, api: EngineApi, units: Iterable[str], unit: Unit) -> str:
        """Start a new secrets container from envctl's own image."""
        for name in units:
            claim_secrets(api, name, self._names, where=unit.origins.get("secrets") or unit.where)
        mounts = [
            secrets_mount(unit, self._names, self._folder(unit), read_only=False)
            for unit in sorted(units)
        ]
        identity = hashlib.sha256("\0".join(sorted(units)).encode()).hexdigest()[:6]
        body = _body(pause_image.have(api), self._names.secrets_container_labels, mounts)
        container = self._make(api, self._names.secrets_container(identity), body)
        try:
            api.start(container)
        except BaseException:
            _remove(api, container)
            raise
        return container

    def _make(self, api: EngineApi, name: str, body: Mapping[str, Any]) -> str:
        try:
            return str(api.create_container(body, name))
        except ApiError as error:
            if not is_conflict(error):
                raise
            if not is_ours(api, name, self._names, {n.SECRETS_CONTAINER: "secrets"}):
                raise name_taken("container", name) from error
        # It is left over from an interrupted run, or from before the engine's restart.
        _remove(api, name)
        return str(api.create_container(body, name))

    def _sweep(self, api: EngineApi, needed: frozenset[str]) -> None:
        """Remove the volumes of removed units."""
        for volume in api.volumes(filters=dict(self._names.filters)):
            if n.SECRETS in (volume["Labels"] or {}) and volume["Name"] not in needed:
                # A volume in use does not belong to a removed unit.
                with suppress(ApiError):
                    api.remove_volume(volume["Name"])

    def _owner(self, api: EngineApi, unit: Unit, container: str) -> tuple[int, int]:
        """The numeric ids of the user and group that run the unit's process."""
        user = unit.run.process.user
        if user is None:
            user = api.inspect_container(container)["Config"].get("User") or "0"
        name, _, group = user.partition(":")
        if (uid := number(name)) is not None:
            return uid, number(group) or 0
        passwd = container_paths.read(api, container, "/etc/passwd", largest=_LARGEST_PASSWD) or b""
        for line in passwd.decode("utf-8", "replace").splitlines():
            fields = line.split(":")
            if fields[0] == name and len(fields) > 3:
                return number(fields[2]) or 0, number(fields[3]) or 0
        # If the user does not exist, the container does not start, and the engine reports that.
        return 0, 0


def _body(image: str, labels: Mapping[str, str], mounts: list[dict[str, Any]]) -> Mapping[str, Any]:
    return {
        "Image": image,
        "Entrypoint": [pause_image.PROGRAM],
        "User": "65534:65534",
        # It runs without an init, so that the engine reports a failed start at once. It gets no other signals.
        "StopSignal": "SIGKILL",
        "Env": [],
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            # It does not restart with the engine, so its state shows that the memory is lost.
            "RestartPolicy": {"Name": "no"},
            "PidsLimit": 8,
            "LogConfig": {"Type": "none"},
            "Mounts": mounts,
        },
    }


def _insist_on_own_places(api: EngineApi, unit: Unit, container: str) -> None:
    """EnvctlError if links in the image lead a secret's path into a mount: the value would be written to the host.

    The plan has already checked the paths in the spec.
    """
    mounted = {
        container_paths.leads_to(api, container, mount["Destination"]): mount["Destination"]
        for mount in api.inspect_container(container)["Mounts"]
        if mount["Destination"] != SECRETS_FOLDER
    }
    for secret in unit.run.secrets:
        for place in dict.fromkeys((SECRETS_FOLDER, secret.target)):
            real = container_paths.leads_to(api, container, place)
            over = next(
                (mounted_at for at, mounted_at in mounted.items() if _is_in(real, at)), None
            )
            if over is not None:
                raise _covered(unit, secret, place, real, over)
        if secret.target != _own_file(secret):
            entry = container_paths.look(api, container, secret.target)
            if entry is not None and entry.is_directory:
                raise EnvctlError(
                    f"the secret {secret.name} cannot be at {secret.target}: the image has a folder there",
                    where=unit.origins.get("secrets") or unit.where,
                )


def _is_in(path: str, place: str) -> bool:
    return f"{path}/".startswith(f"{place.rstrip('/')}/")


def _covered(unit: Unit, secret: Secret, place: str, real: str, over: str) -> EnvctlError:
    leads = f" leads to {real}, which" if real != place else ""
    return EnvctlError(
        f"{unit.name}: the secret {secret.name} cannot be at {place}:{leads} is in what is mounted at {over}",
        hint=f"remove its `target`: it will be at {SECRETS_FOLDER}/{secret.name}; or change the mount",
        where=unit.origins.get("secrets") or unit.where,
    )


def _own_file(secret: Secret) -> str:
    return f"{SECRETS_FOLDER}/{secret_file(secret)}"


def _holding(secrets_containers: Iterable[Listed], volume: str) -> list[Listed]:
    return [holder for holder in secrets_containers if volume in held_volumes([holder])]


def _lacks(api: EngineApi, container: Listed | None) -> bool:
    """Whether a container is running without its secrets."""
    return (
        container is not None
        and container["State"] == "running"
        and not has_secrets(api, container)
    )


def _remove(api: EngineApi, container: str) -> None:
    with suppress(NotFoundError):
        api.remove_container(container, force=True, v=True)


def _archive(files: Mapping[str, bytes], owner: tuple[int, int]) -> bytes:
    import tarfile

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, value in files.items():
            entry = tarfile.TarInfo(name)
            entry.uid, entry.gid = owner
            entry.mode, entry.size = 0o400, len(value)
            tar.addfile(entry, io.BytesIO(value))
    return target.getvalue()


def _link(api: EngineApi, unit: Unit, container: str) -> None:
    """Create links for the secrets whose target is elsewhere."""
    links = {
        secret.target: _own_file(secret)
        for secret in unit.run.secrets
        if secret.target != _own_file(secret)
    }
    if links:
        api.put_archive(container, "/", _links(links))


def _links(links: Mapping[str, str]) -> bytes:
    """An archive of links to the secrets' files."""
    import tarfile

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, to in links.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, to, 0o777
            tar.addfile(entry)
    return target.getvalue()
