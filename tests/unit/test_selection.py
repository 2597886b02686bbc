"""`up SERVICE` on the memory backend: it needs what the service needs, and no more."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError, SpecError
from envctl.plan.target import Target

pytestmark = pytest.mark.slow

DEV = Target("dev")
TOP = "secrets: {token: {env: NOT_SET}, made: {generate: 8}, kept: {file: nowhere.txt}}\n"
BASE = "  db: {command: [db]}\n  web: {command: [web], depends_on: [db]}\n"


@pytest.fixture
def shop(make_project):
    """A project on paper."""
    return make_project(backend="memory", name="shop")


LACKING = [
    ("secrets: [token]", "secret token has no value"),
    ("secrets: [kept]", "nowhere.txt"),
    ("mounts: {./nowhere: /m}", "cannot mount 'nowhere': it does not exist"),
    ("build: [copy: {from: nothing, to: /x}]", "'nothing' does not exist"),
    ("build: [template: {from: nothing.j2, to: /x}]", "'nothing.j2' does not exist"),
    ("secrets: [made], mounts: {live: /run/secrets}", "overlaps /run/secrets"),
]


@pytest.mark.parametrize(("lacks", "told"), LACKING)
def test_what_another_service_lacks_is_nothing_to_a_service_that_does_not_need_it(
    shop, lacks, told
):
    shop.write("live/page", "")
    shop.spec(BASE + f"  api: {{command: [api], {lacks}}}\n", top=TOP)

    assert shop.up("web") == ["build db", "build web", "create db", "create web"]
    assert shop.up("web") == []
    for services in (["api"], []):
        with pytest.raises(EnvctlError) as caught:
            shop.up(*services)
        assert told in str(caught.value)


@pytest.mark.parametrize(("lacks", "told"), LACKING)
def test_what_a_needed_service_lacks_is_reported(shop, lacks, told):
    shop.write("live/page", "")
    shop.spec(BASE.replace("command: [db]", f"command: [db], {lacks}"), top=TOP)

    with pytest.raises(EnvctlError) as caught:
        shop.up("web")

    assert told in str(caught.value)


def test_a_dockerfile_that_another_service_lacks_is_nothing_to_the_rest(shop):
    shop.spec(BASE + "  api: {dockerfile: api/Dockerfile}\n")

    assert "create web" in shop.up("web")
    with pytest.raises(SpecError, match="'api/Dockerfile' does not exist"):
        shop.up()


def test_a_service_that_is_up_and_lacks_something_now_stays_as_it_is(shop):
    api = "  api: {command: [api], mounts: {./live: /m}, volumes: {data: /data}}\n"
    shop.write("live/page", "")
    shop.spec(BASE + api).up()
    (shop.root / "live" / "page").unlink()
    (shop.root / "live").rmdir()
    before = shop.workspace().observed(DEV).units["api"]
    shop.spec(BASE.replace("[web]", "[web, -v]") + api)
    shop.events.clear()

    assert shop.up("web") == ["replace web"]

    assert shop.workspace().observed(DEV).units["api"] == before
    assert not [event.text for event in shop.events if "data" in event.text]


def test_other_mistakes_of_another_service_are_reported_whatever_was_asked_for(shop):
    api = "{command: [api], depends_on: [nobody], build: [copy: {from: no, to: /x}]}"
    shop.spec(BASE + f"  api: {api}\n")

    with pytest.raises(SpecError) as caught:
        shop.up("web")

    assert "'no' does not exist" in str(caught.value)
    assert len(caught.value.problems) == 2


def test_no_command_of_another_services_secret_is_run(shop):
    top = "secrets: {theirs: {command: [touch, ran]}}\n"
    shop.spec(BASE + "  api: {command: [api], secrets: [theirs]}\n", top=top)
    shop.environ = {**shop.environ, "CI": "true"}

    shop.up("web")

    assert not (shop.root / "ran").exists()


def test_a_secret_is_generated_for_the_first_service_that_needs_it(shop):
    shop.spec(BASE + "  api: {command: [api], secrets: [made]}\n", top=TOP)
    shop.up("web")
    assert shop.up() == ["build api", "create api"]
    assert shop.up() == []


def test_a_service_that_does_not_exist_is_told_also_where_another_lacks_something(shop):
    shop.spec(BASE + "  api: {command: [api], mounts: {./nowhere: /m}}\n")

    with pytest.raises(EnvctlError, match="dev has no service 'wbe'"):
        shop.up("wbe")


def test_a_port_is_let_go_of_for_a_selection_and_what_had_it_is_up_again(shop):
    spec = "  web: {command: [w], ports: ['%s:80']}\n  api: {command: [a], ports: ['%s:80']}\n"
    shop.spec(spec % (8080, 8081)).up()
    shop.spec(spec % (8081, 8080))

    done = shop.up("api")

    assert sorted(done) == ["replace api", "replace web", "stop api", "stop web"]
    assert shop.states() == {"web": "running", "api": "running"}
    assert shop.up() == []


def test_a_port_of_a_service_that_cannot_be_planned_is_not_taken_from_it(shop):
    spec = "  web: {command: [w], ports: ['%s:80']}\n  api: {command: [a], ports: ['%s:80'], mounts: {./live: /m}}\n"
    shop.write("live/page", "")
    shop.spec(spec % (8080, 8081)).up()
    (shop.root / "live" / "page").unlink()
    (shop.root / "live").rmdir()
    shop.spec(spec % (8081, 8082))

    with pytest.raises(EnvctlError, match="api still has what web takes: port 8081") as caught:
        shop.up("web")

    assert caught.value.hint == "api cannot be planned as it is: `envctl validate` says why"
    units = shop.workspace().observed(DEV).units
    assert {name: str(one.status) for name, one in units.items()} == {
        "web": "running",
        "api": "running",
    }
