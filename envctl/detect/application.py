"""Which application is in a folder: each detector is asked in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from envctl.detect import go, node, php, python, ruby
from envctl.detect.application_findings import Findings
from envctl.detect.dockerfile import detect_dockerfile
from envctl.detect.folder_view import FolderView
from envctl.detect.go import detect_go
from envctl.detect.java import dependencies as java_dependencies
from envctl.detect.java import detect_java
from envctl.detect.node import detect_node
from envctl.detect.php import detect_php
from envctl.detect.procfile import detect_procfile
from envctl.detect.python import detect_python
from envctl.detect.ruby import detect_ruby
from envctl.detect.static_site import detect_static_site

# An application in another language often has a package.json for its pages, so Node.js comes after the others.
_LANGUAGES: Final = (detect_python, detect_ruby, detect_php, detect_go, detect_java, detect_node)


def detect(folder: FolderView) -> Findings | None:
    """Find the application in a folder; None if none is recognized."""
    container = detect_dockerfile(folder)
    if container is not None:
        return replace(container, dependencies=_all_dependencies(folder))
    applications = [findings for detector in _LANGUAGES if (findings := detector(folder))]
    language = applications[0] if applications else None
    application = detect_procfile(folder, language) or language or detect_static_site(folder)
    if application is None or len(applications) < 2:
        return application
    unused = (
        f"{findings.title} ({findings.seen[0]}) is not part of it" for findings in applications[1:]
    )
    return replace(application, guesses=(*application.guesses, *unused))


def detect_processes(folder: FolderView) -> Findings | None:
    """Find what a Procfile runs, whatever else is in the folder; None if it names no process `web`."""
    languages = (findings for detector in _LANGUAGES if (findings := detector(folder)))
    return detect_procfile(folder, next(languages, None))


def _all_dependencies(folder: FolderView) -> frozenset[str]:
    """Return the dependencies that the project's files declare, in any language."""
    return (
        python.dependencies(folder)
        | node.dependencies(folder)
        | go.dependencies(folder)
        | ruby.dependencies(folder)
        | php.dependencies(folder)
        | java_dependencies(folder)
    )
