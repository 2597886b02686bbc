"""base: the images that builds start from."""

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
    """The names of the catalogue."""
    from envctl.bases.catalogue import CATALOGUE

    return tuple(CATALOGUE)


Name = Annotated[
    str,
    Argument("NAME", "A name of the catalogue, debian:bookworm.", complete_base),
]


@contextmanager
def _images(invocation: Invocation) -> Iterator[ImageStore]:
    """The engine's images: bases belong to no project."""
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
    """List the bases envctl knows and which are on the engine.

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
        (row.name, row.how if row.here else "not here", _size(row.size), row.created[:10])
        for row in rows
    ]
    invocation.out.table(cells, head=("BASE", "LOCAL IMAGE", "SIZE", "CREATED"))


@without_spec
def build(
    invocation: Invocation,
    name: Name,
    *,
    snapshot: Annotated[str, Option(("--snapshot",), "A dated mirror to make it from.")] = "",
    force: Annotated[
        bool, Option(("--force",), "Make it anew from the mirror if it is there already.")
    ] = False,
) -> None:
    """Have a base on the engine.

    It is the local image, or else pulled from its registry, or else made from the mirror.
    """
    from envctl import bases

    with _images(invocation) as images:
        found = bases.build(name, images, invocation.reporter, snapshot=snapshot, force=force)
    invocation.reporter.pause()
    invocation.out.line(invocation.out.safe(f"{found.name}  {found.how}  {found.id}"))


@without_spec
def inspect(invocation: Invocation, name: Name, *, as_json: AsJson = False) -> None:
    """Show what is known of a base's local image.

    JSON: an object with `name`, `id`, `size` (bytes), `created`, `how`, `labels`, `manifest` (the
    digest of the package list) and `packages`, from names to versions.
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
