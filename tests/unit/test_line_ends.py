"""Checkouts with the line ends of Windows: what envctl reads itself means the same, and what breaks inside is told."""

from __future__ import annotations

import os

import pytest

from envctl.files import disk_notes, hash_context, hash_copy
from envctl.files.hashes import PLAIN, WINDOWS, WINDOWS_SCRIPT, line_ends
from envctl.plan.target import Target
from envctl.project import Project
from tests.support.verbs import Workspace

SPEC = """\
project: ends
base: debian:bookworm
vars: {level: info}
services:
  web:
    packages: [python3]
    build:
      - copy: {from: app, to: /srv/app/}
      - run: |
          echo one
          echo two
      - template: {from: page.j2, to: /srv/page}
      - pip: {venv: /opt/web, requirements: /srv/app/requirements.txt}
    env:
      TEXT: |
        one
        two
    command: [sleep, "9"]
"""
FILES = {
    "envctl.yaml": SPEC,
    "environments/dev.yaml": "backend: docker\nservices:\n  web:\n    env: {MODE: 'dev'}\n",
    "environments/prod.yaml": "# as in the root file\nbackend: docker\n",
    "page.j2": "level {{ level }}\n{% if level %}\nyes\n{% endif %}\n",
    ".envctlignore": "# what is not copied\napp/left\n*.tmp\n",
    ".gitignore": "junk\n",
}
AS_THEY_ARE = {
    "app/main.py": "print(1)\n",
    "app/requirements.txt": "",
    "app/left": "x",
    "app/junk": "x",
}


def checkout(root, ends):
    for files, how in ((FILES, ends), (AS_THEY_ARE, "\n")):
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.replace("\n", how).encode())
    return Workspace(Project(root, environ=dict(os.environ)))


def test_what_envctl_reads_itself_makes_the_same_builds_with_either_line_ends(tmp_path):
    plans = []
    for name, ends in (("lf", "\n"), ("crlf", "\r\n")):
        workspace = checkout(tmp_path / name, ends)
        workspace.validate()
        plans.append([workspace.plan(Target(one)).units[0] for one in ("dev", "prod")])
    for left, right in zip(*plans, strict=True):
        assert left.source == right.source
        assert left.run == right.run
        assert left.run.process.env["TEXT"] == "one\ntwo\n"


def test_an_ignore_file_with_such_ends_leaves_out_what_it_names(tmp_path):
    checkout(tmp_path, "\r\n")
    assert [one.path for one in hash_copy(tmp_path, "app").tree.entries] == [
        "junk",
        "main.py",
        "requirements.txt",
    ]
    assert any("git ignores: app/junk" in note for note in hash_copy(tmp_path, "app").tree.notes)


def test_own_templates_are_the_same_with_either_line_ends(tmp_path):
    from envctl.render.templates import own_templates_digest

    digests = set()
    for name, ends in (("lf", b"\n"), ("crlf", b"\r\n")):
        file = tmp_path / name / "templates" / "docker" / "Dockerfile.j2"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"FROM x\nRUN y\n".replace(b"\n", ends))
        digests.add(own_templates_digest(tmp_path / name))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b"#!/bin/sh\r\necho\r\n", WINDOWS_SCRIPT),
        (b"#!/bin/sh\necho\r\n", PLAIN),
        (b"A=1\r\n", WINDOWS),
        (b"A=1\n", PLAIN),
        (b"A=1\r", PLAIN),
        (b"", PLAIN),
        (b"x" * 5000 + b"\r\n", PLAIN),
    ],
)
def test_the_first_line_tells(data, ends):
    assert line_ends(data) == ends


@pytest.fixture
def broken(tmp_path):
    root = tmp_path / "project"
    for path, data in {
        "app/start.sh": b"#!/bin/sh\r\nexec app\r\n",
        "app/run": b"#!/usr/bin/env python3\r\n",
        "app/.env": b"A=1\r\nB=2\r\n",
        "app/.gitignore": b"one\r\ntwo\r\n",
        "app/page.txt": b"one\r\ntwo\r\n",
        "app/fine.sh": b"#!/bin/sh\nexec app\n",
        "Dockerfile": b"FROM scratch\r\nCOPY . /\r\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def taken_by_copy(root):
    return hash_copy(root, "app").tree.notes


def taken_as_context(root):
    return hash_context(root, ".", dockerfile="Dockerfile").tree.notes


def mounted(root):
    return tuple(disk_notes.of_mount(root / "app", root))


@pytest.mark.parametrize("notes", [taken_by_copy, taken_as_context, mounted])
def test_scripts_and_files_of_values_are_named_with_the_remedy(broken, notes):
    for _ in range(2):  # from what is remembered of them, too
        scripts, values = notes(broken)
        assert scripts.startswith("app/run, app/start.sh: ")
        assert "CRLF" in scripts
        assert "`run text eol=lf` in .gitattributes" in scripts
        assert "core.autocrlf" in scripts
        assert values.startswith("app/.env: ")
        assert "gitignore" not in scripts + values
        assert "page.txt" not in scripts + values
        assert "fine.sh" not in scripts + values


def test_what_is_mounted_as_a_single_file_is_looked_at_too(broken):
    (note,) = disk_notes.of_mount(broken / "app/start.sh", broken)
    assert note.startswith("app/start.sh: ")
    assert "`*.sh text eol=lf`" in note


def test_what_is_mounted_from_elsewhere_is_not_read(broken):
    assert list(disk_notes.of_mount(broken / "app", broken / "other")) == []


@pytest.mark.slow
def test_of_a_large_mount_no_more_is_read_than_takes_a_moment(tmp_path):
    for number in range(2100):
        (tmp_path / f"{number:05}").write_text("")
    (tmp_path / "z.sh").write_bytes(b"#!/bin/sh\r\n")
    assert list(disk_notes.of_mount(tmp_path, tmp_path)) == []
    (tmp_path / "0.sh").write_bytes(b"#!/bin/sh\r\n")
    assert len(list(disk_notes.of_mount(tmp_path, tmp_path))) == 1
