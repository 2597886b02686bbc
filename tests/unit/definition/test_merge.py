"""How an overlay changes the base file: every rule of the table, and what holds for any values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl import definition
from envctl.definition.merge import RULES, Strategy, merge, normalize, rule_at
from envctl.definition.problems import Problems
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
)
from envctl.errors import SpecError
from tests.unit.definition.helpers import HEAD, load, problems

# --- trees written as data ------------------------------------------------------------------


class Append(list[Any]):
    """A list written with !append."""


class Prepend(list[Any]):
    """A list written with !prepend."""


def tree(data: Any, file: str = "base", line: int = 1) -> Node:
    """The located tree of some data; each item of a mapping stands in a line of its own."""
    spot: Position = (file, line, 1)
    if data is None:
        return NullNode(spot)
    if isinstance(data, dict):
        table = MapNode(spot)
        for number, (key, value) in enumerate(data.items(), line):
            table.put(key, tree(value, file, number), (file, number, 1))
        return table
    if isinstance(data, list):
        nodes = [tree(item, file, line) for item in data]
        if isinstance(data, Append):
            return ListExtension(spot, [], nodes)
        return (
            ListExtension(spot, nodes, []) if isinstance(data, Prepend) else ListNode(spot, nodes)
        )
    return ScalarNode(str(data), spot)


def plain(node: Node) -> Any:
    """A settled tree as data."""
    if isinstance(node, MapNode):
        return {key: plain(item) for key, item in node.items()}
    return [plain(item) for item in node] if isinstance(node, ListNode) else str(node)


def merged(*layers: Any, path: tuple[str, ...] = ()) -> Any:
    """The layers merged from left to right and settled, as data; problems are ignored."""
    found = Problems()
    nodes = [tree(layer, f"layer{number}") for number, layer in enumerate(layers)]
    result = nodes[0]
    for node in nodes[1:]:
        result = merge(result, node, path=path, problems=found)
    return plain(normalize(result, path=path, problems=found))


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"a": "1", "b": "2"}, {"b": "3", "c": "4"}, {"a": "1", "b": "3", "c": "4"}),
        ({"a": {"x": "1"}}, {"a": {"y": "2"}}, {"a": {"x": "1", "y": "2"}}),
        ({"a": ["1", "2"]}, {"a": ["3"]}, {"a": ["3"]}),
        ({"a": ["1"]}, {"a": Append(["2"])}, {"a": ["1", "2"]}),
        ({"a": ["1"]}, {"a": Prepend(["2"])}, {"a": ["2", "1"]}),
        ({}, {"a": Append(["2"])}, {"a": ["2"]}),
        ({"a": None}, {"a": Append(["2"])}, {"a": ["2"]}),
        ({"a": "1", "b": "2"}, {"a": None}, {"b": "2"}),
        ({"a": {"x": "1"}, "b": "2"}, {"a": None}, {"b": "2"}),
        ({"a": {"x": "1"}}, {"a": "1"}, {"a": "1"}),
        ({"a": "1"}, {"a": {"x": "1"}}, {"a": {"x": "1"}}),
        ({"a": ["1"]}, {"a": {"x": "1"}}, {"a": {"x": "1"}}),
        ({"a": Append(["1"])}, {"a": Prepend(["2"])}, {"a": ["2", "1"]}),
    ],
)
def test_the_defaults_hold_wherever_no_rule_says_else(base: Any, over: Any, expected: Any) -> None:
    assert merged(base, over) == expected


def test_a_removed_mapping_that_is_set_again_begins_again() -> None:
    assert merged({"a": {"x": "1"}}, {"a": None}, {"a": {"y": "2"}}) == {"a": {"y": "2"}}


@pytest.mark.parametrize("path", [("base",), ("services", "web", "base")])
def test_a_base_is_replaced_whole(path: tuple[str, ...]) -> None:
    old, new = {"image": "a", "box": "b"}, {"image": "c"}
    assert merged(old, new, path=path) == new


def test_one_way_to_make_a_service_drops_the_others_and_keeps_the_rest() -> None:
    old = {"base": "debian:bookworm", "command": "x"}
    assert merged(old, {"image": "redis"}, path=("services", "web")) == {
        "command": "x",
        "image": "redis",
    }


def test_one_kind_of_probe_drops_the_others_and_keeps_the_timing() -> None:
    old = {"http": "http://a", "interval": "5s"}
    assert merged(old, {"tcp": "80"}, path=("services", "web", "healthcheck")) == {
        "interval": "5s",
        "tcp": "80",
    }


def test_a_choice_taken_back_leaves_what_the_base_chose() -> None:
    old = {"http": "http://a"}
    assert merged(old, {"tcp": None}, path=("services", "web", "healthcheck")) == old


@pytest.mark.parametrize("path", ["project", "environments"])
def test_what_is_one_for_all_environments_cannot_be_changed(path: str) -> None:
    found = Problems()
    merge(tree("a"), tree("b"), path=(path,), problems=found)
    assert "cannot be changed" in found.entries[0].message


def test_each_rule_of_the_table_is_found_at_its_path() -> None:
    for rule in RULES:
        path = tuple(rule.path.replace("*", "web").split("."))
        assert rule_at(path) is rule
    assert rule_at(("services", "web", "env")) is None
    assert {rule.strategy for rule in RULES} == {Strategy.FIXED, Strategy.REPLACE, Strategy.CHOICE}


@pytest.mark.parametrize("base", ["text", {"a": "1"}])
def test_only_a_list_can_be_extended(base: Any) -> None:
    found = Problems()
    merge(tree(base), tree(Append(["a"])), path=("x",), problems=found)
    assert "only a list can be extended" in found.entries[0].message


def test_a_way_that_was_dropped_and_is_taken_again_begins_again_whichever_two_are_merged_first() -> (
    None
):
    low = {"dockerfile": {"path": "a", "target": "t"}, "command": "x"}
    layers = (low, {"image": "redis"}, {"dockerfile": {"path": "b"}})
    expected = {"command": "x", "dockerfile": {"path": "b"}}
    path = ("services", "web")
    assert merged(*layers, path=path) == expected

    found = Problems()
    one, two, three = (tree(layer) for layer in layers)
    upper = merge(two, three, path=path, problems=found)
    assert (
        plain(normalize(merge(one, upper, path=path, problems=found), problems=found)) == expected
    )
    assert found.entries == []


def test_what_takes_anothers_place_remembers_it_and_what_is_added_beside_it_does_not() -> None:
    base, over = tree({"image": "a", "tty": "1"}), tree({"dockerfile": "D", "init": "2"}, "over")
    result = merge(base, over, path=("services", "web"), problems=Problems())
    assert isinstance(result, MapNode)
    assert result["dockerfile"].replaced == ((("base", 1, 1), "a"),)
    assert result["init"].replaced == result["tty"].replaced == ()
    assert "image" not in result
    assert "image" not in result.positions


def test_services_may_be_called_as_the_ways_to_make_one() -> None:
    base, over = {"services": {"image": {"command": "x"}}}, {"services": {"base": {"image": "y"}}}
    assert merged(base, over) == {"services": {"image": {"command": "x"}, "base": {"image": "y"}}}


def nothing_there(data: Any, *path: str) -> tuple[str, str]:
    found = Problems()
    normalize(tree(data), path=path, problems=found)
    (problem,) = found.entries
    return problem.message, problem.hint


def test_a_key_without_a_value_is_reported_with_its_path_and_the_key_that_may_be_meant() -> None:
    assert nothing_there({"ports": "1", "port": None}, "services", "web")[0] == (
        "services.web.port has no value"
    )
    assert "did you mean 'ports'" in nothing_there({"ports": "1", "port": None})[1]
    for data in ({"command": None}, {"command": None, "x": "1"}):
        assert nothing_there(data)[1] == "indent what belongs to it deeper than the key"


def test_lists_are_settled_too_and_remember_what_they_replaced() -> None:
    result = merge(
        tree({"a": "1"}), tree({"a": [{"x": "1", "y": ["2"]}]}, "over"), problems=Problems()
    )
    done = normalize(result, problems=Problems())
    assert plain(done) == {"a": [{"x": "1", "y": ["2"]}]}
    assert isinstance(done, MapNode)
    assert done["a"].replaced == ((("base", 1, 1), "1"),)


@pytest.mark.parametrize("over", [Append(["2"]), Prepend(["2"])])
def test_what_is_extended_remembers_what_it_was(over: Any) -> None:
    for base in (["1"], Append(["1"])):
        result = merge(tree({"a": base}), tree({"a": over}, "over"), problems=Problems())
        done = normalize(result, problems=Problems())
        assert isinstance(done, MapNode)
        assert [spot for spot, _ in done["a"].replaced] == [("base", 1, 1)]


def test_that_only_a_list_can_be_extended_is_reported_with_the_path_and_what_there_is() -> None:
    found = Problems()
    merge(tree({"a": {"b": "text"}}), tree({"a": {"b": Append(["1"])}}), problems=found)
    assert found.entries[0].message.startswith("a.b is ")


# --- what holds for any values --------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "base", "image", "http", "tcp"])
SCALARS = st.sampled_from(["1", "2", "3"])
LISTS = st.lists(SCALARS, max_size=2)
LEAVES = st.one_of(SCALARS, LISTS, LISTS.map(Append), LISTS.map(Prepend), st.none())
DATA = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
LAYERS = st.dictionaries(KEYS, DATA, max_size=4)
PATHS = st.sampled_from([(), ("services", "web"), ("services", "web", "healthcheck"), ("vars",)])


def sound(*layers: Any, path: tuple[str, ...]) -> bool:
    """Whether every extension meets a list: what else it meets is a problem, and the rest undefined."""
    found = Problems()
    result = tree(layers[0])
    for layer in layers[1:]:
        result = merge(result, tree(layer), path=path, problems=found)
    return not found.entries


@given(LAYERS, LAYERS, LAYERS, PATHS)
def test_merging_is_associative(one: Any, two: Any, three: Any, path: tuple[str, ...]) -> None:
    found = Problems()
    left = merge(tree(one), tree(two), path=path, problems=found)
    left = merge(left, tree(three), path=path, problems=found)
    right = merge(tree(two), tree(three), path=path, problems=found)
    right = merge(tree(one), right, path=path, problems=found)
    if found.entries:
        return
    assert plain(normalize(left, problems=Problems())) == plain(
        normalize(right, problems=Problems())
    )


@given(LAYERS, PATHS)
def test_an_empty_overlay_changes_nothing(base: Any, path: tuple[str, ...]) -> None:
    node = tree(base)
    assert plain_all(merge(node, tree({}), path=path, problems=Problems())) == plain_all(node)


@given(LAYERS)
def test_an_overlay_that_says_the_same_changes_no_value(base: Any) -> None:
    if not sound(base, base, path=()) or "!" in marks(base):
        return
    assert merged(base, base) == merged(base)


@given(LAYERS, LAYERS)
def test_every_value_knows_its_layer_and_what_it_replaced(one: Any, two: Any) -> None:
    if not sound(one, two, path=()):
        return
    result = merge(tree(one, "one"), tree(two, "two"), problems=Problems())
    assert isinstance(result, MapNode)
    for key, node in result.items():
        if key not in two:
            assert node.position[0] == "one"
            continue
        if isinstance(one.get(key), str):
            assert node.replaced[0] == (("one", list(one).index(key) + 1, 1), one[key])
        if not isinstance(two[key], dict):
            assert node.position[0] == "two"
            assert result.positions[key][0] == "two"


@given(LAYERS, LAYERS)
def test_merging_changes_neither_of_the_two(one: Any, two: Any) -> None:
    left, right = tree(one), tree(two)
    before = plain_all(left), plain_all(right)
    merge(left, right, problems=Problems())
    assert (plain_all(left), plain_all(right)) == before


def plain_all(node: Node) -> Any:
    """Any tree as data, with what is not settled yet."""
    match node:
        case NullNode():
            return None
        case ListExtension():
            return (
                "!",
                [plain_all(item) for item in node.before],
                list(map(plain_all, node.after)),
            )
        case MapNode():
            return {key: plain_all(item) for key, item in node.items()}
        case ListNode():
            return [plain_all(item) for item in node]
        case _:
            return str(node)


def marks(data: Any) -> str:
    """A "!" for every extension in the data."""
    if isinstance(data, dict):
        return "".join(map(marks, data.values()))
    return "!" if isinstance(data, Append | Prepend) else ""


# --- in whole specs -------------------------------------------------------------------------


def test_an_overlay_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = HEAD + (
        "services:\n"
        "  web:\n"
        "    command: [serve]\n"
        "    packages: [curl]\n"
        "    env: {A: one, B: two}\n"
        "    healthcheck: {http: 'http://127.0.0.1/', interval: 9s}\n"
        "  db: {image: 'postgres:16'}\n"
    )
    overlay = (
        "services:\n"
        "  web:\n"
        "    packages: !append [git]\n"
        "    env: {B: null, C: three}\n"
        "    healthcheck: {tcp: 80}\n"
        "  db: null\n"
        "  extra: {command: [x]}\n"
    )
    data = load(tmp_path, text, dev=overlay).data
    assert list(data["services"]) == ["web", "extra"]
    web = data["services"]["web"]
    assert web["packages"] == ["curl", "git"]
    assert web["env"] == {"A": "one", "C": "three"}
    probe = web["healthcheck"]
    assert probe is not None
    assert (probe["kind"], probe["test"], probe["interval"]) == ("tcp", ["127.0.0.1", "80"], 9.0)


def test_an_inline_environment_does_what_a_file_does(tmp_path: Path) -> None:
    overlay = "  services: {web: {env: {A: '1'}}}\n"
    text = HEAD + "services: {web: {command: [serve]}}\nenvironments:\n  ci:\n  " + overlay
    inline = load(tmp_path / "a", text, environment="ci").data
    file = load(
        tmp_path / "b",
        HEAD + "services: {web: {command: [serve]}}\n",
        environment="ci",
        ci="services: {web: {env: {A: '1'}}}\n",
    ).data
    assert inline == file
    assert definition.environments(tmp_path / "a") == ("ci", "dev")


def test_an_empty_inline_environment_is_one_too(tmp_path: Path) -> None:
    text = HEAD + "services: {web: {command: [serve]}}\nenvironments: {ci: }\n"
    assert load(tmp_path, text, environment="ci").data["environment"] == "ci"


def test_a_mistake_in_an_inline_environment_has_its_place(tmp_path: Path) -> None:
    text = HEAD + "services: {web: {command: [a]}}\nenvironments:\n  ci:\n    servces: {}\n"
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, environment="ci")
    assert "envctl.yaml:6:5: the file has no key 'servces'" in str(caught.value)


def test_keys_kept_for_anchors_are_no_part_of_the_spec(tmp_path: Path) -> None:
    text = HEAD + (
        "x-common: &common {A: '1'}\n"
        "services:\n"
        "  web: {command: [a], env: {<<: *common, B: '2'}}\n"
        "  api: {command: [a], env: *common}\n"
    )
    services = load(tmp_path, text).data["services"]
    assert services["web"]["env"] == {"B": "2", "A": "1"}
    assert services["api"]["env"] == {"A": "1"}


def test_two_environments_of_one_name_are_reported(tmp_path: Path) -> None:
    found = problems(tmp_path, HEAD + "services: {web: {command: [a]}}\nenvironments: {dev: {}}\n")
    assert [str(one.where) for one in found] == ["envctl.yaml:4:16"]


@pytest.mark.parametrize(
    ("first", "second", "third", "expected"),
    [
        ({"a": {"x": "1"}}, {"a": "2"}, {"a": {"y": "3"}}, {"a": {"y": "3"}}),
        ({"a": {"x": "1"}}, {"a": None}, {"a": {"y": "3"}}, {"a": {"y": "3"}}),
        ({"a": {"x": "1"}}, {"a": ["2"]}, {"a": {"y": "3"}}, {"a": {"y": "3"}}),
        ({"a": ["1"]}, {"a": Append(["2"])}, {"a": Append(["3"])}, {"a": ["1", "2", "3"]}),
        ({"a": ["1"]}, {"a": Prepend(["2"])}, {"a": Prepend(["3"])}, {"a": ["3", "2", "1"]}),
        ({"a": ["1"]}, {"a": Append(["2"])}, {"a": Prepend(["3"])}, {"a": ["3", "1", "2"]}),
        ({"a": ["1"]}, {"a": None}, {"a": Append(["3"])}, {"a": ["3"]}),
    ],
)
def test_overlays_mean_the_same_whichever_two_are_merged_first(
    first: Any, second: Any, third: Any, expected: Any
) -> None:
    found = Problems()
    one, two, three = (tree(data, str(data)) for data in (first, second, third))
    later = merge(one, merge(two, three, path=(), problems=found), path=(), problems=found)

    assert merged(first, second, third) == expected
    assert plain(normalize(later, path=(), problems=found)) == expected


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("environments:\n  ci:\n    vars: {}\n  Ci/x:\n", "envctl.yaml:7:3", "environments: 'Ci/x' is not a valid name for an environment"),
        ("environments:\n  ../up: {}\n", "envctl.yaml:5:3", "environments: '../up' is not a valid name for an environment"),
        ("environments:\n  ci: [a]\n", "envctl.yaml:5:3", "environments.ci: expected a mapping, got a list"),
        ("environments: [ci]\n", "envctl.yaml:4:1", "environments: expected a mapping, got a list"),
    ],
)  # fmt: skip
def test_what_is_no_environment_among_the_inline_ones_is_reported(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    (found,) = problems(tmp_path, HEAD + "services: {web: {command: [a]}}\n" + text)
    assert (str(found.where), found.message) == (place, message)
