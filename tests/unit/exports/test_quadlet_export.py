"""`envctl export quadlet`: units for Podman's generator. What the generator makes of them is in tests/scenarios/test_quadlet.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envctl.conversion.conversion_report import ConversionReport
from envctl.errors import EnvctlError
from envctl.exports.quadlet.container_unit import exec_words
from envctl.exports.quadlet.quadlet_export import QUADLET
from envctl.exports.quadlet.unit_names import qualified
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.export_target import export
from tests.support.systemd_units import command, settings, words

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
HEAD = "project: shop\nbase: debian:bookworm\nservices:\n"


def _export(folder: Path, environment: str = "dev") -> tuple[dict[str, str], ConversionReport]:
    made = export(Project(folder, environ={}), QUADLET, [Target(environment)])
    texts = {
        path: text.decode() for path, text in made.written.files.items() if isinstance(text, bytes)
    }
    return texts, made.report


def _one(folder: Path, services: str, name: str = "web") -> str:
    """The unit of a service of another spec."""
    (folder / "envctl.yaml").write_text(HEAD + services)
    (folder / "environments/prod.yaml").unlink()
    return _export(folder)[0][f"shop-dev-{name}.container"]


@given(st.lists(WORDS, min_size=1, max_size=5))
@example(["", "a b", "100%", "$HOME ${X} $$", "\\", "it's", '"', "\n\t\r\x01\x7f", "ü", "%%n"])
def test_every_command_is_read_back_as_it_is(argv: list[str]) -> None:
    assert command(exec_words(argv)) == argv


def test_a_service_runs_with_the_process_of_the_spec(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    assert settings(unit, "Container", "User") == ["web"]
    assert settings(unit, "Container", "WorkingDir") == ["/srv"]
    assert settings(unit, "Container", "Environment") == ["LOG_LEVEL=info"]
    (argv,) = settings(unit, "Container", "Exec")
    assert command(argv)[-4:] == ["python3", "-m", "http.server", "8000"]
    assert "envctl_read /run/secrets/password" in command(argv)[2]


def test_rights_are_dropped_as_on_other_backends(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    assert settings(unit, "Container", "DropCapability") == ["all"]
    assert settings(unit, "Container", "AddCapability") == ["NET_BIND_SERVICE"]
    assert settings(unit, "Container", "NoNewPrivileges") == ["true"]
    assert settings(unit, "Container", "ReadOnlyTmpfs") == ["false"]


def test_ports_keep_their_address(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    assert settings(unit, "Container", "PublishPort") == [
        "127.0.0.1:8080:8000/tcp",
        "0.0.0.0:9000:9000/tcp",
    ]


def test_a_port_without_a_number_is_left_to_podman(full: Path) -> None:
    texts, report = _export(full, "prod")

    published = settings(texts["shop-prod-web.container"], "Container", "PublishPort")
    assert published[0] == "127.0.0.1::8000/tcp"
    (line,) = (item for item in report.lines if item.path == "services.web.ports[0]")
    assert "Podman chooses another one" in line.note


def test_a_service_waits_for_what_it_depends_on(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    needed = ["shop-dev-db.service", "shop-dev-seed.service"]
    assert settings(unit, "Unit", "Requires") == needed
    assert settings(unit, "Unit", "After") == needed


def test_a_dependent_of_replicas_waits_for_each_of_them(full: Path) -> None:
    unit = _one(
        full,
        "  web: {command: [sleep, inf], depends_on: {db: started}}\n"
        "  db: {command: [sleep, inf], replicas: 2}\n",
    )

    assert settings(unit, "Unit", "After") == ["shop-dev-db.service", "shop-dev-db-2.service"]


def test_a_task_is_over_before_what_depends_on_it_starts(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-seed.container"]

    assert settings(unit, "Service", "Type") == ["oneshot"]
    assert settings(unit, "Service", "RemainAfterExit") == ["yes"]
    assert settings(unit, "Container", "Notify") == []


def test_a_health_check_decides_when_a_service_has_started(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    (text,) = settings(unit, "Container", "HealthCmd")
    assert json.loads(text.replace("%%", "%").replace("$$", "$"))[-3:] == [
        "probe",
        "http://127.0.0.1:8000/",
        "3",
    ]
    assert settings(unit, "Container", "HealthInterval") == ["2s"]
    assert settings(unit, "Container", "Notify") == ["healthy"]


def test_a_check_of_one_word_is_not_given_to_a_shell(full: Path) -> None:
    unit = _one(full, "  web: {command: [sleep, inf], healthcheck: {command: [ready]}}\n")

    assert settings(unit, "Container", "HealthCmd") == ['["/usr/bin/env", "ready"]']


def test_without_a_health_check_that_of_the_image_is_off(full: Path) -> None:
    assert settings(_export(full)[0]["shop-dev-db.container"], "Container", "HealthCmd") == ["none"]


def test_hooks_run_in_the_container(full: Path) -> None:
    unit = _export(full)[0]["shop-dev-web.container"]

    (start,) = settings(unit, "Service", "ExecStartPost")
    (stop,) = settings(unit, "Service", "ExecStop")
    assert command(start)[:3] == ["/usr/bin/podman", "exec", "shop-dev-web"]
    assert command(start)[-2:] == ["touch", "/srv/uploads/ready"]
    assert stop.startswith("-/usr/bin/podman exec shop-dev-web ")


def test_a_secret_belongs_to_the_user_of_its_service(full: Path) -> None:
    unit = _one(
        full,
        "  web: {image: web:1, user: '1001', secrets: [password]}\n"
        "secrets: {password: {env: SHOP_PASSWORD}}\n",
    )

    assert settings(unit, "Container", "Secret") == [
        "shop-dev-password,type=mount,target=/run/secrets/password,uid=1001,gid=0,mode=0400"
    ]


def test_a_secret_of_an_image_with_its_own_user_is_reported(full: Path) -> None:
    (full / "envctl.yaml").write_text(
        HEAD + "  web: {image: web:1, secrets: [password]}\n"
        "secrets: {password: {env: SHOP_PASSWORD}}\n"
    )
    (full / "environments/prod.yaml").unlink()

    (line,) = (item for item in _export(full)[1].lines if item.path == "services.web.secrets")

    assert "every user of the container can read" in line.note


def test_an_image_gets_variables_that_are_one_secret_and_no_others(full: Path) -> None:
    (full / "envctl.yaml").write_text(
        HEAD + "  web:\n    image: web:1\n    secrets: [password]\n"
        "    env: {ONE: {secret: password}, TWO: {template: 'x${secret.password}'}}\n"
        "secrets: {password: {env: SHOP_PASSWORD}}\n"
    )
    (full / "environments/prod.yaml").unlink()

    texts, report = _export(full)

    secrets = settings(texts["shop-dev-web.container"], "Container", "Secret")
    assert "shop-dev-password,type=env,target=ONE" in secrets
    assert not any("TWO" in secret for secret in secrets)
    outcomes = {line.path: str(line.outcome) for line in report.lines}
    assert outcomes["services.web.env.TWO"] == "dropped"
    assert "services.web.env.ONE" not in outcomes


def test_a_service_called_like_a_build_or_network_has_its_own_unit(full: Path) -> None:
    (full / "envctl.yaml").write_text(
        HEAD + "  web: {command: [sleep, inf], volumes: {build: /data}}\n"
        "  web-build: {command: [sleep, inf]}\n  network: {command: [sleep, inf]}\n"
    )
    (full / "environments/prod.yaml").unlink()

    services = [_service_of(path) for path in _export(full)[0] if path.startswith("shop-dev")]

    assert sorted(services) == sorted({*services})


def _service_of(path: str) -> str:
    """The service that the generator makes of a unit."""
    name, _, kind = path.rpartition(".")
    return name if kind == "container" else f"{name}-{kind}"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres:15", "docker.io/library/postgres:15"),
        ("team/app", "docker.io/team/app"),
        ("ghcr.io/team/app:1", "ghcr.io/team/app:1"),
        ("localhost/app", "localhost/app"),
        ("registry:5000/app", "registry:5000/app"),
        ("web@sha256:0a", "docker.io/library/web@sha256:0a"),
    ],
)
def test_images_are_named_with_their_registry(image: str, name: str) -> None:
    assert qualified(image) == name


def test_bases_of_builds_and_stages_are_named_with_their_registry(full: Path) -> None:
    lines = _export(full)[0]["web.Dockerfile"].splitlines()

    bases = [line for line in lines if line.startswith("FROM ")]
    assert len(bases) == 2
    assert all(line.startswith("FROM docker.io/library/debian:bookworm") for line in bases)


def test_a_character_that_the_generator_breaks_is_refused_with_its_service(full: Path) -> None:
    with pytest.raises(EnvctlError, match=r"web: .* U\+0080"):
        _one(full, '  web: {command: [echo, "\\x80"]}\n')


def test_the_readme_creates_secrets_without_their_values_in_a_command(full: Path) -> None:
    text = _export(full)[0]["README.md"]

    assert (
        'printf %s "$SHOP_PASSWORD" | podman secret create --replace shop-dev-password -\n' in text
    )


def test_paths_with_commas_and_spaces_are_mounted(full: Path) -> None:
    (full / "a, b").mkdir()

    unit = _one(
        full, "  web: {command: [sleep, inf], mounts: [{source: 'a, b', target: '/x %'}]}\n"
    )

    (mount,) = settings(unit, "Container", "Mount")
    assert (
        words(mount)[0]
        .replace("%%", "%")
        .startswith(f'type=bind,"source={full}/a, b",destination=/x %')
    )


def test_every_option_of_containers_is_in_the_unit(full: Path) -> None:
    spec = full / "envctl.yaml"
    options = (
        "cpu_shares: 512, dns: [192.0.2.1], dns_opt: ['ndots:1'], dns_search: [example.org],"
        " domainname: example.org, labels: {team: a shop}"
    )
    spec.write_text(spec.read_text().replace("docker: {", f"docker: {{{options}, "))

    files, _ = _export(full)
    unit = files["shop-dev-web.container"]

    assert settings(unit, "Container", "DNSOption") == ["ndots:1"]
    assert settings(unit, "Container", "DNSSearch") == ["example.org"]
    assert settings(unit, "Container", "Label") == ['"team=a shop"']
    podman = settings(unit, "Container", "PodmanArgs")
    assert {"--cpu-shares=512", "--domainname=example.org"} <= {*podman}
