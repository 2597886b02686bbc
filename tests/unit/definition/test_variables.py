"""`${name}`: what is replaced, by whose value, and what is said if it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.definition.interpolate import Interpolation, escape
from envctl.definition.problems import Problems
from envctl.definition.tree import ListExtension, MapNode, ScalarNode
from envctl.errors import SpecError, UsageError
from tests.unit.definition.helpers import HEAD, load, problems

SPEC = HEAD + (
    "vars: {level: base}\nservices: {web: {command: [serve], env: {L: '<${level}>', M: '$$x $y'}}}\n"
)


def level(root: Path, overlay: str = "", **options: dict[str, str]) -> str:
    """The value of the variable after all who set it had their say."""
    resolved = load(root, SPEC, dev=overlay, **options)  # type: ignore[arg-type]
    return str(resolved.data["services"]["web"]["env"]["L"])


def test_each_way_to_set_a_variable_goes_before_the_next(tmp_path: Path) -> None:
    overlay = "vars: {level: overlay}\n"
    environ = {"ENVCTL_VAR_level": "process"}
    assert level(tmp_path) == "<base>"
    assert level(tmp_path, overlay) == "<overlay>"
    assert level(tmp_path, overlay, environ=environ) == "<process>"
    assert level(tmp_path, overlay, environ=environ, sets={"level": "line"}) == "<line>"


@pytest.mark.parametrize("port", ['"${port}:2"', '{host: "${port}", container: 2}'])
def test_a_port_that_another_service_has_is_reported_with_the_variable_that_made_it_so(
    tmp_path: Path, port: str
) -> None:
    text = HEAD + "vars: {port: 81}\nservices:\n  a: {command: [x], ports: ['80:1']}\n"
    text += f"  b: {{command: [x], ports: [{port}]}}\n"
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, environ={"ENVCTL_VAR_port": "80"})
    (problem,) = caught.value.problems
    assert problem.message == "services.b: the host's port 80 is already used by services.a"
    assert problem.hint == "see envctl.yaml:5:29; port is '80', from ENVCTL_VAR_port"


def test_two_dollars_are_one_and_a_lone_one_is_itself(tmp_path: Path) -> None:
    assert load(tmp_path, SPEC).data["services"]["web"]["env"]["M"] == "$x $y"


def test_the_process_environment_does_not_leak_in(tmp_path: Path) -> None:
    text = SPEC.replace("${level}", "${home}")
    environ = {"home": "leak", "HOME": "leak", "level": "leak", "ENVCTL_level": "leak"}
    with pytest.raises(SpecError, match="the variable 'home' is not declared"):
        load(tmp_path, text, environ=environ)
    assert level(tmp_path, environ=environ) == "<base>"


def test_a_variable_of_the_process_that_is_not_declared_is_ignored(tmp_path: Path) -> None:
    assert "other" not in load(tmp_path, SPEC, environ={"ENVCTL_VAR_other": "x"}).data["vars"]


def test_setting_a_variable_that_is_not_declared_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, SPEC, sets={"levl": "x"})
    assert caught.value.hint == "did you mean 'level'?"


def test_a_variable_that_is_not_declared_is_reported_with_the_nearest(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SPEC.replace("${level}", "${levle}"))
    assert str(found).splitlines()[0] == "envctl.yaml:4:45: the variable 'levle' is not declared"
    assert found.hint == "did you mean 'level'?"


@pytest.mark.parametrize("value", ["a\0b", "\udcff"])
def test_a_value_that_no_file_could_hold_is_wrong_usage(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="level"):
        load(tmp_path, SPEC, sets={"level": value})


def test_a_value_is_data_and_not_looked_into_again(tmp_path: Path) -> None:
    assert level(tmp_path, sets={"level": "${level} $$"}) == "<${level} $$>"


def test_variables_may_be_made_of_others_in_any_order(tmp_path: Path) -> None:
    text = HEAD + (
        "vars: {url: 'http://${host}:${port}', host: '${name}.example', port: 80, name: a}\n"
        "services: {web: {command: ['${url}']}}\n"
    )
    assert load(tmp_path, text).data["services"]["web"]["command"] == ["http://a.example:80"]


def test_a_number_from_a_variable_is_checked_as_a_number(tmp_path: Path) -> None:
    text = SPEC.replace("env:", "ports: ['${level}:80'], env:")
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, sets={"level": "eighty"})
    assert "level is 'eighty', from --set" in str(caught.value)


def test_a_boolean_from_the_command_line_is_a_text_where_a_text_stands(tmp_path: Path) -> None:
    text = SPEC.replace("env: {L: '<${level}>', M: '$$x $y'}", "workdir: '/a/${level}'")
    resolved = load(tmp_path, text, sets={"level": "true"})
    assert resolved.data["services"]["web"]["workdir"] == "/a/true"
    assert level(tmp_path, sets={"level": "true"}) == "<true>"


def test_the_project_cannot_be_called_by_a_variable(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SPEC.replace("project: shop", "project: '${level}'"))
    assert str(found.where) == "envctl.yaml:1:10"
    assert "variables are not allowed here" in found.message


def test_variables_do_not_work_in_keys(tmp_path: Path) -> None:
    found = problems(tmp_path, SPEC.replace("M:", "'${level}':"))
    assert "envctl.yaml:4:59" in {str(one.where) for one in found}
    assert "variables are not allowed in keys: '${level}'" in found[0].message


def test_a_long_chain_of_variables_is_no_problem(tmp_path: Path) -> None:
    chain = ", ".join(f"a{n}: '${{a{n + 1}}}'" for n in range(3000))
    text = HEAD + f"vars: {{{chain}, a3000: end}}\nservices: {{web: {{command: ['${{a0}}']}}}}\n"
    assert load(tmp_path, text).data["services"]["web"]["command"] == ["end"]


@pytest.mark.parametrize(
    ("variables", "circle"),
    [
        ("{a: '${a}'}", "a → a"),
        ("{a: '${b}', b: '${c}', c: '${b}'}", "b → c → b"),
    ],
)
def test_a_circle_is_reported_once_whatever_leads_into_it(
    tmp_path: Path, variables: str, circle: str
) -> None:
    found = problems(tmp_path, HEAD + f"vars: {variables}\nservices: {{web: {{command: [a]}}}}\n")
    assert [one.message for one in found] == [
        f"variables refer to each other in a circle: {circle}"
    ]


def test_a_circle_that_the_command_line_breaks_is_none(tmp_path: Path) -> None:
    text = HEAD + "vars: {a: '${b}', b: '${a}'}\nservices: {web: {command: ['${a}']}}\n"
    data = load(tmp_path, text, sets={"b": "x"}).data
    assert data["services"]["web"]["command"] == ["x"]


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20))
def test_what_is_escaped_comes_out_as_it_was(text: str) -> None:
    declared = MapNode(("vars", 1, 1))
    interpolation = Interpolation(declared, sets={}, environ={}, problems=Problems())
    node = interpolation.node(ScalarNode(escape(text), ("file", 1, 1)))
    assert node == text
    assert not interpolation.problems.entries


def test_setting_a_variable_where_none_is_declared_says_where_to_declare_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(
            tmp_path,
            SPEC.replace("vars: {level: base}", "vars: {}").replace("${level}", ""),
            sets={"level": "x"},
        )
    assert caught.value.hint == "declare it under vars"


@pytest.mark.parametrize("template", ["['${level}']", "{a: '${level}'}"])
def test_a_template_that_is_no_text_is_a_mistake(tmp_path: Path, template: str) -> None:
    found = problems(tmp_path, SPEC.replace("'<${level}>'", f"{{template: {template}}}"))
    assert [one.message.partition(":")[0] for one in found] == ["services.web.env.L.template"]


def test_an_added_element_may_be_a_variable(tmp_path: Path) -> None:
    text = HEAD + "vars: {more: git}\nservices: {web: {command: [x], packages: [curl]}}\n"
    overlay = "services: {web: {packages: !append ['${more}']}}\n"
    packages = load(tmp_path, text, dev=overlay).data["services"]["web"]["packages"]
    assert packages == ["curl", "git"]


@pytest.mark.parametrize(("services", "fits"), [(1, True), (2, True), (3, False)])
def test_the_bound_is_of_what_variables_add_to_all_services(
    tmp_path: Path, services: int, fits: bool
) -> None:
    text = HEAD + f"vars: {{big: {'x' * 750_000}}}\nservices:\n"
    uses = ", ".join(f"V{number}: '${{big}}'" for number in range(5))
    for number in range(services):
        text += f"  w{number}: {{command: [x], env: {{{uses}}}}}\n"
    assert [one.message for one in problems(tmp_path, text)] == (
        [] if fits else ["variables make the spec longer than 8,388,608 characters"]
    )


def test_an_added_element_may_be_a_variable_where_nothing_else_is_merged() -> None:
    at = ("envctl.yaml", 1, 1)
    declared = MapNode(at)
    declared.put("more", ScalarNode("git", at), at)
    filled = Interpolation(declared, sets={}, environ={}, problems=Problems())
    one = ListExtension(at, [ScalarNode("${more}", at)], [ScalarNode("$$", at)])
    new = filled.node(one)
    assert isinstance(new, ListExtension)
    assert (new.before, new.after) == (["git"], ["$"])
