"""Files → one environment's resolved spec: load, merge, interpolate, extend, validate, check."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path

from envctl.definition import reader
from envctl.definition.check import SOURCES, Checker
from envctl.definition.habits import HelpfulReading
from envctl.definition.interpolate import PREFIX, VAR_NAME, Interpolation
from envctl.definition.key import Cursor, raw
from envctl.definition.keys.build_source import CanonicalBase, CanonicalStep
from envctl.definition.keys.service import SERVICE, CanonicalService
from envctl.definition.keys.spec_file import SPEC, CanonicalSpec
from envctl.definition.merge import merge, settled
from envctl.definition.names import (
    ALLOWED,
    ROOT_FILE,
    how_to_have,
    is_name,
    misnamed,
    overlay_file,
    with_files,
)
from envctl.definition.origins import Origins, Parts, Raw
from envctl.definition.problems import Problems, near
from envctl.definition.remember import remembered
from envctl.definition.resolved import Resolved
from envctl.definition.size import Size
from envctl.definition.tree import Node, Null, Spot, Table, Text, copied, listed, shown, what
from envctl.definition.value_origin import KeyPath
from envctl.errors import UsageError
from envctl.lazy_dataclass import dataclass


def resolve(
    root: Path,
    environment: str,
    *,
    contents: Mapping[str, bytes | None],
    sets: Mapping[str, str],
    environ: Mapping[str, str],
    known: tuple[str, ...],
    without_files: bool = False,
    sound_parts: bool = False,
) -> Resolved:
    """Resolve one environment from the contents of its files (None: not there or not readable).

    With `without_files` it is no problem that builds lack files. With `sound_parts` nothing is: the result has what is
    valid by itself, and no references between services. Raises SpecError with all problems; UsageError for an unknown
    environment or a `sets` name that is not declared.
    """
    problems = Problems()
    files = [ROOT_FILE]
    base = _tree(root, ROOT_FILE, contents, problems)
    inline = _inline(base, environment, problems)
    overlay: Table | None = None
    file = overlay_file(environment)
    if file in contents:
        files.append(file)
        overlay = _tree(root, file, contents, problems)
        if inline is not None and base is not None:
            problems.add(
                base["environments"].spots[environment],  # type: ignore[union-attr]
                f"the environment {environment!r} stands here and in {file}",
                expected="one of the two",
            )
    elif inline is not None:
        overlay = inline
    elif base is not None and environment not in known:
        names = (
            how_to_have(root, environment)
            if misnamed(root, environment)
            else near(environment, known) or how_to_have(root, environment)
        )
        raise UsageError(f"there is no environment {environment!r}", hint=names)
    if base is None:
        problems.stop()
        raise UsageError(f"there is no {ROOT_FILE}")
    _check_default(root, base, problems)
    tree = _merged(base, overlay, problems)
    interpolation = _interpolation(tree, sets, environ, problems)
    tree = interpolation.node(_without(tree, "vars"))  # type: ignore[assignment]
    tree, orphans = _extended(tree, problems)
    data, origins = _data(
        root,
        tree,
        environment,
        interpolation,
        problems=problems,
        added=_added(base, overlay),
        orphans=orphans,
    )
    if sound_parts:
        data = _sound(data)
    else:
        problems.stop(without_files=without_files)
    return Resolved(
        root=root,
        data=data,
        origins=Origins(lambda: origins),
        files=tuple(files),
        lacking=tuple(problems.lacking),
    )


def _tree(
    root: Path, file: str, contents: Mapping[str, bytes | None], problems: Problems
) -> Table | None:
    data = contents.get(file)
    if data is None:
        data = reader.read(root, file, problems)
    return reader.parse(data, file, problems) if data is not None else None


def _sound(data: CanonicalSpec) -> CanonicalSpec:
    """What of a spec with problems can be planned, to see what else is wrong with it."""
    services: dict[str, CanonicalService] = {}
    for name, service in data["services"].items():
        if service["base"] or service["image"] or service["dockerfile"]:
            uses = [use for use in service["secrets"] if use["name"] in data["secrets"]]
            steps = [_sound_step(step, data) for step in service["build"]]
            services[name] = {**service, "depends_on": {}, "secrets": uses, "build": steps}
    return {**data, "project": data["project"] or "unknown", "services": services}


def _sound_step(step: CanonicalStep, data: CanonicalSpec) -> CanonicalStep:
    if step["step"] != "run":
        return step
    return {**step, "secrets": [name for name in step["secrets"] if name in data["secrets"]]}


def _added(base: Table, overlay: Table | None) -> AbstractSet[str]:
    """The services that an overlay has and the base file has not."""
    services = [one.get("services") if one is not None else None for one in (base, overlay)]
    known, own = (set(one) if isinstance(one, Table) else set() for one in services)
    return own - known


def _inline(base: Table | None, environment: str, problems: Problems) -> Table | None:
    """The environment's entry under `environments:`, if it has one."""
    given = base.get("environments") if base is not None else None
    if given is None or base is None:
        return None
    if not isinstance(given, Table):
        spot = base.spots["environments"]
        problems.add(spot, f"environments: expected a mapping, got {what(given)}")
        return None
    for name, node in given.items():
        if not is_name(name):
            problems.add(
                given.spots[name],
                f"environments: {shown(name)} is no name for an environment",
                expected=ALLOWED,
            )
        elif not isinstance(node, Table | Null):
            problems.add(
                given.spots[name], f"environments.{name}: expected a mapping, got {what(node)}"
            )
    entry = given.get(environment)
    if entry is None or isinstance(entry, Table):
        return entry
    return Table(given.spots[environment])


