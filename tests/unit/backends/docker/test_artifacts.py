"""The rendered folder: what its Compose file says is what the plan says."""

from __future__ import annotations

from dataclasses import replace

import yaml

from envctl.backends.docker.artifacts import artifacts
from envctl.plan.model import CopyFiles, Kind, Plan, ReadyImage, Run, Secret, Unit, WriteFile
from envctl.render.rendered_files import render
from envctl.render.templates import Templates
from tests.support.plans import SCOPE, build
from tests.support.taken import tree

from .conftest import rich, rich_plan


def files(plan, tmp_path, **options):
    """The rendered files."""
    return render(artifacts(plan, **options), templates=Templates(None))


def compose(plan, tmp_path):
    return yaml.safe_load(files(plan, tmp_path)["compose.yaml"])


def test_the_folder_holds_all_that_is_built_from(tmp_path):
    found = files(rich_plan(), tmp_path)
    names = [name for name in found if not name.startswith("context/")]
    assert names == ["README.md", "compose.yaml", "job.Dockerfile", "web.Dockerfile"]
    assert "context/job/Dockerfile" in found


def test_no_permissions_at_all_are_kept(tmp_path):
    copied = CopyFiles("a", "/a", "c", mode="0000", tree=tree("a"))
    unit = rich(source=build(copied, WriteFile("/b", "x", mode="0000")))
    found = artifacts(Plan(SCOPE, "docker", (unit,)))
    assert [one.mode for one in found if one.path.startswith("context/")] == [0, 0]


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    assert files(rich_plan(), tmp_path) == files(rich_plan(), tmp_path)


def test_a_service_in_compose_is_the_unit_of_the_plan(tmp_path):
    unit = rich()
    web = compose(rich_plan(), tmp_path)["services"]["web"]

    assert web["command"] == ["serve", "two words"]
    assert (web["user"], web["working_dir"]) == ("web", "/srv")
    assert web["environment"] == {"A": "$$x", "B": "2"}
    assert web["image"] == f"envctl/shop:{unit.source.digest}"
    assert web["build"] == {"context": ".", "dockerfile": "web.Dockerfile"}
    assert web["ports"] == [
        {"target": 8000, "published": "8080", "host_ip": "127.0.0.1", "protocol": "tcp"},
        {"target": 9000, "host_ip": "127.0.0.1", "protocol": "tcp"},
        {"target": 53, "published": "5353", "host_ip": "0.0.0.0", "protocol": "udp"},
    ]
    assert [(one["type"], one["source"], one["target"]) for one in web["volumes"]] == [
        ("bind", "${PROJECT_DIR:-/srv/shop}/app", "/mnt/app"),
        ("bind", "/etc/x", "/x"),
        ("volume", "data", "/var/data"),
    ]
    assert web["healthcheck"] == {
        "test": ["CMD", "ready", "-q"],
        "interval": "2.5s",
        "timeout": "1s",
        "retries": 4,
        "start_period": "10s",
    }
    assert web["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert web["networks"]["default"]["aliases"] == ["web", "www"]
    assert (web["cpus"], web["mem_limit"]) == (1.5, 512 * 1024**2)
    assert web["restart"] == "unless-stopped"


def test_every_service_is_hardened_as_up_hardens_it(tmp_path):
    for service in compose(rich_plan(), tmp_path)["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["init"] is True


def test_secrets_come_from_variables_and_no_value_is_written(tmp_path):
    found = compose(rich_plan(), tmp_path)
    assert found["secrets"] == {"key": {"environment": "KEY"}, "token": {"environment": "TOKEN"}}
    assert found["services"]["web"]["secrets"] == [
        {"source": "token", "target": "/run/secrets/token"},
        {"source": "key", "target": "/etc/key"},
    ]
    assert b"`TOKEN`" in files(rich_plan(), tmp_path)["README.md"]


def test_a_projects_own_dockerfile_is_built_in_its_own_context(tmp_path):
    assert compose(rich_plan(), tmp_path)["services"]["job"]["build"] == {
        "context": "context/job",
        "dockerfile": "../../job.Dockerfile",
        "target": "run",
        "args": {"V": "$$1"},
    }


def test_a_ready_image_is_not_built(tmp_path):
    db = compose(rich_plan(), tmp_path)["services"]["db"]
    assert db["image"] == "postgres:16"
    assert "build" not in db
    assert db["healthcheck"] == {"disable": True}


def test_what_is_built_once_is_reported_once(tmp_path):
    from dataclasses import replace

    plan = Plan(SCOPE, "docker", (rich(), replace(rich(), name="web-2", replica=2)))
    services = compose(plan, tmp_path)["services"]
    assert "build" in services["web"]
    assert "build" not in services["web-2"]
    assert services["web"]["image"] == services["web-2"]["image"]


def test_a_dependency_on_a_service_waits_for_all_of_its_replicas(tmp_path):
    from envctl.plan.model import Condition

    units = [Unit(f"db{n}", "db", ReadyImage("pg"), Run()) for n in ("", "-2")]
    job = Unit(
        "job", "job", ReadyImage("x"), Run(kind=Kind.TASK), depends_on={"db": Condition.STARTED}
    )
    services = compose(Plan(SCOPE, "docker", (*units, job)), tmp_path)["services"]
    assert services["job"]["depends_on"] == {
        "db": {"condition": "service_started"},
        "db-2": {"condition": "service_started"},
    }


def test_trusted_certificates_are_in_the_folder_only_if_asked_for(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("PEM\n")
    assert not any(path.startswith("trust/") for path in files(rich_plan(), tmp_path))
    found = files(rich_plan(), tmp_path, trust=bundle)
    assert found["trust/ca.crt"] == b"PEM\n"
    assert b'COPY ["trust/", "/media/"]' in found["web.Dockerfile"]


def test_compose_sets_variables_made_of_secrets_where_it_can_and_asks_the_host_elsewhere(tmp_path):
    process = replace(rich().run.process, secret_env={"URL": "a$$:${secret.token}@b"})
    run = replace(rich().run, process=process, secrets=(Secret("token", "/run/secrets/.token"),))
    built = replace(rich(), run=run)
    ready = replace(built, name="ready", service="ready", source=ReadyImage("redis:7"))
    services = compose(Plan(SCOPE, "docker", (built, ready)), tmp_path)["services"]

    assert services["web"]["entrypoint"][:2] == ["/bin/sh", "-c"]
    assert "URL" not in services["web"]["environment"]
    assert services["web"]["secrets"] == [{"source": "token", "target": "/run/secrets/.token"}]
    assert "entrypoint" not in services["ready"]
    assert services["ready"]["environment"]["URL"] == "a$$:${TOKEN:?}@b"
