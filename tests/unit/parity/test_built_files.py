"""What a unit was made with, and what was changed since: times hold only where it is known when it was made."""

from __future__ import annotations

import pytest

from envctl.parity.drift.built_files import (
    REFERENCES,
    ChangeTracker,
    files,
    is_volatile,
    runs_after,
    steps,
    text_of,
)
from envctl.parity.fact_format import UNKNOWN, fact_id
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import NpmInstall, PipInstall, Volume, WriteFile
from envctl.plan.volatile_places import literally
from tests.support.plans import script, unit

PAGE = WriteFile("/srv/page.txt", "hello")


def since(**times: str) -> ChangeTracker:
    names = {"made": REFERENCES[0], "booted": REFERENCES[1]}
    return ChangeTracker(
        {VerifyCategory.TIMES: {names.get(at, f"/{at}"): time for at, time in times.items()}}
    )


def test_a_unit_was_made_when_its_last_reference_was():
    assert since(made="100 90").created_at == 100
    assert since(made="100 90", booted="300 10").created_at == 300
    assert since(a="100 90").created_at is None


def test_what_was_changed_after_that_was_touched_and_what_was_written_too_was_written():
    known = since(
        made="100 100", same="100 100", chmod="101 50", edit="150 101", old="9 9", ahead="90 150"
    )
    files_known = ("same", "chmod", "edit", "old", "ahead", "none")
    assert [known.touched(f"/{at}") for at in files_known] == [
        *(False, True, True, False, False, False)
    ]
    assert [known.written(f"/{at}") for at in files_known] == [
        *(False, False, True, False, False, False)
    ]


def test_of_a_folder_only_what_is_in_it_counts_and_only_what_was_written():
    times = {"/a/x": "150 150", "/a/b/y": "150 150", "/a/old": "150 50", "/ab/z": "150 150", "/a": "150 150"}  # fmt: skip
    known = ChangeTracker({VerifyCategory.TIMES: {REFERENCES[0]: "100 100", **times}})
    assert list(known.below("/a")) == ["/a/x", "/a/b/y"]


def test_where_nobody_knows_when_it_was_made_nothing_was_changed_and_the_reason_is_reported():
    unknown = since(edit="150 150")
    assert not unknown.touched("/edit")
    assert not unknown.written("/edit")
    assert unknown.unknown == "it is unknown when the unit was created"
    assert since(made="1 1").unknown == ""
    at = REFERENCES[1]
    told = ChangeTracker({UNKNOWN: {fact_id(VerifyCategory.TIMES, at): "permission denied"}})
    assert told.unknown == "permission denied"


@pytest.mark.parametrize(
    ("step", "alterable"),
    [
        (script("x"), True),
        (PipInstall("/srv"), True),
        (PipInstall("/srv/"), True),
        (PipInstall("/srv/page"), False),
        (PipInstall("/sr"), False),
        (PipInstall("/opt"), False),
        (NpmInstall("/srv/"), True),
        (NpmInstall("/opt"), False),
        (WriteFile("/srv/other", ""), False),
    ],
)
def test_a_step_may_alter_what_is_where_it_installs(step, alterable):
    assert [put.alterable for put in files(unit("web", PAGE, step)) if put.path == "/srv/page.txt"] == [alterable]  # fmt: skip
    assert [put.alterable for put in files(unit("web", step, PAGE)) if put.path == "/srv/page.txt"] == [False]  # fmt: skip


def test_a_file_is_as_its_last_step_has_it_under_its_plain_path_and_not_where_it_is_covered(
    tmp_path,
):
    again = WriteFile("/srv/./page.txt", "again")
    (put,) = files(unit("web", PAGE, again))
    assert (put.path, put.step, text_of(put, tmp_path)) == ("/srv/page.txt", again, "again")
    assert list(files(unit("web", PAGE, volumes=(Volume("data", "/srv"),)))) == []
    assert list(files(unit("web", image="pg"))) == []
    assert steps(unit("web", image="pg")) == ()


def test_commands_that_run_after_a_step_are_known():
    web = unit("web", script("a"), PAGE, script("b"), PAGE)
    assert [runs_after(web, index) for index in range(4)] == [True, True, False, False]


VOLATILE = """
    /proc/1/stat /sys/kernel /dev/null /run/app.pid /tmp/x /var/tmp/x /var/cache/apt/x /root/.cache/pip/x
    /var/lib/apt/lists/x /var/log/app.log /var/lib/dpkg/status-old /srv/__pycache__ /srv/__pycache__/x.pyc /etc/hosts
    /etc/hostname /etc/resolv.conf /etc/mtab /etc/machine-id /.dockerenv /usr/sbin/docker-init /sbin/docker-init
    /lost+found /lost+found/x /etc/envctl /etc/envctl/start /etc/systemd/system/envctl-web.service /usr/lib/envctl/x
"""
KEPT = """
    /proc /processes /srv/x /var/lib/dpkg/status /etc/hosts.allow /etc/passwd /usr/lib/x /etc/systemd/system/web.service
    /var/logs/x /srv/hosts /home/x/cache /var/lib/apt/x
"""


@pytest.mark.parametrize("path", VOLATILE.split())
def test_places_that_facts_leave_out_are_volatile_with_all_below(path):
    assert is_volatile(path)


@pytest.mark.parametrize("path", KEPT.split())
def test_no_other_place_is(path):
    assert not is_volatile(path)


@pytest.mark.parametrize("char", [*"\\*?[]"])
def test_a_path_with_a_patterns_signs_in_it_is_taken_literally(char):
    assert literally(f"/a{char}b") == f"/a\\{char}b"
    assert literally("/plain-path_1.x") == "/plain-path_1.x"
