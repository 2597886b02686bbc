"""What pip and npm are asked for by name, and which versions meet it."""

from __future__ import annotations

import json
import time

import pytest

from envctl.plan.requirements import Requirement, npm_dependencies, pip_lines, pip_word


def names(text):
    return [(one.name, one.required) for one in pip_lines(text)]


def test_plain_lines_are_read_and_all_else_is_left_out():
    text = (
        "# a comment\n-r more.txt\n\nFlask==3.1  # why\nclick[x] >=8,<9\nrich\n"
        "a==1 \\\n    --hash=sha256:0\nb ~= 2.0 --hash=x\n"
        "./here\nhttps://example.org/x.whl\nx @ https://example.org/x.whl\ny; os_name == 'nt'\n"
    )
    assert names(text) == [
        ("Flask", "3.1"),
        ("click", "<9,>=8"),
        ("rich", ""),
        ("a", "1"),
        ("b", "~=2.0"),
    ]


@pytest.mark.parametrize(
    ("word", "version", "met"),
    [
        ("a==1.0", "1.0", True),
        ("a==1.0", "1", True),
        ("a==1.0", "1.0.0+local", True),
        ("a==1.0", "1.1", False),
        ("a==1.0rc1", "1.0rc1", True),
        ("a==1.0rc1", "1.0.rc1", True),
        ("a==1.*", "1.1", True),
        ("a>=1", "0.9", False),
        ("a>=1,<2", "1.5rc1", True),
        ("a~=1.4", "2.0", False),
        ("a===odd", "odd", True),
        ("a>=1", "odd", None),
        ("a", "1", None),
    ],
)
def test_a_version_meets_what_is_asked_for(word, version, met):
    assert pip_word(word).is_met(version) is met


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dependencies": []}', "[" * 100_000])
def test_a_package_json_without_dependencies_asks_for_nothing(text):
    assert list(npm_dependencies(text)) == []


def test_dependencies_are_reported_in_their_order_and_exact_ones_are_pinned():
    text = '{"dependencies": {"b": "1.2.3", "@a/b": "^1.0.0", "c": null}, "devDependencies": {"d": "1"}}'
    assert [(one.text, one.required) for one in npm_dependencies(text)] == [
        ("@a/b ^1.0.0", ""),
        ("b 1.2.3", "1.2.3"),
        ("c", ""),
    ]


SECRET = "hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"x @ https://me:{SECRET}@example.org/x.whl",
        f"x@git+https://{SECRET}@example.org/x",
        f"x >= https://me:{SECRET}@example.org",
        f"x==https://me:{SECRET}@example.org",
        f"x[https://me:{SECRET}@example.org]",
        f"index-url = https://me:{SECRET}@example.org",
        f"password={SECRET}",
        f"--index-url \\\n  https://me:{SECRET}@example.org",
        f"--index-url \\\r\n  https://me:{SECRET}@example.org",
    ],
)
def test_no_line_that_may_have_a_password_in_it_is_a_requirement(line):
    assert list(pip_lines(line)) == []


@pytest.mark.parametrize(
    "version",
    [
        f"git+https://{SECRET}@example.org/x.git",
        f"https://me:{SECRET}@example.org/x.tgz",
        f"git+ssh://git:{SECRET}@example.org/x#semver:^1",
        f"file:{SECRET}",
    ],
)
def test_where_npm_is_to_find_a_package_is_not_told(version):
    (one,) = npm_dependencies(json.dumps({"dependencies": {"x": version}}))
    assert (one.text, one.name, one.required) == ("x …", "x", "")


def test_a_name_that_is_none_of_a_package_is_left_out():
    text = json.dumps(
        {"dependencies": {f"https://{SECRET}@x": "1", "a\nb": "1", "": "1", "c": "1"}}
    )
    assert [one.name for one in npm_dependencies(text)] == ["c"]


@pytest.mark.parametrize("pin", ["1" * 5000, "1." * 5000 + "1", "0" * 5000 + "1"])
def test_a_version_may_have_any_number_of_digits(pin):
    assert Requirement("a", "a", pin).is_met("1") is not True
    assert Requirement("a", "a", pin).is_met(pin) is True
    assert list(pip_lines(f"a=={pin}")) == []


@pytest.mark.parametrize(
    "line",
    [
        "a" + " " * 100_000 + "@",
        "a[" * 50_000,
        "a[x]" + " " * 100_000 + "@",
        "a==" + " " * 100_000 + "@",
        "a" + "-" * 100_000 + "@",
    ],
)
def test_a_long_line_takes_no_longer_for_its_length(line):
    start = time.monotonic()
    assert list(pip_lines(line)) == []
    assert time.monotonic() - start < 1