def _check_default(root: Path, base: Table, problems: Problems) -> None:
    """Report a `default` that names no environment."""
    name, inline = base.get("default"), base.get("environments")
    if isinstance(name, Text) and "${" in name:
        problems.add(name.spot, "default: variables do not work here")
    if not isinstance(name, Text) or not is_name(name):
        return
    names = {*with_files(root), *(inline if isinstance(inline, Table) else ())}
    if name not in names:
        problems.add(
            name.spot, f"default: there is no environment {shown(name)}", hint=near(name, names)
        )


def _merged(base: Table, overlay: Table | None, problems: Problems) -> Table:
    result = _without(base, "environments")
    if overlay is None:
        return result
    for key in ("project", "environments", "default"):
        if key in overlay and key not in result:
            problems.add(overlay.spots[key], f"{key} stands in {ROOT_FILE} only")
            overlay = _without(overlay, key)
    merged = merge(result, overlay, problems=problems)
    assert isinstance(merged, Table)  # two mappings make one
    return _without(merged, "environments")


def _without(tree: Table, key: str) -> Table:
    """The top of the tree without a key, and without the `x-…` keys kept for anchors."""
    result = copied(tree, tree.replaced)
    assert isinstance(result, Table)
    for name in [name for name in result if name == key or name.startswith("x-")]:
        del result[name]
        del result.spots[name]
    return result


def _interpolation(
    tree: Table, sets: Mapping[str, str], environ: Mapping[str, str], problems: Problems
) -> Interpolation:
    given = tree.get("vars", Table(tree.spot))
    if not isinstance(given, Table):
        if not isinstance(given, Null) or not given.replaced:
            problems.add(tree.spots["vars"], f"vars: expected a mapping, got {what(given)}")
        given = Table(tree.spot)
    for name in given:
        if not VAR_NAME.match(name) or len(name) > 64:
            problems.add(
                given.spots[name],
                f"vars: {shown(name)} is no name for a variable",
                expected="small letters, digits and _, no digit first",
            )
    declared = settled(given, path=("vars",), problems=problems)
    assert isinstance(declared, Table)  # settling keeps the kind
    if isinstance(tree.get("project"), Text) and "${" in str(tree["project"]):
        problems.add(tree["project"].spot, "project: variables do not work here")
        tree = _without(tree, "project")
    relevant = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    return Interpolation(declared, sets=sets, environ=relevant, problems=problems)


def _extended(tree: Table, problems: Problems) -> tuple[Table, AbstractSet[str]]:
    """The tree with every `extends` carried out, and settled; and the services for which that was not possible."""
    services = tree.get("services")
    size = Size(problems)
    orphans: AbstractSet[str] = frozenset()
    for key, node in tree.items():
        if key != "services":
            size.add(node, tree.spots[key], key)
    if isinstance(services, Table):
        tree = _without(tree, "")
        extension = _Extension(services, problems, size)
        tree["services"] = _with_options(extension.all(), tree.get("options"), problems)
        orphans = extension.orphans
    result = settled(tree, problems=problems)
    assert isinstance(result, Table)  # settling keeps the kind
    return result, orphans


