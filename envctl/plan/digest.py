"""Canonical texts of a plan's parts, and the identities derived from them.

A unit has two identities: that of its build (the content of the image) and that of its run (how the process runs).
So another environment variable does not rebuild the image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from envctl.plan.model import Base, InstallPackages, Run, Step

DIGEST_LENGTH = 24


def plain(value: Any) -> Any:
    """Return the value as JSON types. Dataclasses include the name of their class; metadata fields and empty added fields are left out."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        shown = {
            item.name: plain(getattr(value, item.name))
            for item in fields(value)
            if not item.metadata.get("is_metadata")
            and not (item.metadata.get("is_added") and not getattr(value, item.name))
        }
        return {"is": type(value).__name__, **shown}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """Return the same text for equal values, independent of the order of mappings."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """Return a short hash (96 bits) of the canonical text."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()[
        :DIGEST_LENGTH
    ]


def build_digest(base: Base, steps: Sequence[Step], template_digest: str = "") -> str:
    """Return the identity of a build; `template_digest` is a digest of the project's own templates it is made by.

    The distribution of packages over install steps does not count: it only decides which layers builds share.
    """
    packages = sorted(
        {name for step in steps if isinstance(step, InstallPackages) for name in step.names}
    )
    other_steps = [step for step in steps if not isinstance(step, InstallPackages)]
    return digest([base, packages, other_steps, *([template_digest] if template_digest else [])])


def run_text(run: Run) -> str:
    """Return the full run identity, which is stored as a label, so that a later comparison can name what changed."""
    return canonical(run)


def is_same_run(recorded: str, run: Run) -> bool:
    """Whether a `run_text` describes this run, apart from the values of secrets."""
    try:
        old = json.loads(recorded)
        return bool(_without_digests(old) == _without_digests(plain(run)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _without_digests(run: Any) -> Any:
    return {**run, "secrets": [{**secret, "digest": ""} for secret in run["secrets"]]}
