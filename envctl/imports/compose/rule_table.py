"""All rules for the keys of a service, and why the others are dropped. The docs are generated from this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from envctl.conversion.conversion_report import TABLE_WORDS, KeyOutcome
from envctl.imports.compose.health_rules import HEALTH_RULES
from envctl.imports.compose.limit_rules import LIMIT_RULES
from envctl.imports.compose.network_rules import NETWORK_RULES
from envctl.imports.compose.process_rules import PROCESS_RULES
from envctl.imports.compose.service_import import Rule, ServiceImport
from envctl.imports.compose.source_rules import SOURCE_RULES
from envctl.imports.compose.storage_rules import STORAGE_RULES


def _extends(service: ServiceImport, key: str) -> None:
    service.translate(key, "the keys of the other service, written out")


_NO_COUNTERPART: Final = "neither a container nor a machine of envctl has it"
_LIMIT: Final = "limits are `resources: {cpus, memory}`; remedy: use these"
DROPPED: Final[Mapping[str, str]] = {
    "annotations": "envctl owns the labels of what it makes",
    "attach": "`envctl up` does not show logs; `envctl logs` does",
    "blkio_config": _LIMIT,
    "cgroup": "every container has its own",
    "cgroup_parent": _NO_COUNTERPART,
    "container_name": "names are derived, so that environments and checkouts do not collide; services reach each other"
    " by the service's name, `envctl exec` takes that too",
    "cpu_count": _LIMIT,
    "cpu_percent": _LIMIT,
    "cpu_period": _LIMIT,
    "cpu_quota": _LIMIT,
    "cpu_rt_period": _LIMIT,
    "cpu_rt_runtime": _LIMIT,
    "cpuset": _LIMIT,
    "credential_spec": "it is for Windows",
    "device_cgroup_rules": "only whole devices are passed on; remedy: list them in `options.docker.devices`",
    "external_links": "services reach only those of their environment; remedy: publish a port there",
    "gpus": "GPUs are not supported",
    "group_add": "a process has the groups of its user; remedy: add the user to them in the image",
    "ipc": "every container has its own",
    "isolation": "it is for Windows",
    "label_file": "envctl owns the labels of what it makes",
    "logging": "envctl reads and limits the logs itself, on every backend: see `envctl logs`",
    "mac_address": "the engine chooses it",
    "mem_reservation": "nothing is reserved on a machine of one's own; remedy: a limit",
    "mem_swappiness": _LIMIT,
    "memswap_limit": "a memory limit allows no additional swap",
    "models": "AI models are not supported",
    "oom_kill_disable": _LIMIT,
    "oom_score_adj": _LIMIT,
    "pid": "a container only sees its own processes",
    "pre_start": "a spec has no such hook; remedy: a service with `kind: task` that this one depends on",
    "provider": "services of other providers are not supported",
    "runtime": "there is one runtime, that of the engine",
    "stdin_open": "services have no input; remedy: `envctl run` and `envctl shell` do",
    "storage_opt": _NO_COUNTERPART,
    "tty": "services have no terminal; remedy: `envctl run` and `envctl shell` do",
    "use_api_socket": "a container with the engine's socket is root on the host",
    "userns_mode": "it is the engine's choice",
    "uts": "every container has its own",
    "volumes_from": "a service says itself what it mounts; remedy: write the same `volumes` and `mounts` here",
}

_RULES: Final = (
    *SOURCE_RULES,
    *PROCESS_RULES,
    *HEALTH_RULES,
    *STORAGE_RULES,
    *NETWORK_RULES,
    *LIMIT_RULES,
    Rule("extends", "the keys of the other service, written out", KeyOutcome.TRANSLATED, _extends),
    *(Rule(key, reason) for key, reason in DROPPED.items()),
)
RULES: Final[Mapping[str, Rule]] = {rule.key: rule for rule in _RULES}
"""The rules, by key of a service."""

TOP_RULES: Final = (
    Rule("name", "`project`", KeyOutcome.SAME),
    Rule("services", "`services`; a name that a spec cannot have is changed", KeyOutcome.SAME),
    Rule(
        "volumes",
        "nothing: a volume is made for each name; `external`, `driver`, `driver_opts` and `labels` are dropped",
        KeyOutcome.TRANSLATED,
    ),
    Rule(
        "networks",
        "nothing: each environment has one network; what says more than a name is dropped",
        KeyOutcome.TRANSLATED,
    ),
    Rule(
        "secrets",
        "`secrets: {NAME: {file: …}}` or `{env: …}`; an `external` one is `{env: NAME}`, and reported as dropped",
        KeyOutcome.SAME,
    ),
    Rule("configs", "read-only mounts where they are used", KeyOutcome.TRANSLATED),
    Rule("include", "the services of the other file, written out", KeyOutcome.TRANSLATED),
    Rule("version", "Compose itself ignores it"),
    Rule("models", "AI models are not supported"),
    Rule("x-…", "nothing reads it; what aliases take from it is written out where they are"),
)

BEGIN: Final = "<!-- the table of keys, made by `python docs/generate.py` -->"
END: Final = "<!-- the end of the table of keys -->"


def rules_table() -> str:
    """The rules as tables for the docs."""
    return "\n".join(_table_lines()) + "\n"


def _table_lines() -> Iterator[str]:
    for title, rules in (
        ("At the top", TOP_RULES),
        ("In a service", sorted(RULES.values(), key=lambda rule: rule.key)),
    ):
        yield f"\n### {title}\n"
        yield "| key | usually | becomes, or why it is dropped |"
        yield "| --- | --- | --- |"
        for rule in rules:
            yield f"| `{rule.key}` | {TABLE_WORDS[rule.outcome]} | {rule.note} |"