def _with_options(services: Table, options: Node | None, problems: Problems) -> Table:
    """The services, each with the file's own `options` under its own."""
    if not isinstance(options, Table) or not options:
        return services
    result = copied(services, services.replaced)
    assert isinstance(result, Table)  # a copy keeps the kind
    for name, node in services.items():
        if isinstance(node, Table):
            result[name] = remembered(
                node,
                "options",
                partial(_with_own_options, name, node, options, problems),
                beside=options,
                problems=problems,
            )
    return result


def _with_own_options(name: str, node: Table, options: Table, problems: Problems) -> Table:
    own, spot = node.get("options"), node.spots.get("options", options.spot)
    path = ("services", name, "options")
    merged = merge(options, own, path=path, problems=problems) if own else options
    result = _without(node, "")
    result.put("options", merged, spot)
    return result


class _Extension:
    """Carries out `extends`, each service after the one it extends."""

    def __init__(self, services: Table, problems: Problems, size: Size) -> None:
        self.services = services
        self.problems = problems
        self.size = size
        self.done: dict[str, Table] = {}
        self.counted: set[str] = set()
        self.orphans: set[str] = set()
        """Services that extend something that cannot be extended, directly or not."""

    def all(self) -> Table:
        """All services."""
        result = copied(self.services, self.services.replaced)
        assert isinstance(result, Table)
        for name, node in self.services.items():
            if isinstance(node, Table) and "extends" in node:
                result[name] = self._one(name)
            else:
                self._count(name, node)
        return result

    def _count(self, name: str, node: Node) -> None:
        if name not in self.counted:
            self.counted.add(name)
            self.size.add(node, self.services.spots[name], f"services.{name}")

    def _one(self, name: str) -> Table:
        """A service with what it inherits; walks up first, so no chain is too long."""
        chain: dict[str, None] = {}
        while name not in self.done:
            node = self.services.get(name)
            assert isinstance(node, Table)  # `_parent` names no others
            chain[name] = None
            parent = self._parent(name, node, chain)
            if parent is None:
                self.done[name] = remembered(node, "alone", partial(_without, node, "extends"))
                self._count(name, node)
                if not isinstance(node.get("extends"), Null | None):
                    self.orphans.add(name)
                del chain[name]
                break
            name = parent
        result = self.done[name]
        if name in self.orphans:
            self.orphans.update(chain)
        for child in reversed(chain):
            own = self.services[child]
            assert isinstance(own, Table)  # it is in the chain
            result = self.done[child] = remembered(
                own,
                "extended",
                partial(self._merged, child, own, result),
                beside=result,
                problems=self.problems,
            )
            self._count(child, result)
        return result

    def _merged(self, name: str, own: Table, parent: Table) -> Table:
        """What a service makes of the one that it extends."""
        path = ("services", name)
        merged = merge(parent, _without(own, "extends"), path=path, problems=self.problems)
        assert isinstance(merged, Table)  # two mappings make one
        merged.spot = own.spot
        return merged

    def _parent(self, name: str, node: Table, chain: Mapping[str, None]) -> str | None:
        given = node.get("extends")
        if given is None or isinstance(given, Null):
            return None
        if not isinstance(given, Text):
            self._problem(
                node.spots["extends"],
                f"services.{name}.extends: expected a service's name, got {what(given)}",
            )
            return None
        target = self.services.get(given)
        if target is None:
            others = [other for other in self.services if other != name]
            self._problem(
                given.spot,
                f"services.{name} extends {shown(given)}, which is no service",
                hint=near(given, others),
            )
            return None
        if given in chain:
            names = list(chain)
            circle = [*names[names.index(given) :], str(given)]
            places = listed([self._place(one) for one in circle[:-1]], ", ")
            self._problem(
                given.spot,
                f"services extend each other in a circle: {listed(circle, ' → ')}",
                hint=f"see {places}",
            )
            return None
        return str(given) if isinstance(target, Table) else None

    def _place(self, name: str) -> str:
        node = self.services[name]
        spot = node["extends"].spot if isinstance(node, Table) else node.spot
        return ":".join(map(str, spot))

    def _problem(self, spot: Spot, message: str, *, hint: str = "") -> None:
        self.problems.add(spot, message, hint=hint)


