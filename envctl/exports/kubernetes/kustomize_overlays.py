"""What one environment has of its own: patches, additional resources, and resources of the base that it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envctl.exports.kubernetes.manifest_text import manifest_text

Resources = Mapping[str, Mapping[str, Any]]
"""Resources, by the file that has each."""


def folder_files(folder: str, resources: Resources) -> Mapping[str, bytes]:
    """The files of a folder that stands alone."""
    files = {f"{folder}/{name}": manifest_text(resource) for name, resource in resources.items()}
    return {**files, f"{folder}/kustomization.yaml": _kustomization(resources=sorted(resources))}


def overlay_files(
    folder: str, base: str, before: Resources, after: Resources
) -> Mapping[str, bytes]:
    """The files of an overlay that makes `after` of the base's resources."""
    added, patches = dict(after), []
    files: dict[str, bytes] = {}
    for name, resource in before.items():
        expected = after.get(name)
        if expected is None or not _is_same_object(resource, expected):
            patches.append(_deletion(resource))
        else:
            added.pop(name)
            if operations := [*_operations("", resource, expected)]:
                files[f"{folder}/patch-{name}"] = manifest_text(operations)
                patches.append({"path": f"patch-{name}", "target": _target(resource)})
    files |= {f"{folder}/{name}": manifest_text(resource) for name, resource in added.items()}
    kustomization = _kustomization(resources=[base, *sorted(added)], patches=patches)
    return {**files, f"{folder}/kustomization.yaml": kustomization}


def _kustomization(**fields: Any) -> bytes:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return manifest_text({**head, **{name: value for name, value in fields.items() if value}})


def _is_same_object(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return _target(before) == _target(after)


def _target(resource: Mapping[str, Any]) -> Mapping[str, str]:
    group, _, version = str(resource["apiVersion"]).rpartition("/")
    target = {"version": version, "kind": resource["kind"], "name": resource["metadata"]["name"]}
    return {"group": group, **target} if group else target


def _deletion(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    patch = {
        "apiVersion": resource["apiVersion"],
        "kind": resource["kind"],
        "metadata": {"name": resource["metadata"]["name"]},
        "$patch": "delete",
    }
    return {"patch": manifest_text(patch).decode("utf-8")}


def _operations(path: str, before: Any, after: Any) -> Iterator[Mapping[str, Any]]:
    """Operations of a JSON patch."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in after:
                yield {"op": "remove", "path": place}
            elif key not in before:
                yield {"op": "add", "path": place, "value": after[key]}
            else:
                yield from _operations(place, before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _operations(f"{path}/{index}", old, new)
    else:
        yield {"op": "replace", "path": path, "value": after}
