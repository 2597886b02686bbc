"""What concerns several values at once: one source a service, known names, no circles, no clashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

from envctl.definition.canonical import CanonicalService, CanonicalSpec
from envctl.definition.problems import Problems, near
from envctl.definition.remember import remembered
from envctl.definition.running import USUAL
from envctl.definition.schema import ServiceForm
from envctl.definition.tree import Items, Node, Spot, Table, Text, listed

SOURCES = ("base", "image", "dockerfile")
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
        wrong: Mapping[str, AbstractSet[str]],
        added: AbstractSet[str],
    ) -> None:
        """`wrong` are the services' keys that were left out since they are not valid, `added` the overlay's own services."""
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
        for name, node in self.tree.items():
            if isinstance(node, Table):
                self._source(name, node)
        for name, service in self.data["services"].items():
            table = self.tree[name]
            if not isinstance(table, Table):
                continue
            self._alone(name, service, table)
            self._depends_on(name, service, table)
            self._paths(name, service, table)
        self._replicas()
        self._ports()
        self._owners()
        self._circles()

    def _add(self, spot: Spot, message: str, *, expected: str = "", hint: str = "") -> None:
        self.problems.add(spot, message, expected=expected, hint=hint)

    # --- one service

    def _alone(self, name: str, service: CanonicalService, table: Table) -> None:
        """What neither other services nor files have a say in."""

        def look() -> None:
            self._task(name, service, table)
            self._user(name, service)
            self._probe(name, service, table)
            self._secrets(name, service, table)
            self._build_secrets(name, service, table)
            self._targets(name, service, table)

        if self.wrong.get(name):
            look()
        else:
            key = ("sound", name, service["base"] is None, self.secrets)
            remembered(table, key, look, problems=self.problems)

    def _source(self, name: str, table: Table) -> None:
        given = [key for key in SOURCES if key in table]
        if len(given) > 1:
            self._add(
                table.spots[given[1]],
                f"services.{name} has both {given[0]} and {given[1]}",
                expected="one of base, image, dockerfile",
            )
            return
        if given in (["image"], ["dockerfile"]):
            for key in ("packages", "build"):
                if key in table:
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
        if name in ServiceForm.model_fields:
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
                if key in table and not (key == "replicas" and service["replicas"] == 1):
                    self._add(table.spots[key], f"services.{name}.{key}: a task {why}")
            if service["hooks"]["after_start"]:
                self._add(
                    table.spots["hooks"],
                    f"services.{name}.hooks.after_start: a task has ended when it is done",
                    hint="hooks: null drops an inherited one; what is to follow can be a task of its own",
                )
            if service["restart"] == "always":
                self._add(_value(table, "restart"), f"services.{name}.restart: a task runs once")
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

    def _probe(self, name: str, service: CanonicalService, table: Table) -> None:
        node = table.get("healthcheck")
        unknown = self._is_wrong(name, "healthcheck")
        if service["healthcheck"] is None or not isinstance(node, Table) or unknown:
            return
        given = [key for key in ("http", "tcp", "command") if key in node]
        if len(given) != 1:
            self._add(
                node.spots[given[1]] if given else table.spots["healthcheck"],
                f"services.{name}.healthcheck has " + (" and ".join(given) or "no probe"),
                expected="exactly one of http, tcp, command",
            )

    def _secrets(self, name: str, service: CanonicalService, table: Table) -> None:
        uses = table.get("secrets")
        seen: dict[str, int] = {}
        for index, use in enumerate(service["secrets"]):
            item = uses[index] if isinstance(uses, Items) else table
            spot = _value(item, "name") if isinstance(item, Table) else item.spot
            self._declared(use["name"], spot)
            if use["name"] in seen:
                self._add(spot, f"services.{name} names the secret {use['name']!r} twice")
            seen[use["name"]] = index

    def _build_secrets(self, name: str, service: CanonicalService, table: Table) -> None:
        steps = table.get("build")
        for index, step in enumerate(service["build"]):
            if step["step"] != "run":
                continue
            node = steps[index] if isinstance(steps, Items) else table
            run = node.get("run", node) if isinstance(node, Table) else node
            uses = run.get("secrets", run) if isinstance(run, Table) else run
            for number, secret in enumerate(step["secrets"]):
                spot = uses[number].spot if isinstance(uses, Items) else uses.spot
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

    def _depends_on(self, name: str, service: CanonicalService, table: Table) -> None:
        node = table.get("depends_on", table)
        conditions: dict[str, str] = {**service["depends_on"]}
        for needed, condition in conditions.items():
            spot = _entry(node, needed)
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

    def _paths(self, name: str, service: CanonicalService, table: Table) -> None:
        """Files of the project that a build needs are there."""
        build = table.get("build")
        for index, step in enumerate(service["build"]):
            if step["step"] in ("copy", "template") and isinstance(build, Items):
                body = _only(build[index])
                self._path(name, _value(body, "from"), step["source"], f".build.{index}")
        own = service["dockerfile"]
        if own is not None:
            spot = _value(table, "dockerfile")
            given = table["dockerfile"]
            file = _value(given, "file") if isinstance(given, Table) else spot
            self._path(name, file, own["file"])
            if isinstance(given, Table) and "context" in given:
                self._path(name, _value(given, "context"), own["context"])

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

    def _targets(self, name: str, service: CanonicalService, table: Table) -> None:
        """No two things appear at one path."""
        seen: dict[str, str] = {}
        for key, target, spot in _mounted(service, table):
            if target in seen:
                self._add(
                    spot, f"services.{name}: {key} and {seen[target]} both appear at {target}"
                )
            seen.setdefault(target, key)

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
            table = self.tree[name]
            ports = table.get("ports") if isinstance(table, Table) else None
            for index, port in enumerate(service["ports"]):
                if not port["host"] or not isinstance(ports, Items):
                    continue
                spot = ports[index].spot
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
                        hint="; ".join(filter(None, [_seen(where), _note(ports[index])])),
                    )
                taken.setdefault(key, (name, spot))

    def _owners(self) -> None:
        """A volume is made once, and so belongs to one."""
        known: dict[str, tuple[str, str, Spot]] = {}
        for name, service in self.data["services"].items():
            table = self.tree[name]
            volumes = table.get("volumes") if isinstance(table, Table) else None
            for volume, given in service["volumes"].items():
                if not given["owner"] or not isinstance(volumes, Table):
                    continue
                spot = _value(volumes[volume], "owner")
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
                table = self.tree[name]
                self._add(
                    _entry(table["depends_on"], needed)
                    if isinstance(table, Table)
                    else self.tree.spot,
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


def _note(port: Node) -> str:
    """Which variables made a port of the host what it is."""
    node = port.get("host") if isinstance(port, Table) else port
    return node.note if isinstance(node, Text) else ""


def _numbers(replicas: int) -> list[str]:
    """What the names of a service's replicas end with, from the second on."""
    return [str(number) for number in range(2, replicas + 1)]


