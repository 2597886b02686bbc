"""What concerns several values at once: one source a service, known names, no circles, no clashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

from envctl.definition.keys.service import SERVICE, CanonicalService
from envctl.definition.keys.spec_file import CanonicalSpec
from envctl.definition.origins import Parts
from envctl.definition.problems import Problems, near
from envctl.definition.remember import remembered
from envctl.definition.tree import Spot, Table, listed
from envctl.definition.value_readers import USUAL

SOURCES = SERVICE.choices
LONGEST_USER = 32
_USERS = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
messagebus sshd systemd-network systemd-resolve systemd-timesync
"""
_GROUPS = """
adm audio cdrom crontab dialout dip disk fax floppy kmem nogroup operator plugdev sasl shadow src
ssl-cert staff sudo tape tty users utmp video voice
"""
SYSTEM_NAMES = {
    **dict.fromkeys(_USERS.split(), "a system user"),
    **dict.fromkeys(_GROUPS.split(), "a system group"),
}
"""Debian's own: no service runs as one by merely having its name, nor can a user be made of it."""


class Checker:
    """Looks at the services that are valid by themselves; `tree` knows the places of all."""

    def __init__(
        self,
        root: Path,
        tree: Table,
        data: CanonicalSpec,
        problems: Problems,
        *,
        origins: Parts,
        wrong: Mapping[str, AbstractSet[str]],
        added: AbstractSet[str],
    ) -> None:
        """`wrong` are the services' keys with mistakes in them, `added` the overlay's own services."""
        self.origins = origins
        self.has_base = "base" in tree
        self.wrong = wrong
        self.added = added
        self.root = root
        self.data = data
        self.problems = problems
        services = tree.get("services")
        secrets = tree.get("secrets")
        self.tree = services if isinstance(services, Table) else Table(tree.spot)
        self.secrets = frozenset(secrets) if isinstance(secrets, Table) else frozenset()
        self.exists: dict[str, bool] = {}

    def run(self) -> None:
        """Look at everything; problems are collected."""
        for name, service in self.data["services"].items():
            table = self.tree[name]
            if not isinstance(table, Table):
                continue
            self._source(name, table)
            self._alone(name, service, table)
            self._depends_on(name, service)
            self._paths(name, service)
        self._replicas()
        self._ports()
        self._owners()
        self._circles()

    def _spot(self, service: str, *path: str | int) -> Spot:
        """Where a value of a service was set, or what it belongs to."""
        places = self.origins[service]
        while path not in places:
            path = path[:-1]
        return places[path][0]

    def _entry(self, service: str, key: str, name: str) -> Spot:
        """Where a name stands: an item of a list, or a key of a mapping."""
        table = self.tree[service]
        node = table[key] if isinstance(table, Table) else table
        return node.spots[name] if isinstance(node, Table) else self._spot(service, key, name)

    def _has(self, service: str, *path: str | int) -> bool:
        """Whether a value of a service is set, and valid."""
        return path in self.origins[service]

    def _add(self, spot: Spot, message: str, *, expected: str = "", hint: str = "") -> None:
        self.problems.add(spot, message, expected=expected, hint=hint)

    # --- one service

    def _alone(self, name: str, service: CanonicalService, table: Table) -> None:
        """What neither other services nor files have a say in."""

        def look() -> None:
            self._task(name, service, table)
            self._user(name, service)
            self._secrets(name, service)
            self._build_secrets(name, service)
            self._targets(name, service)

        if self.wrong.get(name):
            look()
        else:
            key = ("sound", name, service["base"] is None, self.secrets)
            remembered(table, key, look, problems=self.problems)

    def _source(self, name: str, table: Table) -> None:
        given = [key for key in SOURCES if key in table and self._has(name, key)]
        if len(given) > 1:
            self._add(
                table.spots[given[1]],
                f"services.{name} has both {given[0]} and {given[1]}",
                expected="one of base, image, dockerfile",
            )
            return
        if given in (["image"], ["dockerfile"]):
            for key in ("packages", "build"):
                if key in table and self._has(name, key):
                    self._add(
                        table.spots[key],
                        f"services.{name}: {key} needs a base to build on, and this service has {given[0]}",
                        hint=f"{key}: null removes it; a base instead of the {given[0]} can be built on",
                    )
        if not given and not self.has_base and not self._is_wrong(name, *SOURCES, "extends"):
            self._add(
                self.tree.spots[name],
                f"services.{name} does not say what it is made from",
                expected="base, image or dockerfile (or a base for all services at the top)",
                hint=self._misplaced(name),
            )

    def _is_wrong(self, name: str, *keys: str) -> bool:
        """Whether one of these keys of a service was left out since it is not valid: nobody knows what it says."""
        return not self.wrong.get(name, frozenset()).isdisjoint(keys)

    def _misplaced(self, name: str) -> str:
        """What helps where a service lacks all that makes one: it may be a key, or one of the base file, misspelt."""
        if name in SERVICE.fields:
            return f"{name} is a key of a service: indent it deeper, to belong to the one above it"
        if name not in self.added:
            return ""
        others = [other for other in self.tree if other not in self.added]
        known = near(name, others) if others else "it has no services"
        return f"envctl.yaml has no service {name!r}; {known}"

    def _task(self, name: str, service: CanonicalService, table: Table) -> None:
        if service["kind"] == "task":
            for key, why in (
                ("replicas", "runs once"),
                ("healthcheck", "is done when it has completed"),
            ):
                if self._has(name, key) and not (key == "replicas" and service["replicas"] == 1):
                    self._add(table.spots[key], f"services.{name}.{key}: a task {why}")
            if service["hooks"]["after_start"]:
                self._add(
                    table.spots["hooks"],
                    f"services.{name}.hooks.after_start: a task has ended when it is done",
                    hint="hooks: null drops an inherited one; what is to follow can be a task of its own",
                )
            if service["restart"] == "always":
                self._add(self._spot(name, "restart"), f"services.{name}.restart: a task runs once")
        unknown = self._is_wrong(name, *SOURCES, "command", "extends")
        if service["base"] is not None and service["command"] is None and not unknown:
            self._add(
                self.tree.spots[name],
                f"services.{name} has no command",
                expected="command: what it runs, since a base runs nothing by itself",
                hint=self._misplaced(name),
            )

    def _user(self, name: str, service: CanonicalService) -> None:
        """The user that is made for a service, and named after it, can be made."""
        unknown = self._is_wrong(name, *SOURCES, "user", "extends")
        if service["base"] is None or service["user"] is not None or unknown:
            return
        why = ""
        if len(name) > LONGEST_USER:
            why = f"is longer than the {LONGEST_USER} characters of a user's name"
        elif name in SYSTEM_NAMES:
            why = f"is the name of {SYSTEM_NAMES[name]}"
        if why:
            self._add(
                self.tree.spots[name],
                f"services.{name} would run as a user of its name, which {why}",
                hint="write user: explicitly",
            )

    def _secrets(self, name: str, service: CanonicalService) -> None:
        seen: set[str] = set()
        for index, use in enumerate(service["secrets"]):
            spot = self._spot(name, "secrets", index, "name")
            self._declared(use["name"], spot)
            if use["name"] in seen:
                self._add(spot, f"services.{name} names the secret {use['name']!r} twice")
            seen.add(use["name"])

    def _build_secrets(self, name: str, service: CanonicalService) -> None:
        for index, step in enumerate(service["build"]):
            if step["step"] != "run":
                continue
            for number, secret in enumerate(step["secrets"]):
                spot = self._spot(name, "build", index, "secrets", number)
                self._declared(secret, spot)
                if secret in step["secrets"][:number]:
                    self._add(spot, f"services.{name}: the step names the secret {secret!r} twice")

    def _declared(self, secret: str, spot: Spot) -> None:
        if secret not in self.secrets:
            self._add(
                spot,
                f"the secret {secret!r} is not declared",
                expected="a name declared under secrets",
                hint=near(secret, self.secrets),
            )

    def _depends_on(self, name: str, service: CanonicalService) -> None:
        conditions: dict[str, str] = {**service["depends_on"]}
        for needed, condition in conditions.items():
            spot = self._entry(name, "depends_on", needed)
            other = self.data["services"].get(needed)
            if needed not in self.tree:
                self._add(
                    spot,
                    f"services.{name} depends on {needed!r}, which is no service",
                    expected="the name of a service",
                    hint=near(needed, [key for key in self.tree if key != name]),
                )
            if other is None or self._is_wrong(needed, "kind", "healthcheck", "extends"):
                continue
            task = other["kind"] == "task"
            if condition == USUAL:
                service["depends_on"][needed] = _usual(other)
            elif condition == "healthy" and not other["healthcheck"]:
                hint = (
                    "write completed" if task else f"give {needed} a healthcheck, or write started"
                )
                self._add(spot, f"{needed!r} has no healthcheck and is never healthy", hint=hint)
            elif condition == "completed" and not task:
                self._add(
                    spot,
                    f"{needed!r} is no task and never completes",
                    hint="write healthy or started",
                )

    def _paths(self, name: str, service: CanonicalService) -> None:
        """Files of the project that a build needs are there."""
        for index, step in enumerate(service["build"]):
            if step["step"] in ("copy", "template"):
                spot = self._spot(name, "build", index, "source")
                self._path(name, spot, step["source"], f".build.{index}")
        own = service["dockerfile"]
        if own is not None:
            self._path(name, self._spot(name, "dockerfile", "file"), own["file"])
            if self._has(name, "dockerfile", "context"):
                self._path(name, self._spot(name, "dockerfile", "context"), own["context"])

    def _path(self, service: str, spot: Spot, path: str, what: str = "") -> None:
        if path not in self.exists:
            try:
                self.exists[path] = (self.root / path).exists()
            except (OSError, ValueError):
                self.exists[path] = False
        if not self.exists[path]:
            self.problems.lack(
                service,
                spot,
                f"services.{service}{what}: {path!r} does not exist",
                expected="a path within the project",
                hint=self._near(path),
            )

    def _near(self, path: str) -> str:
        parent = (self.root / path).parent
        try:
            names = [entry.name for entry in parent.iterdir()]
        except (OSError, ValueError):
            return ""
        hint = near(Path(path).name, names)
        return hint if "did you mean" in hint else ""

    def _targets(self, name: str, service: CanonicalService) -> None:
        """No two things appear at one path."""
        seen: dict[str, str] = {}
        for key, target, spot in self._mounted(name, service):
            if target in seen:
                self._add(
                    spot,
                    f"services.{name}: {key} and {seen[target]} both appear at {target}",
                )
            seen.setdefault(target, key)

    def _mounted(self, name: str, service: CanonicalService) -> Iterator[tuple[str, str, Spot]]:
        """What appears at which path of a service, and where that is written."""
        for index, mount in enumerate(service["mounts"]):
            spot = self._spot(name, "mounts", index, "target")
            yield f"the mount {mount['source']}", mount["target"], spot
        for volume, stored in service["volumes"].items():
            spot = self._entry(name, "volumes", volume)
            yield f"the volume {volume}", stored["target"], spot
        for index, use in enumerate(service["secrets"]):
            spot = self._spot(name, "secrets", index)
            yield f"the secret {use['name']}", use["target"], spot

    # --- among services

    def _replicas(self) -> None:
        """A replica's name, web-2, is no other service's."""
        services = self.data["services"]
        for name in services:
            service, dash, number = name.rpartition("-")
            if dash and service in services and number in _numbers(services[service]["replicas"]):
                self._add(
                    self.tree.spots[name],
                    f"services.{name} has the name of a replica of {service!r}",
                    hint=f"give it another name, or {service} fewer replicas",
                )

    def _ports(self) -> None:
        taken: dict[tuple[int, str], tuple[str, Spot]] = {}
        for name, service in self.data["services"].items():
            for index, port in enumerate(service["ports"]):
                if not port["host"]:
                    continue
                spot = self._spot(name, "ports", index)
                key = (port["host"], port["protocol"])
                if service["replicas"] > 1:
                    self._add(
                        spot,
                        f"services.{name}: {service['replicas']} replicas cannot share the host's port {port['host']}",
                        hint=f'write "{port["container"]}" and the engine chooses a port for each',
                    )
                elif key in taken:
                    other, where = taken[key]
                    owner = "itself" if other == name else f"services.{other}"
                    self._add(
                        spot,
                        f"services.{name}: the host's port {port['host']} is taken by {owner}",
                        hint="; ".join(filter(None, [_seen(where), self._note(name, index)])),
                    )
                taken.setdefault(key, (name, spot))

    def _note(self, name: str, index: int) -> str:
        """Which variables made a port of the host what it is."""
        places = self.origins[name]
        whole = places["ports", index]
        return places.get(("ports", index, "host"), whole)[2]

    def _owners(self) -> None:
        """A volume is made once, and so belongs to one."""
        known: dict[str, tuple[str, str, Spot]] = {}
        for name, service in self.data["services"].items():
            for volume, given in service["volumes"].items():
                if not given["owner"]:
                    continue
                spot = self._spot(name, "volumes", volume, "owner")
                other, owner, where = known.setdefault(volume, (name, given["owner"], spot))
                if owner != given["owner"]:
                    self._add(
                        spot,
                        f"services.{name}: the volume {volume} cannot belong to {given['owner']}:"
                        f" services.{other} gives it to {owner}",
                        hint=f"{_seen(where)}; write `owner` once",
                    )

    def _circles(self) -> None:
        done: set[str] = set()
        for start in self.data["services"]:
            if start not in done:
                self._visit(start, done)

    def _visit(self, start: str, done: set[str]) -> None:
        """Walk depth first without recursion: a chain may be as long as there are services."""
        trail: list[tuple[str, Iterator[str]]] = [(start, self._needed(start))]
        on_trail = {start: 0}
        while trail:
            name, rest = trail[-1]
            needed = next(rest, None)
            if needed is None:
                trail.pop()
                on_trail.pop(name)
                done.add(name)
            elif needed in on_trail:
                circle = [one for one, _rest in trail[on_trail[needed] :]]
                self._add(
                    self._entry(name, "depends_on", needed),
                    f"services depend on each other in a circle: {listed([*circle, needed], ' → ')}",
                )
            elif needed not in done:
                on_trail[needed] = len(trail)
                trail.append((needed, self._needed(needed)))

    def _needed(self, name: str) -> Iterator[str]:
        services = self.data["services"]
        return iter([one for one in services[name]["depends_on"] if one in services])


def _seen(spot: Spot) -> str:
    return f"see {':'.join(map(str, spot))}"


def _numbers(replicas: int) -> list[str]:
    """What the names of a service's replicas end with, from the second on."""
    return [str(number) for number in range(2, replicas + 1)]


def _usual(service: CanonicalService) -> Literal["started", "healthy", "completed"]:
    """What a dependent waits for unless it says."""
    if service["kind"] == "task":
        return "completed"
    return "healthy" if service["healthcheck"] else "started"
