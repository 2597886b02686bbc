"""What resources are called: two checkouts, odd and long names."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

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


def test_resources_of_one_unit_have_these_names(names):
    assert names.container("web-2") == "shop-0a1b2c-dev_web-2"
    assert names.network == "shop-0a1b2c-dev"
    assert names.volume("data") == "shop-0a1b2c-dev_data"
    assert names.secrets("web") == "shop-0a1b2c-dev_web.secrets"
    assert names.repository == "envctl/shop"


def test_a_volume_is_never_taken_for_a_units_secrets(names):
    assert names.volume("web") != names.secrets("web")


@pytest.mark.parametrize("text", ["", "---", "Ünï", "a b/c", "x" * 300, "-a-", "A_B.c"])
def test_odd_names_become_names_the_engine_takes(text):
    assert ENGINE_NAME.match(slug(text))


def test_labels_tell_who_a_container_is_and_what_it_was_made_for(names):
    one = unit("web", env={"A": "1"})
    labels = names.unit_labels(one)

    assert labels["dev.envctl.unit"] == "web"
    assert labels["dev.envctl.project-id"] == SCOPE.project_id
    assert labels["dev.envctl.build"] == one.source.digest
    assert labels["dev.envctl.run"] == run_text(one.run)
    assert labels["dev.envctl.image"] == labels["dev.envctl.keeper"] == ""
    assert labels["dev.envctl.root"] == SCOPE.root
    assert names.filters["label"] == [
        "dev.envctl.project-id=0a1b2c3d",
        "dev.envctl.environment=dev",
    ]
