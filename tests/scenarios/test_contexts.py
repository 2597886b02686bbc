"""What `up` sends of a project's own build context is what `docker build` sends of it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import DockerfileBuild
from tests.support.trees import Tree

pytestmark = [pytest.mark.engine, pytest.mark.slow]

TREES = 200
DOCKERFILE = "FROM scratch\nCOPY . /context/\n# {}\n"
"""With something of its own: builders take what they have built before, with the times of then."""
SPECIAL = (
    "\ufeffa\n",
    "*\n",
    "**\n!a/keep.txt\n",
    "# a\n  b  \n\n! a \n",
    "/\n.\n./\n..\n../x\n",
    "**/node_modules\n**/secrets\n",
    "*/*\n!*.txt\n",
    "a/**\nb**\n**.log\r\n",
)
"""Ignore files that do not mean the same for a folder of a context."""


def listing(client, image: str) -> dict[str, tuple[object, ...]]:
    """What is below /context in an image by path: kind, mode, owner, time of files, content or where a link leads."""
    container = client.containers.create(image, ["-"])
    chunks, _ = container.get_archive("/context")
    archive = b"".join(chunks)
    container.remove()
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if not path:
                continue
            file = tar.extractfile(member) if member.isreg() else None
            content = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
            time = int(member.mtime) if file else 0
            owner = (member.uid, member.gid)
            found[path] = (member.type, oct(member.mode), owner, time, content)
    return found


@pytest.fixture
def sent_by_docker(engine):
    """What `docker build` puts into an image of a folder."""
    images: list[str] = []

    def build(folder: Path, name: str) -> dict[str, tuple[object, ...]]:
        images.append(f"{name}:docker{len(images)}")
        subprocess.run(
            ["docker", "build", "--quiet", "--no-cache", "--tag", images[-1], folder],
            check=True,
            capture_output=True,
        )
        return listing(engine, images[-1])

    yield build
    for image in images:
        engine.images.remove(image, force=True)


def sent_by_us(project, engine) -> dict[str, tuple[object, ...]]:
    session = project.workspace().open(project.target)
    build = session.plan.units[0].source
    assert isinstance(build, DockerfileBuild)
    session.backend.apply(Change(Action.BUILD, "web", because("for the test"), target=build))
    return listing(engine, f"envctl/{project.name}:{build.digest}")


def whole_seconds(folder: Path) -> None:
    """Cut off what some builders cut off of times, and others round."""
    for path in folder.rglob("*"):
        time = int(path.lstat().st_mtime)
        os.utime(path, (time, time), follow_symlinks=False)


def differences(ours, theirs):
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    }


def test_hundreds_of_trees_are_sent_as_docker_build_sends_them(
    make_project, engine, sent_by_docker
):
    project = make_project().spec("web: {dockerfile: {file: c/Dockerfile, context: c}}")
    project.write("c/Dockerfile", DOCKERFILE.format(project.name))
    lines: list[str] = []
    for seed in range(TREES):
        tree = Tree(seed)
        tree.make(project.root / "c" / f"t{seed}")
        lines += tree.prefixed(f"t{seed}")
    project.write("c/.dockerignore", "".join(f"{line}\n" for line in lines))

    whole_seconds(project.root / "c")
    ours = sent_by_us(project, engine)
    theirs = sent_by_docker(project.root / "c", project.name)
    assert differences(ours, theirs) == {}
    assert len(theirs) > TREES


def test_a_copied_file_has_a_time_and_a_uid_that_is_taken_is_reported(make_project, engine):
    project = (
        make_project()
        .write("page", "one")
        .spec("web: {command: [sleep, infinity], build: [copy: {from: page, to: /page}]}")
    )
    session = project.workspace().open(project.target)
    build = session.plan.units[0].source
    session.backend.apply(Change(Action.BUILD, "web", because("for the test"), target=build))
    container = engine.containers.create(f"envctl/{project.name}:{build.digest}", ["-"])
    _, stat = container.get_archive("/page")
    container.remove()
    assert stat["mtime"].startswith(("200", "201"))

    project.spec(
        "web: {command: [a], user: {name: app, uid: 33}, build: [copy: {from: page, to: /page}]}"
    )
    session = project.workspace().open(project.target)
    with pytest.raises(EnvctlError) as caught:
        session.backend.apply(
            Change(
                Action.BUILD, "web", because("for the test"), target=session.plan.units[0].source
            )
        )
    assert "user app (33) failed" in caught.value.brief
    assert (
        "the number 33 is that of www-data in the base's /etc/passwd: run as www-data"
        in caught.value.details
    )


def test_ignore_files_of_special_forms_mean_what_docker_build_makes_of_them(
    make_project, engine, sent_by_docker
):
    project = make_project().spec("web: {dockerfile: {file: c/Dockerfile, context: c}}")
    for path in (
        "a/keep.txt",
        "a/node_modules/x/y",
        "b/secrets/z",
        "bb/x.log",
        "c d/x",
        "keep.txt",
    ):
        project.write(f"c/{path}", "x")
    project.write("c/Dockerfile", DOCKERFILE.format(project.name))
    for text in SPECIAL:
        project.write("c/.dockerignore", text)
        whole_seconds(project.root / "c")
        theirs = sent_by_docker(project.root / "c", project.name)
        ours = sent_by_us(project, engine)
        # The Dockerfile has to be sent, for want of another way to say it.
        assert set(differences(ours, theirs)) <= {"Dockerfile"}, text