def _usual(service: CanonicalService) -> Literal["started", "healthy", "completed"]:
    """What a dependent waits for unless it says."""
    if service["kind"] == "task":
        return "completed"
    return "healthy" if service["healthcheck"] else "started"


def _only(node: Node) -> Node:
    """The value of a mapping with one key."""
    return next(iter(node.values())) if isinstance(node, Table) else node


def _value(node: Node, key: str) -> Spot:
    """The place of a key's value, or of what there is instead."""
    if isinstance(node, Table) and key in node:
        value = node[key]
        return value.spot if isinstance(value, Text) else node.spots[key]
    return node.spot


def _entry(node: Node, name: str) -> Spot:
    """The place of an entry of a list of names, or of a mapping."""
    if isinstance(node, Table):
        return node.spots.get(name, node.spot)
    if isinstance(node, Items):
        return next((item.spot for item in node if item == name), node.spot)
    return node.spot


def _mounted(service: CanonicalService, table: Table) -> Iterator[tuple[str, str, Spot]]:
    mounts = table.get("mounts")
    for index, mount in enumerate(service["mounts"]):
        spot = table.spot
        if isinstance(mounts, Items):
            spot = _value(mounts[index], "target")
        elif isinstance(mounts, Table):
            spot = mounts.spots[list(mounts)[index]]
        yield f"the mount {mount['source']}", mount["target"], spot
    volumes: Mapping[str, object] = service["volumes"]
    for name in volumes:
        yield (
            f"the volume {name}",
            service["volumes"][name]["target"],
            _entry(table["volumes"], name),
        )
    uses = table.get("secrets")
    for index, use in enumerate(service["secrets"]):
        spot = uses[index].spot if isinstance(uses, Items) else table.spot
        yield f"the secret {use['name']}", use["target"], spot
