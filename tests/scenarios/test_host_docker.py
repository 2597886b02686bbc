"""Nothing of the host is written, read or waited for, whatever a spec and its images are like: on Docker."""

from __future__ import annotations

import io
import stat
import tarfile

import pytest

from envctl.backends.docker import pause_image
from envctl.errors import EnvctlError, SpecError
from envctl.host.private_state import state_path
from tests.support.project import unique

pytestmark = pytest.mark.engine


@pytest.fixture
def odd_image(engine):
    """Make an image of the base with other things in it; the recipe's lines come after FROM."""
    names = []

    def make(*lines: str) -> str:
        name = f"{unique('odd')}:1"
        names.append(name)
        recipe = "\n".join(["FROM debian:bookworm", *lines]) + "\n"
        engine.images.build(
            fileobj=io.BytesIO(recipe.encode()), tag=name, network_mode="none", rm=True
        )
        return name

    yield make
    for name in names:
        engine.api.remove_image(name, force=True)


def test_what_is_private_is_not_seen_through_a_mount_of_the_project_or_of_the_user_s_home(
    make_project, tmp_path, monkeypatch
):
    # A home with the state in it, as it usually is; and a project that has an .envctl of its own.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = make_project().spec(
        f"""
        web:
          image: debian:bookworm
          command: [sleep, infinity]
          user: root
          secrets: [key]
          mounts: {{.: /app, {tmp_path}: /home/me}}
        """,
        top="secrets: {key: {generate: 24}}\n",
    )
    project.write(".envctl/cache/old", "old")
    project.up()

    secret = state_path(project.root, "secrets", "dev", "key")
    assert project.run("web", "cat", "/run/secrets/key")[1] == secret.read_text()
    for place in ("/app/.envctl", "/home/me/project/.envctl", "/home/me/state/envctl"):
        assert project.run("web", "ls", "-A", place) == (0, "", "")
        assert project.run("web", "touch", f"{place}/x")[0] != 0
    found = project.run("web", "grep", "-rl", secret.read_text(), "/app", "/home/me")
    assert found[:2] == (1, "")
    assert project.up() == []
    assert not (project.root / ".envctl" / "x").exists()


def test_a_secret_is_not_put_into_a_mount_by_a_link_of_the_image(make_project, odd_image):
    image = odd_image("RUN mkdir -p /srv && ln -s /data /srv/app && ln -s . /srv/here")
    project = make_project().spec(
        f"""
        web:
          image: {image}
          command: [sleep, infinity]
          secrets: [{{name: key, target: /srv/here/app/.env}}]
          mounts: {{./app: /data}}
        """,
        top="secrets: {key: {generate: 24}}\n",
    )
    project.write("app/.env", "MINE=1\n")

    with pytest.raises(EnvctlError) as caught:
        project.up()

    assert "/srv/here/app/.env: leads to /data/.env" in caught.value.brief
    assert "mounted at /data" in caught.value.brief
    assert (project.root / "app/.env").read_text() == "MINE=1\n"
    assert stat.S_ISREG((project.root / "app/.env").lstat().st_mode)
    assert [one.name for one in (project.root / "app").iterdir()] == [".env"]


def test_a_secret_elsewhere_is_where_it_is_wanted_beside_mounts_and_volumes(make_project):
    project = make_project().spec(
        """
        web:
          image: debian:bookworm
          command: [sleep, infinity]
          secrets: [{name: key, target: /srv/conf/.env}]
          mounts: {./app: /srv/app}
          volumes: {data: /srv/data}
        """,
        top="secrets: {key: {env: KEY}}\n",
    )
    (project.root / "app").mkdir()
    project.environ = {**project.environ, "KEY": "a-value"}
    project.up()
    assert project.run("web", "cat", "/srv/conf/.env") == (0, "a-value", "")


def test_the_keeper_is_made_from_an_image_of_envctl_s_own(make_project, engine):
    project = make_project().spec(
        "web: {image: debian:bookworm, command: [sleep, infinity], secrets: [key]}",
        top="secrets: {key: {generate: 24}}\n",
    )
    project.up()
    label = {"label": [f"dev.envctl.project={project.name}", "dev.envctl.keeper=secrets"]}
    (keeper,) = engine.api.containers(filters=label)
    found = engine.api.inspect_image(keeper["ImageID"])
    assert found["Config"]["Labels"] == {pause_image.LABEL: "1"}
    assert found["RootFS"]["Layers"] == [pause_image.image(found["Architecture"])[1]]
    assert found["Size"] < 4096
    assert engine.api.inspect_container(keeper["Id"])["State"]["Running"]
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.api.export(keeper["Id"])))) as tar:
        files = {one.name for one in tar if one.isfile() and one.size}
    assert files == {"pause"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("line", "brief"),
    [
        ("RUN rm /etc/passwd && mkfifo /etc/passwd", "not a regular file"),
        ("RUN truncate -s 700M /etc/passwd", "which is too large"),
        ("RUN rm /etc/passwd && ln -s /dev/zero /etc/passwd", "not a regular file"),
    ],
    ids=["pipe", "large", "device"],
)
def test_an_image_with_an_odd_passwd_is_refused_at_once_and_hinders_nobody(
    make_project, odd_image, engine, line, brief
):
    project = make_project().spec(
        f"web: {{image: {odd_image(line)}, user: app, command: [sleep, infinity], secrets: [key]}}",
        top="secrets: {key: {generate: 24}}\n",
    )
    with pytest.raises(EnvctlError, match=brief):
        project.up()
    assert engine.api.containers(limit=1) is not None
    project.down(volumes=True)


def test_a_secret_that_a_read_only_root_has_no_place_for_is_reported_when_it_is_planned(
    make_project,
):
    project = make_project().spec(
        """
        web:
          image: debian:bookworm
          command: [sleep, infinity]
          secrets: [{name: key, target: /srv/key}]
          options: {docker: {read_only: true}}
        """,
        top="secrets: {key: {generate: 24}}\n",
    )
    with pytest.raises(SpecError, match=r"read_only prevents writing it"):
        project.up()
    text = (project.root / "envctl.yaml").read_text()
    project.write("envctl.yaml", text.replace("{name: key, target: /srv/key}", "key"))
    project.up()
    assert project.run("web", "ls", "/run/secrets") == (0, "key\n", "")


def test_a_command_s_secret_is_verified_by_what_up_recorded_and_never_run_for_it(make_project):
    project = make_project().spec(
        "web: {image: debian:bookworm, command: [sleep, infinity], secrets: [key]}",
        top="secrets: {key: {command: [./get.sh]}}\n",
    )
    project.write("get.sh", "#!/bin/sh\necho >>ran; echo a-value-of-a-command\n")
    (project.root / "get.sh").chmod(0o755)
    project.up()

    def found() -> tuple[bool, str]:
        expectations = project.workspace().verify(project.target).expectations
        (secret,) = [each for each in expectations if each.key == "/run/secrets/key"]
        return secret.passed, secret.message

    assert found()[0]
    state_path(project.root, "secrets", "dev", ".digests.json").write_text('{"key": "other"}')
    holds, said = found()
    assert (holds, "a different value" in said) == (False, True), said
    state_path(project.root, "secrets", "dev", ".digests.json").unlink()
    holds, said = found()
    assert (holds, "a different value" in said) == (False, False), said
    project.write("get.sh", "#!/bin/sh\necho >>ran; echo another-value-of-a-command\n")
    assert project.workspace().changes(project.target)[1] == ()
    assert (project.root / "ran").read_text() == "\n"
    assert project.up() == ["replace web"]
    assert found()[0]
