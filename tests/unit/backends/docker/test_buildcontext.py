"""What is sent to the builder: one tar, the same for the same files."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from envctl import files, spec
from envctl.backends.docker.buildcontext import DOCKERFILE, Sender, dockerfile_path, labels_text
from envctl.errors import EnvctlError
from envctl.plan.model import CopyFiles, DockerfileBuild, WriteFile
from envctl.planner import make_plan
from envctl.render import Templates
from tests.support.plans import build, script
from tests.unit.spec.helpers import write


def sent(root, wanted, **options):
    stream = io.BytesIO()
    Sender(root, Templates(root).render, **options).write(wanted, stream)
    return stream.getvalue()


def members(data):
    """What is in the tar by name."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: one for one in tar}


def copy(root):
    tree = files.tree(root, "app", exclude=(), where=None)
    return build(CopyFiles("app", "/srv", tree.content, files=tree.paths), script("a"))


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    (folder / "data ü").write_text("x")
    (folder / "link").symlink_to("run.sh")
    return folder


def test_the_same_files_give_the_same_bytes_whatever_their_times(tmp_path, app):
    first = sent(tmp_path, copy(tmp_path))
    for path in app.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    assert sent(tmp_path, copy(tmp_path)) == first


def test_it_is_in_gnu_format_however_long_the_names_are(tmp_path, app):
    (app / ("n" * 200)).write_text("x")
    data = sent(tmp_path, copy(tmp_path))
    assert data[257:265] == b"ustar  \0"
    assert any("n" * 200 in name for name in members(data))


def test_modes_are_two_and_owners_none_and_links_stay_links(tmp_path, app):
    found = {
        name.rpartition("/")[2]: one
        for name, one in members(sent(tmp_path, copy(tmp_path))).items()
    }
    assert (found["run.sh"].mode, found["data ü"].mode) == (0o755, 0o644)
    assert found["link"].linkname == "run.sh"
    assert {(one.uid, one.gid, one.mtime) for one in found.values()} == {(0, 0, 0)}


def test_the_dockerfile_comes_first_under_a_name_of_its_own(tmp_path, app):
    assert next(iter(members(sent(tmp_path, copy(tmp_path))))) == DOCKERFILE == ".envctl.Dockerfile"


def test_certificates_are_sent_only_if_builds_trust_them(tmp_path, app):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("PEM")
    assert "trust/ca.crt" in members(sent(tmp_path, copy(tmp_path), trust=bundle))
    assert "trust/ca.crt" not in members(sent(tmp_path, copy(tmp_path)))


def test_a_projects_own_context_leaves_out_what_dockerignore_says(tmp_path, app):
    (app / "Dockerfile").write_text("FROM scratch\n")
    (app / "sub").mkdir()
    for name in ("a.log", "keep.log", "sub/b.log", "sub/c.txt"):
        (app / name).write_text("x")
    (app / ".dockerignore").write_text("# logs\n**/*.log\n!keep.log\n\nsub/c.*\n")
    write(tmp_path, "project: p\nservices: {web: {dockerfile: app/Dockerfile}}\n")
    plan = make_plan(spec.load(tmp_path, "dev", environ={}, cache=False), backend="docker")
    (wanted,) = plan.builds().values()

    assert set(members(sent(tmp_path, wanted))) == {
        ".dockerignore", "Dockerfile", "data ü", "keep.log", "link", "run.sh",
    }  # fmt: skip


def test_a_projects_own_dockerfile_is_sent_as_a_file_of_ours_only_if_it_lies_elsewhere():
    def path(dockerfile, context):
        return dockerfile_path(DockerfileBuild(dockerfile, context, "", {}, "", "", ()))

    assert path("app/Dockerfile", "app") == "Dockerfile"
    assert path("app/docker/Dockerfile.dev", "app") == "docker/Dockerfile.dev"
    assert path("Dockerfile", ".") == "Dockerfile"
    assert path("docker/Dockerfile", "app") == DOCKERFILE


def test_a_dockerfile_that_is_ignored_is_sent_once_and_nothing_else_of_that_kind(tmp_path, app):
    (app / "Dockerfile").write_text("FROM scratch\n")
    wanted = DockerfileBuild("app/Dockerfile", "app", "", {}, "c", "d", ("app/run.sh",))
    assert list(members(sent(tmp_path, wanted))) == ["Dockerfile", "run.sh"]


def test_no_permissions_at_all_are_kept(tmp_path, app):
    tree = files.tree(tmp_path, "app/run.sh", exclude=(), where=None)
    steps = (
        CopyFiles("app/run.sh", "/a", tree.content, mode="0000", files=tree.paths),
        WriteFile("/b", "x", mode="0000"),
    )
    found = members(sent(tmp_path, build(*steps)))
    assert [one.mode for name, one in found.items() if name != DOCKERFILE] == [0, 0]


def test_a_file_that_went_meanwhile_is_told(tmp_path, app):
    wanted = copy(tmp_path)
    (app / "data ü").unlink()
    with pytest.raises(EnvctlError, match="app/data ü cannot be read") as caught:
        sent(tmp_path, wanted)
    assert "run the same command again" in caught.value.hint


def test_labels_are_ascii_and_in_order():
    assert labels_text({"b": "ü", "a": "1"}) == '{"a": "1", "b": "\\u00fc"}'
