"""What pip and npm were told to install, package by package."""

from __future__ import annotations

import pytest

from envctl.errors import Place
from envctl.host.source_tree import SourceTree
from envctl.parity.drift import libraries
from envctl.parity.drift.unit_verifier import nothing_told
from envctl.plan.model import CopyFiles, NpmInstall, PipInstall, Volume, WriteFile
from tests.support.plans import script
from tests.support.taken import entry
from tests.unit.parity.test_drift import AT, only, said, unchecked, web

FOLDER = "/opt/web/lib/python3.11/site-packages"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "package.json").write_text('{"dependencies": {"left": "^1", "right": "^2"}}')
    return tmp_path


def found(root, *steps, told=None, **run):
    return list(libraries.expectations(web(*steps, **run), only(told or {}), root=root))


def pip(*packages, venv="/opt/web", requirements=""):
    return PipInstall(venv, requirements, packages, AT)


def python(**versions):
    return {"python": {f"{FOLDER}: {name}": version for name, version in versions.items()}}


def keys(expectations):
    return [(one.key, one.passed) for one in expectations]


def test_each_package_of_a_step_and_of_its_requirements_is_claimed_in_every_spelling(root):
    listed = WriteFile("/srv/requirements.txt", "Jinja_2==3.1\nclick\n", where=AT)
    step = pip("Flask==3.1", "rich", venv="/opt/web/", requirements="/srv/./requirements.txt")
    told = python(**{"flask": "3.1.0", "jinja-2": "3.1", "rich": "13"})
    assert keys(found(root, listed, step, told=told)) == [
        ("/opt/web/: Flask", True),
        ("/opt/web/: rich", True),
        ("/opt/web/: Jinja_2", True),
        ("/opt/web/: click", False),
    ]


def test_requirements_that_the_build_did_not_put_there_name_nothing(root):
    assert found(root, pip(requirements="/srv/requirements.txt"), told=python()) == []


def test_a_package_counts_in_its_own_environment_only(root):
    told = {"python": {"/opt/web-2/lib: rich": "1", "/opt/web: it is: odd": "1"}}
    assert said(found(root, pip("rich"), told=told)) == [
        "python /opt/web: rich: declared, not installed (envctl.yaml:9:5)"
    ]


def test_the_version_is_judged_where_the_step_is_the_last_of_its_environment(root):
    told = python(rich="13.1")
    other = pip("x", venv="/opt/other")
    assert [one.passed for one in found(root, pip("rich==13"), other, told=told)] == [False, False]
    assert said(found(root, pip("rich==13"), told=told)) == [
        "python /opt/web: rich: declared 13, found 13.1 (envctl.yaml:9:5)"
    ]
    assert said(found(root, pip("rich==13"), pip("rich"), told=told)) == []
    assert said(found(root, pip("rich"), pip("rich==13"), told=told)) == [
        "python /opt/web: rich: declared 13, found 13.1 (envctl.yaml:9:5)"
    ]


def test_what_nobody_tells_of_cannot_be_checked_package_by_package(root):
    package = CopyFiles("package.json", "/srv/", "0", where=AT, tree=SourceTree("package.json", (entry("", "x"),)))  # fmt: skip
    steps = (pip("rich"), package, NpmInstall("/srv", where=AT), NpmInstall(packages=("serve@1.0.0", "@vue/cli"), where=AT))  # fmt: skip
    silent = list(libraries.expectations(web(*steps), nothing_told("it is asleep"), root=root))
    assert unchecked(silent) == [
        "python /opt/web: rich: it is asleep",
        "npm /srv: left: it is asleep",
        "npm /srv: right: it is asleep",
        "npm serve: it is asleep",
        "npm @vue/cli: it is asleep",
    ]
    assert {one.where for one in silent} == {Place("envctl.yaml", 9, 5)}
    assert len(silent) == 5


def test_a_step_before_a_command_is_not_judged_and_one_after_it_is(root):
    told = python(rich="1")
    assert found(root, pip("rich"), script("true"), told=told) == []
    assert keys(found(root, script("true"), pip("rich"), told=told)) == [("/opt/web: rich", True)]


@pytest.mark.parametrize("word", ["serve", "serve@latest", "serve@14", "serve@^14.2.0"])
def test_a_package_of_npm_without_an_exact_version_has_to_be_there(root, word):
    step = NpmInstall(packages=(word,), where=AT)
    told = {"npm": {"/usr/lib: serve": "14.2.1 sha512-x"}}
    assert keys(found(root, step, told=told)) == [("serve", True)]
    assert keys(found(root, step, told={"npm": {}})) == [("serve", False)]
    # What says nothing of its version is not known to be there.
    assert keys(found(root, step, told={"npm": {"/usr/lib: serve": ""}})) == [("serve", False)]


@pytest.mark.parametrize("name", ["JSONStream", "@vue/cli", "a.b_c-d", "~x"])
def test_names_of_npm_have_capitals_and_scopes_too(root, name):
    step = NpmInstall(packages=(f"{name}@1.3.5",), where=AT)
    told = {"npm": {f"/usr/lib: {name}": "1.3.4"}}
    assert said(found(root, step, told=told)) == [
        f"npm {name}: declared 1.3.5, found 1.3.4 (envctl.yaml:9:5)"
    ]
    assert keys(found(root, step, told={"npm": {f"/usr/lib: {name}": "1.3.5"}})) == [(name, True)]


@pytest.mark.parametrize(
    "word", ["https://x/y.tgz", "./local", "user/repository", "git+ssh://x/y", "/srv/pack.tgz"]
)
def test_addresses_and_paths_name_no_package_and_hide_no_other(root, word):
    step = NpmInstall(packages=(word, "serve"), where=AT)
    assert keys(found(root, step, told={"npm": {}})) == [("serve", False)]


def test_dependencies_are_looked_for_in_the_folder_of_the_step_unless_it_is_covered(root):
    tree = SourceTree("package.json", (entry("", "x"),))
    package = CopyFiles("package.json", "/srv/", "0", where=AT, tree=tree)
    step = NpmInstall("/srv/", where=AT)
    told = {"npm": {"/srv: left": "1.0.0", "/other: right": "1.0.0"}}
    assert keys(found(root, package, step, told=told)) == [
        ("/srv: left", True),
        ("/srv: right", False),
    ]
    volume = (Volume("modules", "/srv/node_modules"),)
    assert found(root, package, step, told=told, volumes=volume) == []
    # Of a folder without a package.json of the project's nothing is known.
    assert found(root, step, told=told) == []
    assert found(root, NpmInstall(where=AT), told=told) == []


def test_a_folder_may_have_a_colon_in_its_name(root):
    told = {"python": {"/opt/a: b/lib: rich": "1"}}
    assert keys(found(root, pip("rich", venv="/opt/a: b"), told=told)) == [
        ("/opt/a: b: rich", True)
    ]
