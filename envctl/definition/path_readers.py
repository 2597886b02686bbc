"""Readers of paths: inside units, within the project, on the host."""

from __future__ import annotations

import posixpath
import re
from typing import Any, Final

from envctl.definition.tree import quoted
from envctl.definition.value_readers import InvalidValue, filled

SECRETS: Final = "/run/secrets"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def unit_path(value: Any) -> str:
    """Return an absolute path inside the unit, without `..`; a trailing slash is kept."""
    result = filled(value)
    if not result.startswith("/"):
        raise InvalidValue(
            f"{quoted(result)} is not an absolute path", expected="a path that begins with /"
        )
    if ".." in result.split("/"):
        raise InvalidValue(f"{quoted(result)} contains ..", expected="an absolute path without ..")
    tidy = "/" + posixpath.normpath(result).lstrip("/")
    return tidy + "/" if result.endswith("/") and tidy != "/" else tidy


def unit_folder(value: Any) -> str:
    """Return an absolute path inside the unit, without a trailing slash."""
    return unit_path(value).rstrip("/") or "/"


def stage_path(value: Any) -> str:
    """Return an absolute path in a stage, without a trailing slash: one file or folder."""
    result = unit_folder(value)
    if result == "/":
        raise InvalidValue("a whole stage cannot be copied", expected="a path in it, such as /out")
    if wildcard := re.search(r"[*?\[\]\\]", result):
        raise InvalidValue(
            f"{quoted(result)} contains {wildcard[0]}",
            expected="one file or folder; of a folder, the content is copied",
            hint="let a `run` step of the stage put the files into a folder of their own",
        )
    return result


def mount_target(value: Any) -> str:
    """Return the path where a mount or volume appears. The `:ro` of other tools is a separate key here."""
    result = unit_folder(value)
    if re.search(r":(ro|rw|z|Z)\Z", result):
        raise InvalidValue(
            f"{quoted(result)}: options after the path are not supported",
            hint="write {target: …, read_only: true}",
        )
    if result == "/":
        raise InvalidValue("cannot mount over /")
    return result


def project_path(value: Any) -> str:
    """Return a relative path within the project, normalized: "./app/" is "app"."""
    result = filled(value)
    tidy, problem = posixpath.normpath(result), ""
    if result.startswith(("/", "~")) or _DRIVE.match(result):
        problem = "is not relative to the project"
    elif f"{tidy}/".startswith("../"):
        problem = "leads outside the project"
    if problem:
        raise InvalidValue(
            f"{quoted(result)} {problem}",
            expected="a path within the project",
            hint="to use files from elsewhere, copy them into the project or mount them",
        )
    return tidy


def host_path(value: Any) -> str:
    """Return a path of the host: relative to the project, or absolute."""
    result = filled(value)
    if result.startswith("~"):
        raise InvalidValue(
            f"{quoted(result)}: ~ is not expanded", expected="a relative or an absolute path"
        )
    return posixpath.normpath(result)


def secret_target(value: Any) -> str:
    """Return the path of a secret. /run/secrets holds one plain file per secret, and nothing else."""
    result = mount_target(value)
    folder, name = posixpath.split(result)
    within = f"{result}/".startswith((f"{SECRETS}/", f"/var{SECRETS}/"))
    if within and (folder != SECRETS or name.startswith(".")):
        raise InvalidValue(
            f"{quoted(result)} is not a valid path for a secret",
            expected=f"{SECRETS}/NAME, where NAME does not begin with a dot, or a path elsewhere",
        )
    return result
