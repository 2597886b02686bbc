"""`envctl export systemd`: services of a host, and the scripts that install them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.exports import systemd_syntax as syntax
from envctl.exports.export_format import Export
from envctl.exports.systemd.systemd_export import SYSTEMD
from envctl.plan.target import Target
from envctl.project import Project
from envctl.render import rendered_folder
from envctl.verbs.export_target import export
from tests.support.systemd_units import command, settings, without_specifiers, words

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NASTY = ["", "a b", "100% %n", "$HOME ${X} $$", "\\", "it's", '"', ";", "\n\t\r\x01\x7f", "ü", "-x"]


def _export(folder: Path, environment: str = "dev") -> Export:
    return export(Project(folder, environ={}), SYSTEMD, [Target(environment)])


def _texts(made: Export) -> dict[str, str]:
    return {
        path: text.decode() for path, text in made.written.files.items() if isinstance(text, bytes)
    }


def _outcomes(made: Export) -> dict[str, tuple[str, str]]:
    return {line.path: (str(line.outcome), line.note) for line in made.report.lines}


def _other(folder: Path, services: str) -> Export:
    """The export of another spec."""
    (folder / "envctl.yaml").write_text(
        f"project: shop\nbase: debian:bookworm\nservices:\n{services}"
    )
    (folder / "environments/prod.yaml").unlink(missing_ok=True)
    return _export(folder)


@given(st.lists(WORDS, min_size=1, max_size=5))
@example(NASTY)
@example(["./app"])
@example(["-x"])
@example(["a b"])
@example(["x=1"])
def test_systemd_starts_every_command_as_it_is(argv: list[str]) -> None:
    started = command(syntax.command(argv))

    if started[:2] == ["/bin/sh", "-c"] and argv[:2] != ["/bin/sh", "-c"]:
        assert started[2] == 'exec "$0" "$@"'
        started = started[3:]
    assert started == argv


@given(WORDS)
@example('100% $X \\ it\'s "q"\n')
def test_systemd_reads_every_variable_as_it_is(value: str) -> None:
    assert [without_specifiers(word) for word in words(syntax.word(f"X={value}"))] == [f"X={value}"]


@pytest.mark.parametrize("path", ["/a:b", '/a"b', "/a\\b", "/a\nb"])
def test_a_path_that_a_unit_file_cannot_have_is_refused(path: str) -> None:
    with pytest.raises(EnvctlError, match="a unit file cannot have the path"):
        syntax.path_word(path)


def test_a_service_runs_with_the_process_of_the_spec(full: Path) -> None:
    unit = _texts(_export(full))["units/shop-dev-web.service"]

    assert settings(unit, "Service", "User") == ["web"]
    assert settings(unit, "Service", "WorkingDirectory") == ["/srv"]
    assert "LOG_LEVEL=info" in settings(unit, "Service", "Environment")
    (start,) = settings(unit, "Service", "ExecStart")
    assert command(start)[-4:] == ["python3", "-m", "http.server", "8000"]


def test_rights_and_limits_are_those_of_a_machine(full: Path) -> None:
    unit = _texts(_export(full))["units/shop-dev-web.service"]

    for line in (
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "LimitNOFILE=1024:16384",
        "MemoryMax=134217728",
        "MemorySwapMax=0",
        "CPUQuota=50%",
        "KillSignal=SIGINT",
        "KillMode=mixed",
    ):
        assert line in unit.splitlines()


def test_a_secret_is_copied_into_memory_for_the_user_of_its_service(full: Path) -> None:
    unit = _texts(_export(full))["units/shop-dev-web.service"]

    (copy,) = settings(unit, "Service", "ExecStartPre")
    assert copy == (
        "+/usr/bin/install -D -m 0400 -o web /etc/shop-dev/secrets/password /run/shop-dev/web/password"
    )
    assert "-/run/shop-dev/web:/run/secrets" in settings(unit, "Service", "BindReadOnlyPaths")


def test_a_secret_elsewhere_is_a_file_of_its_own(full: Path) -> None:
    made = _other(
        full,
        "  web: {command: [sleep, inf], secrets: [{name: key, target: /etc/app/key}]}\n"
        "secrets: {key: {env: KEY}}\n",
    )

    unit = _texts(made)["units/shop-dev-web.service"]
    assert settings(unit, "Service", "BindReadOnlyPaths") == [
        "-/run/shop-dev/web/.key:/etc/app/key"
    ]


def test_what_depends_on_a_service_waits_until_it_is_healthy(full: Path) -> None:
    made = _other(
        full,
        "  web: {command: [sleep, inf], depends_on: {db: healthy, seed: completed}}\n"
        "  db: {command: [sleep, inf], healthcheck: {tcp: 5432}}\n"
        "  seed: {kind: task, command: ['true']}\n",
    )

    texts = _texts(made)
    needed = {"shop-dev-db.service", "shop-dev-seed.service"}
    assert {*settings(texts["units/shop-dev-web.service"], "Unit", "Requires")} == needed
    assert needed < {*settings(texts["units/shop-dev-web.service"], "Unit", "After")}
    database = texts["units/shop-dev-db.service"]
    assert settings(database, "Service", "ExecStartPost") == ["/usr/local/lib/shop-dev/db-ready"]
    assert settings(texts["units/shop-dev-seed.service"], "Service", "Type") == ["oneshot"]


def test_a_port_with_another_number_is_forwarded_by_a_socket(full: Path) -> None:
    made = _export(full)

    texts = _texts(made)
    socket = texts["units/shop-dev.web.8080.socket"]
    assert settings(socket, "Socket", "ListenStream") == ["127.0.0.1:8080"]
    forwarder = texts["units/shop-dev.web.8080.service"]
    assert settings(forwarder, "Service", "ExecStart")[0].endswith("proxyd 127.0.0.1:8000")
    outcomes = _outcomes(made)
    assert outcomes["services.web.ports[0]"][1] == (
        "a socket that forwards to port 8000 on 127.0.0.1"
    )
    assert "a firewall can close the port" in outcomes["services.web.ports[1]"][1]


def test_udp_with_another_number_is_dropped(full: Path) -> None:
    made = _other(full, "  web: {command: [sleep, inf], ports: ['5353:53/udp']}\n")

    assert _outcomes(made)["services.web.ports[0]"][0] == "dropped"
    assert not any(path.endswith(".socket") for path in made.written.files)


def test_services_that_are_images_are_dropped_with_a_remedy(full: Path) -> None:
    made = _export(full)

    assert not any("-db" in path or "-seed" in path for path in made.written.files)
    outcomes = _outcomes(made)
    for path in ("services.db.image", "services.seed.dockerfile", "services.web.depends_on.db"):
        assert outcomes[path][0] == "dropped"
        assert "quadlet" in outcomes[path][1]


def test_a_target_of_images_is_refused(full: Path) -> None:
    with pytest.raises(EnvctlError, match="no service of dev can run on a host itself"):
        _other(full, "  db: {image: 'postgres:15'}\n")


def test_secrets_of_builds_are_read_by_root_only_and_removed(full: Path) -> None:
    made = _other(
        full,
        "  web: {command: [sleep, inf], build: [{run: {command: 'true', secrets: [token]}}]}\n"
        "secrets: {token: {env: TOKEN}}\n",
    )

    script = _texts(made)["install.sh"]
    assert "(umask 077; for file in /etc/shop-dev/secrets/token; do" in script
    assert script.index("for name in token; do") < script.index("\nbuild web ")
    assert 'rm -f -- "/run/$prefix.input"' in script


def test_of_replicas_with_ports_only_the_first_is_installed(full: Path) -> None:
    made = _export(full, "prod")

    units = {path for path in made.written.files if path.startswith("units/")}
    assert "units/shop-prod-web.service" in units
    assert "units/shop-prod-web-2.service" not in units
    assert _outcomes(made)["services.web.replicas"][0] == "dropped"


def test_replicas_without_ports_are_all_installed(full: Path) -> None:
    made = _other(full, "  worker: {command: [sleep, inf], replicas: 2}\n")

    assert {"units/shop-dev-worker.service", "units/shop-dev-worker-2.service"} <= {
        *made.written.files
    }


def test_options_without_a_counterpart_are_dropped(full: Path) -> None:
    made = _other(
        full, "  web: {command: [sleep, inf], options: {docker: {shm_size: 64m, pids_limit: 20}}}\n"
    )

    outcomes = _outcomes(made)
    assert outcomes["services.web.options.docker.shm_size"][0] == "dropped"
    assert "services.web.options.docker.pids_limit" not in outcomes
    assert "TasksMax=20" in _texts(made)["units/shop-dev-web.service"]


def test_the_scripts_are_programs_and_shellcheck_accepts_them(full: Path) -> None:
    made = _export(full)
    rendered_folder.write(made.written.files, full / "out", root=full, modes=made.written.modes)

    scripts = [*(full / "out").glob("*.sh"), *(full / "out/scripts").iterdir()]
    scripts += (full / "out/provision").iterdir()
    assert {path.name for path in scripts} == {
        *("install.sh", "uninstall.sh", "web-ready", "worker-ready", "web.sh")
    }
    assert all(os.access(path, os.X_OK) for path in scripts)
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_systemd_accepts_the_units(full: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("the tests need systemd-analyze: run .ci/test-packages as root, or install it")
    made = _export(full)
    rendered_folder.write(made.written.files, full / "out", root=full, modes=made.written.modes)
    folder = full / "out/units"
    for unit in folder.iterdir():
        # Where nothing is installed, systemd finds no scripts of the services.
        text = unit.read_text().replace("/usr/local/lib/shop-dev/", f"{full}/out/scripts/")
        unit.write_text(text)

    done = subprocess.run(
        [program, "verify", *sorted(folder.iterdir())], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
