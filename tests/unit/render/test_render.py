"""Templates to text, and the rendered folder on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from envctl import files
from envctl.backends.docker.quoting import FUNCTIONS
from envctl.errors import EnvctlError
from envctl.host.source_tree import EntryKind, SourceEntry
from envctl.plan.artifact import Artifact
from envctl.render.rendered_files import modes, render
from envctl.render.rendered_folder import MARKER, write
from envctl.render.templates import Templates, own_templates_digest, render_text


def project_template(root: Path, text: str, name: str = "docker/own.j2") -> Templates:
    path = root / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Templates(root)


def test_a_projects_own_template_wins_over_the_packaged_one(tmp_path):
    templates = project_template(tmp_path, "mine", "docker/text.j2")
    assert templates.render("docker/text.j2", {}) == "mine"
    assert Templates(None).render("docker/text.j2", {**FUNCTIONS, "text": "x\n\n"}) == "x\n\n"


def test_a_projects_step_template_is_used_by_the_packaged_dockerfile(tmp_path):
    from envctl.backends.docker.dockerfiles import dockerfile
    from tests.support.plans import build, packages

    own = "RUN {{ exec_form(['my-apt']) }}\n"
    templates = project_template(tmp_path, own, "docker/steps/packages.j2")
    text = dockerfile(build(packages("jq")), up=False, render=templates.render)
    assert 'RUN ["my-apt"]' in text


def test_text_that_was_not_quoted_is_refused_with_its_line(tmp_path):
    templates = project_template(tmp_path, "one\n{{ name }}\n")
    with pytest.raises(EnvctlError, match="without a quoting function") as caught:
        templates.render("docker/own.j2", {"name": "x"})
    assert str(caught.value.where) == "templates/docker/own.j2:2:1"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("\n\n{{ comment(nmae) }}", "'nmae' is undefined", 3),
        ("\n{% if %}", "is not valid", 2),
        ("\n{% include 'docker/nowhere.j2' %}", "there is no template docker/nowhere.j2", 2),
        ("\n{{ comment(''.__class__.__mro__) }}", "may not do this", 2),
        ("\n\n\n{{ comment(1 / 0) }}", "division by zero", 4),
        ("\n{{ word('a b') }}", "cannot be written in a Dockerfile", 2),
    ],
)
def test_a_template_that_fails_is_named_with_its_line(tmp_path, text, message, line):
    templates = project_template(tmp_path, text)
    with pytest.raises(EnvctlError, match=message) as caught:
        templates.render("docker/own.j2", dict(FUNCTIONS))
    assert str(caught.value.where) == f"templates/docker/own.j2:{line}:1"


def test_a_missing_template_is_an_error_of_ours():
    with pytest.raises(EnvctlError, match=r"there is no template docker/none\.j2"):
        Templates(None).render("docker/none.j2", {})


@pytest.mark.parametrize("linked", ["templates", "templates/docker", "templates/docker/own.j2"])
def test_a_template_is_never_read_from_outside_the_project(tmp_path, linked):
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    target = elsewhere / Path("templates/docker/own.j2").relative_to(linked)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("secret")
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(elsewhere if linked != "templates/docker/own.j2" else target)
    # Where a folder is a link, nothing that is in it is named.
    with pytest.raises(EnvctlError, match=rf"^{linked} leads outside the project"):
        Templates(root).render("docker/own.j2", {})
    with pytest.raises(EnvctlError, match=rf"^{linked} leads outside the project") as caught:
        own_templates_digest(root)
    assert ("own.j2" in str(caught.value)) is linked.endswith(".j2")


@pytest.mark.parametrize(
    ("link", "to"),
    [
        ("templates", "kept"),
        ("templates/docker", "../kept/docker"),
        ("templates/docker/own.j2", "../../kept/docker/own.j2"),
        ("templates/docker/own.j2", "nowhere"),
    ],
)
def test_a_template_that_is_reached_through_a_link_is_refused(tmp_path, link, to):
    (tmp_path / "kept/docker").mkdir(parents=True)
    (tmp_path / "kept/docker/own.j2").write_text("mine")
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(to)
    for act in (
        lambda: Templates(tmp_path).render("docker/own.j2", {}),
        lambda: own_templates_digest(tmp_path),
    ):
        with pytest.raises(EnvctlError, match=f"^{link} is a link"):
            act()


def test_a_folder_templates_of_another_program_may_be_a_link(tmp_path):
    (tmp_path / "app/views").mkdir(parents=True)
    (tmp_path / "app/views/docker.j2").write_text("of the application")
    (tmp_path / "templates").symlink_to("app/views")
    assert own_templates_digest(tmp_path) == ""
    assert Templates(tmp_path).render("docker/text.j2", {**FUNCTIONS, "text": "x\n"}) == "x\n"


@pytest.mark.parametrize(
    "name",
    ["../lib/x.rb", "../lib/x.j2", "docker/../../lib/x.j2", "docker/x.rb", "linked.j2", "sub/x.j2"],
)
@pytest.mark.parametrize("how", ["include", "extends", "import"])
def test_what_is_not_in_the_digest_of_templates_cannot_be_loaded(tmp_path, name, how):
    more = " as it" if how == "import" else ""
    for file in ("lib/x.rb", "lib/x.j2", "lib/sub/x.j2", "templates/docker/x.rb"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("loaded")
    (tmp_path / "templates/linked.j2").symlink_to("../lib/x.j2")
    (tmp_path / "templates/sub").symlink_to("../lib/sub")
    templates = project_template(tmp_path, f"{{% {how} {name!r}{more} %}}")
    with pytest.raises(EnvctlError, match=r"is not a template|is a link"):
        templates.render("docker/own.j2", dict(FUNCTIONS))
    absolute = str(tmp_path / "lib/x.j2")
    templates = project_template(tmp_path, f"{{% {how} {absolute!r}{more} %}}")
    with pytest.raises(EnvctlError, match="is not a template"):
        templates.render("docker/own.j2", dict(FUNCTIONS))


@pytest.mark.parametrize(
    "name", ["docker/Dockerfile.j2", "docker/steps/run.j2", "docker/steps/included.j2"]
)
def test_a_projects_template_that_images_are_made_from_is_reported_by_its_digest(tmp_path, name):
    found = {own_templates_digest(tmp_path)}
    for text in ("one", "two"):
        project_template(tmp_path, text, name)
        found.add(own_templates_digest(tmp_path))
    assert "" in found
    assert len(found) == 3


@pytest.mark.parametrize("name", ["docker/compose.yaml.j2", "docker/README.md.j2", "memory/x.j2"])
def test_a_projects_template_that_no_image_is_made_from_does_not_count(tmp_path, name):
    project_template(tmp_path, "one", name)
    assert own_templates_digest(tmp_path) == ""


def test_a_projects_text_is_filled_in_as_plain_jinja():
    text = "port {{ port }}\n{% for h in hosts %}\n  {{ h }}\n{% endfor %}\n"
    filled = render_text(text, {"port": 80, "hosts": ["a", "<b>"]}, "web.conf.j2")
    assert filled == "port 80\n\n  a\n\n  <b>\n\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n{{ y }}", "'y' is undefined"),
        ("x\n{% oops %}", "is not valid"),
        ("\n{{ ().__class__ }}", "may not"),
    ],
)
def test_a_projects_text_that_fails_is_named_with_its_line(text, message):
    with pytest.raises(EnvctlError, match=message) as caught:
        render_text(text, {}, "conf/web.conf")
    assert str(caught.value.where) == "conf/web.conf:2:1"


# --- the folder -----------------------------------------------------------------------------


def text_file(path: str, text: str, mode: int = 0o644) -> Artifact:
    return Artifact(path, "docker/text.j2", {**FUNCTIONS, "text": text}, mode=mode)


def written(contents, folder):
    write(contents, folder, root=folder)


def listing(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }


def copies(root, path, mode=0o644):
    return [
        Artifact(
            f"c/{path}", copy_of=path, mode=mode, entry=files.hash_file(root, path).tree.entries[0]
        )
    ]


def test_templates_and_copies_become_files_with_the_modes_they_should_have(tmp_path):
    root, folder = tmp_path / "project", tmp_path / "out"
    root.mkdir()
    (root / "run.sh").write_bytes(b"#!\xff\n")
    (root / "run.sh").chmod(0o700)
    (root / "data").write_text("d")
    (root / "data").chmod(0o600)
    (root / "link").symlink_to("data")
    made = [
        text_file("a/b.txt", "hello"),
        text_file("private", "x", 0o400),
        *copies(root, "run.sh", 0o755),
        *copies(root, "data"),
        Artifact(
            "c/fixed",
            copy_of="data",
            mode=0o640,
            entry=files.hash_file(root, "data").tree.entries[0],
        ),
        Artifact(
            "c/link", copy_of="link", entry=SourceEntry("link", EntryKind.LINK, digest="data")
        ),
        Artifact(
            "c/empty", copy_of="empty", mode=0o555, entry=SourceEntry("empty", EntryKind.FOLDER)
        ),
    ]
    for _ in range(2):
        write(render(made, templates=Templates(root)), folder, root=root, modes=modes(made))
    bits = {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert bits == {
        MARKER: 0o644,
        "a/b.txt": 0o644,
        "private": 0o400,
        "c/run.sh": 0o755,
        "c/data": 0o644,
        "c/fixed": 0o640,
    }
    assert (folder / "c/run.sh").read_bytes() == b"#!\xff\n"
    assert (folder / "c/link").readlink() == Path("data")
    assert stat.S_IMODE((folder / "c/empty").stat().st_mode) == 0o755


def test_rendering_again_removes_what_is_made_no_more_and_touches_nothing_else(tmp_path):
    folder = tmp_path / "out"
    written({"a": b"1", "deep/er/b": b"2", "keep": b"3"}, folder)
    (folder / "mine.txt").write_text("mine")
    before = (folder / "keep").stat()
    written({"a": b"changed", "keep": b"3"}, folder)
    assert listing(folder) == {"a": "changed", "keep": "3", "mine.txt": "mine"}
    assert not (folder / "deep").exists()
    after = (folder / "keep").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_file_that_became_a_folder_is_replaced(tmp_path):
    written({"a": b"1"}, tmp_path / "out")
    written({"a/b": b"2"}, tmp_path / "out")
    assert listing(tmp_path / "out") == {"a/b": "2"}


def test_a_folder_that_became_a_file_is_replaced(tmp_path):
    written({"a/b": b"2"}, tmp_path / "out")
    written({"a": b"1"}, tmp_path / "out")
    assert listing(tmp_path / "out") == {"a": "1"}


def test_a_folder_with_someone_elses_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(EnvctlError, match="not empty and was not made by envctl render"):
        written({"a": b"1"}, tmp_path)
    assert listing(tmp_path) == {"thesis.tex": "x"}


@pytest.mark.parametrize("path", ["../a", "/etc/a", "x/../../a"])
def test_nothing_is_written_outside_the_folder(tmp_path, path):
    with pytest.raises(EnvctlError, match="outside"):
        written({path: b"1"}, tmp_path / "out")
    assert not (tmp_path / "a").exists()


def test_a_tampered_list_of_files_removes_nothing_outside(tmp_path):
    (tmp_path / "precious").write_text("x")
    folder = tmp_path / "out"
    written({"a": b"1"}, folder)
    (folder / MARKER).write_text("../precious\n/etc/hostname\na\n")
    written({"b": b"1"}, folder)
    assert (tmp_path / "precious").exists()
    assert listing(folder) == {"b": "1"}


def test_a_link_in_the_folder_leads_no_removal_outside_and_nothing_is_removed_before(tmp_path):
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "id_rsa").write_text("precious")
    written({"a": b"1"}, folder)
    (folder / "x").symlink_to(elsewhere)
    (folder / MARKER).write_text("a\nx/id_rsa\n")
    with pytest.raises(EnvctlError, match=r"x/id_rsa' lies outside"):
        written({"b": b"1"}, folder)
    assert (elsewhere / "id_rsa").read_text() == "precious"
    assert (folder / "a").exists()


def test_a_link_to_a_folder_within_is_left_alone_when_its_file_goes(tmp_path):
    folder = tmp_path / "out"
    written({"a": b"1", "real/mine": b"2"}, folder)
    (folder / "x").symlink_to("real")
    (folder / MARKER).write_text("a\nx/mine\n")
    written({"a": b"1"}, folder)
    assert (folder / "x").is_symlink()
    assert not (folder / "real/mine").exists()


def test_a_line_break_in_a_name_is_refused_as_such(tmp_path):
    with pytest.raises(EnvctlError, match="a line break in a file's name"):
        written({"a\nb": b"1"}, tmp_path / "out")


def test_a_name_that_is_no_utf8_is_written_and_removed_like_any_other(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    written({name: b"1", "keep": b"2"}, tmp_path / "out")
    assert (tmp_path / "out" / name).exists()
    written({"keep": b"2"}, tmp_path / "out")
    assert not (tmp_path / "out" / name).exists()


def test_a_link_in_the_folder_leads_no_write_outside(tmp_path):
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    written({"a": b"1"}, folder)
    (folder / "sub").symlink_to(elsewhere)
    with pytest.raises(EnvctlError, match="outside"):
        written({"sub/x": b"1"}, folder)
    assert not list(elsewhere.iterdir())


def test_a_file_that_is_missing_or_another_than_was_planned_is_named(tmp_path):
    (tmp_path / "page").write_text("one")
    made = copies(tmp_path, "page")
    (tmp_path / "page").write_text("two")
    with pytest.raises(EnvctlError, match="page was changed after the build was planned"):
        write(render(made, templates=Templates(tmp_path)), tmp_path / "out", root=tmp_path)
    (tmp_path / "page").unlink()
    with pytest.raises(EnvctlError, match="page cannot be read"):
        write(render(made, templates=Templates(tmp_path)), tmp_path / "out", root=tmp_path)
    assert not list((tmp_path / "out").rglob("*page*"))


def test_a_folder_that_became_a_link_out_of_the_project_leads_nowhere(tmp_path):
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (root / "app", elsewhere):
        folder.mkdir(parents=True)
        (folder / "page").write_text("one")
    made = copies(root, "app/page")
    (root / "app").rename(root / "was")
    (root / "app").symlink_to(elsewhere)
    with pytest.raises(EnvctlError, match="app/page cannot be read"):
        write(render(made, templates=Templates(root)), tmp_path / "out", root=root)


def test_what_is_copied_keeps_the_time_of_its_content(tmp_path):
    (tmp_path / "page").write_text("one")
    made = copies(tmp_path, "page")
    write(render(made, templates=Templates(tmp_path)), tmp_path / "out", root=tmp_path)
    assert (tmp_path / "out/c/page").stat().st_mtime == made[0].entry.time
