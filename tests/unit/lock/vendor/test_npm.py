"""Which steps of npm cannot be built offline."""

from __future__ import annotations

import json

import pytest

from envctl.lock.vendor.npm import steps_using_registry
from envctl.plan.target import Target
from tests.support.project import Project


def lock(**package):
    packages = {"": {"name": "app"}, "node_modules/a": {"version": "1", **package}}
    return json.dumps({"lockfileVersion": 3, "packages": packages})


WHERE = {"resolved": "https://registry.example/a.tgz"}


@pytest.mark.parametrize(
    ("files", "asks"),
    [
        ({}, True),
        ({"package-lock.json": lock(**WHERE)}, False),
        ({"package-lock.json": lock(integrity="sha512-x")}, True),
        ({"package-lock.json": lock(inBundle=True)}, False),
        ({"package-lock.json": '{"lockfileVersion": 1, "dependencies": {}}'}, True),
        ({"package-lock.json": "[" * 100_000}, True),
        ({"package-lock.json": '{"packages": {"node_modules/a": null}}'}, True),
        ({"npm-shrinkwrap.json": lock(**WHERE), "package-lock.json": lock()}, False),
    ],
)
def test_a_lock_file_has_to_say_where_each_package_is_from(tmp_path, files, asks):
    project = Project(tmp_path, backend="memory", environ={}).write("app/package.json", "{}")
    for name, text in files.items():
        project.write(f"app/{name}", text)
    project.spec(
        """
        web:
          packages: [npm]
          build: [{copy: {from: app/, to: /srv/}}, {npm: {directory: /srv}}]
          command: [x]
        """
    )
    (unit,) = project.workspace().plan(Target("dev")).units

    assert [step.directory for step in steps_using_registry(unit.source, tmp_path)] == [
        "/srv"
    ] * asks


def test_packages_that_are_named_are_asked_for(tmp_path):
    project = Project(tmp_path, backend="memory", environ={}).spec(
        "web: {packages: [npm], build: [{npm: {packages: [serve]}}], command: [x]}"
    )
    (unit,) = project.workspace().plan(Target("dev")).units

    assert [step.packages for step in steps_using_registry(unit.source, tmp_path)] == [("serve",)]
