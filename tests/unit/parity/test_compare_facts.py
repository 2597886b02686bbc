"""Facts compared: nothing that differs is missed, nothing that is equal is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import EnvctlError, Place
from envctl.parity.accepted import Acceptance
from envctl.parity.compare_facts import Verdict, compare
from envctl.parity.fact_format import (
    DIGEST,
    UNKNOWN,
    Category,
    Facts,
    Unknown,
    fact,
    fact_id,
    from_json,
    to_json,
)
from envctl.plan.categories import COMPARED, UNITS

values = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=4)
units = st.dictionaries(
    st.sampled_from(["web", "db"]),
    st.dictionaries(st.sampled_from([*map(str, Category)]), values, max_size=5),
    max_size=2,
)
reasons = st.dictionaries(
    st.builds(fact_id, st.sampled_from([*map(str, Category)]), st.text(max_size=3)),
    st.text(max_size=3),
    max_size=3,
)


@st.composite
def _units(draw):
    """Facts of units, some of them unknown; known ones are not at the same time."""
    found = draw(units)
    for unit, told in found.items():
        unknown = draw(reasons)
        for name in unknown:
            category, _, key = name.partition("\t")
            told.get(category, {}).pop(key, None)
        found[unit] = {category: values for category, values in told.items() if values}
        if unknown:
            found[unit][UNKNOWN] = unknown
    return found


told_by_units = _units()


def facts(units, environment="dev", backend="docker"):
    return Facts("shop", environment, backend, units)


def told(one, other):
    return [
        (found.category, found.key, found.before, found.after, found.verdict)
        for found in compare(facts({"web": one}), facts({"web": other}, backend="vagrant")).findings
    ]


@given(units)
def test_what_is_equal_has_no_findings(known):
    found = compare(facts(known), facts(known))
    assert not found.findings
    assert sum(found.equal.values()) == sum(
        len(one) for unit in known.values() for one in unit.values()
    )


@given(units, units)
def test_every_difference_is_found_once_and_from_both_sides(one, other):
    there, back = compare(facts(one), facts(other)), compare(facts(other), facts(one))
    assert there.equal == back.equal
    assert [(found.key, found.after, found.before) for found in there.findings] == [
        (found.key, found.before, found.after) for found in back.findings
    ]
    both = [(unit, category, key) for unit in {*one} & {*other} for category in {*one[unit], *other[unit]}
            for key in {*one[unit].get(category, {}), *other[unit].get(category, {})}]  # fmt: skip
    counted = sum(there.equal.values()) + len(there.findings)
    assert counted == len(both) + len({*one} ^ {*other})


@given(told_by_units)
def test_a_file_of_facts_has_the_same_facts(known):
    before = facts(known)
    after = from_json(json.dumps(to_json(before)), name="x.json")
    empty = {
        unit: {name: each for name, each in told.items() if each} for unit, told in known.items()
    }
    assert after.units == empty


@given(told_by_units)
def test_what_is_unknown_equals_nothing_not_even_itself(known):
    found = compare(facts(known), facts(known))
    unknown = {
        (unit, *name.split("\t", 1))
        for unit, told in known.items()
        for name in told.get(UNKNOWN, {})
    }
    assert {(one.unit, one.category, one.key) for one in found.findings} <= unknown
    for unit, category, key in unknown:
        # It is told by itself, or with all of its folder or category.
        assert any(
            one.unit == unit and one.category == category and one.key in (key, "", "/", ".")
            for one in found.findings
        )
    assert all(one.verdict in (Verdict.UNKNOWN, Verdict.SUBSTRATE) for one in found.findings)


def test_a_fact_is_known_absent_or_unknown():
    told = {
        "files": {"/etc/a": "mode 644"},
        UNKNOWN: {"files\t/etc/key": "cannot be read", "files\t/root": "cannot be listed"},
    }
    assert fact(told, "files", "/etc/a") == "mode 644"
    assert fact(told, "files", "/etc/b") is None
    for path, why in (("/etc/key", "cannot be read"), ("/root/.ssh/id", "cannot be listed")):
        found = fact(told, "files", path)
        assert isinstance(found, Unknown)
        assert found.reason == why
        assert found != found


def test_what_both_sides_cannot_read_is_not_the_same():
    side = {UNKNOWN: {"files\t/etc/app.key": "cannot be read"}}
    (found,) = compare(facts({"web": side}), facts({"web": side})).findings
    assert (found.key, found.verdict) == ("/etc/app.key", Verdict.UNKNOWN)
    assert [str(found.before), str(found.after)] == ["cannot be read"] * 2


def test_what_is_in_a_folder_that_cannot_be_listed_is_reported_once():
    one = {"files": {"/root/a": "x", "/root/b/c": "x", "/srv": "folder"}}
    other = {"files": {"/srv": "folder"}, UNKNOWN: {"files\t/root": "cannot be listed"}}
    found = compare(facts({"web": one}), facts({"web": other}))
    assert [(each.key, each.verdict) for each in found.findings] == [("/root", Verdict.UNKNOWN)]
    assert found.equal == {("web", "files"): 1}


def test_a_category_that_was_cut_off_compares_what_was_reported_and_no_more():
    one = {"packages": {"a": "1", "b": "1", "c": "1"}}
    other = {"packages": {"a": "1", "b": "2"}, UNKNOWN: {"packages\t": "it was cut off"}}
    found = compare(facts({"web": one}), facts({"web": other}))
    assert [(each.key, each.verdict) for each in found.findings] == [
        ("", Verdict.UNKNOWN),
        ("b", Verdict.UNDECLARED),
    ]


def test_a_unit_that_does_not_run_is_unknown_whatever_the_other_side_has():
    down = {UNKNOWN: {"units\t": "exited (exit code 1): no facts"}}
    for other in ({"os": {"id": "a"}}, down):
        (found,) = compare(facts({"web": down}), facts({"web": other})).findings
        assert (found.category, found.key, found.verdict) == ("units", "web", Verdict.UNKNOWN)
        assert str(found.before) == "exited (exit code 1): no facts"


def test_what_is_unknown_can_be_accepted():
    side = {UNKNOWN: {"files\t/etc/app.key": "cannot be read"}}
    found = compare(
        facts({"web": side}), facts({"web": side}), accept=[entry("files", "/etc/app*")]
    )
    assert not found.open
    assert found.total(Verdict.DECLARED) == 1


def machine(**categories):
    """Facts of a machine that brought openssh-server and a host key along."""
    key = {"/etc/ssh/ssh_host_ed25519_key": "mode 600"}
    return {
        "packages": {"openssh-server": "9"},
        "files": key,
        "substrate": {"packages\topenssh-server": "", "files\t/etc/ssh/ssh_host_ed25519_key": ""},
    } | categories


def test_beside_a_container_what_a_machine_brought_along_is_substrate():
    one = {"packages": {"bash": "1"}, "files": {}}
    other = machine(packages={"bash": "2", "openssh-server": "9"})
    assert told(one, other) == [
        ("packages", "bash", "1", "2", Verdict.UNDECLARED),
        ("packages", "openssh-server", None, "9", Verdict.SUBSTRATE),
        ("files", "/etc/ssh/ssh_host_ed25519_key", None, "mode 600", Verdict.SUBSTRATE),
    ]


@pytest.mark.parametrize(
    ("there", "verdict"),
    [
        ("mode 644, sha256 a", Verdict.SUBSTRATE),
        ("mode 666, sha256 a", Verdict.UNDECLARED),
        ("mode 644, sha256 b", Verdict.UNDECLARED),
        (None, Verdict.UNDECLARED),
    ],
)
def test_of_a_file_that_was_changed_for_a_machine_a_container_has_to_have_what_its_image_has(
    there, verdict
):
    container = {"files": {"/etc/passwd": there} if there else {}}
    other = {
        "files": {"/etc/passwd": "mode 644, sha256 c"},
        "substrate": {"files\t/etc/passwd": "mode 644, sha256 a"},
    }
    for sides in ((container, other), (other, container)):
        assert [one[4] for one in told(*sides)] == [verdict]


def test_two_machines_have_to_agree_on_what_both_brought_along():
    assert told(machine(), machine(packages={"openssh-server": "10"})) == [
        ("packages", "openssh-server", "9", "10", Verdict.UNDECLARED)
    ]
    assert told(machine(), machine(packages={})) == [
        ("packages", "openssh-server", "9", None, Verdict.UNDECLARED)
    ]


def test_what_each_machine_makes_for_itself_on_its_first_boot_is_substrate():
    key = "/etc/ssh/ssh_host_ed25519_key"
    assert told(machine(), machine(files={key: "mode 600, sha256 other"})) == [
        ("files", key, "mode 600", "mode 600, sha256 other", Verdict.SUBSTRATE)
    ]
    other = machine(files={key: "mode 600", "/etc/ssh/sshd_config": "mode 666"})
    assert told(machine(), other) == [
        ("files", "/etc/ssh/sshd_config", None, "mode 666", Verdict.UNDECLARED)
    ]


def test_between_containers_a_host_key_is_a_file_like_any_other():
    key = "/etc/ssh/ssh_host_rsa_key"
    assert told({"files": {key: "a"}}, {"files": {key: "b"}}) == [
        ("files", key, "a", "b", Verdict.UNDECLARED)
    ]


@pytest.mark.parametrize("also", [{}, {"substrate": {"packages\tx": ""}}])
def test_the_kernel_is_never_a_unit_s_own(also):
    assert told({"kernel": {"release": "6"}} | also, {"kernel": {"release": "5"}} | also) == [
        ("kernel", "release", "6", "5", Verdict.SUBSTRATE)
    ]


@pytest.mark.parametrize(
    ("category", "key"),
    [("limits", "memory visible"), ("limits", "processors visible"), ("sysctls", "vm.swappiness")],
)
def test_what_a_container_has_of_its_host_is_substrate_and_two_machines_have_to_agree_on_it(
    category, key
):
    one, other = {category: {key: "1"}}, {category: {key: "2"}}
    assert told(one, other) == [(category, key, "1", "2", Verdict.SUBSTRATE)]
    assert told(one, other | {"substrate": {}})[0][4] is Verdict.SUBSTRATE
    both = told(one | {"substrate": {}}, other | {"substrate": {}})
    assert both == [(category, key, "1", "2", Verdict.UNDECLARED)]


def test_the_processor_is_a_unit_s_own_as_its_platform_says():
    one, other = {"kernel": {"machine": "x86_64"}}, {"kernel": {"machine": "aarch64"}}

    assert told(one, other) == [("kernel", "machine", "x86_64", "aarch64", Verdict.UNDECLARED)]
    assert told(one, one) == []


def test_a_setting_of_a_unit_s_own_is_a_difference_unless_its_kernel_has_none():
    one = {"sysctls": {"net.core.somaxconn": "1", "net.ipv4.new": "0"}}
    other = {"sysctls": {"net.core.somaxconn": "2"}, "substrate": {}}
    assert told(one, other) == [
        ("sysctls", "net.core.somaxconn", "1", "2", Verdict.UNDECLARED),
        ("sysctls", "net.ipv4.new", "0", None, Verdict.SUBSTRATE),
    ]


def entry(category, key="*", unit="*", line=1):
    return Acceptance(unit, category, key, "because", Place("envctl.yaml", line, 5))


def test_a_difference_that_an_entry_covers_is_declared_with_the_first_one_s_reason():
    first, second = entry("packages", "b*"), entry("packages", line=2)
    found = compare(
        facts({"web": {"packages": {"bash": "1", "curl": "1"}, "os": {"id": "a"}}}),
        facts({"web": {"packages": {"bash": "2", "curl": "2"}, "os": {"id": "b"}}}),
        accept=[first, second],
    )
    assert [(one.key, one.verdict, one.accepted) for one in found.findings] == [
        ("id", Verdict.UNDECLARED, None),
        ("bash", Verdict.DECLARED, first),
        ("curl", Verdict.DECLARED, second),
    ]


def test_a_unit_that_one_lacks_can_be_declared():
    found = compare(facts({"seed": {}}), facts({}), accept=[entry("units", unit="se?d")])
    assert not found.undeclared
    assert found.total(Verdict.DECLARED) == 1


def test_what_is_substrate_needs_no_reason_and_takes_none():
    one, other = facts({"web": {"kernel": {"a": "1"}}}), facts({"web": {"kernel": {"a": "2"}}})
    (found,) = compare(one, other, accept=[entry("kernel")]).findings
    assert (found.verdict, found.accepted) == (Verdict.SUBSTRATE, None)


@given(units, units)
def test_every_fact_is_counted_once(one, other):
    found = compare(facts(one), facts(other), accept=[entry("files"), entry("os", "a*")])
    for verdict in Verdict:
        assert found.total(verdict) == sum(found.count(*of, verdict) for of in found.subjects)
    assert sum(map(found.total, Verdict)) == sum(found.equal.values()) + len(found.findings)


def test_a_unit_that_one_lacks_is_a_difference():
    found = compare(facts({"web": {}}), facts({}))
    assert [(one.unit, one.before, one.after) for one in found.undeclared] == [
        ("web", "runs", None)
    ]
    assert found.subjects == [("web", "units")]


def test_digests_of_secrets_mean_something_in_one_environment_only():
    one = {"web": {"secrets": {"/s": "mode 400", "/s digest": "a"}}}
    other = {"web": {"secrets": {"/s": "mode 400", "/s digest": "b"}}}
    assert compare(facts(one), facts(other)).undeclared
    assert not compare(facts(one), facts(other, environment="prod")).findings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "x.json is not JSON"),
        ("[" * 100_000, "x.json is not JSON"),
        ("[]", "x.json is not a facts file"),
        ('{"format": "envctl facts", "version": 3}', "has facts of version 3"),
        ('{"format": "envctl facts", "version": 2}', "is incomplete"),
    ],
)
def test_a_file_that_is_none_is_reported(text, said):
    with pytest.raises(EnvctlError, match=said) as caught:
        from_json(text, name="x.json")

    assert "write" in caught.value.hint


def test_what_needs_a_reason_is_open_and_subjects_are_in_the_order_of_categories():
    listed = {fact_id("packages", "ssh"): ""}
    one = {"packages": {"a": "1", "ssh": "1"}, "users": {"web": "1"}, "files": {"/a": "1"}}
    two = {"packages": {"a": "2"}, "users": {"web": "1"}, UNKNOWN: {"files\t/a": "cannot be read"}}
    machine = {
        "packages": one["packages"],
        "users": one["users"],
        "files": one["files"],
        "substrate": listed,
    }
    found = compare(
        facts({"web": machine, "db": {"users": {"x": "1"}}}),
        facts({"web": two, "db": {"users": {"x": "1"}}}),
    )
    assert {(each.key, each.verdict) for each in found.findings} == {
        ("a", Verdict.UNDECLARED),
        ("ssh", Verdict.SUBSTRATE),
        ("/a", Verdict.UNKNOWN),
    }
    assert {each.key for each in found.open} == {"a", "/a"}
    order = [category for unit, category in found.subjects if unit == "web"]
    assert order == sorted(order, key=COMPARED.index)
    assert [unit for unit, _ in found.subjects] == ["db", "web", "web", "web"]


@pytest.mark.parametrize(("environment", "told"), [("dev", [f"/k{DIGEST}"]), ("test", [])])
def test_digests_of_secrets_are_compared_within_one_environment_only(environment, told):
    sides = ({"secrets": {"/k": "mode 400", f"/k{DIGEST}": value}} for value in ("a", "b"))
    one, two = ({"web": side} for side in sides)
    found = compare(facts(one), facts(two, environment=environment)).findings
    assert [each.key for each in found] == told


def test_a_digest_of_a_file_that_is_no_secret_is_compared_everywhere():
    one, two = ({"web": {"packages": {f"a{DIGEST}": value}}} for value in "12")
    assert len(compare(facts(one), facts(two, environment="test")).findings) == 1


def test_what_a_machine_has_without_bringing_it_along_is_a_difference():
    machine = {"packages": {"git": "1"}, "substrate": {}}
    assert [each[-1] for each in told({}, machine)] == [Verdict.UNDECLARED]


def test_a_unit_that_does_not_run_on_one_side_is_unknown_and_nothing_else_of_it_is_reported():
    stopped = {UNKNOWN: {fact_id(UNITS, ""): "it does not run"}}
    running = {"users": {"web": "1"}}
    for one, two in ((stopped, running), (running, stopped)):
        (found,) = compare(facts({"web": one}), facts({"web": two})).findings
        assert (found.category, found.verdict) == (UNITS, Verdict.UNKNOWN)


def test_units_are_reported_in_the_order_of_their_names():
    found = compare(facts({"web": {}, "db": {}, "api": {}}), facts({}))
    assert [each.unit for each in found.findings] == ["api", "db", "web"]
