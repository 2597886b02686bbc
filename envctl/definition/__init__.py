"""The spec: `envctl.yaml` and its environments, from files to validated, resolved data.

Where to look, in the order in which a spec passes through:

- which files: names, overlays, loader, cache
- from text to tree: yaml_reader, tree, syntax_errors, size
- merging, variables, inheritance: resolve, merge, interpolate, extends, memo
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
    "glimpse",
    "json_schema",
    "load",
    "load_base",
    "sound_parts",
]

_PREFIX = "ENVCTL_VAR_"
_LINE = r"""^["']?{key}["']?[ \t]*:[ \t]+["']?([a-z][a-z0-9-]*)["']?[ \t]*(?:#.*)?\r?$"""
_NOTHING: Mapping[str, str] = {}


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds an envctl.yaml.

    EnvctlError if none does, or if it is another user's: a spec says what is run. Root may use what
    stands in `start` itself, but does not happen upon what others have left above.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        # A link is looked at where it stands: what it leads to is read by nobody if that is elsewhere.
        if os.path.lexists(folder / ROOT_FILE):
            _trusted(folder / ROOT_FILE, asked_for=folder == start)
            return as_listed(folder)
    raise EnvctlError(
        f"there is no {ROOT_FILE} in {start} or above", hint="envctl init writes one to start from"
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
    overlays: tuple[str, ...] | None = None,
) -> Resolved:
    """Resolve one environment. Of `environ`, the process's, only ENVCTL_VAR_* count.

    With `allow_missing_files`, files that builds need and that do not exist are part of the result instead of an error.
    Raises SpecError with all problems; UsageError for an unknown environment, or a `sets` name that is not declared.
    `overlays` are the environments with a file, if the caller knows them.
    """
    from envctl.definition import cache as _cache

    environ = os.environ if environ is None else environ
    overlays = with_files(root) if overlays is None else overlays
    if not is_name(environment):
        from envctl.definition.problems import suggestion

        every = environments(root)
        raise UsageError(
            f"there is no environment {environment!r}", hint=suggestion(environment, every)
        )
    variables = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
    contents = _contents(root, environment, overlays)
    key = ""
    if cache:
        key = _cache.key(
            environment, sets=sets, variables=variables, contents=contents, names=overlays
        )
        cached = _cache.read(root, environment, key)
        if cached is not None:
            return cached
    resolved = _resolve(
        root,
        environment,
        contents,
        sets=sets,
        environ=variables,
        allow_missing_files=allow_missing_files,
    )
    if cache and not resolved.missing_files:
        _cache.write(root, environment, key, resolved)
    return resolved


def valid_parts(
    root: Path,
    environment: str,
    *,
    sets: Mapping[str, str] = _NOTHING,
    environ: Mapping[str, str] | None = None,
) -> Resolved | None:
    """What is valid by itself in a spec that has problems, so that it can be seen what else is wrong; None if nothing is."""
    from envctl.definition.resolve import resolve

    overlays = with_files(root)
    contents = _contents(root, environment, overlays)
    environ = os.environ if environ is None else environ
    try:
        return resolve(
            root,
            environment,
            contents=contents,
            sets=sets,
            environ=environ,
            known=environments(root),
            valid_parts=True,
        )
    except EnvctlError:
        return None


def _contents(root: Path, environment: str, overlays: tuple[str, ...]) -> dict[str, bytes | None]:
    """What the environment's files hold; None for one that the slow path has to look at."""
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


def _resolve(
    root: Path,
    environment: str,
    contents: Mapping[str, bytes | None],
    *,
    sets: Mapping[str, str],
    environ: Mapping[str, str],
    allow_missing_files: bool,
) -> Resolved:
    from envctl.definition.resolve import resolve

    return resolve(
        root,
        environment,
        contents=contents,
        sets=sets,
        environ=environ,
        known=(environment,) if overlay_file(environment) in contents else environments(root),
        allow_missing_files=allow_missing_files,
    )


def load_base(
    root: Path, *, sets: Mapping[str, str] = _NOTHING, environ: Mapping[str, str] | None = None
) -> Resolved:
    """Resolve the root file alone, as an environment that adds nothing to it. SpecError tells all problems."""
    from envctl.definition.resolve import resolve

    name = "base"
    contents = _contents(root, name, ())
    environ = os.environ if environ is None else environ
    return resolve(root, name, contents=contents, sets=sets, environ=environ, known=(name,))


def peek(root: Path, environment: str, key: str) -> str | None:
    """The word that a line at the top level of a spec gives a key, whatever is wrong with the rest of it."""
    pattern = re.compile(_LINE.format(key=re.escape(key)), re.MULTILINE)
    for file in (overlay_file(environment), ROOT_FILE):
        data = _contents(root, environment, (environment,)).get(file) or b""
        if match := pattern.search(data.decode("utf-8", "replace")):
            return match[1]
    return None


def config_text(resolved: Resolved, *, origins: bool = False) -> str:
    """A resolved spec as YAML; with `origins`, where each value comes from."""
    from envctl.definition.yaml_writer import config_text as make

    return make(resolved, origins=origins)


def json_schema(which: Literal["envctl", "environment"] = "envctl") -> dict[str, Any]:
    """The JSON Schema of `envctl.yaml`, or of an overlay; for editors."""
    from envctl.definition.editor_schema import json_schema as make

    return make(which)
