"""Exports for Kubernetes, judged by kustomize itself; their images are built and run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from envctl.exports.kubernetes.resources import resources
from envctl.plan.target import Target
from envctl.project import Project as EnvctlProject
from envctl.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow]

GUESTBOOK = Path(__file__).parents[2]
JUDGE = """
judge:
  base: debian:trixie
  kind: task
  packages: [kustomize]
  user: root
  mounts: {./exported: /exported}
  command: |
    for overlay in /exported/overlays/*; do
      kustomize build "$overlay" >"/exported/$(basename "$overlay").yaml"
    done
"""
SMALL = """
web:
  build: [{run: [sh, -c, echo hello >/greeting]}]
  user: web
  command: [cat, /greeting]
"""


def in_order(items):
    return sorted(items, key=lambda item: (item["kind"], item["metadata"]["name"]))


def test_kustomize_makes_each_environment_of_the_guestbook(make_project, engine):
    judge = make_project().spec(JUDGE)
    folder = judge.root / "exported"
    done = judge.cli("-C", str(GUESTBOOK), "export", "kubernetes", "--output", str(folder))
    assert done.returncode == 3, done.stderr  # what a cluster lacks is reported

    done = judge.cli("up", "dev", "--yes")

    assert done.returncode == 0, done.stderr
    guestbook = EnvctlProject(GUESTBOOK, environ={})
    for environment in guestbook.environments():
        plan = Session(guestbook, Target(environment, "docker")).portable_plan
        text = (folder / f"{environment}.yaml").read_text()
        assert in_order(yaml.safe_load_all(text)) == in_order(resources(plan).values())


def test_an_exported_image_is_built_and_runs_as_its_user(make_project, engine):
    project = make_project().spec(SMALL)
    done = project.cli("export", "kubernetes", "dev", "-o", str(project.root / "out"))
    assert done.returncode == 0, done.stdout + done.stderr

    built = subprocess.run(
        ["sh", project.root / "out/images/dev/build.sh"],
        env=dict(project.environ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    pod = yaml.safe_load((project.root / "out/base/web-workload.yaml").read_text())["spec"]
    (container,) = pod["template"]["spec"]["containers"]
    try:
        assert run(container["image"], "id", "-un") == "web\n"
        assert run(container["image"], *container["command"]) == "hello\n"
    finally:
        subprocess.run(["docker", "image", "rm", "--force", container["image"]], check=True)


def run(image, *argv):
    words = ["docker", "run", "--rm", "--cap-drop=ALL", image, *argv]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
