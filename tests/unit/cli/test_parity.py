"""`parity` on files of facts: what it prints, writes and refuses, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envctl.parity.fact_format import Facts
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs import parity
from tests.unit.cli.conftest import Run

Keep = Callable[..., str]


@pytest.fixture
def keep(shop: Path) -> Keep:
    """Write a file of facts of a target of the project: `web` has these."""

    def write(name: str, of: str = "dev", project: str = "shop", **web: Any) -> str:
        head = {"format": "envctl facts", "version": 2, "project": project}
        known = {"environment": of, "backend": "docker", "units": {"web": web}}
        (shop / name).write_text(json.dumps({**head, **known}))
        return name

    return write


def accept(shop: Path, text: str, file: str = "envctl.yaml") -> None:
    path = shop / file
    path.write_text(path.read_text() + f"accept:\n  - {text}\n")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_it_says_what_was_compared_then_what_differs(envctl: Run, keep: Keep) -> None:
    one = keep("one.json", packages={"bash": "1", "curl": "7"}, os={"id": "debian"})
    other = keep("other.json", "test", packages={"bash": "2", "vim": "9"}, os={"id": "debian"})

    ended = envctl("parity", one, other)

    assert ended.code == 3
    assert lines(ended.out) == [
        "dev@docker (one.json) compared with test@docker (other.json)",
        "UNIT CATEGORY SAME DIFFERENT",
        "web os 1",
        "packages 3",
        "4 facts compared: 1 the same, 0 declared, 0 substrate, 3 different, 0 unknown",
        "",
        "different (- dev@docker (one.json), + test@docker (other.json))",
        "web packages bash",
        "- 1",
        "+ 2",
        "web packages curl",
        "- 7",
        "+ absent",
        "web packages vim",
        "- absent",
        "+ 9",
    ]


def test_what_is_unknown_is_reported_with_its_reason_and_ends_with_3(
    envctl: Run, keep: Keep
) -> None:
    key = {"/etc/app.key": {"unknown": "cannot be read"}}
    one, other = (
        keep("one.json", files=key, os={"id": "a"}),
        keep("other.json", "test", files=key, os={"id": "a"}),
    )

    ended = envctl("parity", one, other)

    assert ended.code == 3
    assert lines(ended.out)[1:] == [
        "UNIT CATEGORY SAME UNKNOWN",
        "web os 1",
        "files 1",
        "2 facts compared: 1 the same, 0 declared, 0 substrate, 0 different, 1 unknown",
        "",
        "unknown",
        "web files /etc/app.key: cannot be read (dev@docker (one.json), test@docker (other.json))",
    ]
    assert "accept: [{unit: web, category: files, key: /etc/app.key, reason: …}]" in ended.err
    quiet = envctl("parity", one, other, "--quiet")
    assert "1 unknown fact, undeclared" in quiet.out
    (found,) = envctl("parity", one, other, "--json").json["comparisons"][0]["findings"]
    assert (found["verdict"], found["before"]) == ("unknown", {"unknown": "cannot be read"})


def test_what_is_unknown_can_be_accepted(envctl: Run, shop: Path, keep: Keep) -> None:
    accept(shop, "{category: files, key: /etc/app.key, reason: nobody may see it}")
    key = {"/etc/app.key": {"unknown": "cannot be read"}}
    assert envctl("parity", keep("one.json", files=key), keep("other.json", files=key)).code == 0


def test_numbers_stand_below_each_other(envctl: Run, keep: Keep) -> None:
    many = {f"p{number}": "1" for number in range(1200)}
    out = envctl("parity", keep("one.json", packages=many), keep("x.json", packages=many)).out
    head, row = out.splitlines()[1:3]
    assert head.index("SAME") + len("SAME") == row.index("1,200") + len("1,200")


def test_what_could_be_mistaken_for_something_else_is_quoted(envctl: Run, keep: Keep) -> None:
    odd = {"A\n+ B": "absent", "E": "", "S": " x ", "C": "\x1b[2J\u202e"}
    out = envctl("parity", keep("one.json", environment=odd), keep("x.json")).out
    shown = lines(out)[out.splitlines().index("") + 2 :]
    assert shown == [
        'web environment "A\\n+ B"',
        '- "absent"',
        "+ absent",
        "web environment C",
        '- "\\u001b[2J\\u202e"',
        "+ absent",
        "web environment E",
        '- ""',
        "+ absent",
        "web environment S",
        '- " x "',
        "+ absent",
    ]


def test_bytes_are_reported_in_units_and_are_numbers_in_json(
    envctl: Run, shop: Path, keep: Keep
) -> None:
    limits = {"memory": "268435456", "locked memory": "65536 to unlimited", "processors": "1024"}
    one = keep("one.json", limits=limits, process={"memory": "1024"})
    other = keep("x.json", limits={"memory": "none"})

    told = envctl("parity", one, other, "--html", "x.html").out
    data = envctl("parity", one, other, "--json").json

    shown = lines(told)[told.splitlines().index("") + 2 :]
    assert shown == [
        "web process memory",
        "- 1024",
        "+ absent",
        "web limits locked memory",
        "- 64 KiB to unlimited",
        "+ absent",
        "web limits memory",
        "- 256 MiB",
        "+ none",
        "web limits processors",
        "- 1024",
        "+ absent",
    ]
    assert "256 MiB" in (shop / "x.html").read_text()
    assert {finding["before"] for finding in data["comparisons"][0]["findings"]} == {
        "1024",
        *limits.values(),
    }


def test_a_folder_that_one_side_lacks_is_reported_once(envctl: Run, keep: Keep) -> None:
    files = {"/srv/web": "folder", "/srv/web/a": "x", "/srv/web/b": "x"}
    ended = envctl("parity", keep("one.json"), keep("x.json", files=files))
    assert "web files /srv/web and 2 below it" in lines(ended.out)
    assert "/srv/web/a" not in ended.out
    assert "3 different" in ended.out


def test_nothing_to_compare_is_not_a_difference(envctl: Run, keep: Keep) -> None:
    ended = envctl("parity", keep("one.json"), keep("x.json"))
    assert ended.code == 0
    assert lines(ended.out)[1:] == [
        "0 facts compared: 0 the same, 0 declared, 0 substrate, 0 different, 0 unknown"
    ]


def test_what_is_the_same_ends_with_0(envctl: Run, keep: Keep) -> None:
    ended = envctl("parity", keep("one.json", os={"id": "a"}), keep("other.json", os={"id": "a"}))
    assert ended.code == 0
    assert "different  (" not in ended.out


def test_a_declared_difference_is_reported_with_its_reason_and_ends_with_0(
    envctl: Run, shop: Path, keep: Keep
) -> None:
    accept(shop, "{category: packages, key: 'b*', reason: dev is newer}")
    one, other = keep("one.json", packages={"bash": "1"}), keep("o.json", packages={"bash": "2"})

    ended = envctl("parity", one, other)

    assert ended.code == 0
    assert "declared web packages bash dev is newer (envctl.yaml:14:5)" in " ".join(
        ended.out.split()
    )


def test_an_entry_that_matches_nothing_is_told_everywhere_and_changes_no_exit_code(
    envctl: Run, shop: Path, keep: Keep
) -> None:
    accept(shop, "{category: packages, key: vim, reason: gone}", "environments/dev.yaml")
    one, other = keep("one.json", os={"id": "a"}), keep("other.json", os={"id": "a"})

    plain = envctl("parity", one, other)
    data = envctl("parity", one, other, "--json", "--html", "report.html")

    assert (plain.code, data.code) == (0, 0)
    assert lines(plain.out)[-2:] == [
        "accepted, but no such difference",
        "environments/dev.yaml:3:5 * packages vim gone",
    ]
    assert data.json["stale"] == [
        {
            "where": "environments/dev.yaml:3:5",
            "unit": "*",
            "category": "packages",
            "key": "vim",
            "reason": "gone",
        }
    ]
    assert "environments/dev.yaml:3:5" in (shop / "report.html").read_text()


def test_an_entry_for_a_unit_that_does_not_exist_is_a_mistake_and_not_stale(
    envctl: Run, shop: Path, keep: Keep
) -> None:
    accept(shop, "{category: packages, unit: wbe, reason: gone}")
    one, other = keep("one.json", os={"id": "a"}), keep("other.json", os={"id": "a"})

    for words in ((one, other), ("dev", "test", "--up")):
        ended = envctl("parity", *words)
        assert (ended.code, ended.out) == (1, "")
        assert "envctl.yaml:14:32: accept.0.unit: no environment has a unit 'wbe'" in ended.err
        assert "did you mean 'web'?" in ended.err

    facts = shop / one
    facts.write_text(facts.read_text().replace('"web"', '"wbe"'))
    assert envctl("parity", one, one).code == 0


@pytest.mark.parametrize(("environment", "project"), [("dev", "other"), ("gone", "shop")])
def test_another_project_s_facts_and_an_unknown_environment_s_are_compared_without_a_spec(
    envctl: Run, shop: Path, keep: Keep, environment: str, project: str
) -> None:
    accept(shop, "{category: packages, reason: here only}")
    one = keep("one.json", environment, project, packages={"bash": "1"})
    other = keep("other.json", environment, project, packages={"bash": "2"})

    ended = envctl("parity", one, other, "--json")

    assert ended.code == 3
    assert ended.json["stale"] == []


def test_each_of_several_is_compared_with_the_first(envctl: Run, keep: Keep) -> None:
    names = [keep(f"{number}.json", os={"id": number}) for number in "121"]

    ended = envctl("parity", *names, "--json")

    assert ended.code == 3
    found = ended.json["comparisons"]
    assert [(one["before"]["file"], one["after"]["file"]) for one in found] == [
        ("1.json", "2.json"),
        ("1.json", "1.json"),
    ]
    assert [one["facts"]["undeclared"] for one in found] == [1, 0]
    assert envctl("parity", *names).out.count(" compared with ") == 2


def test_targets_that_are_up_are_asked_and_their_specs_accept(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def facts(_project: Project, target: Target) -> Facts:
        return Facts("shop", target.environment, "memory", {"web": {"os": {"id": str(target)}}})

    monkeypatch.setattr(parity, "facts", facts)
    accept(shop, "{category: os, reason: of test alone}", "environments/test.yaml")
    workspace = Project(shop, environ={})

    found = parity.parity(workspace, "dev", "test", "dev@memory")

    assert [pair.after.name for pair in found.pairs] == ["test@memory", "dev@memory"]
    assert [len(pair.comparison.undeclared) for pair in found.pairs] == [0, 1]
    assert not found.stale


def test_a_quiet_run_prints_a_line_a_pair_and_the_verdict_in_it(
    envctl: Run, shop: Path, keep: Keep
) -> None:
    accept(shop, "{category: packages, key: vim, reason: dev edits}")
    one = keep("one.json", packages={"bash": "1", "curl": "7", "vim": "1"})
    other = keep("other.json", packages={"bash": "2", "curl": "8", "vim": "2"})
    third = keep("third.json", packages={"bash": "1", "curl": "7", "vim": "3"})

    ended = envctl("parity", one, other, third, "--quiet", "--html", "report.html")

    assert ended.code == 3
    between = "dev@docker (one.json) compared with dev@docker"
    assert ended.out.splitlines() == [
        f"{between} (other.json): 2 differences, undeclared, 3 facts compared",
        f"{between} (third.json): no undeclared differences, 3 facts compared",
    ]
    assert ended.err == ""
    assert envctl("parity", one, third, "-q").code == 0
    assert envctl("parity", one, other, "-q", "--json").json["comparisons"]


@pytest.mark.parametrize(
    ("category", "key", "shown"),
    [("limits", "memory", "memory"), ("sockets", "tcp [::]:80", '"tcp [::]:80"'), ("os", "a\n", r'"a\n"')],
)  # fmt: skip
def test_the_first_difference_is_reported_as_it_would_be_accepted(
    envctl: Run, shop: Path, keep: Keep, category: str, key: str, shown: str
) -> None:
    one, other = keep("one.json", **{category: {key: "1"}}), keep("other.json")
    entry = f"{{unit: web, category: {category}, key: {shown}, reason: …}}"

    assert envctl("parity", one, other).err == (
        f"to accept a difference, declare it in the spec with a reason: accept: [{entry}]\n"
    )

    accept(shop, entry)
    assert (envctl("parity", one, other).code, envctl("parity", one, other).err) == (0, "")


def test_one_target_alone_is_wrong_usage(envctl: Run, keep: Keep) -> None:
    ended = envctl("parity", keep("one.json"))
    assert ended.code == 2
    assert "TARGET" in ended.err


def test_the_page_is_written_and_replaced_whole(envctl: Run, shop: Path, keep: Keep) -> None:
    page = shop / "report.html"
    page.write_text("old")
    page.chmod(0o644)
    one = keep("one.json", os={"id": "</script><img onerror=x>"})
    ended = envctl("parity", one, keep("other.json"), "--html", "report.html")

    assert ended.code == 3
    assert "wrote report.html" in ended.err
    assert "&lt;/script&gt;&lt;img onerror=x&gt;" in page.read_text()
    assert sorted(file.name for file in shop.iterdir() if "envctl-" in file.name) == []


@pytest.mark.parametrize("path", ["environments", "nowhere/report.html", "/dev/null"])
def test_a_page_that_cannot_be_written_is_reported_before_anything_is_asked(
    envctl: Run, shop: Path, path: str
) -> None:
    ended = envctl("parity", "nobody.json", "nothing.json", "--html", path)
    assert ended.code == 1
    assert path in ended.err
    assert "nobody" not in ended.err


def test_a_broken_spec_is_told_rather_than_ignored(envctl: Run, shop: Path, keep: Keep) -> None:
    one, other = keep("one.json", os={"id": "a"}), keep("other.json", os={"id": "b"})
    accept(shop, "{category: os}")
    ended = envctl("parity", one, other)
    assert ended.code == 1
    assert "envctl.yaml:14:5: accept.0 lacks 'reason'" in ended.err
