"""What a machine is told about its unit: a service of its init, a script that becomes the process. Pure.

Values of the spec travel in the script only, where a shell's single quotes keep every byte; the init's
file has names and numbers alone.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Final

from envctl.backends.vagrant.quoting import shell, words
from envctl.plan.model import Kind, Process, Secret, Unit

SERVICE: Final = "envctl.service"
SCRIPT: Final = "/etc/envctl/run"
SECRETS: Final = "/run/secrets"
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JOURNAL: Final = "/usr/bin/systemd-cat --identifier=envctl --priority=info --stderr-priority=err --level-prefix=false"  # fmt: skip
_GROUP: Final = f"/sys/fs/cgroup/system.slice/{SERVICE}/cgroup.procs"
STOP_TIMEOUT: Final = 10
"""Seconds a process has to end after SIGTERM, as in a container."""


def service(unit: Unit) -> str:
    """The unit as a service of systemd."""
    run = unit.run
    task = unit.kind is Kind.TASK
    lines = [
        "[Unit]",
        f"Description={unit.name}",
        "StartLimitIntervalSec=0",
        "[Service]",
        f"Type={'oneshot' if task else 'exec'}",
        *(["RemainAfterExit=yes"] if task else []),
        f"User={run.process.user or 'root'}",
        # Standard output and error come to the journal apart, line by line.
        f"ExecStart={_JOURNAL} -- /bin/sh {SCRIPT}",
        "NoNewPrivileges=yes",
        f"CapabilityBoundingSet={' '.join(f'CAP_{name}' for name in run.process.capabilities)}",
        f"Restart={'no' if task else run.restart}",
        "RestartSec=1",
        f"TimeoutStopSec={STOP_TIMEOUT}",
        "TimeoutStartSec=infinity",
        "KillMode=mixed",
    ]
    if run.resources.memory is not None:
        lines += [f"MemoryMax={run.resources.memory}", "MemorySwapMax=0"]
    if run.resources.cpus is not None:
        lines.append(f"CPUQuota={run.resources.cpus * 100:g}%")
    return "\n".join(lines) + "\n"


def script(process: Process) -> str:
    """The script that becomes the unit's process, with just the environment of the spec."""
    return (
        f"cd -- {shell(process.workdir or '/')} || exit 200\n"
        f"exec {_environment(process.user, process.env)} {words(_argv(process.argv or ()))}\n"
    )


def _environment(user: str | None, env: Mapping[str, str]) -> str:
    home = f'"HOME=$(getent passwd {shell(user or "root")} | cut -d: -f6)"'
    given = words([f"{name}={value}" for name, value in sorted(env.items())])
    return f'/usr/bin/env -i PATH={PATH} "HOSTNAME=$(cat /etc/hostname)" {home} {given}'.rstrip()


def _argv(argv: Sequence[str]) -> tuple[str, ...]:
    # A program whose name has a "=" would be taken for one more variable.
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *argv) if argv and "=" in argv[0] else tuple(argv)


def command(
    argv: Sequence[str],
    process: Process,
    *,
    user: str | None,
    workdir: str | None,
    env: Mapping[str, str],
    timeout: float | None = None,
) -> str:
    """A shell command that runs `argv` as the unit's own process runs, but for what is given."""
    who = user or process.user or "root"
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in process.capabilities)])
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    return (
        # It shares the unit's limits, and ends with it, as in a container.
        f"echo $$ > {_GROUP} 2>/dev/null || :; "
        f"cd -- {shell(workdir or process.workdir or '/')} || exit 126; exec {limit}"
        f'setpriv --reuid={shell(who)} --regid="$(id -g -- {shell(who)})" --init-groups'
        f" --inh-caps=-all --bounding-set={bounding} --no-new-privs --"
        f" {_environment(who, {**process.env, **env})} {words(_argv(argv))}"
    )


def secret_file(secret: Secret) -> str:
    """Where a secret's file is, in memory; its target may be a link to it."""
    inside = secret.target.removeprefix(f"{SECRETS}/")
    own = inside != secret.target and "/" not in inside
    return f"{SECRETS}/{inside if own else '.' + secret.name}"


def archive(unit: Unit, secrets: Mapping[str, bytes]) -> bytes:
    """What is unpacked at the machine's root: the service, its script, its secrets."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, f"/etc/systemd/system/{SERVICE}", service(unit).encode(), 0o644)
        _add(tar, SCRIPT, script(unit.run.process).encode("utf-8", "surrogateescape"), 0o644)
        for secret in unit.run.secrets:
            _add(tar, secret_file(secret), secrets[secret.name], 0o400)
    return target.getvalue()


def _add(tar: tarfile.TarFile, path: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode, entry.size = mode, len(data)
    tar.addfile(entry, io.BytesIO(data))


def settle(unit: Unit) -> str:
    """The shell script that unpacks the archive from standard input and starts the service anew."""
    secrets = unit.run.secrets
    lines = [
        "set -e",
        "umask 022",
        f"systemctl stop {SERVICE} 2>/dev/null || :",
        f"rm -rf {SECRETS}; mkdir -p {SECRETS} /etc/envctl",
        "tar -xpf - -C /",
    ]
    if secrets:
        owner = shell((unit.run.process.user or "root") + ":")
        lines.append(f"chown -- {owner} {words([secret_file(one) for one in secrets])}")
    for one in secrets:
        if one.target != secret_file(one):
            parent, target = shell(one.target.rpartition("/")[0] or "/"), shell(one.target)
            lines += [f"mkdir -p -- {parent}", f"ln -sfn -- {shell(secret_file(one))} {target}"]
    lines += [
        "systemctl daemon-reload",
        f"systemctl reset-failed {SERVICE} 2>/dev/null || :",
        f"systemctl start --no-block {SERVICE}",
    ]
    return "\n".join(lines)


def hosts(table: Mapping[str, Sequence[str]]) -> str:
    """The machine's /etc/hosts: itself, and the names of all units by address."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{address} {' '.join(names)}" for address, names in sorted(table.items())]
    return "\n".join(lines) + "\n"
