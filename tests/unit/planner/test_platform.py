"""`platform`: what is written, what the plan has of it, and what has to be another because of it."""

from __future__ import annotations

import pytest

from envctl.backends.vagrant.problems import problems as machine_problems
from envctl.definition import config_text
from envctl.errors import SpecError
from envctl.plan.build_causes import build_text
from envctl.plan.model import Build
from envctl.plan.state import Observed
from envctl.plan.text import changes_text
from envctl.reconcile.compare import compare
from tests.support.plans import made, observed
from tests.unit.definition.helpers import HEAD, load, problems
from tests.unit.planner.conftest import lines

SERVICES = """\
  db: {image: "redis:7"PLATFORM}
  own: {dockerfile: app/Dockerfile, command: [x]PLATFORM}
  web: {packages: [curl], command: [x]PLATFORM}
"""
PLAIN = SERVICES.replace("PLATFORM", "")
ARM = SERVICES.replace("PLATFORM", ", platform: linux/arm64")


@pytest.fixture(autouse=True)
def _dockerfile(app):
    (app / "Dockerfile").write_text("FROM scratch\n")


def place_of(services, line, word):
    return f"envctl.yaml:{line}:{services.splitlines()[line - 4].index(word) + 1}"


def on(platform):
    return f", platform: {platform}" if platform else ""


def told(plan):
    return [line for line in lines(plan) if not line.startswith(("  ", "environment"))]


def digests(plan):
    return [one.source.digest for one in plan.units if not hasattr(one.source, "image")]


def test_all_that_a_service_can_be_made_of_is_for_its_platform(planned):
    plan = planned(ARM)

    assert [line.split(" for ")[1:] for line in told(plan)] == [["linux/arm64"]] * 3
    assert [one.source.platform for one in plan.units] == ["linux/arm64"] * 3
    assert [one.run.platform for one in plan.units] == ["linux/arm64"] * 3


def test_a_base_has_an_image_of_its_own_for_each_platform_and_its_usual_one_without(planned):
    images = {
        platform: planned(f"  web: {{command: [x]{on(platform)}}}\n").units[0].source.base.image
        for platform in ("", "linux/amd64", "linux/arm64", "linux/arm/v7")
    }

    assert images[""] == "debian:bookworm"
    assert images["linux/arm64"] == "envctl-platform/linux-arm64/debian:bookworm"
    assert len({*images.values()}) == 4


def test_nothing_is_another_where_no_platform_is_given(planned):
    """What an earlier version has made is known by these."""
    plan = planned("  web: {packages: [curl], command: [x]}\n")
    (unit,) = plan.units

    assert isinstance(unit.source, Build)
    assert "platform" not in build_text(unit.source)
    assert '"platform"' not in made(unit).run
    assert unit.source.digest == "b59105900c8aa2d6a92ac9eb"


def test_a_platform_makes_another_build_each(planned):
    found = [
        digests(planned(SERVICES.replace("PLATFORM", on(one))))
        for one in ("linux/amd64", "linux/arm64", "linux/arm/v7", "")
    ]

    assert len({digest for some in found for digest in some}) == 8


def test_one_platform_written_in_two_ways_is_one(planned):
    assert digests(planned(ARM)) == digests(planned(ARM.replace("arm64", "arm64/v8")))


def test_services_of_several_platforms_are_built_apart(planned):
    plan = planned("  a: {command: [x], user: root}\n  b: {extends: a, platform: linux/arm64}\n")

    assert len({*digests(plan)}) == 2


def test_a_platform_that_is_set_is_the_cause_of_every_change_at_its_place(planned):
    before, after = planned(PLAIN), planned(ARM)
    recorded = {source.digest: build_text(source) for source in before.builds().values()}
    state = Observed({one.name: made(one) for one in before.units}, recorded)
    found = [" ".join(line.split()) for line in changes_text(compare(after, state)).splitlines()]

    assert found == [
        f"{change} platform unset → linux/arm64 ({place_of(ARM, line, 'linux')})"
        for change, line in (
            ("* build own", 5),
            ("* build web", 6),
            ("~ replace db", 4),
            ("~ replace own", 5),
            ("~ replace web", 6),
        )
    ]


