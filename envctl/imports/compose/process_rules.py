"""Rules for what a service runs, as whom, with which variables, and how it is watched."""

from __future__ import annotations

import json
import math
import posixpath
import re
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.keys.scalars import USER_NAME
from envctl.definition.path_readers import unit_folder
from envctl.definition.tree import ListNode, MapNode, Node, NullNode, ScalarNode, describe, quoted
from envctl.definition.value_readers import duration
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.long_form import inside
from envctl.imports.compose.service_import import (
    Rule,
    ServiceImport,
    flag,
    slug,
    variable_note,
)
from envctl.imports.written_text import SpecText, literal

_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}\Z")
_SECRET: Final = re.compile(
    r"passw(?:or)?d|secret|token|api_?key|private_?key|credential|_pw\Z", re.IGNORECASE
)


def _command(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    if isinstance(node, NullNode) or (isinstance(node, ListNode | str) and not node):
        service.keep(key, note="nothing: the command of the image")
        return
    words = service.words(key, node)
    if not words:
        return
    service.write(words, "command")
    if isinstance(node, ListNode):
        service.keep(key, "command", note=variable_note(node))
    else:
        service.translate(key, "a list of arguments, as Compose splits it", "command")


def _entrypoint(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    if isinstance(node, NullNode):
        service.keep(key, note="nothing: the entrypoint of the image")
        return
    if service.is_built:
        service.drop(
            key,
            "a spec has no entrypoint; remedy: write ENTRYPOINT into the Dockerfile that it is built from",
        )
        return
    words = service.words(key, node)
    if words is None:
        return
    service.image_lines.append(f"ENTRYPOINT {json.dumps(words)}")
    service.translate(key, "ENTRYPOINT in a Dockerfile on top of the image", "dockerfile", "inline")


def _environment(service: ServiceImport, key: str) -> None:
    for name, node, position in service.entries(key, service.source[key]):
        path = f"{key}.{name}"
        if isinstance(node, NullNode):
            service.drop(
                path,
                f"its value comes from the shell that Compose runs in; remedy: env: {{{name}: {{secret: …}}}}"
                f" with the source {{env: {name}}}, or a variable under vars",
                at=position,
            )
        elif not isinstance(node, ScalarNode):
            service.drop(path, f"a text was expected, got {describe(node)}", at=position)
        elif not _ENV_NAME.match(name):
            _image_variable(service, path, name, node)
        elif service.project.choices.move_secrets and is_secret(name, node):
            secret = _moved_secret(service, name, node)
            service.write({"secret": secret}, "env", name)
            note = f"the secret {secret}; its value is written nowhere: set {secret.upper()}"
            service.translate(path, note, "env", name, at=position)
        else:
            service.write(spec_text(node), "env", name)
            hint = "looks like a secret: --move-secrets" if is_secret(name, node) else ""
            note = ", ".join(filter(None, (variable_note(node), hint)))
            service.keep(path, "env", name, note=note, at=position)


def is_secret(name: str, node: ScalarNode) -> bool:
    """Whether a variable looks as if its value were secret, and not the path of a file with it."""
    return bool(node and _SECRET.search(name) and not name.endswith("_FILE") and node[0] != "/")


def _moved_secret(service: ServiceImport, name: str, node: ScalarNode) -> str:
    """The secret for a value; services that use the same value share it."""
    project = service.project
    if str(node) not in project.moved:
        secret = name.lower()[:60].lstrip("_0123456789") or "secret"
        if secret in project.secrets:
            secret = f"{slug(service.name).replace('-', '_')}_{secret}"[:64]
        project.moved[str(node)] = secret
    secret = project.moved[str(node)]
    project.secrets.setdefault(secret, {"env": secret.upper()})
    return secret


def _image_variable(service: ServiceImport, path: str, name: str, node: ScalarNode) -> None:
    """A name that no shell accepts: only an image can have it."""
    position = service.source["environment"].position
    at = getattr(service.source["environment"], "positions", {}).get(name, position)
    is_valid = re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", name) and "\n" not in node
    if service.is_built or not is_valid:
        service.drop(
            path,
            "names of variables are letters, digits and _; remedy: ENV in the Dockerfile that it is built from",
            at=at,
        )
        return
    text = node.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    service.image_lines.append(f'ENV {name}="{literal(text)}"')
    service.translate(
        path, "ENV in a Dockerfile on top of the image", "dockerfile", "inline", at=at
    )


def _env_file(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    files: list[Any] = []
    for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
        word = f"{key}[{index}]"
        table = item if isinstance(item, MapNode) else None
        path = table.get("path") if table is not None else item
        if not isinstance(path, ScalarNode):
            service.drop_item(word, "an env_file needs a path", item)
            continue
        if inside("", path) is None:
            service.project.problems.add(
                path.position,
                f"{quoted(path)} is not a path within the project: only files of it are read",
                expected="a relative path within the project",
                hint="copy the file into the project",
            )
            continue
        text = SpecText(posixpath.normpath(spec_text(path)))
        required = flag(table.get("required")) if table is not None else True
        files.append(text if required is not False else {"path": text, "required": False})
        service.keep(word, "env_file", note=variable_note(path), at=path.position)
        if table is not None and "required" in table:
            service.keep(f"{word}.required", "env_file", at=table.positions["required"])
        if table is not None and "format" in table:
            service.drop(
                f"{word}.format",
                "there is one syntax of such files; remedy: put values with $ in single quotes",
                at=table.positions["format"],
            )
    if files:
        service.write(files, "env_file")


def _user(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    if isinstance(node, ScalarNode) and ":" in node:
        name, _, group = node.partition(":")
        user = service.text(key, ScalarNode(name, node.position), USER_NAME.parse)
        if user is not None:
            service.write(user, "user")
            service.translate(key, f"the user {name}", "user")
            service.drop(
                key,
                f"a spec has no group: {quoted(group)} is that of the user; remedy: create the user in the image",
            )
        return
    user = service.text(key, node, USER_NAME.parse)
    if user is not None:
        service.write(user, "user")
        service.keep(key, "user", note=variable_note(node))


def _working_dir(service: ServiceImport, key: str) -> None:
    folder = service.text(key, service.source[key], unit_folder)
    if folder is not None:
        service.write(folder, "workdir")
        service.translate(key, "workdir", "workdir")


def _stop_signal(service: ServiceImport, key: str) -> None:
    service.text_option(key, "stop_signal")


def _stop_grace_period(service: ServiceImport, key: str) -> None:
    text = service.text(key, service.source[key], duration)
    if text is not None:
        seconds = math.ceil(duration(ScalarNode(str(service.source[key]), service.position(key))))
        service.option(key, "stop_timeout", seconds, note=f"stop_timeout: {seconds} seconds")


def _init(service: ServiceImport, key: str) -> None:
    if flag(service.source[key]) is False:
        service.drop(key, "envctl always runs an init as PID 1, which collects orphaned processes")
    else:
        service.keep(key, note="always on")


_RESTARTS: Final = {
    "no": "no",
    "none": "no",
    "false": "no",
    "always": "always",
    "any": "always",
    "unless-stopped": "always",
    "on-failure": "on-failure",
}


def set_restart(service: ServiceImport, key: str, node: Node, at: Any) -> None:
    """Write when the engine restarts a service."""
    policy, _, most = str(node).partition(":")
    word = _RESTARTS.get(policy) if isinstance(node, ScalarNode) else None
    if word is None:
        service.drop(key, f"{describe(node)} is not a restart policy", at=at)
        return
    if service.name in service.project.tasks and word == "always":
        service.drop(key, "others wait until this service is completed: a task runs once", at=at)
        return
    service.write(word, "restart")
    if policy == word:
        service.keep(key, "restart", at=at)
    else:
        service.translate(key, f"restart: {word}", "restart", at=at)
    if most:
        reason = f"the number of restarts is not limited: {quoted(most)}; remedy: none is needed, delays grow"
        service.drop(key, reason, at=at)


def _restart(service: ServiceImport, key: str) -> None:
    set_restart(service, key, service.source[key], service.position(key))


def _hooks(service: ServiceImport, key: str) -> None:
    word = {"post_start": "after_start", "pre_stop": "before_stop"}[key]
    node = service.source[key]
    if word == "after_start" and service.name in service.project.tasks:
        service.drop(key, "a task has ended by then; remedy: add another task")
        return
    commands: list[Any] = []
    for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
        path = f"{key}[{index}]"
        if not isinstance(item, MapNode) or "command" not in item:
            service.drop_item(path, "a hook needs a command", item)
            continue
        words = service.words(f"{path}.command", item["command"], at=item.positions["command"])
        if words:
            commands.append(words)
            service.translate(
                f"{path}.command", f"hooks.{word}", "hooks", word, at=item.positions["command"]
            )
        for other in item:
            if other != "command":
                reason = "hooks run as the service does; remedy: say it within the command"
                service.drop(f"{path}.{other}", reason, at=item.positions[other])
    if commands:
        service.write(commands, "hooks", word)


def _watch(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    rules = node.get("watch") if isinstance(node, MapNode) else None
    paths: list[Any] = []
    for index, item in enumerate(rules if isinstance(rules, ListNode) else []):
        path, action = (
            f"{key}.watch[{index}]",
            str(item.get("action")) if isinstance(item, MapNode) else "",
        )
        if not isinstance(item, MapNode) or not isinstance(item.get("path"), ScalarNode):
            service.drop_item(path, "a rule needs a path and an action", item)
            continue
        source = inside("", str(item["path"]))
        if action != "restart" or source is None:
            reason = "`envctl watch` builds again when files of a build change; remedy: for live files, mount them"
            service.drop_item(path, reason, item)
            continue
        paths.append(literal(source))
        for word in ("path", "action"):
            service.translate(f"{path}.{word}", "restart_on", "restart_on", at=item.positions[word])
    if paths:
        service.write(paths, "restart_on")


def _labels(service: ServiceImport, key: str) -> None:
    for name, node, at in service.entries(key, service.source[key]):
        if isinstance(node, ScalarNode | NullNode):
            text = spec_text(node) if isinstance(node, ScalarNode) else ""
            service.option(f"{key}.{name}", "labels", {name: text}, at=at)
        else:
            service.drop(f"{key}.{name}", f"a text was expected, got {describe(node)}", at=at)


PROCESS_RULES: Final = (
    Rule(
        "labels",
        "`options.docker.labels`; names of envctl and Compose themselves are dropped",
        KeyOutcome.OPTION,
        _labels,
    ),
    Rule(
        "command", "`command`, a list of arguments as Compose splits it", KeyOutcome.SAME, _command
    ),
    Rule(
        "entrypoint",
        "`dockerfile: {inline: …}` with ENTRYPOINT on top of the image; dropped for a service with `build`",
        KeyOutcome.TRANSLATED,
        _entrypoint,
    ),
    Rule(
        "environment",
        "`env`; with `--move-secrets`, what looks like a secret becomes one. A name without a value is dropped. A name with"
        " other characters than letters, digits and `_` becomes ENV in a Dockerfile on top of the image",
        KeyOutcome.SAME,
        _environment,
    ),
    Rule("env_file", "`env_file`", KeyOutcome.SAME, _env_file),
    Rule("user", "`user`, without a group", KeyOutcome.SAME, _user),
    Rule("working_dir", "`workdir`", KeyOutcome.TRANSLATED, _working_dir),
    Rule("stop_signal", "`options.docker.stop_signal`", KeyOutcome.OPTION, _stop_signal),
    Rule(
        "stop_grace_period", "`options.docker.stop_timeout`", KeyOutcome.OPTION, _stop_grace_period
    ),
    Rule("init", "always on; `init: false` is dropped", KeyOutcome.SAME, _init),
    Rule("restart", "`restart`; `unless-stopped` is `always`", KeyOutcome.SAME, _restart),
    Rule(
        "post_start",
        "`hooks.after_start`; `user`, `environment` and others of a hook are dropped",
        KeyOutcome.TRANSLATED,
        _hooks,
    ),
    Rule("pre_stop", "`hooks.before_stop`, likewise", KeyOutcome.TRANSLATED, _hooks),
    Rule(
        "develop",
        "`restart_on` for the action `restart`; others are dropped",
        KeyOutcome.TRANSLATED,
        _watch,
    ),
)
