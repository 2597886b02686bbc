"""The kustomize export: valid by the published schemas, and each overlay makes its environment of the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from envctl.exports.kubernetes.kustomize_export import KUBERNETES
from envctl.exports.kubernetes.resources import resources
from envctl.imports.imported_project import ImportChoices
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.export_target import export
from envctl.verbs.import_spec import import_source, write_imported
from tests.support.imported_projects import IMPORTED

GUESTBOOK = Path(__file__).parents[4]
VERSION = "1.32"


def exported(root: Path, *environments: str) -> Mapping[str, bytes]:
    project = Project(root, environ={})
    targets = [Target(name) for name in environments or project.environments()]
    files = export(project, KUBERNETES, targets).written.files
    return {path: text for path, text in files.items() if isinstance(text, bytes)}


def documents(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, Any]]:
    for path, text in files.items():
        if path.startswith(f"{folder}/") and path.endswith(".yaml"):
            yield path, yaml.safe_load(text)


def pod(files: Mapping[str, bytes], service: str, kind: str = "workload") -> Any:
    return yaml.safe_load(files[f"base/{service}-{kind}.yaml"])["spec"]["template"]["spec"]


def built(files: Mapping[str, bytes], environment: str) -> list[Any]:
    """What kustomize makes of an overlay, as far as these exports use it."""
    overlay = yaml.safe_load(files[f"overlays/{environment}/kustomization.yaml"])
    base = yaml.safe_load(files["base/kustomization.yaml"])
    made = [yaml.safe_load(files[f"base/{name}"]) for name in base["resources"]]
    for patch in overlay.get("patches", []):
        if "path" in patch:
            (target,) = [item for item in made if is_target(item, patch["target"])]
            for operation in yaml.safe_load(files[f"overlays/{environment}/{patch['path']}"]):
                apply(target, operation)
        else:
            deleted = yaml.safe_load(patch["patch"])
            assert deleted["$patch"] == "delete"
            made = [item for item in made if names(item) != names(deleted)]
    added = [name for name in overlay["resources"] if name != "../../base"]
    return made + [yaml.safe_load(files[f"overlays/{environment}/{name}"]) for name in added]


def names(resource: Any) -> tuple[str, str, str]:
    return resource["apiVersion"], resource["kind"], resource["metadata"]["name"]


def is_target(resource: Any, target: Mapping[str, str]) -> bool:
    version = "/".join(filter(None, (target.get("group", ""), target["version"])))
    return names(resource) == (version, target["kind"], target["name"])


def apply(resource: Any, operation: Mapping[str, Any]) -> None:
    *folders, last = [
        part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
    ]
    for part in folders:
        resource = resource[int(part)] if isinstance(resource, list) else resource[part]
    key: Any = int(last) if isinstance(resource, list) else last
    if operation["op"] == "remove":
        del resource[key]
    else:
        assert (key in resource) is (operation["op"] == "replace") or isinstance(resource, list)
        resource[key] = deepcopy(operation["value"])


def in_order(items: Sequence[Any]) -> list[Any]:
    return sorted(items, key=names)


def validate(files: Mapping[str, bytes]) -> None:
    environments = {path.split("/")[1] for path in files if path.startswith("overlays/")}
    for environment in environments:
        for resource in built(files, environment):
            kubernetes_validate.validate(resource, VERSION, strict=True)


def test_every_resource_fits_the_published_schemas(full: Path) -> None:
    validate(exported(full))


@pytest.mark.slow
def test_the_guestbook_fits_the_published_schemas() -> None:
    validate(exported(GUESTBOOK))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flask-redis", "nginx-flask-mysql"])
def test_imported_projects_fit_the_published_schemas(tmp_path: Path, name: str) -> None:
    for path, text in IMPORTED[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    root, imported = import_source(tmp_path, ImportChoices())
    write_imported(root, {path: file.text for path, file in imported.files.items()}, force=False)

    validate(exported(root))


@pytest.mark.slow
@pytest.mark.parametrize("root", [GUESTBOOK, None])
def test_an_overlay_makes_exactly_its_environment(full: Path, root: Path | None) -> None:
    files = exported(root or full)
    project = Project(root or full, environ={})

    for environment in project.environments():
        plan = Session(project, Target(environment, "docker")).portable_plan
        expected = [*resources(plan).values()]
        assert in_order(built(files, environment)) == in_order(expected)


@pytest.mark.slow
def test_a_change_of_prod_changes_only_what_is_of_prod(full: Path) -> None:
    before = exported(full)
    overlay = full / "environments/prod.yaml"
    overlay.write_text(overlay.read_text().replace("warning", "error"))

    after = exported(full)

    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert changed
    assert all(path.startswith(("overlays/prod/", "images/prod/")) for path in changed)


def test_what_writes_to_volumes_is_never_run_twice_at_once(full: Path) -> None:
    files = exported(full, "dev")

    assert yaml.safe_load(files["base/web-workload.yaml"])["kind"] == "StatefulSet"
    assert yaml.safe_load(files["base/db-workload.yaml"])["kind"] == "Deployment"


@pytest.mark.slow
def test_a_task_is_a_job_whose_name_follows_what_it_is(full: Path) -> None:
    first = yaml.safe_load(exported(full, "dev")["base/seed-job.yaml"])
    spec = full / "envctl.yaml"
    spec.write_text(spec.read_text().replace("kind: task\n", "kind: task\n    env: {A: b}\n"))

    second = yaml.safe_load(exported(full, "dev")["base/seed-job.yaml"])

    assert first["kind"] == second["kind"] == "Job"
    assert first["metadata"]["name"] != second["metadata"]["name"]


def test_secrets_are_references(full: Path) -> None:
    (container,) = pod(exported(full, "dev"), "web")["containers"]

    reference = {"secretKeyRef": {"name": "shop-secrets", "key": "password"}}
    assert container["env"] == [
        {"name": "ENVCTL_SECRET_PASSWORD", "valueFrom": reference},
        {"name": "URL", "value": "postgres://:$(ENVCTL_SECRET_PASSWORD)@db/"},
    ]


def test_kubernetes_replaces_nothing_in_commands(full: Path) -> None:
    spec = full / "envctl.yaml"
    spec.write_text(
        spec.read_text().replace("[python3, -m, http.server", "[echo, '$$(HOME)', http.server")
    )

    (container,) = pod(exported(full, "dev"), "web")["containers"]

    assert container["command"][1] == "$$(HOME)"


def test_an_image_has_its_own_user_where_only_it_knows_the_number(full: Path) -> None:
    files = exported(full, "dev")

    assert files["images/dev/web.Dockerfile"].endswith(b"\nUSER web\n")
    assert pod(files, "web")["initContainers"][0]["command"] == [
        "chown",
        "--",
        "web",
        "/srv/uploads",
    ]


def test_a_number_is_the_user_of_the_pod(full: Path) -> None:
    spec = full / "envctl.yaml"
    spec.write_text(spec.read_text().replace("user: web\n", "user: 1234\n"))

    web = pod(exported(full, "dev"), "web")

    security = web["containers"][0]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (1234, 0)
    assert security["runAsNonRoot"] is True
    assert web["securityContext"]["fsGroup"] == 1234
    assert "initContainers" not in web


def test_nothing_is_gained_or_shared_that_the_spec_does_not_name(full: Path) -> None:
    web = pod(exported(full, "dev"), "web")

    security = web["containers"][0]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert security["readOnlyRootFilesystem"] is True
    assert web["automountServiceAccountToken"] is False
