"""base: list, build and inspect the images that builds start from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.declare import Argument, AsJson, Option, without_spec
from envctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from envctl.bases import ImageStore


def complete_base(_incomplete: str, _target: str, _folder: Path) -> Sequence[str]:
    """The names of bases in the catalogue."""
    from envctl.bases.catalogue import CATALOGUE

    return tuple(CATALOGUE)


Name = Annotated[
    str,
    Argument("NAME", "A name from the catalogue, such as debian:bookworm.", complete_base),
]


@contextmanager
def _images(invocation: Invocation) -> Iterator[ImageStore]:
    """Open the engine's image store. Bases belong to no project."""
    from envctl.backends import open_backend
    from envctl.backends.base import Context
    from envctl.plan.scope import Scope
    from envctl.plan.target import DEFAULT_BACKEND

    context = Context(Scope("", "", "", ""), report=invocation.reporter)
    backend: Any = open_backend(DEFAULT_BACKEND, context)
    try:
        backend.check()
        yield backend.images
    finally:
        backend.close()


@without_spec
def listing(invocation: Invocation, *, as_json: AsJson = False) -> None:
    """List the known bases and which of them are on the engine.

    Examples:
        envctl base list
        envctl base list --json

    JSON: a list of objects with `name`, `suite`, `here`, `id`, `size` (bytes), `created` and `how`.
    """
    from dataclasses import asdict

    from envctl import bases

    with _images(invocation) as images:
        rows = bases.listing(images)
    if as_json:
        invocation.json([asdict(row) for row in rows])
        return
    cells = [
        (row.name, row.how if row.here else "not found", _size(row.size), row.created[:10])
        for row in rows
    ]
    invocation.out.table(cells, head=("BASE", "LOCAL IMAGE", "SIZE", "CREATED"))


@without_spec
def build(
    invocation: Invocation,
    name: Name,
    *,
    snapshot: Annotated[
        str, Option(("--snapshot",), "Bootstrap it from this dated mirror snapshot.")
    ] = "",
    force: Annotated[
        bool, Option(("--force",), "Rebuild it from the mirror even if it exists.")
    ] = False,
) -> None:
    """Make a base available on the engine.

    Uses the local image; otherwise pulls it from its registry; otherwise bootstraps it from the mirror.

    Examples:
        envctl base build debian:bookworm
        envctl base build debian:bookworm --snapshot 20260101T000000Z
    """
    from envctl import bases

    with _images(invocation) as images:
        base = bases.build(name, images, invocation.reporter, snapshot=snapshot, force=force)
    invocation.reporter.pause()
    invocation.out.line(invocation.out.safe(f"{base.name}  {base.how}  {base.id}"))


@without_spec
def inspect(invocation: Invocation, name: Name, *, as_json: AsJson = False) -> None:
    """Show details of a base's local image.

    Examples:
        envctl base inspect debian:bookworm
        envctl base inspect debian:bookworm --json

    JSON: an object with `name`, `id`, `size` (bytes), `created`, `how`, `labels`, `manifest` (the
    digest of the package list) and `packages` (name to version).
    """
    from envctl import bases

    with _images(invocation) as images:
        data = bases.inspect(name, images)
    if as_json:
        invocation.json(data)
        return
    rows = [(key, str(data[key])) for key in ("name", "id", "how", "created", "manifest")]
    rows.append(("size", _size(data["size"])))
    rows.append(("packages", str(len(data["packages"]))))
    rows += [(f"label {key}", value) for key, value in data["labels"].items()]
    invocation.out.table(rows)


def _size(count: int) -> str:
    return f"{count / 1_000_000:.0f} MB" if count else ""
