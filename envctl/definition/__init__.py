"""The spec: `envctl.yaml` and its environments, from files to validated, resolved data.

Where to look, in the order in which a spec passes through:

- which files: names, overlays, include, loader, cache
- from text to tree: yaml_reader, tree, syntax_errors, size
- merging, variables, inheritance: resolve, merge, vars_files, interpolate, extends, env_files, memo
- which keys there are: keys/ (one declaration per key)
- reading by these declarations: read_spec, form, kinds, key; value_readers, path_readers, service_readers
- mistakes: problems, checks/ (several values at once), hints (keys and values of other tools)
- the result: resolved, origins, value_origin; yaml_writer (`config`), differences (`diff`), editor_schema

Only this package knows YAML, and imports it only if no cached result fits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from envctl.definition.names import ROOT_FILE, environments, is_name, overlay_file, with_files
from envctl.definition.overlays import alike
from envctl.errors import EnvctlError, UsageError
from envctl.host.links import as_listed
from envctl.host.safe_read import InsideError, read_inside

if TYPE_CHECKING:
    from envctl.definition.resolved import Resolved

__all__ = [
    "alike",
    "config_text",
    "environments",
    "find_root",
    "json_schema",
    "load",
    "load_base",
    "peek",
    "valid_parts",
]

_PREFIX = "ENVCTL_VAR_"
_LINE = r"""^["']?{key}["']?[ \t]*:[ \t]+["']?([a-z][a-z0-9-]*)["']?[ \t]*(?:#.*)?\r?$"""
_NOTHING: Mapping[str, str] = {}
_BASE = "base"
"""The name of the environment that `load_base` resolves."""


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that holds an envctl.yaml.

    Raises EnvctlError if no folder has one, or if it belongs to another user, since a spec decides which programs run. Root may
    use another user's spec in `start` itself, but not in a parent folder.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        # A link counts where it is; a target outside the project is refused when it is read.
        if os.path.lexists(folder / ROOT_FILE):
            _trusted(folder / ROOT_FILE, asked_for=folder == start)
            return as_listed(folder)
    raise EnvctlError(
        f"no {ROOT_FILE} in {start} or its parent folders", hint="`envctl init` creates one"
    )


def _trusted(file: Path, *, asked_for: bool) -> None:
    owner, user = file.lstat().st_uid, os.geteuid()
    if owner not in (user, 0) and not (user == 0 and asked_for):
        raise EnvctlError(
            f"{file} belongs to another user (uid {owner})",
            hint="it could run anything as you; if you trust it, work on your own copy",
        )


def load(
    root: Path,
    environment: str,
    *,
    sets: Mapping[str, str] = _NOTHING,
    environ: Mapping[str, str] | None = None,
    cache: bool = True,
    allow_missing_files: bool = False,
) -> Resolved:
    """Resolve one environment. Of `environ`, the process's, only ENVCTL_VAR_* count.

    With `allow_missing_files`, files that builds need and that do not exist are part of the result instead of an error.
    Raises SpecError with all problems; UsageError for an unknown environment, or a `sets` name that is not declared.
    """
    from envctl.definition import cache as _cache

    if not is_name(environment):
        from envctl.definition.problems import suggestion

        hint = suggestion(environment, environments(root))
        raise UsageError(f"there is no environment {environment!r}", hint=hint)
    overlays = with_files(root)
    variables = _variables(environ)
    contents = _contents(root, environment, overlays)
    key = ""
    if cache:
        key = _cache.key(
            environment, sets=sets, variables=variables, contents=contents, names=overlays
        )
        cached = _cache.read(root, environment, key)
        if cached is not None:
            return cached
    from envctl.definition.resolve import resolve

    resolved = resolve(
        root,
        environment,
        contents=contents,
        sets=sets,
        environ=variables,
        allow_missing_files=allow_missing_files,
    )
    if cache and not resolved.missing_files:
        _cache.write(root, environment, key, resolved)
    return resolved


def load_base(
    root: Path, *, sets: Mapping[str, str] = _NOTHING, environ: Mapping[str, str] | None = None
) -> Resolved:
    """Resolve the root file alone, as an environment that adds nothing to it. Raises SpecError with all problems."""
    from envctl.definition.resolve import resolve

    contents, variables = _contents(root, _BASE, ()), _variables(environ)
    return resolve(root, _BASE, contents=contents, sets=sets, environ=variables, known=(_BASE,))


def valid_parts(
    root: Path,
    environment: str,
    *,
    sets: Mapping[str, str] = _NOTHING,
    environ: Mapping[str, str] | None = None,
) -> Resolved | None:
    """Return the valid parts of a spec with problems, so that other mistakes can be found; None if no part is valid."""
    from envctl.definition.resolve import resolve

    contents, variables = _contents(root, environment, with_files(root)), _variables(environ)
    try:
        return resolve(
            root, environment, contents=contents, sets=sets, environ=variables, valid_parts=True
        )
    except EnvctlError:
        return None


def _variables(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment variables that set variables of the spec."""
    environ = os.environ if environ is None else environ
    return {name: value for name, value in environ.items() if name.startswith(_PREFIX)}


def _contents(root: Path, environment: str, overlays: tuple[str, ...]) -> dict[str, bytes | None]:
    """Return the contents of the environment's files; None for one that cannot be read, which `resolve` reports."""
    files = [ROOT_FILE]
    if environment in overlays:
        files.append(overlay_file(environment))
    contents: dict[str, bytes | None] = {}
    for file in files:
        try:
            contents[file] = read_inside(root, file)
        except (OSError, InsideError):
            contents[file] = None
    return contents


def peek(root: Path, environment: str, key: str) -> str | None:
    """Return the value of a key at the top level, read without YAML, however invalid the rest of the file is."""
    pattern = re.compile(_LINE.format(key=re.escape(key)), re.MULTILINE)
    for file in (overlay_file(environment), ROOT_FILE):
        data = _contents(root, environment, (environment,)).get(file) or b""
        if match := pattern.search(data.decode("utf-8", "replace")):
            return match[1]
    return None


def config_text(resolved: Resolved, *, origins: bool = False) -> str:
    """Return a resolved spec as YAML; with `origins`, where each value comes from."""
    from envctl.definition.yaml_writer import config_text as make

    return make(resolved, origins=origins)


def json_schema(which: Literal["envctl", "environment"] = "envctl") -> dict[str, Any]:
    """Return the JSON Schema of `envctl.yaml`, or of an overlay; for editors."""
    from envctl.definition.editor_schema import json_schema as make

    return make(which)
