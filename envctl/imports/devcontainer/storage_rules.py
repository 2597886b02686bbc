"""Rules for the workspace and for mounts."""

from __future__ import annotations

import posixpath
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.path_readers import mount_target, unit_folder
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    Position,
    ScalarNode,
    describe,
)
from envctl.imports.compose.filled_text import FilledText, parted, spec_text, variables_of
from envctl.imports.compose.service_import import flag
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule
from envctl.imports.written_text import SpecText, literal

_NAMES: Final = {
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "source": "source",
    "type": "type",
    "readonly": "readonly",
    "ro": "readonly",
    "consistency": "consistency",
    "external": "external",
}
"""What each word of a mount means."""
_SIZES: Final = ("tmpfs-size", "tmpfs-mode")
Mount = dict[str, ScalarNode]


def _mounts(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    if not isinstance(node, ListNode):
        container.drop(key, f"a list was expected, got {describe(node)}")
        return
    for index, item in enumerate(node):
        path = f"{key}[{index}]"
        mount = read_mount(container, path, item)
        if mount is not None:
            write_mount(container, path, mount, item.position)
            container.project.report.claim(item)


def read_mount(container: ContainerImport, path: str, item: Node) -> Mount | None:
    """The parts of a mount, from a text or a mapping. None if it is not one, which is reported."""
    parts: dict[str, Node] = {}
    if isinstance(item, MapNode):
        parts = dict(item)
    elif isinstance(item, ScalarNode):
        text = container.filled(path, item, item.position, folder=".")
        if text is None:
            return None
        parts = dict(_pairs(text))
    else:
        container.drop_item(path, f"a mount was expected, got {describe(item)}", item)
        return None
    mount: Mount = {}
    for name, value in parts.items():
        word = _NAMES.get(name.strip())
        if word is None and name not in _SIZES:
            container.drop_item(path, f"mounts have no part {describe(name)}", item)
            return None
        filled = container.filled(path, value, item.position, folder=".")
        if filled is None:
            container.project.report.claim(item)
            return None
        mount[word or name] = filled
    return mount


def _pairs(text: ScalarNode) -> list[tuple[str, ScalarNode]]:
    pairs = []
    remaining: ScalarNode | None = text
    while remaining is not None:
        word, remaining = parted(remaining, ",")
        name, value = parted(word, "=")
        if name or value is not None:
            pairs.append(
                (str(name), value if value is not None else ScalarNode("true", text.position))
            )
    return pairs


def write_mount(container: ContainerImport, path: str, mount: Mount, at: Position) -> None:
    """Write a mount, a volume or a tmpfs."""
    kind, target = str(mount.get("type", "volume")), mount.get("target")
    source = mount.get("source")
    if kind not in ("bind", "volume", "tmpfs") or target is None:
        reason = "it has no target" if target is None else f"there are no mounts of type {kind}"
        container.drop(path, reason, at=at)
        return
    if ":" in target or (source is not None and ":" in source):
        container.drop(path, "a path with a colon cannot be mounted; remedy: rename it", at=at)
        return
    if kind == "tmpfs":
        words = [f"{name[6:]}={mount[name]}" for name in _SIZES if name in mount]
        text = f"{target}:{','.join(words)}" if words else str(target)
        items = ListNode(at, [ScalarNode(text, at)])
        container.apply_compose("tmpfs", items, at, {"tmpfs[0]": path})
        return
    if kind == "bind" and source is None:
        container.drop(path, "a bind mount needs a source", at=at)
        return
    short = _short_form(kind, source, target, at, is_read_only=bool(flag(mount.get("readonly"))))
    container.apply_compose("volumes", ListNode(at, [short]), at, {"volumes[0]": path})


def _short_form(
    kind: str, source: ScalarNode | None, target: ScalarNode, at: Position, *, is_read_only: bool
) -> ScalarNode:
    """A volume as Compose writes it in a text."""
    if source is None or not source:
        return FilledText.of(str(target), spec_text(target), at, plain=False, names=())
    lead = "./" if kind == "bind" and not source.startswith((".", "/", "~")) else ""
    value, spec = f"{lead}{source}:{target}", f"{lead}{spec_text(source)}:{spec_text(target)}"
    if is_read_only:
        value, spec = f"{value}:ro", f"{spec}:ro"
    names = (*variables_of(source), *variables_of(target))
    return FilledText.of(value, spec, at, plain=False, names=names)


# --- the workspace


def _workspace_folder(container: ContainerImport, key: str) -> None:
    current = container.spec.get("workdir")
    is_other = container.is_compose and current not in (None, container.place.workspace)
    if is_other and "command" in container.spec and not _sleeps(container):
        reason = f"the command of the service runs in {current}; remedy: `cd` in the commands"
        container.drop(key, reason)
        return
    at = container.position(key)
    folder = container.text(key, ScalarNode(container.place.workspace, at), unit_folder)
    if folder is not None:
        container.write(folder, "workdir")
        container.translate(key, "workdir", "workdir")


def _sleeps(container: ContainerImport) -> bool:
    """Whether its command only keeps it up."""
    return "sleep" in " ".join(map(str, container.spec["command"]))


def default_workspace(container: ContainerImport) -> None:
    """Work in the project's folder, and mount it, where dev containers do."""
    if container.is_compose:
        return
    at = container.source.position
    folder = ScalarNode(container.place.workspace, at)
    if container.text("workspaceFolder", folder, mount_target, at=at) is None:
        return
    if "workspaceFolder" not in container.source:
        container.write(literal(folder), "workdir")
    if "workspaceMount" not in container.source:
        container.workspace_mount = {"source": ".", "target": literal(folder)}
        note = "a mount of the project's folder in dev, as it is by default"
        _report_mount(container, "workspaceMount", note, at)


def _report_mount(container: ContainerImport, key: str, note: str, at: Position) -> None:
    report = container.project.report
    report.environment = "dev"
    new = ("services", container.spec_name, "mounts")
    report.add(at, key, KeyOutcome.TRANSLATED, note, new, is_claim=key in container.source)
    report.environment = ""


def _workspace_mount(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    if container.is_compose:
        container.drop(key, "a dev container made by Compose mounts what its service mounts")
        return
    if isinstance(node, ScalarNode) and not node:
        container.keep(key, note="nothing is mounted")
        return
    mount = read_mount(container, key, node)
    if mount is None:
        return
    source = mount.get("source")
    target = mount.get("target")
    if mount.get("type") != "bind" or source is None or target is None or source.startswith("/"):
        write_mount(container, key, mount, node.position)
        return
    if container.text(key, target, mount_target) is not None:
        folder = SpecText(posixpath.normpath(spec_text(source)))
        container.workspace_mount = {"source": folder, "target": spec_text(target)}
        if flag(mount.get("readonly")):
            container.workspace_mount["read_only"] = True
        _report_mount(container, key, "a mount of dev", container.position(key))


STORAGE_RULES: Final = (
    ContainerRule(
        "mounts",
        "`mounts` for paths, `volumes` for names, `options.docker.tmpfs` for `type=tmpfs`. A path in the home folder is"
        " dropped: it is another one for everybody",
        KeyOutcome.TRANSLATED,
        _mounts,
    ),
    ContainerRule(
        "workspaceFolder",
        "`workdir`; by default `/workspaces/` and the name of the project's folder",
        KeyOutcome.TRANSLATED,
        _workspace_folder,
    ),
    ContainerRule(
        "workspaceMount",
        "a mount in `environments/dev.yaml`; by default of the project's folder at the workspace folder. An empty text"
        " mounts nothing; with Compose it is dropped",
        KeyOutcome.TRANSLATED,
        _workspace_mount,
    ),
)
