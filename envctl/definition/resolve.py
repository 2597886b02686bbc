"""Files → one environment's resolved spec: load, merge, interpolate, extend, read, check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path

from envctl.definition import yaml_reader
from envctl.definition.checks.port_variables import check_port_variables
from envctl.definition.entries import Catalogues
from envctl.definition.env_files import EnvFiles
from envctl.definition.extends import extend_services
from envctl.definition.include import ONLY_IN_ROOT, with_included
from envctl.definition.input_files import InputFiles
from envctl.definition.interpolate import VAR_NAME, Interpolation
from envctl.definition.keys.build_source import StageData, StepData
from envctl.definition.keys.service import RUN_PATHS, ServiceData
from envctl.definition.keys.service_values import as_template
from envctl.definition.keys.spec_file import SpecData
from envctl.definition.memo import memoized
from envctl.definition.merge import merge, merge_maps, normalize
from envctl.definition.names import (
    ALLOWED,
    ROOT_FILE,
    environments,
    how_to_have,
    is_name,
    misnamed,
    overlay_file,
    with_files,
)
from envctl.definition.origins import Origins
from envctl.definition.problems import Problems, suggestion
from envctl.definition.read_spec import read_spec
from envctl.definition.resolved import Resolved
from envctl.definition.size import Size
from envctl.definition.stage_names import without_unknown
from envctl.definition.tree import MapNode, Node, NullNode, ScalarNode, describe, quoted, without
from envctl.definition.vars_files import with_vars_of_files
from envctl.errors import UsageError
from envctl.plan.secret_templates import secrets_of


def resolve(
    root: Path,
    environment: str,
    *,
    contents: Mapping[str, bytes | None],
    sets: Mapping[str, str],
    environ: Mapping[str, str],
    known: tuple[str, ...] | None = None,
    allow_missing_files: bool = False,
    valid_parts: bool = False,
) -> Resolved:
    """Resolve one environment from the contents of its files (None: missing or not readable).

    With `allow_missing_files` builds may lack files. With `valid_parts` no problem is an error: the result has what is
    valid by itself, and no references between services. Raises SpecError with all problems; UsageError for an unknown
    environment or a `sets` name that is not declared. `known` are the environments, by default all of the project.
    """
    problems = Problems()
    base = _parse(root, ROOT_FILE, contents, problems)
    overlay = _overlay(root, environment, base, contents, problems)
    if overlay is None and base is not None and overlay_file(environment) not in contents:
        known = environments(root) if known is None else known
        if environment not in known:
            raise unknown_environment(root, environment, known)
    if base is None:
        problems.stop()
        raise UsageError(f"there is no {ROOT_FILE}")
    _check_default(root, base, problems)
    files = InputFiles(root)
    base = with_included(base, files, problems)
    if overlay is not None:
        overlay = with_vars_of_files(overlay, files, problems)
    tree = _merge_overlay(base, overlay, problems)
    interpolation = _interpolation(tree, sets, environ, problems)
    tree = without(tree, "vars")
    uses_ports = interpolation.uses_ports(tree)
    tree = interpolation.node(tree)  # type: ignore[assignment]
    catalogues = Catalogues(root, tree.get("catalogues"), files=files, problems=problems)
    tree, orphans = _extend(tree, interpolation, files, catalogues, problems)
    if uses_ports:
        check_port_variables(tree, problems)
    data, origins = read_spec(
        root,
        tree,
        environment,
        interpolation.values,
        problems=problems,
        added=_added_services(base, overlay),
        orphans=orphans,
    )
    if valid_parts:
        data = _valid_parts(data)
    else:
        problems.stop(allow_missing_files=allow_missing_files)
    overlay_files = [overlay_file(environment)] if overlay_file(environment) in contents else []
    return Resolved(
        root=root,
        data=data,
        origins=Origins(lambda: origins),
        files=(ROOT_FILE, *overlay_files),
        run_paths=RUN_PATHS,
        inputs=files.digests,
        missing_files=tuple(problems.missing_files),
    )


def unknown_environment(root: Path, environment: str, known: tuple[str, ...]) -> UsageError:
    """Return the error for an environment that the project does not have, with what is closest to it."""
    hint = "" if misnamed(root, environment) else suggestion(environment, known)
    return UsageError(
        f"there is no environment {environment!r}", hint=hint or how_to_have(root, environment)
    )


def _parse(
    root: Path, file: str, contents: Mapping[str, bytes | None], problems: Problems
) -> MapNode | None:
    data = contents.get(file)
    if data is None:
        data = yaml_reader.read(root, file, problems)
    return yaml_reader.parse(data, file, problems) if data is not None else None


def _overlay(
    root: Path,
    environment: str,
    base: MapNode | None,
    contents: Mapping[str, bytes | None],
    problems: Problems,
) -> MapNode | None:
    """Return the environment's overlay: its file, or its entry in the base file."""
    inline = _inline_overlay(base, environment, problems) if base is not None else None
    file = overlay_file(environment)
    if file not in contents:
        return inline
    if inline is not None and base is not None:
        problems.add(
            base["environments"].positions[environment],  # type: ignore[union-attr]
            f"the environment {environment!r} is declared here and in {file}",
            expected="one of the two",
        )
    return _parse(root, file, contents, problems)


