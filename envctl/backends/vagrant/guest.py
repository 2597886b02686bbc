"""What a machine is told about its unit: a service of its init, a script that becomes the process. Pure.

Values of the spec travel in the script only, where a shell's single quotes keep every byte; the init's
file has names and numbers alone.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from envctl.backends.limits import UNLIMITED, limits
from envctl.backends.vagrant import boot, container
from envctl.backends.vagrant.quoting import shell, words
from envctl.plan.model import Kind, Process, Secret, Unit

SECRETS: Final = "/run/secrets"
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JOURNAL: Final = "/usr/bin/systemd-cat --priority=info --stderr-priority=err --level-prefix=false"
NOT_RUNNING: Final = 125
"""With what a command inside ends if its unit does not run; one that ran may end so, too."""
STOP_TIMEOUT: Final = 10
"""Seconds a process has to end after SIGTERM, as in a container."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where a unit's things are in its machine, which it may share with others."""

    unit: str
    shared: bool = False

    @property
    def service(self) -> str:
        """The unit's service of systemd."""
        return f"envctl-{self.unit}.service"

    @property
    def processes(self) -> str:
        """The file that lists the unit's processes; it is there only while there are some, or are about to be."""
        return f"/sys/fs/cgroup/system.slice/{self.service}/cgroup.procs"

    @property
    def script(self) -> str:
        """The script that becomes the unit's process."""
        return f"/etc/envctl/{self.unit}/run"

    @property
    def secrets(self) -> str:
        """The folder, in memory, of the unit's secrets; a shared machine shows it as SECRETS to the unit alone."""
        return f"/run/envctl/secrets/{self.unit}" if self.shared else SECRETS


def service(unit: Unit, room: Room) -> str:
    """The unit as a service of systemd."""
    run = unit.run
    task = unit.kind is Kind.TASK
    contained = container.is_contained(unit)
    lines = [
        "[Unit]",
        f"Description={unit.name}",
        "StartLimitIntervalSec=0",
        "[Service]",
        f"Type={'oneshot' if task else 'exec'}",
        *(["RemainAfterExit=yes"] if task else []),
        f"User={'root' if contained else run.process.user or 'root'}",
        # Standard output and error come to the journal apart, line by line.
        f"ExecStart={_JOURNAL} --identifier={room.service} -- /bin/sh {room.script}",
        f"Restart={'no' if task else run.restart}",
        "RestartSec=1",
        f"TimeoutStopSec={STOP_TIMEOUT}",
        "TimeoutStartSec=infinity",
        "KillMode=mixed",
    ]
    if room.shared and run.secrets:
        lines.append(f"BindReadOnlyPaths={room.secrets}:{SECRETS}")
    if contained:
        lines += [container.AFTER] if task else [container.STARTED, container.AFTER]
    else:
        lines += _limits(unit)
    return "\n".join(lines) + "\n"


def _limits(unit: Unit) -> Iterator[str]:
    process, resources = unit.run.process, unit.run.resources
    for name, pair in limits(unit.run.options).items():
        soft, hard = ("infinity" if one == UNLIMITED else str(one) for one in pair)
        yield f"Limit{name.upper()}={soft}:{hard}"
    yield "NoNewPrivileges=yes"
    yield f"CapabilityBoundingSet={' '.join(f'CAP_{name}' for name in process.capabilities)}"
    if resources.memory is not None:
        yield f"MemoryMax={resources.memory}"
        yield "MemorySwapMax=0"
    if resources.cpus is not None:
        yield f"CPUQuota={resources.cpus * 100:g}%"


def run_script(unit: Unit) -> str:
    """The script that becomes the unit's process, or its container's client."""
    return container.script(unit) if container.is_contained(unit) else script(unit.run.process)


def script(process: Process) -> str:
    """The script that becomes the unit's process, with just the environment of the spec."""
    return (
        f"{_look_up(process.user or 'root', 'home=$folder', 'home=/')}\n"
        f"cd -- {shell(process.workdir or '/')} || exit 200\n"
        f"exec {_environment(process.env)} {words(_argv(process.argv or ()))}\n"
    )


def _look_up(user: str, found: str, nobody: str) -> str:
    """Shell commands that look a user up by name or number, and $host, and start no process.

    As in a container the files alone tell. `found` is done with $uid, $gid and $folder, `nobody` if there is none.
    """
    return (
        f"who={shell(user)} known=; read -r host </etc/hostname; "
        'while IFS=: read -r name _ uid gid _ folder _ || [ -n "$name" ]; do '
        f'case $who in "$name"|"$uid") known=$gid; {found}; break;; esac; done </etc/passwd; '
        f'[ -n "$known" ] || {{ {nobody}; }}'
    )


def _environment(env: Mapping[str, str]) -> str:
    given = words([f"{name}={value}" for name, value in sorted(env.items())])
    return f'/usr/bin/env -i PATH={PATH} "HOSTNAME=$host" "HOME=$home" {given}'.rstrip()


def _argv(argv: Sequence[str]) -> tuple[str, ...]:
    # A program whose name has a "=" would be taken for one more variable.
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *argv) if argv and "=" in argv[0] else tuple(argv)