def test_a_platform_that_is_left_out_or_another_is_a_cause_too(planned):
    arm, plain = planned(ARM), planned(PLAIN)
    seven = planned(ARM.replace("arm64", "arm/v7"))

    (db, *_) = compare(plain, observed(*arm.units))[-3:]
    assert db.cause == "platform linux/arm64 → unset"
    (*_, web) = compare(seven, observed(*arm.units))
    assert web.cause == "platform linux/arm64 → linux/arm/v7"


def test_a_platform_comes_from_variables_overlays_and_other_services(tmp_path):
    text = HEAD + (
        "vars: {arch: arm64}\nservices:\n"
        "  a: {command: [x], platform: 'linux/${arch}'}\n"
        "  b: {extends: a}\n  c: {extends: a, platform: null}\n  d: {extends: a, platform: linux/s390x}\n"
    )
    overlay = "services:\n  b: {platform: linux/386}\n"
    data = load(tmp_path, text, dev=overlay).data["services"]

    assert {name: one["platform"] for name, one in data.items()} == {
        "a": "linux/arm64",
        "b": "linux/386",
        "c": None,
        "d": "linux/s390x",
    }
    assert "platform: linux/arm64" in config_text(load(tmp_path, text, dev=overlay))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("linux/arm46", "did you mean 'linux/arm64'?"),
        ("arm64", "did you mean 'linux/arm64'?"),
        ("aarch64", "did you mean 'linux/arm64'?"),
        ("linux/x86_64", "did you mean 'linux/amd64'?"),
        ("LINUX/AMD64", "did you mean 'linux/amd64'?"),
        ("windows/amd64", "not a platform here: containers run Linux"),
        ("[linux/arm64]", "a platform, such as linux/arm64"),
        ("7", "'7' is not a platform"),
        ("''", "not a platform"),
        ("sparkling", "linux/amd64, linux/amd64/v2"),
    ],
)
def test_what_is_no_platform_is_refused_at_its_place(tmp_path, written, said):
    (found,) = problems(
        tmp_path, HEAD + f"services:\n  web:\n    command: [x]\n    platform: {written}\n"
    )

    assert (found.where.line, found.where.column) == (6, 15)
    assert said in f"{found.message} {found.expected} {found.hint}"


def test_a_base_that_is_not_made_for_a_platform_is_refused_with_those_it_is(planned):
    with pytest.raises(SpecError) as refused:
        planned("  web: {command: [x], base: 'ubuntu:24.04', platform: linux/386}\n")

    (found,) = refused.value.problems
    assert str(found.where) == "envctl.yaml:4:55"
    assert found.message == "services.web: the base ubuntu:24.04 is not made for linux/386"
    assert "linux/arm64" in found.expected
    assert "linux/386" not in found.expected
    # An image of somebody's own may be for anything.
    assert planned("  web: {command: [x], base: {image: x}, platform: linux/386}\n")


def test_machines_are_of_one_platform_and_refuse_others_at_the_place(planned):
    text = "  web: {command: [x], platform: PLATFORM}\n"
    fine = planned(text.replace("PLATFORM", "linux/amd64"), backend="vagrant")
    (found,) = machine_problems(planned(text.replace("PLATFORM", "linux/arm64"), backend="vagrant"))

    assert machine_problems(fine) == ()
    assert str(found.where) == "envctl.yaml:4:33"
    assert found.message == (
        "web: platform linux/arm64 is not supported: machines on this host are linux/amd64"
    )
    assert found.hint == (
        "remove it for this environment (`platform: null` in its overlay), or use the Docker backend"
    )
