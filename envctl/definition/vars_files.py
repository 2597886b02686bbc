"""`vars_file`: what files set becomes part of `vars` of the same file of the spec, which wins over them."""

from __future__ import annotations

from typing import Final

from envctl.definition import dotenv
from envctl.definition.input_files import InputFiles
from envctl.definition.interpolate import VAR_NAME, escape
from envctl.definition.keys.spec_file import OVERLAY
from envctl.definition.merge import merge_maps
from envctl.definition.named_files import NamedFiles
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, NullNode, ScalarNode, quoted, without

_KEY: Final = "vars_file"


def with_vars_of_files(tree: MapNode, files: InputFiles, problems: Problems) -> MapNode:
    """Return the tree of `envctl.yaml` or an overlay, with the variables of its files in `vars` and without `vars_file`."""
    if isinstance(tree.get(_KEY), NullNode | None):
        return tree  # an empty key is reported with the others of its kind
    result = without(tree, _KEY)
    own_vars = tree.get("vars")
    if not isinstance(own_vars, MapNode | None):
        return result  # reported when variables are evaluated
    variables = _variables(tree, files, problems)
    if own_vars is not None:
        variables = merge_maps(variables, own_vars, path=("vars",), problems=problems)
    result.put("vars", variables, tree.positions.get("vars", tree.positions[_KEY]))
    return result


def _variables(tree: MapNode, files: InputFiles, problems: Problems) -> MapNode:
    """Return the variables that all files set, by name. The last file wins."""
    variables = MapNode(tree.positions[_KEY])
    before: dict[str, str] = {}
    named = NamedFiles(_KEY, OVERLAY.fields[_KEY].key, files, problems)
    for path, text in named.texts(tree):
        table = dotenv.parse(text, path, known=before.get, problems=problems)
        before |= {name: str(value) for name, value in table.items()}
        renamed = _as_variables(table, problems)
        variables = merge_maps(variables, renamed, path=("vars",), problems=problems)
    return variables


def _as_variables(table: MapNode, problems: Problems) -> MapNode:
    """Return the variables of one file under their names in a spec, in lower case. A `$` in a value means nothing more."""
    result = MapNode(table.position)
    written: dict[str, str] = {}
    for name, value in table.items():
        position, variable = table.positions[name], name.lower()
        if not VAR_NAME.match(variable):
            problems.add(
                position,
                f"{_KEY}: {quoted(name)} cannot be a variable of a spec",
                expected="letters, digits and _, no digit first",
            )
        elif written.setdefault(variable, name) != name:
            problems.add(
                position,
                f"{_KEY}: {written[variable]} and {name} are one variable, {variable}",
                hint="names of variables are in lower case: remove one",
            )
        elif isinstance(value, ScalarNode):
            literal = ScalarNode(escape(value), value.position)
            literal.replaced = value.replaced
            result.put(variable, literal, position)
    return result