def _inline_overlay(base: MapNode, environment: str, problems: Problems) -> MapNode | None:
    """Return the environment's entry under `environments:`, if it has one."""
    inline = base.get("environments")
    if inline is None:
        return None
    if not isinstance(inline, MapNode):
        position = base.positions["environments"]
        problems.add(position, f"environments: expected a mapping, got {describe(inline)}")
        return None
    for name, node in inline.items():
        position = inline.positions[name]
        if not is_name(name):
            problems.add(
                position,
                f"environments: {quoted(name)} is not a valid name for an environment",
                expected=ALLOWED,
            )
        elif not isinstance(node, MapNode | NullNode):
            problems.add(position, f"environments.{name}: expected a mapping, got {describe(node)}")
    entry = inline.get(environment)
    if entry is None or isinstance(entry, MapNode):
        return entry
    return MapNode(inline.positions[environment])


def _check_default(root: Path, base: MapNode, problems: Problems) -> None:
    """Report a `default` that names no environment."""
    name, inline = base.get("default"), base.get("environments")
    if isinstance(name, ScalarNode) and "${" in name:
        problems.add(name.position, "default: variables are not allowed here")
    if not isinstance(name, ScalarNode) or not is_name(name):
        return
    names = {*with_files(root), *(inline if isinstance(inline, MapNode) else ())}
    if name not in names:
        problems.add(
            name.position,
            f"default: there is no environment {quoted(name)}",
            hint=suggestion(name, names),
        )


def _added_services(base: MapNode, overlay: MapNode | None) -> AbstractSet[str]:
    """Return the services that are in the overlay but not in the base file."""
    names: list[set[str]] = []
    for tree in (base, overlay):
        services = tree.get("services") if tree is not None else None
        names.append(set(services) if isinstance(services, MapNode) else set())
    return names[1] - names[0]


def _merge_overlay(base: MapNode, overlay: MapNode | None, problems: Problems) -> MapNode:
    result = _without_anchors(base)
    if overlay is None:
        return result
    for key in ONLY_IN_ROOT:
        if key in overlay and key not in result:
            problems.add(overlay.positions[key], f"{key} is only allowed in {ROOT_FILE}")
            overlay = without(overlay, key)
    return _without_anchors(merge_maps(result, overlay, problems=problems))


def _without_anchors(tree: MapNode) -> MapNode:
    """Return the top of the tree without `environments`, and without the `x-…` keys, which only hold anchors."""
    return without(tree, "environments", *[name for name in tree if name.startswith("x-")])


