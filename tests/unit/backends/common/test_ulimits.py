"""Limits that every process has, in containers and in machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.backends.common.ulimits import limits, read
from envctl.backends.docker.options import bodies, compose
from envctl.backends.vagrant.options import problems
from envctl.backends.vagrant.unit.guest_setup import service
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from tests.support.plans import unit


def test_a_container_and_a_machines_service_have_the_same_limits():
    engine = {one["Name"]: (one["Soft"], one["Hard"]) for one in bodies({})[1]["Ulimits"]}
    lines = dict(
        line.split("=", 1)
        for line in service(unit("web"), UnitPaths("web")).splitlines()
        if "=" in line
    )
    told = {
        name.removeprefix("Limit").lower(): tuple(
            -1 if one == "infinity" else int(one) for one in value.split(":")
        )
        for name, value in lines.items()
        if name.startswith("Limit")
    }
    assert engine == told == limits({})


def test_a_limit_of_the_spec_stands_instead_of_the_usual_one():
    options = {"ulimits": {"nofile": 65536, "core": {"soft": 0, "hard": 0}, "locks": -1}}
    found = limits(options)
    assert found["nofile"] == (65536, 65536)
    assert found["core"] == (0, 0)
    assert found["locks"] == (-1, -1)
    assert found["nproc"] == limits({})["nproc"]
    assert compose(options)["ulimits"]["nofile"] == 65536
    changed = replace(unit("web"), run=replace(unit("web").run, options=options))
    assert "LimitNOFILE=65536:65536\n" in service(changed, UnitPaths("web"))
    assert "LimitLOCKS=infinity:infinity\n" in service(changed, UnitPaths("web"))


@pytest.mark.parametrize(
    "wrong", [["nofile"], {"files": 1}, {"nofile": "many"}, {"nofile": {"soft": 1}}, {"core": -2}]
)
def test_what_is_no_limit_is_refused_on_both(wrong: object):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        read(wrong)
    assert [one[0] for one in problems({"ulimits": wrong})] == ["ulimits"]