def _data(
    root: Path,
    tree: Table,
    environment: str,
    interpolation: Interpolation,
    *,
    problems: Problems,
    added: AbstractSet[str],
    orphans: AbstractSet[str],
) -> tuple[CanonicalSpec, Parts]:
    """The data and where it comes from, complete if no problem has been found.

    `added` are services of the overlay alone, `orphans` those that extend what cannot be extended.
    """
    services = _services(tree, problems)
    reading = HelpfulReading(problems)
    head, _ = SPEC.read_parts(_without(tree, "services"), Cursor(reading, "", tree.spot))
    variables = interpolation.values
    head["environment"] = environment
    head["project"] = head["project"] or ""
    head["vars"] = {name: str(value) for name, value in variables.items()}
    head["services"] = {}
    data: CanonicalSpec = head  # type: ignore[assignment]
    for name, value in variables.items():
        reading.origins["vars", name] = raw(value, value.spot)
    origins: Parts = {"": reading.origins}
    base = reading.beside.get("base")
    default = (base, (tree.spots["base"], tree["base"].replaced, "")) if base else None
    wrong: dict[str, frozenset[str]] = {}
    for name, node in services.items():
        service = _service(name, node, services.spots[name], problems)
        if service is not None:
            place = raw(node, services.spots[name])
            data["services"][name], origins[name] = _completed(node, service, place, default)  # type: ignore[arg-type]
            wrong[name] = service.wrong | ({"extends"} if name in orphans else set())
    _require_sources(tree, problems)
    Checker(root, tree, data, problems, origins=origins, wrong=wrong, added=added).run()
    return data, origins


def _services(tree: Table, problems: Problems) -> Table:
    """The services as they are written, none if there are none to be found."""
    services = tree.get("services")
    if isinstance(services, Table) and services:
        return services
    problems.add(
        tree.spots.get("services", tree.spot),
        f"services: expected a mapping, got {what(services)}"
        if services
        else "there are no services",
        expected="services: {web: {…}}",
    )
    return Table(tree.spot)


@dataclass(frozen=True, slots=True)
class ServiceRead:
    """A service as far as it is valid: what is not has been reported."""

    data: CanonicalService
    origins: Mapping[KeyPath, Raw]
    wrong: frozenset[str]
    """The keys with something wrong in them: nobody knows what they say."""


def _service(name: str, node: Node, spot: Spot, problems: Problems) -> ServiceRead | None:
    if not is_name(name):
        # That a name is missing has been told.
        if name:
            problems.add(
                spot,
                f"services: {shown(name)} is no name for a service",
                expected=ALLOWED,
            )
        return None
    if not isinstance(node, Table):
        at = node.spot if isinstance(node, Text) else spot
        problems.add(at, f"services.{name}: expected a mapping, got {what(node)}")
        return None

    def read() -> ServiceRead:
        reading = HelpfulReading(problems)
        data, _ = SERVICE.read_parts(node, Cursor(reading, f"services.{name}", spot))
        return ServiceRead(data, reading.origins, frozenset(reading.wrong))  # type: ignore[arg-type]

    return remembered(node, "read", read, problems=problems)


def _completed(
    node: Table, service: ServiceRead, place: Raw, default: tuple[CanonicalBase, Raw] | None
) -> tuple[CanonicalService, dict[KeyPath, Raw]]:
    """A service's data and origins, with the file's base where it is made from nothing else."""
    needs_base = default and not any(service.data[key] for key in SOURCES)  # type: ignore[literal-required]

    def made() -> tuple[CanonicalService, dict[KeyPath, Raw]]:
        places = {(): place, **service.origins}
        if default is None or not needs_base:
            return service.data, places
        return {**service.data, "base": default[0]}, {**places, ("base",): default[1]}

    key = ("completed", place, default and (*default[0].values(), default[1]))
    data, origins = remembered(node, key, made)
    if data["depends_on"]:
        # The conditions that are left open are decided for each environment.
        data = {**data, "depends_on": dict(data["depends_on"])}
    return data, origins


def _require_sources(tree: Table, problems: Problems) -> None:
    secrets = tree.get("secrets")
    for name, node in secrets.items() if isinstance(secrets, Table) else ():
        if isinstance(node, Table) and not node:
            problems.add(
                secrets.spots[name],  # type: ignore[union-attr]
                f"secrets.{name} has no source",
                expected="one or more of env, file, command, generate",
            )
