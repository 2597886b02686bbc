"""`envctl export vagrant`: what `envctl render` writes for machines, with a report."""

from __future__ import annotations

from pathlib import Path

from envctl.exports.vagrant_export import VAGRANT
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.export_target import export
from envctl.verbs.render import render


def test_it_writes_what_render_writes(full: Path) -> None:
    made = export(Project(full, environ={}), VAGRANT, [Target("dev")])

    assert made.written.files == render(Project(full, environ={}), Target("dev", "vagrant"))


def test_a_port_without_a_number_is_reported_with_the_one_it_gets(full: Path) -> None:
    made = export(Project(full, environ={}), VAGRANT, [Target("prod")])

    (line,) = (item for item in made.report.lines if item.path == "services.web.ports[0]")
    files = {path: text for path, text in made.written.files.items() if isinstance(text, bytes)}
    number = line.note.partition(" the number ")[2].partition(",")[0]
    assert f"guest: 8000, host: {number}," in files["Vagrantfile"].decode()
