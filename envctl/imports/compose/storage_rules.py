"""Rules for what a service stores, mounts and reads."""

from __future__ import annotations

import re
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.path_readers import host_path, mount_target, secret_target
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    describe,
    quoted,
)
from envctl.imports.compose.filled_text import parted
from envctl.imports.compose.service_import import (
    Rule,
    ServiceImport,
    flag,
    slug,
    whole,
)
from envctl.imports.written_text import SpecText, literal

_SIZE: Final = re.compile(r"\d+[bkmg]?b?", re.IGNORECASE)


def _volumes(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
        path = f"{key}[{index}]"
        if isinstance(item, ScalarNode):
            _short_volume(service, path, item)
        elif isinstance(item, MapNode):
            _long_volume(service, path, item)
        elif not isinstance(item, NullNode):
            service.drop_item(path, f"a volume was expected, got {describe(item)}", item)


def _short_volume(service: ServiceImport, path: str, item: ScalarNode) -> None:
    at = item.position
    first, second = parted(item, ":")
    if second is None:
        _named_volume(service, path, None, first, at)
        return
    target, modes = parted(second, ":")
    words = {*str(modes).split(",")} if modes is not None else set()
    is_read_only = "ro" in words
    if words & {"z", "Z"}:
        service.option(path, "selinux", "shared" if "z" in words else "private", at=at)
    if others := words - {"ro", "rw", "z", "Z", "cached", "delegated", "consistent", ""}:
        service.drop(path, f"volumes have no options {', '.join(sorted(others))}", at=at)
    if first.startswith((".", "/", "~")) or re.match(r"[A-Za-z]:\\", first):
        _mount(service, path, first, target, at, is_read_only=is_read_only)
    else:
        _named_volume(service, path, first, target, at, is_read_only=is_read_only)


def _mount(
    service: ServiceImport,
    path: str,
    source: ScalarNode,
    target: ScalarNode,
    at: Position,
    *,
    is_read_only: bool,
) -> None:
    if source.startswith("~"):
        service.drop(
            path, "~ is another folder for everybody; remedy: write an absolute path", at=at
        )
        return
    new_source = service.text(path, source, host_path, at=at)
    new_target = service.text(path, target, mount_target, at=at)
    if new_source is None or new_target is None:
        return
    mount: dict[str, Any] = {"source": new_source, "target": new_target}
    if is_read_only:
        mount["read_only"] = True
    mounts = service.spec.setdefault("mounts", [])
    mounts.append(mount)
    service.translate(path, "a mount, whose source has to exist", "mounts", len(mounts) - 1, at=at)


def _named_volume(
    service: ServiceImport,
    path: str,
    source: ScalarNode | None,
    target: ScalarNode,
    at: Position,
    *,
    is_read_only: bool = False,
) -> None:
    """A volume by name; one without gets that of the service and its path."""
    new_target = service.text(path, target, mount_target, at=at)
    if new_target is None:
        return
    raw = str(source) if source is not None else f"{service.name}-{target}"
    name = slug(raw, also="_")
    volumes = service.spec.setdefault("volumes", {})
    if name in volumes:
        reason = f"a service has the volume {name} once; remedy: a volume of its own for {target}"
        service.drop(path, reason, at=at)
        return
    volumes[name] = {"target": new_target, "read_only": True} if is_read_only else new_target
    if source is None:
        note = f"the volume {name}, which is kept until `down --volumes`"
        service.translate(path, note, "volumes", name, at=at)
    elif name != raw:
        service.translate(path, f"the volume {name}", "volumes", name, at=at)
    else:
        service.keep(path, "volumes", name, at=at)


_TAKEN_KEYS: Final = {
    "bind": ("type", "source", "target", "read_only"),
    "volume": ("type", "source", "target", "read_only"),
    "tmpfs": ("type", "target", "tmpfs"),
}


def _long_volume(service: ServiceImport, path: str, item: MapNode) -> None:
    kind, target, source = str(item.get("type", "volume")), item.get("target"), item.get("source")
    at = item.positions.get("target", item.position)
    if kind not in _TAKEN_KEYS or not isinstance(target, ScalarNode):
        service.drop_item(path, f"there are no volumes of type {kind}", item)
        return
    is_read_only = bool(flag(item.get("read_only")))
    if kind == "tmpfs":
        _long_tmpfs(service, path, item, target, at)
    elif kind == "bind" and not isinstance(source, ScalarNode):
        service.drop_item(path, "a bind mount needs a source", item)
        return
    elif kind == "bind":
        assert isinstance(source, ScalarNode)
        _mount(service, path, source, target, at, is_read_only=is_read_only)
    else:
        name = source if isinstance(source, ScalarNode) and source else None
        _named_volume(service, path, name, target, at, is_read_only=is_read_only)
    for key in item:
        if key == "consistency":
            service.keep(f"{path}.{key}", note="it means nothing on Linux", at=item.positions[key])
        elif key == "bind" and isinstance(item[key], MapNode):
            _bind(service, f"{path}.bind", item[key])
        elif key in _TAKEN_KEYS[kind]:
            if key not in ("target", "tmpfs"):
                service.translate(f"{path}.{key}", "a part of it", at=item.positions[key])
        else:
            reason = "volumes have name, target, read_only and owner; mounts source, target and read_only"
            service.drop(f"{path}.{key}", reason, at=item.positions[key])


def _bind(service: ServiceImport, path: str, bind: Node) -> None:
    for key, node, at in service.entries(path, bind):
        if key == "create_host_path":
            service.drop(
                f"{path}.{key}",
                "a missing source is an error, never made; remedy: make the folder",
                at=at,
            )
        elif key == "selinux":
            service.option(
                f"{path}.{key}",
                "selinux",
                {"z": "shared", "Z": "private"}.get(str(node), "?"),
                at=at,
            )
        else:
            service.drop(f"{path}.{key}", "mounts have source, target and read_only", at=at)


def _long_tmpfs(
    service: ServiceImport, path: str, item: MapNode, target: ScalarNode, at: Position
) -> None:
    words: list[str] = []
    for key, node, position in service.entries(f"{path}.tmpfs", item.get("tmpfs", NullNode(at))):
        if key == "size" and _SIZE.fullmatch(str(node)):
            words.append(f"size={str(node).removesuffix('b')}")
        elif key == "mode" and re.fullmatch("(0o?)?[0-9]{1,5}", str(node)):
            text = str(node).removeprefix("0o")
            words.append(f"mode={text if str(node)[0] == '0' else format(int(text), 'o')}")
        else:
            service.drop(f"{path}.tmpfs.{key}", "a tmpfs has size and mode", at=position)
            continue
        service.translate(
            f"{path}.tmpfs.{key}", "an option of it", "options", "docker", "tmpfs", at=position
        )
    service.option(path, "tmpfs", {str(target): ",".join(words)}, at=at)


def _tmpfs(service: ServiceImport, key: str) -> None:
    for index, item in enumerate(service.items(key, service.source[key])):
        target, _, words = item.partition(":")
        service.option(f"{key}[{index}]", "tmpfs", {target: words}, at=item.position)


def _configs(service: ServiceImport, key: str) -> None:
    section = service.project.model.get("configs")
    node = service.source[key]
    for index, item in enumerate(node if isinstance(node, ListNode) else []):
        path = f"{key}[{index}]"
        table = item if isinstance(item, MapNode) else MapNode(item.position)
        name = item.get("source") if isinstance(item, MapNode) else item
        entry = section.get(str(name)) if isinstance(section, MapNode) else None
        file = entry.get("file") if isinstance(entry, MapNode) else None
        if not isinstance(name, ScalarNode) or not isinstance(file, ScalarNode):
            reason = "only configs with a file can be mounted; remedy: write its content into a file of the project"
            service.drop_item(path, reason, item)
            continue
        target = item.get("target") if isinstance(item, MapNode) else None
        where = target if isinstance(target, ScalarNode) else ScalarNode(f"/{name}", item.position)
        _mount(
            service,
            path,
            file,
            where,
            item.position if item is name else name.position,
            is_read_only=True,
        )
        for word, position in table.positions.items():
            if word == "target":
                service.translate(f"{path}.{word}", "its target", "mounts", at=position)
            elif word != "source":
                reason = "a mounted file has the owner and permissions that it has on the host"
                service.drop(f"{path}.{word}", reason, at=position)


def _secrets(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    names = service.project.secret_names
    for index, item in enumerate(node if isinstance(node, ListNode) else []):
        path = f"{key}[{index}]"
        table = item if isinstance(item, MapNode) else MapNode(item.position)
        source = item.get("source") if isinstance(item, MapNode) else item
        if not isinstance(source, ScalarNode) or str(source) not in names:
            service.drop_item(
                path, f"the top-level `secrets` do not declare {quoted(source)}", item
            )
            continue
        name = names[str(source)]
        target = item.get("target") if isinstance(item, MapNode) else None
        if target is not None and _is_unwritable(service, target):
            reason = "nothing can be written there, as it is read-only; remedy: a path below /run/secrets"
            service.drop(f"{path}.target", reason, at=target.position)
            target = None
        where = _secret_target(service, path, source, target)
        if where is None:
            continue
        uses = service.spec.setdefault("secrets", [])
        uses.append(name if where == f"/run/secrets/{name}" else {"name": name, "target": where})
        at = item.position if item is source else source.position
        new = ("secrets", len(uses) - 1)
        if name == source:
            service.keep(path, *new, at=at)
        else:
            service.translate(path, f"the secret {name}, at its former path", *new, at=at)
        for word, position in table.positions.items():
            if word == "target" and target is not None:
                service.keep(f"{path}.{word}", *new, at=position)
            elif word not in ("source", "target"):
                reason = (
                    "only the service's user can read its secrets, mode 0400; remedy: set `user`"
                )
                service.drop(f"{path}.{word}", reason, at=position)


def _is_unwritable(service: ServiceImport, target: Node) -> bool:
    is_read_only = flag(service.source.get("read_only"))
    return (
        bool(is_read_only) and str(target).startswith("/") and not str(target).startswith("/run/")
    )


def _secret_target(
    service: ServiceImport, path: str, source: ScalarNode, target: Node | None
) -> SpecText | None:
    text = target if isinstance(target, ScalarNode) else source
    if text.startswith("/"):
        return service.text(path, text, secret_target, at=text.position)
    where = literal(f"/run/secrets/{text}")
    checked = service.text(path, ScalarNode(where, text.position), secret_target, at=text.position)
    return where if checked is not None else None


def _shm_size(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    number = whole(node)
    if number is None:
        service.text_option(key, "shm_size")
    else:
        service.option(key, "shm_size", number)


def _read_only(service: ServiceImport, key: str) -> None:
    if flag(service.source[key]) is False:
        service.keep(key, note="the default")
    else:
        service.option(key, "read_only", flag(service.source[key]))


def _devices(service: ServiceImport, key: str) -> None:
    paths: list[str] = []
    node = service.source[key]
    for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
        text = str(item).removesuffix(":rwm") if isinstance(item, ScalarNode) else ""
        service.option(f"{key}[{index}]", "devices", [*paths, text], at=item.position)
        paths = service.spec.get("options", {}).get("docker", {}).get("devices", [])


STORAGE_RULES: Final = (
    Rule(
        "volumes",
        "`mounts` for paths, `volumes` for names; a volume without a name gets one; `type: tmpfs` goes to"
        " `options.docker.tmpfs`, `:z` to `options.docker.selinux`; `nocopy`, `subpath`, `propagation` are dropped",
        KeyOutcome.TRANSLATED,
        _volumes,
    ),
    Rule("tmpfs", "`options.docker.tmpfs`", KeyOutcome.OPTION, _tmpfs),
    Rule(
        "configs",
        "a read-only mount of its file; other sources, `uid`, `gid` and `mode` are dropped",
        KeyOutcome.TRANSLATED,
        _configs,
    ),
    Rule(
        "secrets",
        "`secrets`, at the same path; `uid`, `gid` and `mode` are dropped",
        KeyOutcome.SAME,
        _secrets,
    ),
    Rule("shm_size", "`options.docker.shm_size`", KeyOutcome.OPTION, _shm_size),
    Rule("read_only", "`options.docker.read_only`", KeyOutcome.OPTION, _read_only),
    Rule("devices", "`options.docker.devices`", KeyOutcome.OPTION, _devices),
)
