"""Ruby: Rails, or another Rack application."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import HOME, Findings, copies, copy_all, served
from envctl.detect.folder_view import FolderView

_GEM = re.compile(r"""^\s*gem\s*\(?\s*["']([A-Za-z0-9._-]+)["']""", re.MULTILINE)
_LIBRARIES: Final = {"pg": "libpq-dev", "mysql2": "libmariadb-dev", "sqlite3": "libsqlite3-dev"}
_GEMS: Final = {"BUNDLE_PATH": "/opt/gems"}


def detect_ruby(folder: FolderView) -> Findings | None:
    """Find an application in Ruby."""
    names = dependencies(folder)
    rails = "rails" in names
    program = folder.first("config.ru", "app.rb", "server.rb", "main.rb")
    if not folder.has("Gemfile") or not (rails or program):
        return None
    port, command = 9292, ["bundle", "exec", "rackup", "--host=0.0.0.0", "--port=9292"]
    if rails:
        port = 3000
        command = [
            "bundle",
            "exec",
            "rails",
            "server",
            "--binding=0.0.0.0",
            "--port=3000",
            "--pid=/tmp/rails.pid",
        ]
    elif program and program != "config.ru":
        port, command = 4567, ["bundle", "exec", "ruby", program, "-o", "0.0.0.0"]  # noqa: S104
    files = [file for file in ("Gemfile", "Gemfile.lock") if folder.has(file)]
    libraries = [_LIBRARIES[name] for name in sorted(names & _LIBRARIES.keys())]
    return Findings(
        "a Rails application" if rails else "an application in Ruby",
        ("Gemfile", *([program] if program else [])),
        {
            "packages": ["ruby", "ruby-dev", "bundler", "build-essential", "libyaml-dev", *libraries],
            "build": [
                *copies(*files),
                {"run": {"command": "bundle install", "workdir": HOME, "env": _GEMS}},
                copy_all(*(["/log/", "/tmp/"] if rails else [])),  # noqa: S108 — patterns
            ],
            "workdir": HOME,
            "env": {**_GEMS, "RACK_ENV": "production", **({"RAILS_ENV": "production", "RAILS_LOG_TO_STDOUT": "1"} if rails else {})},
            "command": command,
            **served(port),
        },
        {
            "mounts": {".": HOME},
            "env": {"RACK_ENV": "development", **({"RAILS_ENV": "development"} if rails else {})},
        },
        guesses=(f"it listens on port {port}", f"healthy: as soon as port {port} accepts connections"),
        dependencies=names,
    )  # fmt: skip


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the names of its gems."""
    return frozenset(_GEM.findall(folder.text("Gemfile")))
