"""Each plant by itself, in a container and in a machine, against itself and against the other: `make soak`."""

from __future__ import annotations

import pytest

from tests.conftest import remove_images
from tests.support.planting import Planting, planted_project
from tests.support.plants import ALL, VOLATILE

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.timeout(4 * 3600)]


def test_each_plant_is_found_and_nothing_else(machines, make_project):
    planting = planted_project(make_project, "vagrant")
    try:
        plant_each(planting)
    finally:
        planting.project.cli("down", "dev@docker", "--volumes")
        remove_images(planting.project.name)


def plant_each(planting: Planting) -> None:
    for backend in ("docker", "vagrant"):
        for plant in (VOLATILE, *ALL):
            planting.plant(backend, [plant])
        planting.untouched(backend)
    print(f"{planting.planted} plants, {len(planting.wrong)} missed or called wrongly")
    assert planting.wrong == {}
