"""Rules for what a dev container is made from."""

from __future__ import annotations

import posixpath
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.keys.scalars import ENV_NAME
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, describe, quoted
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.long_form import inside
from envctl.imports.compose.service_import import variable_note
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule
from envctl.imports.written_text import literal

_OTHER_SOURCE: Final = "nothing: the dev container is made from what {} says"


def _is_ignored(container: ContainerImport, key: str) -> bool:
    """Whether another key says what the container is made from."""
    if container.is_compose:
        other = "dockerComposeFile"
    elif key == "image" and ("build" in container.source or "dockerFile" in container.source):
        other = "build" if "build" in container.source else "dockerFile"
    elif key in ("dockerFile", "context") and "build" in container.source:
        other = "build"
    else:
        return False
    container.translate(key, _OTHER_SOURCE.format(other))
    container.project.report.claim(container.source[key])
    return True


def _image(container: ContainerImport, key: str) -> None:
    if _is_ignored(container, key):
        return
    at = container.position(key)
    image = container.filled(key, container.source[key], at)
    if image is not None:
        container.apply_compose("image", image, at)


def _build(container: ContainerImport, key: str) -> None:
    if _is_ignored(container, key):
        return
    node = container.source[key]
    if not isinstance(node, MapNode):
        container.drop(key, f"a mapping was expected, got {describe(node)}")
        return
    _write_build(container, node, "dockerfile", f"{key}.")
    for word, at in node.positions.items():
        if word not in ("dockerfile", "context", "target", "args"):
            reason = _BUILD_DROPPED.get(word, "a build has no such key")
            container.drop(f"{key}.{word}", reason, at=at)


_BUILD_DROPPED: Final = {
    "cacheFrom": "the engine keeps its own cache of builds; nothing is fetched for it",
    "options": "they are arguments of one program; remedy: say it within the Dockerfile, or under `dockerfile`",
}


def _docker_file(container: ContainerImport, key: str) -> None:
    if not _is_ignored(container, key):
        _write_build(container, container.source, "dockerFile", "")


def _context(container: ContainerImport, key: str) -> None:
    if not _is_ignored(container, key) and "dockerFile" not in container.source:
        container.drop(key, "there is no dockerFile that would use it; remedy: remove it")


def _write_build(container: ContainerImport, node: MapNode, file_key: str, prefix: str) -> None:
    file = _project_path(container, node, file_key, prefix, "Dockerfile")
    context = _project_path(container, node, "context", prefix, ".")
    if file is None or context is None:
        return
    dockerfile: dict[str, Any] = {"file": literal(file)}
    if (posixpath.dirname(file) or ".") != context:
        dockerfile["context"] = literal(context)
    if "target" in node and prefix:
        at = node.positions["target"]
        target = container.filled(f"{prefix}target", node["target"], at)
        if target is not None:
            dockerfile["target"] = spec_text(target)
            note = variable_note(target)
            container.keep(f"{prefix}target", "dockerfile", "target", note=note, at=at)
    if "args" in node and prefix:
        _args(container, node["args"], f"{prefix}args", dockerfile)
    container.write(dockerfile["file"] if [*dockerfile] == ["file"] else dockerfile, "dockerfile")


def _project_path(
    container: ContainerImport, node: MapNode, key: str, prefix: str, default: str
) -> str | None:
    """A path of the project. One outside is an error: there would be nothing to build."""
    if key not in node:
        if key == "context":
            return container.place.folder or "."
        container.project.problems.add(
            node.position, f"{prefix or 'build.'}{key} is missing", expected="the Dockerfile's path"
        )
        return None
    at = node.positions[key]
    folder = container.place.folder
    home = posixpath.relpath(".", folder) if folder else "."
    text = container.filled(f"{prefix}{key}", node[key], at, folder=home)
    if text is None:
        container.project.problems.add(
            node[key].position, f"{prefix}{key} is not a path", expected="a path of the project"
        )
        return None
    path = inside(folder, str(text) or default)
    if path is None or "://" in text:
        container.project.problems.add(
            text.position,
            f"{prefix}{key}: {quoted(text)} is not in the project: a build sees the project only",
            expected="a relative path within the project",
            hint="copy it into the project, or import in the folder that holds both",
        )
        return None
    path = f"./{path}" if path.startswith("-") else path
    what = "folder" if key == "context" else "file"
    container.translate(f"{prefix}{key}", f"the {what} {path}", "dockerfile", at=at)
    return path


