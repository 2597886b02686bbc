"""Rules for users, variables, rights, and what keeps the container up."""

from __future__ import annotations

from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, NullNode, describe
from envctl.imports.compose.service_import import flag
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule

STAYS_UP: Final = ["sleep", "infinity"]


def _environment(container: ContainerImport, key: str) -> None:
    table = container.filled_map(key, container.source[key])
    container.apply_compose("environment", table, container.position(key), {"environment": key})


def _container_user(container: ContainerImport, key: str) -> None:
    other = container.source.get("remoteUser")
    if other is not None and other != container.source[key] and not isinstance(other, NullNode):
        reason = "a service has one user: that of `remoteUser`, as whom commands and shells run"
        container.drop(key, reason)
        container.project.report.claim(container.source[key])
    else:
        _user(container, key)


def _user(container: ContainerImport, key: str) -> None:
    at = container.position(key)
    user = container.filled(key, container.source[key], at)
    if user is not None:
        container.apply_compose("user", user, at, {"user": key})


def _update_uid(container: ContainerImport, key: str) -> None:
    if flag(container.source[key]) is False:
        container.keep(key, note="the users of an image keep their numbers")
        return
    reason = (
        "the users of an image keep their numbers; remedy: `user: {uid: host}` runs the service with those of the"
        " project folder's owner"
    )
    container.drop(key, reason)
    container.project.report.claim(container.source[key])


def _init(container: ContainerImport, key: str) -> None:
    container.apply_compose("init", container.source[key], container.position(key))


def _privileged(container: ContainerImport, key: str) -> None:
    container.apply_compose("privileged", container.source[key], container.position(key))


def _cap_add(container: ContainerImport, key: str) -> None:
    _apply_list(container, key, "cap_add")


def _security_opt(container: ContainerImport, key: str) -> None:
    _apply_list(container, key, "security_opt")


def _apply_list(container: ContainerImport, key: str, compose_key: str) -> None:
    node = container.source[key]
    if not isinstance(node, ListNode):
        container.drop(key, f"a list was expected, got {describe(node)}")
        container.project.report.claim(node)
        return
    container.apply_compose(compose_key, node, container.position(key), {compose_key: key})


def _override_command(container: ContainerImport, key: str) -> None:
    value = flag(container.source[key])
    if value is None:
        container.drop(key, f"true or false was expected, got {describe(container.source[key])}")
    elif value:
        container.translate(key, "command: a service that sleeps", "command")
    else:
        container.keep(key, note="the command of the image or of the Compose file")


def keep_up(container: ContainerImport) -> None:
    """A dev container sleeps, unless it says that its own command is run, or Compose says what is."""
    is_overridden = flag(container.source.get("overrideCommand"))
    if is_overridden is None:
        is_overridden = not container.is_compose
    if not is_overridden:
        return
    container.write([*STAYS_UP], "command")
    if "overrideCommand" not in container.source:
        container.project.report.add(
            container.source.position,
            "overrideCommand",
            KeyOutcome.TRANSLATED,
            "command: [sleep, infinity], as a dev container sleeps by default; write the application's to run it",
            ("services", container.spec_name, "command"),
            is_claim=False,
        )


def _secrets(container: ContainerImport, key: str) -> None:
    for name, node, at in container.entries(key, container.source[key]):
        word = name.lower()
        reason = (
            "it is only recommended, and a spec's secrets are needed; remedy:"
            f" secrets: {{{word}: {{env: {name}}}}}, and env: {{{name}: {{secret: {word}}}}}"
        )
        container.drop(f"{key}.{name}", reason, at=at)
        container.project.report.claim(node)


def _features(container: ContainerImport, key: str) -> None:
    """Each feature is reported by its name, with packages that do the same where Debian has them."""
    for name, node, at in container.entries(key, container.source[key]):
        container.drop(f"{key}.{name}", feature_reason(name), at=at)
        container.project.report.claim(node)


_PACKAGES: Final = {
    "anaconda": "",
    "aws-cli": "awscli",
    "common-utils": "ca-certificates, curl, git, less, procps, zsh",
    "git": "git",
    "git-lfs": "git-lfs",
    "github-cli": "gh",
    "go": "golang",
    "java": "default-jdk",
    "nix": "nix-bin",
    "node": "nodejs, npm",
    "php": "php-cli, composer",
    "python": "python3, python3-venv",
    "ruby": "ruby, ruby-dev, bundler",
    "rust": "rustc, cargo",
    "sshd": "openssh-server",
}
"""Packages of Debian for well-known features."""
_ENGINES: Final = ("docker-in-docker", "docker-outside-of-docker", "docker-from-docker")


def feature_reason(name: str) -> str:
    """Why a feature is dropped, and what to do instead."""
    word = name.rpartition("/")[2].partition(":")[0].partition("@")[0]
    if word in _ENGINES:
        return "a container that reaches an engine is root on the host; remedy: call the engine on the host"
    packages = _PACKAGES.get(word) or "…"
    return (
        "features are programs that run as root while an image is built; remedy: install it in a Dockerfile,"
        f" or on a `base` with packages: [{packages}]"
    )


