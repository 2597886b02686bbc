"""What becomes of each key of the spec in a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.exports.export_format import KeyNote, KeyRule, SetKey
from envctl.exports.kubernetes.pod import user_numbers
from envctl.exports.kubernetes.resources import VOLUME_SIZE
from envctl.exports.rule_words import drop, keep, rules, translate
from envctl.plan.model import Build, Condition, Restart

_IMAGE: Final = (
    "a part of an image that no cluster can pull before it is built and pushed: see README.md"
)
_KEPT_OPTIONS: Final = frozenset({"hostname", "read_only", "stop_timeout", "tmpfs"})
_ORDER: Final = "Kubernetes starts everything at once; a container that fails for this is started again until it does not"


def _port_notes(key: SetKey) -> Iterator[KeyNote]:
    for index, port in enumerate(key.plan.replicas(key.service)[0].run.ports):
        note = (
            "a cluster has no port of this host; remedy: `kubectl port-forward`, or an Ingress or LoadBalancer"
            " of your own"
        )
        yield KeyNote(KeyOutcome.DROPPED, f"{port.address} is not in a cluster: {note}", (index,))


def _dependency_notes(key: SetKey) -> Iterator[KeyNote]:
    for name, condition in key.plan.replicas(key.service)[0].depends_on.items():
        if condition is not Condition.STARTED:
            yield KeyNote(KeyOutcome.DROPPED, f"{_ORDER}", (name,))


def _user_notes(key: SetKey) -> Iterator[KeyNote]:
    unit = key.plan.replicas(key.service)[0]
    if user_numbers(unit) is None:
        if isinstance(unit.source, Build):
            note = "USER of the image, since only the image knows the user's number"
            yield KeyNote(KeyOutcome.TRANSLATED, note)
        else:
            note = "only the image knows the number of this user; remedy: write its number"
            yield KeyNote(KeyOutcome.DROPPED, note)


def _restart_notes(key: SetKey) -> Iterator[KeyNote]:
    if key.plan.replicas(key.service)[0].run.restart is not Restart.ALWAYS:
        note = "a cluster always starts a service again; remedy: `kind: task` for what ends"
        yield KeyNote(KeyOutcome.DROPPED, note)


def _hook_notes(key: SetKey) -> Iterator[KeyNote]:
    if key.value and key.value.get("after_start"):
        note = "postStart, which runs when the container starts, not when it is ready"
        yield KeyNote(KeyOutcome.TRANSLATED, note, ("after_start",))


def _option_notes(key: SetKey) -> Iterator[KeyNote]:
    for backend, options in (key.value or {}).items():
        if backend != "docker":
            note = f"nothing: it is for the backend {backend}"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (backend,))
            continue
        for name in options:
            if name not in _KEPT_OPTIONS:
                note = f"a pod has no counterpart of {name}, or only its cluster may set it"
                yield KeyNote(KeyOutcome.DROPPED, note, (backend, name))


RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "the label part-of"),
    translate("top.environment", "the name of an overlay"),
    translate("top.backend", "nothing: a cluster is not one of envctl's backends"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "references to a Secret that README.md says how to make"),
    drop("top.accept", "it is for `envctl parity`; remedy: keep using envctl for it"),
    translate("kind", "a Deployment or StatefulSet; a Job for a task"),
    keep("image"),
    translate("dockerfile", _IMAGE),
    translate("platform", "nodeSelector of the processor's architecture"),
    translate("base", _IMAGE),
    translate("packages", _IMAGE),
    translate("build", _IMAGE),
    translate("build_args", _IMAGE),
    translate("stages", _IMAGE),
    translate("user", "runAsUser, runAsGroup and fsGroup", _user_notes),
    keep("workdir", "workingDir"),
    translate("env", "a ConfigMap; what contains a secret refers to a Secret"),
    keep("command"),
    translate("ports", "ports of the Service and the container", _port_notes),
    drop("mounts", "no node has files of this host; remedy: `copy` in the build, or a volume"),
    translate(
        "volumes",
        f"PersistentVolumeClaims of {VOLUME_SIZE}, which begin empty, without what the image has there",
    ),
    translate("secrets", "files of a Secret, by reference"),
    translate(
        "healthcheck",
        "startupProbe and readinessProbe; http and tcp are asked from outside, so the service has to listen on all"
        " interfaces",
    ),
    translate("depends_on", "nothing: all are started at once", _dependency_notes),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    keep("replicas"),
    translate("resources", "limits"),
    keep("restart", notes=_restart_notes),
    drop("restart_on", "it is for `envctl watch`; remedy: keep using envctl for it"),
    drop("checks", "they are for `envctl verify`; remedy: keep using envctl for it"),
    translate("hooks", "lifecycle", _hook_notes),
    keep("capabilities", "securityContext; all others are dropped"),
    translate("options", "the pod's counterparts", _option_notes),
)
