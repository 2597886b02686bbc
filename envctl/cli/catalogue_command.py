"""catalogue: list, show and copy the services that a spec can extend."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

from envctl.cli.declare import Argument, AsJson, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, SpecError, UsageError

if TYPE_CHECKING:
    from envctl.definition.entries import Catalogues, Entry

_FOLDER = "catalogue"


def complete_entry(_incomplete: str, _target: str, folder: Path) -> Sequence[str]:
    """The names of all entries in the catalogue."""
    from envctl.definition import find_root
    from envctl.definition.entries import catalogues_of

    try:
        return catalogues_of(find_root(folder)).names()
    except EnvctlError:
        return catalogues_of(None).names()


Name = Annotated[str, Argument("NAME", "An entry, such as postgresql.", complete_entry)]


@without_spec
def listing(invocation: Invocation, *, as_json: AsJson = False) -> None:
    """List the entries of the catalogue, and those of the project's own catalogues.

    Examples:
        envctl catalogue list
        envctl catalogue list --json

    JSON: a list of objects with `name`, `description`, `file` and `parameters`: for each name its `description`,
    `kind`, `default` and `required`.
    """
    catalogues = _catalogues(invocation)
    entries = [_entry(catalogues, name) for name in catalogues.names()]
    if as_json:
        invocation.json(
            [{"name": entry.name, "file": entry.file, **entry.data} for entry in entries]
        )
        return
    rows = [(entry.name, entry.data["description"], entry.file) for entry in entries]
    invocation.out.table(rows, head=("ENTRY", "DESCRIPTION", "FILE"))
    invocation.note(
        "\nUse one: `extends: catalogue/NAME` in a service. `envctl catalogue show NAME`"
    )


@without_spec
def show(invocation: Invocation, name: Name, *, as_json: AsJson = False) -> None:
    """Show an entry: its parameters, and what it consists of.

    Examples:
        envctl catalogue show postgresql
        envctl catalogue show postgresql --json

    JSON: an object with `name`, `description`, `file`, `parameters` and `text`.
    """
    catalogues = _catalogues(invocation)
    entry = _entry(catalogues, name)
    text = _text(catalogues, name)
    if as_json:
        invocation.json({"name": name, "file": entry.file, **entry.data, "text": text})
        return
    from envctl.definition.entries import default_of

    rows = [
        (word, default_of(parameter), parameter["description"])
        for word, parameter in entry.data["parameters"].items()
    ]
    invocation.out.table(rows, head=("PARAMETER", "DEFAULT", "DESCRIPTION"))
    invocation.out.text(f"\n# {entry.file}\n{text}")


@without_spec
def eject(
    invocation: Invocation,
    name: Name,
    *,
    folder: Annotated[
        str | None,
        Option(
            ("--to",),
            "The folder of the project. Default: the first of `catalogues`, or catalogue/.",
        ),
    ] = None,
) -> None:
    """Copy an entry into the project, to change it there.

    The copy is used instead of envctl's if its folder is one of the spec's `catalogues`.

    Examples:
        envctl catalogue eject postgresql
        envctl catalogue eject postgresql --to services
    """
    from envctl.definition.entries import catalogues_of
    from envctl.definition.path_readers import project_path
    from envctl.definition.value_readers import InvalidValue
    from envctl.host.atomic_write import write_user_file
    from envctl.host.safe_read import real_path

    root = invocation.root
    catalogues = catalogues_of(root)
    text = _text(catalogues, name)
    try:
        target = project_path(folder or next(iter(catalogues.folders), _FOLDER))
    except InvalidValue as error:
        raise UsageError(f"--to: {error.message}", hint=error.hint) from None
    file = f"{target}/{name}.yaml"
    if (root / file).exists():
        raise EnvctlError(
            f"{file} already exists; nothing was written",
            hint="change it there, or remove it to copy the entry again",
        )
    for part in map(str, (*PurePosixPath(target).parents[::-1], target)):
        with suppress(FileNotFoundError):
            real_path(root, part)  # refuses paths that lead outside the project
    (root / target).mkdir(parents=True, exist_ok=True)
    write_user_file(root / file, text)
    invocation.out.line(invocation.out.safe(f"wrote {file}"))
    if target not in catalogues.folders:
        invocation.note(f"To use it, add `catalogues: [{target}]` to envctl.yaml.")


def _catalogues(invocation: Invocation) -> Catalogues:
    """The catalogues of the project here, or envctl's own if there is no project."""
    from envctl.definition import find_root
    from envctl.definition.entries import catalogues_of

    try:
        return catalogues_of(find_root(invocation.options.directory or Path()))
    except EnvctlError:
        return catalogues_of(None)


def _entry(catalogues: Catalogues, name: str) -> Entry:
    """A valid entry of the catalogue. UsageError if the name is unknown."""
    try:
        entry = catalogues.entry(name)
    except KeyError:
        raise _unknown(catalogues, name) from None
    if entry is None:
        raise SpecError(tuple(catalogues.problems.entries))
    return entry


def _text(catalogues: Catalogues, name: str) -> str:
    try:
        content = catalogues.text(name)
    except KeyError:
        raise _unknown(catalogues, name) from None
    if content is None:
        raise SpecError(tuple(catalogues.problems.entries))
    return content[1].decode("utf-8-sig", "replace")


def _unknown(catalogues: Catalogues, name: str) -> UsageError:
    from envctl.definition.problems import suggestion

    return UsageError(
        f"there is no entry {name!r} in the catalogue", hint=suggestion(name, catalogues.names())
    )
