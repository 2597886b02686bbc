"""Backends are found by their entry points: envctl's own without looking at any other package, the rest when asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from envctl import backends
from envctl.backends import backend_names, is_backend, require_backend
from envctl.backends import entry_points as own_entry_points
from envctl.errors import UsageError

DISTRIBUTION = "envctl-9.9.dist-info/entry_points.txt"
TEXT = """[console_scripts]
envctl = envctl.__main__:main

[envctl.backends]
docker = envctl.backends.docker:DockerBackend
 odd=package.module:Class
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Make a folder on Python's path with these files of a distribution."""

    def install(text: str, *, folder: str = "site-packages", name: str = DISTRIBUTION):
        file = tmp_path / folder / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
        monkeypatch.syspath_prepend(tmp_path / folder)
        own_entry_points.envctl_entry_points.cache_clear()

    yield install
    own_entry_points.envctl_entry_points.cache_clear()


def test_the_entry_points_read_are_those_that_the_standard_library_reads():
    known = {entry.name: entry.value for entry in entry_points(group=backends.GROUP)}

    assert own_entry_points.envctl_entry_points(backends.GROUP).items() <= known.items()
    assert set(own_entry_points.envctl_entry_points(backends.GROUP)) >= {
        "docker",
        "memory",
        "vagrant",
    }


def test_only_the_group_s_lines_are_taken(installed):
    installed(TEXT)

    assert own_entry_points.envctl_entry_points(backends.GROUP) == {
        "docker": "envctl.backends.docker:DockerBackend",
        "odd": "package.module:Class",
    }


def test_folders_that_no_installer_writes_into_are_not_looked_through(installed):
    installed(TEXT, folder="project")

    assert "odd" not in own_entry_points.envctl_entry_points(backends.GROUP)


def test_another_package_s_backend_is_found(installed):
    installed(
        "[envctl.backends]\nmoon = moon_backend:Moon\n",
        name="moon_backend-1.0.dist-info/entry_points.txt",
    )

    assert "moon" in backend_names()
    assert is_backend("moon")


def test_an_unknown_backend_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError) as caught:
        require_backend("dokcer")

    assert caught.value.brief == "no such backend: 'dokcer'"
    assert caught.value.hint == "did you mean 'docker'?"


def test_own_backends_are_opened_without_the_library_that_reads_all_packages():
    program = (
        "import sys; from envctl.backends import is_backend; "
        "print(is_backend('docker'), 'importlib.metadata' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stdout.split() == ["True", "False"]
