"""Compares what Compose makes of two files, in normal form: a source, and what was rendered from its import."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envctl.imports.compose.limit_rules import DEFAULT_CAPABILITIES

SET_BY_US = """
cap_add cap_drop security_opt init networks pull_policy memswap_limit logging expose network_mode
"""
OURS = frozenset(SET_BY_US.split())
"""What envctl sets of itself, or says in another way that `normal` knows."""


def config(folder: Path, *files: str, variables: Mapping[str, str] | None = None) -> Any:
    """What Compose reads in files of a folder."""
    names = [word for file in files for word in ("-f", file)]
    argv = ["docker-compose", *names, "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(
        argv,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(variables or {})},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read_rendered(folder: Path) -> Any:
    """What Compose reads in a rendered folder, whatever its secrets are."""
    text = (folder / "compose.yaml").read_text()
    names = re.findall(r"^    environment: \"?([A-Z0-9_]+)", text, re.MULTILINE)
    return config(folder, "compose.yaml", variables=dict.fromkeys(names, "x"))


def differences(
    source: Any, rendered: Any, lines: Iterable[Mapping[str, Any]], *, loopback: bool = True
) -> Iterator[str]:
    """Keys of services that differ, and that no line of the report says were dropped."""
    dropped = {line["key"] for line in lines if line["outcome"] == "dropped"}
    wrapped = {line["key"].split(".")[1] for line in lines if "on top of the image" in line["note"]}
    names = {name: re.sub(r"[^a-z0-9-]", "-", name) for name in source["services"]}
    builds = {
        service["image"]: service["build"]
        for service in rendered["services"].values()
        if "build" in service
    }
    for name, service in source["services"].items():
        if service.get("profiles"):
            continue
        before = normal(service, names, loopback=loopback)
        unit = rendered["services"][names[name]]
        if unit["image"] in builds:  # built once for all units that have it
            unit = {**unit, "build": builds[unit["image"]]}
        after = normal(unit, {}, loopback=False)
        if wrapped & {name}:
            for key in ("image", "entrypoint", "build"):
                before.pop(key, None)
                after.pop(key, None)
            before["environment"] = {
                key: value for key, value in before["environment"].items() if key.isidentifier()
            }
        limits = set(before.get("ulimits", {}))
        after["ulimits"] = {k: v for k, v in after.get("ulimits", {}).items() if k in limits}
        before.setdefault("ulimits", {})
        if "image" not in before:
            after.pop("image", None)
        for key in sorted({*before, *after} - OURS):
            if before.get(key) != after.get(key) and not _is_dropped(name, key, dropped):
                yield f"services.{name}.{key}: {before.get(key)!r} became {after.get(key)!r}"
    units = {re.sub(r"-[0-9]+\Z", "", unit) for unit in rendered["services"]}
    yield from (f"{name} was added" for name in units - {*names.values()})


ALIASES: Mapping[str, tuple[str, ...]] = {
    "limits": ("deploy", "cpus", "mem_limit", "pids_limit"),
    "capabilities": ("cap_add", "cap_drop", "privileged"),
    "volumes": ("volumes", "configs"),
    "tmpfs": ("volumes", "tmpfs"),
    "restart": ("deploy.restart_policy", "restart"),
}


def _is_dropped(name: str, key: str, dropped: Iterable[str]) -> bool:
    prefixes = [f"services.{name}.{word}" for word in ALIASES.get(key, (key,))]
    return any(
        path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))
        for path in dropped
        for prefix in prefixes
    )


def normal(
    service: Mapping[str, Any], names: Mapping[str, str], *, loopback: bool
) -> dict[str, Any]:
    """A service of Compose's output, with what means the same written in the same way."""
    result = {key: value for key, value in service.items() if value not in (None, [], {}, False)}
    limits = result.pop("deploy", {}).get("resources", {}).get("limits", {})
    result["limits"] = (
        float(limits.get("cpus") or result.pop("cpus", 0)),
        int(limits.get("memory") or result.pop("mem_limit", 0)),
        int(limits.get("pids") or result.pop("pids_limit", 0)),
    )
    for key in (
        "cpus",
        "mem_limit",
        "pids_limit",
        "scale",
        "profiles",
        "develop",
        "configs",
        "env_file",
    ):
        result.pop(key, None)
    for key in [key for key in result if key.startswith("x-") or key in ("post_start", "pre_stop")]:
        result.pop(key)
    if "build" in result:
        build = result.pop("build")
        result["build"] = (build.get("target", ""), build.get("args") or {})
        result.pop("image", None)
    if result.get("image", "").startswith("envctl/"):
        result.pop("image")
    result["capabilities"] = capabilities(service)
    result["environment"] = {
        key: value for key, value in (service.get("environment") or {}).items() if value is not None
    }
    result["restart"] = {"unless-stopped": "always", "any": "always"}.get(
        (restart := service.get("restart", "no").partition(":")[0]), restart
    )
    result["ports"] = ports(service, loopback=loopback)
    result["volumes"] = {
        (
            v["type"],
            os.path.realpath(v["source"]) if v["type"] == "bind" else "",
            v["target"],
            bool(v.get("read_only")),
        )
        for v in service.get("volumes") or []
        if v["type"] != "tmpfs"
    }
    result["tmpfs"] = tmpfs(service)
    result["secrets"] = {secret_path(secret) for secret in service.get("secrets") or []}
    result["depends_on"] = {
        names.get(name, name): entry["condition"]
        for name, entry in (service.get("depends_on") or {}).items()
    }
    result["healthcheck"] = probe(service.get("healthcheck") or {})
    result["dns"] = service.get("dns") or []
    result["shm_size"] = int(service.get("shm_size") or 0)
    if service.get("hostname") in (None, *names.values()) or not names:
        result.pop("hostname", None)
    if names and service.get("hostname"):
        result.pop("hostname", None)
    return {
        key: value for key, value in result.items() if value or key in ("limits", "environment")
    }


