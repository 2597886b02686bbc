"""An environment's resources: for each service a workload and what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from envctl.exports.kubernetes.names import LONGEST, config_name, label_name
from envctl.exports.kubernetes.pod import pod
from envctl.plan.digest import digest
from envctl.plan.model import Kind, Plan, Unit

VOLUME_SIZE: Final = "1Gi"
"""What a volume asks for; a spec says nothing of sizes."""
_RETRIES: Final = 10
"""How often a task is tried: nothing waits for what it depends on."""


def resources(plan: Plan) -> Mapping[str, dict[str, Any]]:
    """The resources, by the file that has each."""
    by_file: dict[str, dict[str, Any]] = {}
    for name in plan.volumes():
        by_file[f"volume-{label_name(name)}.yaml"] = _claim(plan, name)
    for service in dict.fromkeys(unit.service for unit in plan.units):
        for kind, resource in _of_service(plan, plan.replicas(service)[0]):
            by_file[f"{label_name(service)}-{kind}.yaml"] = resource
    return by_file


def _of_service(plan: Plan, unit: Unit) -> Iterator[tuple[str, dict[str, Any]]]:
    labels = _labels(plan, unit.service)
    if unit.run.process.env:
        data = dict(sorted(unit.run.process.env.items()))
        head = _head("v1", "ConfigMap", config_name(unit), labels)
        yield "config", {**head, "data": data}
    if unit.kind is Kind.TASK:
        yield "job", _job(plan, unit, labels)
        return
    yield "workload", _workload(plan, unit, labels)
    for name in dict.fromkeys((unit.service, *unit.run.aliases)):
        suffix = "" if name == unit.service else f"-{label_name(name)}"
        yield f"service{suffix}", _service(plan, unit, name)


def _labels(plan: Plan, service: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": label_name(service),
        "app.kubernetes.io/part-of": label_name(plan.scope.project),
    }


def _head(version: str, kind: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": dict(labels)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _claim(plan: Plan, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": label_name(plan.scope.project)}
    requests = {"requests": {"storage": VOLUME_SIZE}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": requests}
    return {**_head("v1", "PersistentVolumeClaim", label_name(name), labels), "spec": spec}


def _workload(plan: Plan, unit: Unit, labels: Mapping[str, str]) -> dict[str, Any]:
    """A StatefulSet for what writes to volumes, so that no two versions of it run at once; else a Deployment."""
    name = label_name(unit.service)
    is_stateful = any(not volume.read_only for volume in unit.run.volumes)
    spec: dict[str, Any] = {"replicas": len(plan.replicas(unit.service))}
    if is_stateful:
        spec["serviceName"] = name
    spec["selector"] = {"matchLabels": dict(labels)}
    spec["template"] = pod(plan, unit, labels)
    kind = "StatefulSet" if is_stateful else "Deployment"
    return {**_head("apps/v1", kind, name, labels), "spec": spec}


def _job(plan: Plan, unit: Unit, labels: Mapping[str, str]) -> dict[str, Any]:
    """A task. A Job cannot be changed, so that its name has a digest of what it is."""
    template = pod(plan, unit, labels)
    template["spec"]["restartPolicy"] = "OnFailure"
    suffix = f"-{digest(template)[:8]}"
    name = label_name(unit.service)[: LONGEST - len(suffix)].rstrip("-") + suffix
    spec = {"backoffLimit": _RETRIES, "template": template}
    return {**_head("batch/v1", "Job", name, labels), "spec": spec}


def _service(plan: Plan, unit: Unit, name: str) -> dict[str, Any]:
    """The name by which others reach the service: on every port, as in envctl, since it has no address of its own."""
    labels = _labels(plan, unit.service)
    spec: dict[str, Any] = {
        "clusterIP": "None",
        "selector": labels,
        "publishNotReadyAddresses": True,
    }
    ports = {(port.container, port.protocol): port for port in unit.run.ports}
    if ports:
        spec["ports"] = [
            {"name": f"{protocol}-{number}", "port": number, "protocol": protocol.upper()}
            for number, protocol in sorted(ports)
        ]
    return {**_head("v1", "Service", label_name(name), labels), "spec": spec}