def _customizations(container: ContainerImport, key: str) -> None:
    for name, node, at in container.entries(key, container.source[key]):
        reason = f"it is for {name}, which reads devcontainer.json itself; remedy: leave it there"
        container.drop(f"{key}.{name}", reason, at=at)
        container.project.report.claim(node)


def _name(container: ContainerImport, key: str) -> None:
    project: Any = container.project.model.get("name")
    outcome = KeyOutcome.SAME if project == container.source[key] else KeyOutcome.TRANSLATED
    note = "" if outcome is KeyOutcome.SAME else f"project: {project}"
    container.project.report.add(container.position(key), key, outcome, note, ("project",))
    container.project.report.claim(container.source[key])


def _shutdown_action(container: ContainerImport, key: str) -> None:
    if container.source[key] == "none":
        container.keep(key, note="what is up stays up until `envctl stop` or `envctl down`")
    else:
        reason = "nothing notices that an editor is closed; remedy: `envctl stop` or `envctl down`"
        container.drop(key, reason)
        container.project.report.claim(container.source[key])


def _wait_for(container: ContainerImport, key: str) -> None:
    container.translate(key, "nothing: `envctl up` waits until all hooks have run")
    container.project.report.claim(container.source[key])


def _schema(container: ContainerImport, key: str) -> None:
    container.keep(key, note="nothing: it is for editors")


def _host_requirements(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    for name in node if isinstance(node, MapNode) else ():
        assert isinstance(node, MapNode)
        reason = (
            "nothing is reserved on a machine of one's own; remedy: `resources` limits a service"
        )
        if name == "gpu":
            reason = "GPUs are not supported"
        container.drop(f"{key}.{name}", reason, at=node.positions[name])
        container.project.report.claim(node[name])
    if not isinstance(node, MapNode):
        container.drop(key, f"a mapping was expected, got {describe(node)}")


PROCESS_RULES: Final = (
    ContainerRule("name", "`project`", KeyOutcome.TRANSLATED, _name),
    ContainerRule("$schema", "nothing: it is for editors", KeyOutcome.SAME, _schema),
    ContainerRule(
        "containerEnv",
        "`env`; `null` is dropped. With `--move-secrets`, what looks like a secret becomes one",
        KeyOutcome.SAME,
        _environment,
    ),
    ContainerRule(
        "remoteEnv",
        "`env`, which the container's own process has, too; a value from `${containerEnv:…}` is dropped unless"
        " `containerEnv` sets it",
        KeyOutcome.SAME,
        _environment,
    ),
    ContainerRule(
        "containerUser",
        "`user`; dropped if `remoteUser` is another one",
        KeyOutcome.SAME,
        _container_user,
    ),
    ContainerRule("remoteUser", "`user`", KeyOutcome.SAME, _user),
    ContainerRule(
        "updateRemoteUserUID",
        "the users of an image keep their numbers: `user: {uid: host}` runs the service with yours. `false` is kept",
        KeyOutcome.DROPPED,
        _update_uid,
    ),
    ContainerRule(
        "overrideCommand",
        "`command: [sleep, infinity]`, also by default unless it is made by Compose; with `false`, the image's command",
        KeyOutcome.TRANSLATED,
        _override_command,
    ),
    ContainerRule("init", "always on; `false` is dropped", KeyOutcome.SAME, _init),
    ContainerRule(
        "capAdd",
        "`capabilities`, together with those that Docker gives by itself if it may start as root",
        KeyOutcome.SAME,
        _cap_add,
    ),
    ContainerRule(
        "privileged",
        "a privileged container is root on the host: list what it needs under `capabilities` and"
        " `options.docker.devices`",
        KeyOutcome.DROPPED,
        _privileged,
    ),
    ContainerRule(
        "securityOpt",
        "`no-new-privileges` is always on; others are dropped",
        KeyOutcome.SAME,
        _security_opt,
    ),
    ContainerRule(
        "secrets",
        "they are only recommended, and those of a spec are needed; the report shows the lines to write",
        KeyOutcome.DROPPED,
        _secrets,
    ),
    ContainerRule(
        "features",
        "each by its name: programs that run as root while an image is built; the report names packages for some",
        KeyOutcome.DROPPED,
        _features,
    ),
    ContainerRule(
        "customizations",
        "for each program that reads them, which still does",
        KeyOutcome.DROPPED,
        _customizations,
    ),
    ContainerRule(
        "hostRequirements",
        "nothing is reserved; `resources` limits a service",
        KeyOutcome.DROPPED,
        _host_requirements,
    ),
    ContainerRule(
        "shutdownAction",
        "nothing notices that an editor is closed: `envctl stop`, `envctl down`. `none` is kept",
        KeyOutcome.DROPPED,
        _shutdown_action,
    ),
    ContainerRule(
        "waitFor",
        "nothing: `envctl up` waits until all hooks have run",
        KeyOutcome.TRANSLATED,
        _wait_for,
    ),
)
