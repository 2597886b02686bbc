"""Plans and changes as text: one line an item, whatever is in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.changes import Action, Cause, Change, because
from envctl.plan.model import (
    Check,
    CopyFiles,
    CreateUser,
    DockerfileBuild,
    Hooks,
    MakeDirectories,
    Mount,
    NpmInstall,
    PipInstall,
    Port,
    Probe,
    ProbeKind,
    Process,
    ReadyImage,
    Resources,
    Restart,
    Run,
    RunCommand,
    Secret,
    Unit,
    Volume,
    WriteFile,
)
from envctl.plan.text import (
    SIGNS,
    argv_text,
    changes_json,
    changes_text,
    plan_text,
    shown,
    size_text,
    source_text,
    step_text,
    summary_text,
)
from tests.support.plans import build, packages, plan, script, unit

PLACE = Place("envctl.yaml", 3, 5)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
WORDS = st.lists(TEXT, min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (packages("b", "a"), "packages a b"),
        (CreateUser("web", 20001, "/home/web"), "user web (20001)"),
        (MakeDirectories(("/a", "/b"), "web"), "directories /a /b (web)"),
        (CopyFiles("app", "/srv/", "0"), "copy app → /srv/"),
        (WriteFile("/etc/x", "text"), "write /etc/x"),
        (script("first\nsecond"), "run sh: first …"),
        (RunCommand(("make", "two words")), 'run make "two words"'),
        (PipInstall("/v", "/r.txt", ("flask",)), "pip -r /r.txt flask → /v"),
        (NpmInstall("/srv"), "npm /srv"),
        (NpmInstall(packages=("serve",)), "npm serve"),
    ],
)
def test_each_kind_of_step_has_a_line_that_names_it(step, text):
    assert step_text(step) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1, "1 byte"),
        (1000, "1000 bytes"),
        (65536, "64 KiB"),
        (268435456, "256 MiB"),
        (268439552, "262148 KiB"),
        (3 * 2**29, "1536 MiB"),
        (2**40, "1 TiB"),
        (2**60, "1048576 TiB"),
    ],
)
def test_a_size_is_reported_in_the_largest_unit_that_it_is_whole_in(count, text):
    assert size_text(count) == text


def test_what_a_unit_is_made_from_is_reported_with_its_digest():
    built = build(script("a"))
    assert source_text(built) == f"build {built.digest} from debian:bookworm"
    assert source_text(ReadyImage("pg:16")) == "image pg:16"
    own = DockerfileBuild("app/Dockerfile", "app", digest="d1")
    assert source_text(own) == "build d1 from app/Dockerfile"


def test_a_unit_with_everything_is_told_line_by_line():
    run = Run(
        Process(("serve",), "web", "/srv", {"B": "2", "A": "x\ny"}, ("NET_ADMIN",)),
        (Port(80, 8080), Port(53, protocol="udp")),
        (Mount("/a", "/b", read_only=True),),
        (Volume("data", "/d"),),
        (Secret("key", "/run/secrets/key", "digest"),),
        Probe(ProbeKind.TCP, ("127.0.0.1", "80"), 1.5, 2, 3, 0),
        Restart.ALWAYS,
        Resources(0.5, 1024),
        options={"x": [1]},
    )
    one = Unit(
        "web",
        "web",
        ReadyImage("web:1"),
        run,
        checks=(Check("ok", ("true",)),),
        hooks=Hooks((("up",),), (("down",),)),
    )
    assert plan_text(plan(one)).splitlines() == [
        "environment dev of shop on memory",
        "service web: image web:1",
        "  command serve",
        "  user web",
        "  workdir /srv",
        '  env A="x\\ny"',
        '  env B="2"',
        "  port 127.0.0.1:8080 → 80/tcp",
        "  port 127.0.0.1:(a free port, chosen at up) → 53/udp",
        "  mount /a → /b (read-only)",
        "  volume data → /d",
        "  secret key → /run/secrets/key",
        "  health tcp 127.0.0.1 80 every 1.5s, timeout 2s, 3 retries after 0s",
        "  cpus 0.5",
        "  memory 1 KiB",
        "  restart always",
        "  capability NET_ADMIN",
        "  option x=[1]",
        "  check ok: true",
        "  hook after_start up",
        "  hook before_stop down",
    ]


def test_changes_line_up_and_end_with_their_places():
    changes = [
        Change(Action.BUILD, "web", because("the image does not exist yet", PLACE)),
        Change(Action.REMOVE, "a-long-name", because("it was removed from the spec")),
        Change(
            Action.REPLACE,
            "web",
            (Cause("user web → root", PLACE, "runs as root"), Cause("memory unlimited → 1 GiB")),
        ),
        Change(Action.TEAR_DOWN, "", because("no unit needs it any more")),
    ]
    assert changes_text(changes) == (
        "* build web           the image does not exist yet  (envctl.yaml:3:5)\n"
        "- remove a-long-name  it was removed from the spec\n"
        "~ replace web         user web → root  ! runs as root  (envctl.yaml:3:5)\n"
        "                      memory unlimited → 1 GiB\n"
        "- remove network      no unit needs it any more"
    )
    assert changes_json(changes)[1:3] == [
        {
            "action": "remove",
            "unit": "a-long-name",
            "cause": "it was removed from the spec",
            "where": None,
            "causes": [{"text": "it was removed from the spec", "where": None, "warning": None}],
        },
        {
            "action": "replace",
            "unit": "web",
            "cause": "user web → root; memory unlimited → 1 GiB",
            "where": "envctl.yaml:3:5",
            "causes": [
                {"text": "user web → root", "where": "envctl.yaml:3:5", "warning": "runs as root"},
                {"text": "memory unlimited → 1 GiB", "where": None, "warning": None},
            ],
        },
    ]


def test_changes_are_counted_by_kind():
    actions = (Action.BUILD, Action.CREATE, Action.HOOK, Action.CREATE)
    changes = [Change(action, "web", because("")) for action in actions]
    assert summary_text(changes) == "1 to build, 2 to create, 1 to run hooks of"
    assert summary_text([]) == ""


def test_no_changes_are_no_text():
    assert changes_text([]) == ""


def test_every_action_has_a_sign():
    assert set(SIGNS) == set(Action)


@given(TEXT)
def test_a_value_is_one_printable_line_that_json_reads_back(text):
    assert shown(text).isprintable()
    assert json.loads(shown(text)) == text


@given(WORDS)
def test_a_command_is_one_printable_line(words):
    assert argv_text(words).isprintable()


@given(TEXT)
def test_a_script_is_reported_by_its_first_line(text):
    assert argv_text(("/bin/sh", "-ec", text)).isprintable()


@given(st.dictionaries(st.sampled_from("AB"), TEXT))
def test_any_environment_keeps_to_its_lines(env):
    text = plan_text(plan(unit("web", image="x", env=env)))
    assert len([line for line in text.splitlines() if line.startswith("  env ")]) == len(env)
    assert all(line.isprintable() for line in text.splitlines())