def command(
    argv: Sequence[str],
    process: Process,
    room: Room,
    *,
    user: str | None,
    workdir: str | None,
    env: Mapping[str, str],
    timeout: float | None = None,
    main: int = 0,
) -> str:
    """A shell command that runs `argv` as the unit's own process runs, but for what is given.

    What the unit sees of a shared machine, its secrets for one, is in its process's own view of the files:
    `main` is that process, if there is one.
    """
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in process.capabilities)])
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    folder = shell(workdir or process.workdir or "/")
    if room.shared and main:
        enter = (
            f"exec {limit}nsenter --mount=/proc/{main}/ns/mnt --"
            f' /bin/sh -c \'cd -- "$0" || exit 126; exec "$@"\' {folder}'
        )
    else:
        enter = f"cd -- {folder} || exit 126; exec {limit}".rstrip()
    looked_up = _look_up(
        user or process.user or "root",
        "home=$folder groups=--init-groups",
        # A number that is nobody's is fine in a container, too.
        'case $who in *[!0-9]*) echo "there is no user $who" >&2; exit 126;; esac;'
        " uid=$who gid=0 home=/ groups=--clear-groups",
    )
    return (
        # It shares the unit's limits, and ends with it, as in a container.
        f"echo $$ 2>/dev/null > {room.processes} || :; {looked_up}; {enter}"
        f' setpriv --reuid="$uid" --regid="$gid" $groups'
        f" --inh-caps=-all --bounding-set={bounding} --no-new-privs --"
        f" {_environment({**process.env, **env})} {words(_argv(argv))}"
    )


def insist(room: Room) -> str:
    """Shell commands that end the shell with NOT_RUNNING unless the unit's process is there; no other one starts."""
    return (
        f"tries=0; until read -r _ <{room.processes}; do tries=$((tries + 1));"
        f" [ -e {room.processes} ] && [ $tries -lt 50 ] || exit {NOT_RUNNING}; sleep 0.1; done 2>/dev/null;"
    )


def secret_file(secret: Secret, room: Room) -> str:
    """Where a secret's file is, in memory; its target may be a link to it."""
    return f"{room.secrets}/{_secret_name(secret)}"


def _secret_name(secret: Secret) -> str:
    inside = secret.target.removeprefix(f"{SECRETS}/")
    own = inside != secret.target and "/" not in inside
    return inside if own else "." + secret.name


def archive(unit: Unit, room: Room, secrets: Mapping[str, bytes]) -> bytes:
    """What is unpacked at the machine's root: the service, its script, its secrets."""
    text = run_script(unit)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, f"/etc/systemd/system/{room.service}", service(unit, room).encode(), 0o644)
        _add(tar, room.script, text.encode("utf-8", "surrogateescape"), 0o644)
        for secret in unit.run.secrets:
            _add(tar, secret_file(secret, room), secrets[secret.name], 0o400)
    return target.getvalue()


def _add(tar: tarfile.TarFile, path: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode, entry.size = mode, len(data)
    tar.addfile(entry, io.BytesIO(data))


def settle(unit: Unit, room: Room) -> str:
    """The shell script that unpacks the archive from standard input and starts the service anew."""
    secrets = unit.run.secrets
    contained = container.is_contained(unit)
    lines = [
        "set -e",
        "umask 022",
        f"[ ! -s {boot.FAILED} ] || {{ cat {boot.FAILED} >&2; exit 1; }}",
        f"systemctl stop {room.service} 2>/dev/null || :",
        f"rm -rf {room.secrets}; mkdir -p {room.secrets} {room.script.rpartition('/')[0]}",
        "tar -xpf - -C /",
    ]
    if contained:
        lines += container.prepare(unit, [secret_file(one, room) for one in secrets])
    elif secrets:
        user = unit.run.process.user or "root"
        # A name's own group comes with the colon; a number may be nobody's, and has none.
        owner = shell(user if user.isdigit() else f"{user}:")
        lines.append(f"chown -- {owner} {words([secret_file(one, room) for one in secrets])}")
        lines += _links(secrets)
    lines += [
        "systemctl daemon-reload",
        f"systemctl reset-failed {room.service} 2>/dev/null || :",
        f"systemctl start --no-block {room.service}",
    ]
    return "\n".join(lines)


def _links(secrets: Sequence[Secret]) -> Iterator[str]:
    """Secrets that are wanted elsewhere are linked there."""
    for one in secrets:
        file = f"{SECRETS}/{_secret_name(one)}"
        if one.target != file:
            yield f"mkdir -p -- {shell(one.target.rpartition('/')[0] or '/')}"
            yield f"ln -sfn -- {shell(file)} {shell(one.target)}"


def stop(unit: str, units: Collection[str]) -> str:
    """The shell commands that stop a unit, if it is one of the machine's."""
    return f"systemctl stop {Room(unit).service}; " if unit in units else ""


def leave(room: Room) -> str:
    """The shell script that takes a unit out of a machine it shares."""
    return (
        f"systemctl stop {room.service} 2>/dev/null; systemctl reset-failed {room.service} 2>/dev/null;"
        f" rm -rf {room.secrets} {room.script.rpartition('/')[0]} /etc/systemd/system/{room.service};"
        " systemctl daemon-reload"
    )


def hosts(table: Mapping[str, Sequence[str]]) -> str:
    """The machine's /etc/hosts: itself, and the names of all units by address."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{address} {' '.join(names)}" for address, names in sorted(table.items())]
    return "\n".join(lines) + "\n"
