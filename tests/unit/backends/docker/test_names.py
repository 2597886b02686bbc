"""What resources are called: two checkouts, odd and long names."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import envctl.backends.docker.names as label_names
from envctl.backends.docker.names import Names, slug
from envctl.plan.digest import run_text
from tests.support.plans import SCOPE, unit

ENGINE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


def test_two_checkouts_share_images_and_nothing_else(names):
    other = Names(replace(SCOPE, project_id="ffff0000"))
    one = unit("web")

    assert names.image_of(one) == other.image_of(one)
    assert names.container("web") != other.container("web")
    assert names.network != other.network
    assert names.volume("data") != other.volume("data")
    assert names.filters != other.filters


def test_no_two_units_of_different_environments_have_one_name(names):
    other = Names(replace(names.scope, environment="dev-web"))
    assert names.container("web-a") != other.container("a")
    assert names.container("a").partition("_")[2] == other.container("a").partition("_")[2]


def test_an_image_is_called_by_its_builds_digest_and_a_ready_one_as_it_is_called(names):
    one = unit("web")
    assert names.image_of(one) == names.image(one.source) == f"envctl/shop:{one.source.digest}"
    assert names.image_of(unit("db", image="postgres:16")) == "postgres:16"


def test_resources_of_one_unit_have_these_names(names):
    assert names.container("web-2") == "shop-0a1b2c-dev_web-2"
    assert names.network == "shop-0a1b2c-dev"
    assert names.volume("data") == "shop-0a1b2c-dev_data"
    assert names.secrets("web") == "shop-0a1b2c-dev_web.secrets"
    assert names.repository == "envctl/shop"


def test_a_volume_that_an_image_declares_is_called_by_its_unit_and_path_and_told_from_all_others(
    names,
):
    one = names.volume("web:/var/lib/x")
    assert re.fullmatch(r"shop-0a1b2c-dev_web\.var-lib-x-[0-9a-f]{8}", one)
    assert names.volume("web:/var/lib-x").rpartition("-")[0] == one.rpartition("-")[0]
    many = ["web:/var/lib/x", "web:/var/lib-x", "api:/var/lib/x", "web"]
    assert len({names.volume(name) for name in many}) == 4
    long = names.volume(f"web:/{'x' * 300}")
    assert re.fullmatch(r"shop-0a1b2c-dev_web\.x{100}-[0-9a-f]{8}", long)
    assert names.volume("web:/\udcff") != names.volume("web:/\udcfe")


def test_a_helper_is_known_by_its_name_though_the_project_was_renamed(names):
    renamed = Names(replace(SCOPE, project="other"))
    for volume in ("data", "web:/data"):
        assert names.is_helper(names.helper(names.volume(volume)))
        assert names.is_helper(renamed.helper(renamed.volume(volume)))


def test_what_is_of_another_checkout_or_environment_or_no_helper_is_none_of_ours(names):
    for other in (replace(SCOPE, project_id="ffff0000"), replace(SCOPE, environment="de")):
        assert not names.is_helper(Names(other).helper("x_data"))
        assert not names.is_helper(Names(other).helper(Names(other).volume("data")))
    assert not names.is_helper(names.volume("data"))
    assert not names.is_helper(f"{names.volume('data')}.helper.2")


def test_records_and_keepers_have_names_of_their_own(names):
    assert names.record("web", "oom-1") == "shop-0a1b2c-dev_web.record-oom-1"
    assert names.secrets_container("abc") == "shop-0a1b2c-dev.keeper-abc"


def test_a_volume_is_never_taken_for_a_units_secrets(names):
    assert names.volume("web") != names.secrets("web")


@pytest.mark.parametrize("text", ["", "---", "Ünï", "a b/c", "x" * 300, "-a-", "A_B.c"])
def test_odd_names_become_names_the_engine_takes(text):
    assert ENGINE_NAME.match(slug(text))


def test_labels_tell_who_a_container_is_and_what_it_was_made_for(names):
    one = replace(unit("web-2", env={"A": "1"}), service="web", replica=2)
    labels = names.unit_labels(one)
    ready = names.unit_labels(unit("db", image="postgres:16"))

    assert labels["dev.envctl.unit"] == "web-2"
    assert labels["dev.envctl.service"] == "web"
    assert labels["dev.envctl.replica"] == "2"
    assert (ready["dev.envctl.build"], ready["dev.envctl.image"]) == ("", "postgres:16")
    assert labels["dev.envctl.project-id"] == SCOPE.project_id
    assert labels["dev.envctl.build"] == one.source.digest
    assert labels["dev.envctl.run"] == run_text(one.run)
    assert labels["dev.envctl.image"] == labels["dev.envctl.keeper"] == ""
    assert labels["dev.envctl.root"] == SCOPE.root
    assert names.filters["label"] == [
        "dev.envctl.project-id=0a1b2c3d",
        "dev.envctl.environment=dev",
    ]
    assert names.unit_filters("web")["label"] == [*names.filters["label"], "dev.envctl.unit=web"]


def test_what_is_no_unit_is_labelled_as_none_whatever_its_image_says(names):
    assert names.secrets_container_labels == {
        **names.labels,
        "dev.envctl.keeper": "secrets",
        "dev.envctl.unit": "",
        "dev.envctl.service": "",
    }
    assert names.helper_labels == {
        **names.labels,
        "dev.envctl.helper": "volume",
        "dev.envctl.keeper": "",
        "dev.envctl.unit": "",
        "dev.envctl.service": "",
    }


def test_labels_are_called_as_they_always_were():
    """What was made by an earlier envctl is known by them."""
    words = "project project-id environment unit service replica build image run steps volume keeper root helper record"
    words += " secrets-of record-of record-kind record-value one-off"
    known = {value for value in vars(label_names).values() if str(value).startswith("dev.envctl.")}
    assert known - {label_names.PREFIX} == {f"dev.envctl.{word}" for word in words.split()}
