"""Checks of one service: its source, its secrets, what it depends on, the files it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from envctl.definition import stage_names
from envctl.definition.checks.spec_to_check import SOURCES, SpecToCheck
from envctl.definition.keys.service import ServiceData
from envctl.definition.keys.service_values import as_template
from envctl.definition.problems import similar, suggestion
from envctl.definition.service_readers import DEFAULT_CONDITION
from envctl.definition.tree import MapNode, Position
from envctl.plan.secret_templates import secrets_of

LONGEST_USER: Final = 32
_USERS = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
messagebus sshd systemd-network systemd-resolve systemd-timesync
"""
_GROUPS = """
adm audio cdrom crontab dialout dip disk fax floppy kmem nogroup operator plugdev sasl shadow src
ssl-cert staff sudo tape tty users utmp video voice
"""
SYSTEM_NAMES: Final = {
    **dict.fromkeys(_USERS.split(), "a system user"),
    **dict.fromkeys(_GROUPS.split(), "a system group"),
}
"""Names that Debian uses itself. Such a user cannot be created, and a service must not run as root just because of its name."""


class ServiceCheck:
    """The checks of one service."""

    def __init__(self, spec: SpecToCheck, name: str, paths_exist: dict[str, bool]) -> None:
        """`paths_exist` remembers which paths exist: services often copy the same folder."""
        self.spec = spec
        self.name = name
        self.service: ServiceData = spec.data["services"][name]
        table = spec.tree[name]
        assert isinstance(table, MapNode)  # only valid services have data
        self.table = table
        self.paths_exist = paths_exist

    def check_alone(self) -> None:
        """Checks that depend neither on other services nor on files."""
        self._check_task()
        self._check_command()
        self._check_user()
        self._check_secrets()
        self._check_secret_variables()
        self._check_build_secrets()
        self._check_targets()

    def _report(
        self, position: Position, message: str, *, expected: str = "", hint: str = ""
    ) -> None:
        self.spec.problems.add(
            position, f"services.{self.name}{message}", expected=expected, hint=hint
        )

    def check_source(self) -> None:
        """Check that a service has exactly one source, and that steps are only used with a base."""
        spec, name = self.spec, self.name
        sources = [key for key in SOURCES if key in self.table and spec.has(name, key)]
        if len(sources) > 1:
            self._report(
                self.table.positions[sources[1]],
                f" has both {sources[0]} and {sources[1]}",
                expected="one of base, image, dockerfile",
            )
            return
        if sources in (["image"], ["dockerfile"]):
            for key in ("packages", "build", "build_args", "stages"):
                if key in self.table and spec.has(name, key):
                    self._report(
                        self.table.positions[key],
                        f": {key} needs a base to build on, and this service has {sources[0]}",
                        hint=f"{key}: null removes it; or use a base instead of the {sources[0]}",
                    )
        if not sources and not spec.has_base and not spec.is_invalid(name, *SOURCES, "extends"):
            self._report(
                spec.tree.positions[name],
                " has no base, image or dockerfile",
                expected="base, image or dockerfile (or a base for all services at the top)",
                hint=spec.hint_misplaced(name),
            )

    def _check_task(self) -> None:
        service, positions = self.service, self.table.positions
        if service["kind"] != "task":
            return
        if self.spec.has(self.name, "replicas") and service["replicas"] != 1:
            self._report(positions["replicas"], ".replicas: a task runs once")
        if self.spec.has(self.name, "healthcheck"):
            message = ".healthcheck: a task runs to completion, so it is never probed"
            self._report(positions["healthcheck"], message)
        if service["hooks"]["after_start"]:
            self._report(
                positions["hooks"],
                ".hooks.after_start: a task has ended by then",
                hint="hooks: null removes an inherited one; to run something afterwards, add another task",
            )
        if service["restart"] == "always":
            position = self.spec.position(self.name, "restart")
            self._report(position, ".restart: a task runs once")

    def _lacks(self, key: Literal["command", "user"]) -> bool:
        """Whether a service on a base certainly lacks a key."""
        is_unknown = self.spec.is_invalid(self.name, *SOURCES, key, "extends")
        return not (self.service["base"] is None or self.service[key] is not None or is_unknown)

    def _check_command(self) -> None:
        if not self._lacks("command"):
            return
        self._report(
            self.spec.tree.positions[self.name],
            " has no command",
            expected="command: what it runs, since a base runs nothing by itself",
            hint=self.spec.hint_misplaced(self.name),
        )

    def _check_user(self) -> None:
        """Check that the user that is created for a service, and named after it, can be created."""
        user = self.service["user"]
        has_only_number = self.service["base"] is not None and user is not None and not user["name"]
        if not (has_only_number or self._lacks("user")):
            return
        reason = ""
        if len(self.name) > LONGEST_USER:
            reason = f"is longer than the {LONGEST_USER} characters that a user name may have"
        elif self.name in SYSTEM_NAMES:
            reason = f"is the name of {SYSTEM_NAMES[self.name]}"
        if reason:
            self._report(
                self.spec.tree.positions[self.name],
                f" would run as a user of that name, which {reason}",
                hint="set `user` explicitly",
            )

    def _check_secrets(self) -> None:
        seen: set[str] = set()
        for index, use in enumerate(self.service["secrets"]):
            position = self.spec.position(self.name, "secrets", index, "name")
            self._check_declared(use["name"], position)
            if use["name"] in seen:
                self._report(position, f" lists the secret {use['name']!r} twice")
            seen.add(use["name"])

    def _check_secret_variables(self) -> None:
        for variable, value in self.service["env"].items():
            if isinstance(value, str):
                continue
            position = self.spec.position(self.name, "env", variable, "value")
            for secret in secrets_of(as_template(value)):
                self._check_declared(secret, position)

    def _check_build_secrets(self) -> None:
        for path, steps in stage_names.builds(self.service):
            for index, step in enumerate(steps):
                secrets = step["secrets"] if step["step"] == "run" else []
                for number, secret in enumerate(secrets):
                    position = self.spec.position(self.name, *path, index, "secrets", number)
                    self._check_declared(secret, position)
                    if secret in secrets[:number]:
                        self._report(position, f": the step lists the secret {secret!r} twice")

    def _check_declared(self, secret: str, position: Position) -> None:
        if secret not in self.spec.secrets:
            self.spec.problems.add(
                position,
                f"the secret {secret!r} is not declared",
                expected="a name declared under secrets",
                hint=suggestion(secret, self.spec.secrets),
            )

    def check_depends_on(self) -> None:
        """Check that dependencies exist and can reach the state that the service waits for."""
        conditions: dict[str, str] = {**self.service["depends_on"]}
        for needed, condition in conditions.items():
            position = self.spec.position_of_name(self.name, "depends_on", needed)
            if needed not in self.spec.tree:
                self._report(
                    position,
                    f".depends_on: no such service: {needed!r}",
                    expected="the name of a service",
                    hint=suggestion(needed, [key for key in self.spec.tree if key != self.name]),
                )
            other = self.spec.data["services"].get(needed)
            if other is None or self.spec.is_invalid(needed, "kind", "healthcheck", "extends"):
                continue
            if condition == DEFAULT_CONDITION:
                self.service["depends_on"][needed] = _default_condition(other)
            else:
                self._check_condition(needed, condition, other, position)

    def _check_condition(
        self, needed: str, condition: str, other: ServiceData, position: Position
    ) -> None:
        is_task = other["kind"] == "task"
        if condition == "healthy" and not other["healthcheck"]:
            self.spec.problems.add(
                position,
                f"{needed!r} has no healthcheck, so it never becomes healthy",
                hint="write completed"
                if is_task
                else f"give {needed} a healthcheck, or write started",
            )
        elif condition == "completed" and not is_task:
            self.spec.problems.add(
                position,
                f"{needed!r} is not a task, so it never completes",
                hint="write healthy or started",
            )

    def check_paths(self) -> None:
        """Check that the project files that a build needs exist."""
        for path, steps in stage_names.builds(self.service):
            for index, step in enumerate(steps):
                if step["step"] in ("copy", "template"):
                    position = self.spec.position(self.name, *path, index, "source")
                    self._check_path(position, step["source"], f".{'.'.join(path)}.{index}")
        dockerfile = self.service["dockerfile"]
        if dockerfile is None:
            return
        position = self.spec.position(self.name, "dockerfile", "file")
        if dockerfile["file"]:
            self._check_path(position, dockerfile["file"])
        if self.spec.has(self.name, "dockerfile", "context"):
            position = self.spec.position(self.name, "dockerfile", "context")
            self._check_path(position, dockerfile["context"])

    def _check_path(self, position: Position, path: str, key: str = "") -> None:
        if path not in self.paths_exist:
            try:
                self.paths_exist[path] = (self.spec.root / path).exists()
            except (OSError, ValueError):
                self.paths_exist[path] = False
        if not self.paths_exist[path]:
            self.spec.problems.add_missing_file(
                self.name,
                position,
                f"services.{self.name}{key}: {path!r} does not exist",
                expected="a path within the project",
                hint=_similar_file(self.spec.root / path),
            )

    def _check_targets(self) -> None:
        """Check that no two mounts, volumes or secrets have the same target."""
        seen: dict[str, str] = {}
        for thing, target, position in self._mounted():
            if target in seen:
                self._report(position, f": {thing} and {seen[target]} both appear at {target}")
            seen.setdefault(target, thing)

    def _mounted(self) -> Iterator[tuple[str, str, Position]]:
        """Yield each mount, volume and secret of a service: its name, its target, and where the target is set."""
        spec, name = self.spec, self.name
        for index, mount in enumerate(self.service["mounts"]):
            position = spec.position(name, "mounts", index, "target")
            yield f"the mount {mount['source']}", mount["target"], position
        for volume, data in self.service["volumes"].items():
            position = spec.position_of_name(name, "volumes", volume)
            yield f"the volume {volume}", data["target"], position
        for index, use in enumerate(self.service["secrets"]):
            position = spec.position(name, "secrets", index)
            yield f"the secret {use['name']}", use["target"], position


def _similar_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    return similar(path.name, names)


def _default_condition(service: ServiceData) -> Literal["started", "healthy", "completed"]:
    """Return the condition that a dependent waits for by default."""
    if service["kind"] == "task":
        return "completed"
    return "healthy" if service["healthcheck"] else "started"
