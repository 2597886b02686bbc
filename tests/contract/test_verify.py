"""Drift is found inside units wherever they are, and none where there is none."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.executes


def findings(project):
    return [
        (one.unit, one.category, one.key, str(one.where).rpartition(":")[0])
        for one in project.workspace().verify(project.target).findings
    ]


@pytest.mark.long
def test_only_what_was_changed_inside_is_drift(project):
    project.write("page.txt", "hello\n").write("conf/a", "a\n")
    project.spec(
        """
        web:
          packages: [less]
          build:
            - copy: {from: page.txt, to: /srv/page.txt, owner: web}
            - copy: {from: conf/, to: /etc/web/}
          env: {LOG_LEVEL: debug}
          secrets: [token]
          volumes: {data: /data}
          resources: {memory: 64MiB, cpus: 0.5}
          command: [sleep, infinity]
          depends_on: [other]
          checks: {page: grep -q hello /srv/page.txt}
        other: {command: [sleep, infinity]}
        """,
        top="secrets: {token: {generate: 24}}\n",
    ).up()
    assert findings(project) == []

    project.run("web", "sh", "-c", "echo bye > /srv/page.txt; echo new > /data/file")
    project.run("web", "sh", "-c", "dpkg --purge less", user="root")

    assert findings(project) == [
        ("web", "packages", "less", "envctl.yaml:6"),
        ("web", "files", "/srv/page.txt", "envctl.yaml:8"),
        ("web", "checks", "page", "envctl.yaml:16"),
    ]
