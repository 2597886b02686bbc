"""Places of secrets held against mounts and volumes when a plan is made."""

from __future__ import annotations

import pytest

from envctl.errors import SpecError
from envctl.plan.target import Target
from envctl.planner.overlaps import canonical
from tests.support.project import Project

TOP = "secrets: {a: {generate: 24}, b: {generate: 24}}\n"


def plan(tmp_path, keys: str, backend: str = "memory") -> list[str]:
    """What is wrong with a service of these keys; nothing if it can be planned."""
    (tmp_path / "app" / "conf").mkdir(parents=True)
    (tmp_path / "app" / "file").write_text("")
    service = f"web: {{base: 'debian:bookworm', command: [x], {keys}}}"
    project = Project(tmp_path, backend=backend, environ={}).spec(service, top=TOP)
    try:
        project.workspace().plan(Target("dev", backend))
    except SpecError as error:
        return [f"{one.message} [{one.hint}]" for one in error.problems]
    return []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("secrets: [{name: a, target: /srv/app/.env}], mounts: {./app: /srv/app}",
         "the secret a cannot be at /srv/app/.env: that is in the mount"),
        ("secrets: [{name: a, target: /srv/app/deep/er}], mounts: {./app: /srv/app}", "that is in the mount"),
        ("secrets: [{name: a, target: /srv}], mounts: {./app: /srv/app}", "that would be a folder for the mount"),
        ("secrets: [{name: a, target: /data/k}], volumes: {data: /data}", "that is in the volume data at /data"),
        ("secrets: [{name: a, target: /run/app/k}], volumes: {data: /var/run/app}", "that is in the volume data at /var/run/app"),
        ("secrets: [{name: a, target: /bin/k}], mounts: {./app: /usr/bin/}", "that is in the mount"),
        ("secrets: [a], mounts: {./app: /run/secrets}", "overlaps /run/secrets"),
        ("secrets: [a], mounts: {./app: /run}", "overlaps /run/secrets"),
        ("secrets: [a], mounts: {./app: /run/secrets/b}", "overlaps /run/secrets"),
        ("secrets: [a], volumes: {data: /var/run/secrets}", "overlaps /run/secrets"),
        ("secrets: [{name: a, target: /srv/k}], mounts: {./app: /run/secrets}", "overlaps /run/secrets"),
        ("secrets: [{name: a, target: /srv/k}, {name: b, target: /srv/k/deep}]", "the secret a is at /srv/k"),
        ("secrets: [{name: a, target: /bin/k}, {name: b, target: /usr/bin/k}]", "the secret a is at /usr/bin/k"),
        ("secrets: [{name: a, target: /dev/k}]", "/dev is the kernel's"),
        ("secrets: [{name: a, target: /proc/1/k}]", "/proc is the kernel's"),
        ("mounts: {./app: /etc}", "files are written there"),
        ("mounts: {./app: /dev}", "files are written there"),
    ],
)  # fmt: skip
def test_what_would_be_written_through_a_mount_or_volume_is_refused(tmp_path, keys, said):
    found = plan(tmp_path, keys)
    assert any(said in one for one in found), found
    assert all("[]" not in one for one in found), "each has a remedy"


@pytest.mark.parametrize(
    "keys",
    [
        "secrets: [a, b], mounts: {./app: /srv/app}, volumes: {data: /data}",
        "secrets: [{name: a, target: /srv/app.env}], mounts: {./app: /srv/app}",
        "secrets: [{name: a, target: /srv/application/k}], mounts: {./app: /srv/app}",
        "secrets: [{name: a, target: /srv/a}, {name: b, target: /srv/b}]",
        "mounts: {./app: /run, ./app/file: /etc/app.conf, ./app/conf: /etc/conf.d}",
        "volumes: {data: /run}",
    ],
)
def test_what_is_beside_each_other_is_fine(tmp_path, keys):
    assert plan(tmp_path, keys) == []


def test_both_places_are_reported(tmp_path):
    keys = "secrets: [{name: a, target: /srv/app/.env}], mounts: {./app: /srv/app}"
    (said,) = plan(tmp_path, keys)
    assert "(envctl.yaml:5:" in said
    assert "it will be at /run/secrets/a" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{read_only: true}", "options.docker.read_only prevents writing it"),
        ("{tmpfs: {/srv: ''}}", "the tmpfs at /srv is empty"),
        ("{read_only: true, tmpfs: {/srv: ''}}", "the tmpfs at /srv is empty"),
    ],
)
def test_options_of_a_container_that_keep_a_secret_from_its_place_are_refused(
    tmp_path, options, said
):
    keys = f"secrets: [{{name: a, target: /srv/k}}], options: {{docker: {options}}}"
    (found,) = plan(tmp_path, keys, backend="docker")
    assert said in found


def test_a_read_only_root_has_secrets_in_their_usual_place(tmp_path):
    keys = "secrets: [a], options: {docker: {read_only: true, tmpfs: {/run: '', /tmp: ''}}}"
    assert plan(tmp_path, keys, backend="docker") == []


@pytest.mark.parametrize("target", ["/etc/envctl", "/etc/systemd", "/run/envctl/x", "/run"])
def test_nothing_is_mounted_where_a_machine_s_own_files_are_written(tmp_path, target):
    found = plan(tmp_path, f"mounts: {{./app: {target}}}", backend="vagrant")
    assert any("in a machine" in one for one in found) is (target != "/run/envctl/x")


@pytest.mark.parametrize(
    ("path", "real"),
    [("/var/run/x", "/run/x"), ("/bin", "/usr/bin"), ("/binary", "/binary"), ("/a/../b/", "/b")],
)
def test_links_that_distributions_have_are_known(path, real):
    assert canonical(path) == real