def _interpolation(
    tree: MapNode, sets: Mapping[str, str], environ: Mapping[str, str], problems: Problems
) -> Interpolation:
    variables = tree.get("vars", MapNode(tree.position))
    if not isinstance(variables, MapNode):
        if not isinstance(variables, NullNode) or not variables.replaced:
            problems.add(
                tree.positions["vars"], f"vars: expected a mapping, got {describe(variables)}"
            )
        variables = MapNode(tree.position)
    for name in variables:
        if not VAR_NAME.match(name) or len(name) > 64:
            problems.add(
                variables.positions[name],
                f"vars: {quoted(name)} is not a valid name for a variable",
                expected="lower-case letters, digits and _, no digit first",
            )
    declared = normalize(variables, path=("vars",), problems=problems)
    assert isinstance(declared, MapNode)  # normalizing keeps the kind
    project = tree.get("project")
    if isinstance(project, ScalarNode) and "${" in project:
        problems.add(project.position, "project: variables are not allowed here")
    return Interpolation(declared, sets=sets, environ=environ, problems=problems)


def _extend(
    tree: MapNode,
    interpolation: Interpolation,
    files: InputFiles,
    catalogues: Catalogues,
    problems: Problems,
) -> tuple[MapNode, AbstractSet[str]]:
    """Return the normalized tree with every `extends` and `env_file` carried out, and the services that extend what cannot be extended."""
    services = tree.get("services")
    size = Size(problems)
    orphans: AbstractSet[str] = frozenset()
    for key, node in tree.items():
        if key != "services":
            size.add(node, tree.positions[key], key)
    if isinstance(services, MapNode):
        # A missing key has been reported; what is below it would only cause further reports.
        tree = without(tree, "")
        extended, orphans = extend_services(services, catalogues, problems, size)
        env_files = EnvFiles(files, interpolation.values, problems=problems, size=size)
        extended = env_files.add_to(extended)
        tree["services"] = _with_options(extended, tree.get("options"), problems)
    result = normalize(tree, problems=problems)
    assert isinstance(result, MapNode)  # normalizing keeps the kind
    return result, orphans


def _with_options(services: MapNode, options: Node | None, problems: Problems) -> MapNode:
    """Return the services, each with the file's `options` under its own."""
    if not isinstance(options, MapNode) or not options:
        return services
    result = without(services)
    for name, node in services.items():
        if isinstance(node, MapNode):
            result[name] = memoized(
                node,
                "options",
                partial(_with_own_options, name, node, options, problems),
                other=options,
                problems=problems,
            )
    return result


def _with_own_options(name: str, node: MapNode, options: MapNode, problems: Problems) -> MapNode:
    own_options = node.get("options")
    path = ("services", name, "options")
    merged = merge(options, own_options, path=path, problems=problems) if own_options else options
    result = without(node)
    result.put("options", merged, node.positions.get("options", options.position))
    return result


def _valid_parts(data: SpecData) -> SpecData:
    """Return the parts of a spec with problems that can be planned, to find other mistakes."""
    services: dict[str, ServiceData] = {}
    for name, service in data["services"].items():
        if service["base"] or service["image"] or service["dockerfile"]:
            uses = [use for use in service["secrets"] if use["name"] in data["secrets"]]
            env = {
                variable: value
                for variable, value in service["env"].items()
                if isinstance(value, str) or {*secrets_of(as_template(value))} <= {*data["secrets"]}
            }
            stages: dict[str, StageData] = {
                stage: {**build, "build": _valid_steps(build["build"], data)}
                for stage, build in service["stages"].items()
            }
            services[name] = without_unknown(
                {
                    **service,
                    "depends_on": {},
                    "env": env,
                    "secrets": uses,
                    "build": _valid_steps(service["build"], data),
                    "stages": stages,
                }
            )
    return {**data, "project": data["project"] or "unknown", "services": services}


def _valid_steps(steps: Sequence[StepData], data: SpecData) -> list[StepData]:
    return [_valid_step(step, data) for step in steps]


def _valid_step(step: StepData, data: SpecData) -> StepData:
    if step["step"] != "run":
        return step
    return {**step, "secrets": [name for name in step["secrets"] if name in data["secrets"]]}
