"""What is sent to the builder: one tar, the same for the same files."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from envctl import definition, files
from envctl.backends.docker.buildcontext import DOCKERFILE, Sender, dockerfile_path, labels_text
from envctl.errors import EnvctlError
from envctl.plan.model import CopyFiles, DockerfileBuild, WriteFile
from envctl.planner.make_plan import make_plan
from envctl.render.templates import Templates, render_text
from tests.support.plans import build, script
from tests.unit.definition.helpers import write


def sent(root, wanted, **options):
    stream = io.BytesIO()
    Sender(root, Templates(root).render, **options).write(wanted, stream)
    return stream.getvalue()


def members(data):
    """What is in the tar by name."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: one for one in tar}


def copy(root):
    taken = files.hash_copy(root, "app")
    return build(CopyFiles("app", "/srv", taken.content, tree=taken.tree), script("a"))


def own(root, file="app/Dockerfile", context="app"):
    """The build of a Dockerfile of the project's own."""
    text = f"project: p\nservices: {{web: {{dockerfile: {{file: {file}, context: {context}}}}}}}\n"
    write(root, text)
    plan = make_plan(
        definition.load(root, "dev", environ={}, cache=False),
        backend="docker",
        render_text=render_text,
    )
    (wanted,) = plan.builds().values()
    return wanted


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
    assert {(one.uid, one.gid) for one in found.values()} == {(0, 0)}


def test_a_files_time_is_the_same_for_the_same_content_and_later_for_a_changed_one(tmp_path, app):
    def time():
        found = members(sent(tmp_path, copy(tmp_path)))
        return next(one.mtime for name, one in found.items() if name.endswith("/data ü"))

    times = [time()]
    for text in ("b", "c", "d", "e"):
        assert time() == times[-1]
        (app / "data ü").write_text(text)
        times.append(time())
    assert sorted(set(times)) == times
    assert 946684800 <= times[0] < times[-1] < 1600000000


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
    assert set(members(sent(tmp_path, own(tmp_path)))) == {
        ".dockerignore", "Dockerfile", "data ü", "keep.log", "link", "run.sh", "sub",
    }  # fmt: skip


def test_a_projects_own_dockerfile_is_sent_as_a_file_of_ours_only_if_it_lies_elsewhere():
    def path(dockerfile, context):
        return dockerfile_path(DockerfileBuild(dockerfile, context))

    assert path("app/Dockerfile", "app") == "Dockerfile"
    assert path("app/docker/Dockerfile.dev", "app") == "docker/Dockerfile.dev"
    assert path("Dockerfile", ".") == "Dockerfile"
    assert path("docker/Dockerfile", "app") == DOCKERFILE


def test_a_dockerfile_that_is_ignored_is_sent_anyway(tmp_path, app):
    (app / "Dockerfile").write_text("FROM scratch\n")
    (app / ".dockerignore").write_text("*\n!run.sh\n")
    assert list(members(sent(tmp_path, own(tmp_path)))) == ["Dockerfile", "run.sh"]


def test_a_projects_own_context_is_sent_with_modes_times_empty_folders_and_links(tmp_path, app):
    (app / "Dockerfile").write_text("FROM scratch\n")
    (app / "storage").mkdir(mode=0o700)
    (app / "data ü").chmod(0o600)
    os.utime(app / "data ü", (1234567890, 1234567890))
    (app / "away").symlink_to("/srv/current")
    (app / "nowhere").symlink_to("me@host.123:456")
    os.mkfifo(app / "pipe")
    found = members(sent(tmp_path, own(tmp_path)))

    assert (found["storage"].isdir(), found["storage"].mode) == (True, 0o700)
    assert (found["data ü"].mode, found["data ü"].mtime) == (0o600, 1234567890)
    assert found["run.sh"].mode == 0o700
    assert (found["away"].linkname, found["nowhere"].linkname) == (
        "/srv/current",
        "me@host.123:456",
    )
    assert found["pipe"].isfifo()


def test_no_permissions_at_all_are_kept(tmp_path, app):
    taken = files.hash_copy(tmp_path, "app/run.sh")
    steps = (
        CopyFiles("app/run.sh", "/a", taken.content, mode="0000", tree=taken.tree),
        WriteFile("/b", "x", mode="0000"),
    )
    found = members(sent(tmp_path, build(*steps)))
    assert [one.mode for name, one in found.items() if name != DOCKERFILE] == [0, 0]


@pytest.mark.parametrize("text", ["other", "longer than it was"])
def test_a_file_that_changed_after_it_was_planned_is_not_sent(tmp_path, app, text):
    (app / "data ü").write_text("first")
    wanted = copy(tmp_path)
    (app / "data ü").write_text(text)
    with pytest.raises(
        EnvctlError, match="app/data ü was changed after the build was planned"
    ) as caught:
        sent(tmp_path, wanted)
    assert "run the same command again" in caught.value.hint


def test_a_folder_that_became_a_link_to_elsewhere_is_not_followed(tmp_path, app):
    (app / "sub").mkdir()
    (app / "sub" / "file").write_text("mine")
    wanted = copy(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("mine")
    (app / "sub").rename(app / "was")
    (app / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvctlError, match="app/sub/file cannot be read"):
        sent(tmp_path, wanted)


def test_a_file_that_went_meanwhile_is_reported(tmp_path, app):
    wanted = copy(tmp_path)
    (app / "data ü").unlink()
    with pytest.raises(EnvctlError, match="app/data ü cannot be read") as caught:
        sent(tmp_path, wanted)
    assert "run the same command again" in caught.value.hint


def test_labels_are_ascii_and_in_order():
    assert labels_text({"b": "ü", "a": "1"}) == '{"a": "1", "b": "\\u00fc"}'
