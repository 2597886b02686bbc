"""Rules for what a service is made from."""

from __future__ import annotations

import posixpath
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.keys.scalars import ENV_NAME, IMAGE
from envctl.definition.service_readers import platform
from envctl.definition.tree import MapNode, NullNode, ScalarNode, describe, quoted
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.long_form import inside
from envctl.imports.compose.service_import import Rule, ServiceImport, quoted_path, variable_note
from envctl.imports.written_text import literal

_REMOTE: Final = ("://", "git@", "github.com/")


def _image(service: ServiceImport, key: str) -> None:
    if service.is_built:
        service.translate(key, "nothing: envctl names the images that it builds")
        return
    image = service.text(key, service.source[key], IMAGE.parse)
    if image is not None:
        service.write(image, "image")
        service.keep(key, "image", note=variable_note(service.source[key]))


def _build(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    if not isinstance(node, MapNode):
        service.drop(key, f"a mapping or a folder was expected, got {describe(node)}")
        return
    context = _context(service, node)
    if context is None:
        return
    dockerfile: dict[str, Any] = {}
    inline = node.get("dockerfile_inline")
    if isinstance(inline, ScalarNode):
        dockerfile = {"inline": spec_text(inline), "context": quoted_path(context)}
        at = node.positions["dockerfile_inline"]
        service.translate(
            f"{key}.dockerfile_inline", "dockerfile.inline", "dockerfile", "inline", at=at
        )
    else:
        dockerfile = _file(service, key, node, context)
    if isinstance(target := node.get("target"), ScalarNode):
        dockerfile["target"] = spec_text(target)
        at = node.positions["target"]
        service.keep(f"{key}.target", "dockerfile", "target", note=variable_note(target), at=at)
    _args(service, key, node, dockerfile)
    service.write(dockerfile["file"] if [*dockerfile] == ["file"] else dockerfile, "dockerfile")


def _context(service: ServiceImport, node: MapNode) -> str | None:
    """The folder of the build. One outside the project is an error: there would be nothing to build."""
    context = node.get("context", NullNode(node.position))
    if isinstance(context, NullNode):
        return "."
    if not isinstance(context, ScalarNode):
        message = f"services.{service.name}.build: a folder was expected, got {describe(context)}"
        service.project.problems.add(context.position, message)
        return None
    is_remote = any(word in context for word in _REMOTE)
    path = None if is_remote else inside("", context)
    if path is None:
        what = "is fetched from elsewhere" if is_remote else "is not a folder of the project"
        service.project.problems.add(
            context.position,
            f"services.{service.name}.build: {quoted(context)} {what}: a build sees the project only",
            expected="a relative path within the project",
            hint="copy it into the project, or import in the folder that holds both",
        )
        return None
    if path.startswith("-"):
        path = f"./{path}"
    service.translate("build.context", f"the folder {path}", "dockerfile", at=context.position)
    return path


def _file(service: ServiceImport, key: str, node: MapNode, context: str) -> dict[str, Any]:
    """The Dockerfile, and the context where that is not its folder."""
    file = node.get("dockerfile")
    name = str(file) if isinstance(file, ScalarNode) else "Dockerfile"
    path = inside(context, name)
    if path is None:
        position = file.position if file is not None else node.position
        service.project.problems.add(
            position,
            f"services.{service.name}.build: {quoted(name)} is not a file of the project",
            expected="a relative path within the project",
            hint="copy it into the project",
        )
        return {}
    if isinstance(file, ScalarNode):
        at = node.positions["dockerfile"]
        service.translate(f"{key}.dockerfile", f"the file {path}", "dockerfile", at=at)
    result: dict[str, Any] = {"file": quoted_path(path)}
    if (posixpath.dirname(path) or ".") != context:
        result["context"] = quoted_path(context)
    return result


def _args(service: ServiceImport, key: str, node: MapNode, dockerfile: dict[str, Any]) -> None:
    if "args" not in node:
        return
    for name, value, at in service.entries(f"{key}.args", node["args"]):
        path = f"{key}.args.{name}"
        if not isinstance(value, ScalarNode):
            service.drop(
                path,
                "its value comes from the shell that Compose runs in; remedy: write it here",
                at=at,
            )
        elif service.text(path, ScalarNode(name, at), ENV_NAME.parse, at=at) is not None:
            dockerfile.setdefault("args", {})[name] = spec_text(value)
            service.keep(path, "dockerfile", "args", name, note=variable_note(value), at=at)


def _platform(service: ServiceImport, key: str) -> None:
    text = service.text(key, service.source[key], platform)
    if text is not None:
        service.write(text, "platform")
        service.keep(key, "platform", note=variable_note(service.source[key]))


def _pull_policy(service: ServiceImport, key: str) -> None:
    policy = str(service.source[key])
    if policy in ("missing", "if_not_present"):
        service.keep(key, note="an image is pulled if it does not exist")
    elif policy == "build" and service.is_built:
        service.keep(key, note="an image that is built is never pulled")
    else:
        service.drop(
            key, "images are pulled if they do not exist; remedy: `envctl pull` gets newer ones"
        )


def finish_source(service: ServiceImport) -> None:
    """Put what only an image can say into a Dockerfile on top of it. A service without a source is an error."""
    has_source = service.spec.get("image") or service.spec.get("dockerfile")
    if not has_source and ("image" in service.source or "build" in service.source):
        service.project.problems.add(
            service.source.position,
            f"services.{service.name} has no image or build that a spec can have",
            expected="image: NAME, or build: FOLDER",
        )
    image = service.spec.get("image")
    if not service.image_lines or image is None:
        return
    del service.spec["image"]
    text = "\n".join([f"FROM {image}", *service.image_lines, ""])
    service.write(type(literal(""))(text), "dockerfile", "inline")


BUILD_REASON: Final = "a spec's dockerfile has file, inline, context, target and args; remedy: say it within the Dockerfile"
"""Why another key of a build is dropped."""

SOURCE_RULES: Final = (
    Rule("image", "`image`; with `build`, envctl names the image itself", KeyOutcome.SAME, _image),
    Rule(
        "build",
        "`dockerfile: {file, inline, context, target, args}`; other keys of a build are dropped. A context outside the"
        " project is an error",
        KeyOutcome.TRANSLATED,
        _build,
    ),
    Rule("platform", "`platform`", KeyOutcome.SAME, _platform),
    Rule(
        "pull_policy",
        "kept if it is `missing`; `envctl pull` gets newer images",
        KeyOutcome.SAME,
        _pull_policy,
    ),
)