def _args(container: ContainerImport, node: Node, key: str, dockerfile: dict[str, Any]) -> None:
    for name, value in container.filled_map(key, node).items():
        assert isinstance(value, ScalarNode)
        assert isinstance(node, MapNode)
        at: Position = node.positions[name]
        path = f"{key}.{name}"
        if container.text(path, ScalarNode(name, at), ENV_NAME.parse, at=at) is not None:
            dockerfile.setdefault("args", {})[name] = spec_text(value)
            note = variable_note(value)
            container.keep(path, "dockerfile", "args", name, note=note, at=at)


def _compose_file(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    if isinstance(node, ListNode):
        for index, item in enumerate(node):
            container.translate(f"{key}[{index}]", "the services of that file", at=item.position)
    else:
        container.translate(key, "the services of that file")


def _service(container: ContainerImport, key: str) -> None:
    if container.is_compose:
        container.keep(key, note=f"the service {container.spec_name}")
    else:
        container.drop(key, "there is no dockerComposeFile; remedy: remove it")
        container.project.report.claim(container.source[key])


def _run_services(container: ContainerImport, key: str) -> None:
    """Services that are not asked for get a profile; those that are have none."""
    if not container.is_compose:
        container.drop(key, "there is no dockerComposeFile; remedy: remove it")
        return
    names = container.project.names
    needed_names = {container.spec_name}
    for path, text in container.texts(key):
        if text in names:
            needed_names.add(names[text])
            container.keep(path, at=text.position)
        else:
            container.drop(path, "there is no such service", at=text.position)
    for name in _with_needed(container, needed_names):
        container.services[name].pop("profiles", None)
    optional = [name for name, spec in container.services.items() if name not in needed_names]
    for name in optional:
        container.services[name].setdefault("profiles", ["optional"])
    if optional:
        note = f"the profile `optional` of {', '.join(optional)}: `--profile optional` starts them"
        container.translate(key, note)
    elif not container.source[key]:
        container.keep(key, note="nothing")


def _with_needed(container: ContainerImport, needed_names: set[str]) -> set[str]:
    """Add what the services depend on."""
    pending = [*needed_names]
    while pending:
        for name in container.services[pending.pop()].get("depends_on", ()):
            if name not in needed_names:
                needed_names.add(name)
                pending.append(name)
    return needed_names


SOURCE_RULES: Final = (
    ContainerRule("image", "`image`", KeyOutcome.SAME, _image),
    ContainerRule(
        "build",
        "`dockerfile: {file, context, target, args}`; `options` and `cacheFrom` are dropped. A path outside the project"
        " is an error",
        KeyOutcome.TRANSLATED,
        _build,
    ),
    ContainerRule(
        "dockerFile",
        "the older form of `build.dockerfile`: `dockerfile`",
        KeyOutcome.TRANSLATED,
        _docker_file,
    ),
    ContainerRule(
        "context",
        "the older form of `build.context`: `dockerfile.context`",
        KeyOutcome.TRANSLATED,
        _context,
    ),
    ContainerRule(
        "dockerComposeFile",
        "all services of these files, as [an import of Compose](from-compose.md) writes them; what the dev container"
        " says in addition is in `environments/dev.yaml`",
        KeyOutcome.TRANSLATED,
        _compose_file,
    ),
    ContainerRule(
        "service", "the service to which the other keys apply", KeyOutcome.SAME, _service
    ),
    ContainerRule(
        "runServices",
        "services that are neither listed nor needed by others get the profile `optional`",
        KeyOutcome.TRANSLATED,
        _run_services,
    ),
)