def capabilities(service: Mapping[str, Any]) -> set[str]:
    """What its root can do."""
    removed, added = service.get("cap_drop") or [], service.get("cap_add") or []
    names = set() if "ALL" in removed else {*DEFAULT_CAPABILITIES} - {*removed}
    user = str(service.get("user", ""))
    is_root = user in ("", "0", "root")
    return {*names, *added} if is_root or "ALL" in removed else {*added}


def ports(service: Mapping[str, Any], *, loopback: bool) -> set[tuple[Any, ...]]:
    """The ports of a service, with the address that envctl gives them by default."""
    return {
        (
            int(port["target"]),
            str(port.get("published", "")),
            port.get("protocol", "tcp"),
            "127.0.0.1" if loopback else port.get("host_ip") or "0.0.0.0",
        )
        for port in service.get("ports") or []
    }


def tmpfs(service: Mapping[str, Any]) -> set[str]:
    """Its file systems in memory."""
    mounted = {
        f"{v['target']}:size={v['tmpfs']['size']}"
        if v.get("tmpfs", {}).get("size")
        else v["target"]
        for v in service.get("volumes") or []
        if v["type"] == "tmpfs"
    }
    return {_sized(item) for item in {*mounted, *(service.get("tmpfs") or [])}}


def _sized(item: str) -> str:
    factors = {"k": 1024, "m": 1024**2, "g": 1024**3}
    return re.sub(
        r"size=(\d+)([kmg])\b",
        lambda m: f"size={int(m[1]) * factors[m[2]]}",
        item.partition(",mode")[0],
    )


def secret_path(secret: Mapping[str, Any]) -> str:
    """Where a secret appears."""
    target = str(secret.get("target") or secret["source"])
    return target if target.startswith("/") else f"/run/secrets/{target}"


def probe(check: Mapping[str, Any]) -> tuple[Any, ...]:
    """A health check with its defaults."""
    test = check.get("test") or ["NONE"]
    if check.get("disable") or test == ["NONE"]:
        return ()
    command = ["CMD", "/bin/sh", "-c", *test[1:]] if test[0] == "CMD-SHELL" else test
    times = [
        _seconds(check.get(key, default))
        for key, default in (("interval", "30s"), ("timeout", "30s"), ("start_period", "0s"))
    ]
    return tuple(command), *times, check.get("retries", 3)


def _seconds(text: str) -> float:
    parts = re.findall(r"([\d.]+)(h|ms|m|s)", text)
    return sum(float(n) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[unit] for n, unit in parts)
