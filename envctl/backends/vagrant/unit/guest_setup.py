"""Sets up a unit in its machine: a systemd service, and a script that becomes the unit's process. Pure.

Values of the spec are only in the script, where single quotes preserve every byte. The service file contains only names
and numbers, so it needs no escaping.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from envctl.backends.common.step_views import covered, protected
from envctl.backends.common.ulimits import UNLIMITED, limits
from envctl.backends.vagrant.box import boot
from envctl.backends.vagrant.layout import machine_of
from envctl.backends.vagrant.options import stop_signal
from envctl.backends.vagrant.quoting import shell, words
from envctl.backends.vagrant.unit import container, exit_records, log_scripts, process_scripts
from envctl.backends.vagrant.unit.unit_paths import SECRETS, UnitPaths, secret_file, secret_name
from envctl.plan.model import Kind, Secret, Unit

_REFUSE_MOUNT: Final = """\
device() { stat -L -c %d -- "$1"; }
refuse_mount() {
  path=$1
  [ ! -L "$path" ] || path=${path%/*}
  while [ ! -e "${path:-/}" ]; do path=${path%/*}; done
  case $(device "${path:-/}") in "$(device /)"|"$(device /run)") return;; esac
  echo "$1 is inside a mount: envctl writes nothing there" >&2; exit 1
}"""
"""A shell function that refuses a path unless it is on the machine's own disk or in /run.

envctl must not write through a mount or link into a folder of this host, or into a volume.
"""
_IN_PLACE: Final = "/run/envctl/in-place"
"""A folder in memory with a file for each unit whose files are in place though it was not started."""
STOP_TIMEOUT: Final = 10
"""Seconds between the stop signal and SIGKILL, as in a container."""


def service(unit: Unit, paths: UnitPaths) -> str:
    """The systemd service file of a unit."""
    run = unit.run
    task = unit.kind is Kind.TASK
    contained = container.runs_in_container(unit)
    lines = [
        "[Unit]",
        f"Description={unit.name}",
        "StartLimitIntervalSec=0",
        # Start the log service first, so that it reads the unit's first line.
        f"After={paths.log_service}",
        "[Service]",
        f"Type={'oneshot' if task else 'exec'}",
        *(["RemainAfterExit=yes"] if task else []),
        f"User={'root' if contained else run.process.user or 'root'}",
        f"ExecStart=/bin/sh {paths.script}",
        f"Restart={'no' if task else run.restart}",
        "RestartSec=1",
        f"TimeoutStopSec={STOP_TIMEOUT}",
        f"KillSignal={stop_signal(unit)}",
        "TimeoutStartSec=infinity",
        "KillMode=mixed",
        # No limit on processes, as in a container. systemd's default is a share of the kernel's limit.
        "TasksMax=infinity",
    ]
    # Record the exit before the container is removed, because the container knows about OOM kills.
    note = f"=+-/bin/sh {paths.ended}"
    lines += [*([f"ExecStartPost{note}"] if task else []), f"ExecStopPost{note}"]
    if paths.shared and run.secrets:
        lines.append(f"BindReadOnlyPaths={paths.secrets}:{SECRETS}")
    if contained:
        lines += [container.AFTER] if task else [container.STARTED, container.AFTER]
    else:
        lines += _limits(unit)
    return "\n".join(lines) + "\n"


def _limits(unit: Unit) -> Iterator[str]:
    process, resources = unit.run.process, unit.run.resources
    for name, pair in limits(unit.run.options).items():
        soft, hard = ("infinity" if limit == UNLIMITED else str(limit) for limit in pair)
        yield f"Limit{name.upper()}={soft}:{hard}"
    # As in a container, an OOM kill ends one process instead of the whole service.
    yield "OOMPolicy=continue"
    yield "NoNewPrivileges=yes"
    yield f"CapabilityBoundingSet={' '.join(f'CAP_{name}' for name in process.capabilities)}"
    if resources.memory is not None:
        yield f"MemoryMax={resources.memory}"
        yield "MemorySwapMax=0"
    if resources.cpus is not None:
        yield f"CPUQuota={resources.cpus * 100:g}%"


def run_script(unit: Unit, paths: UnitPaths) -> str:
    """The script that becomes the unit's process, or the client of its container."""
    contained = container.runs_in_container(unit)
    text = container.client_script(unit) if contained else process_scripts.start_script(unit.run)
    return f"{log_scripts.redirect(paths)}\n{text}"


def _end_script(unit: Unit, paths: UnitPaths) -> str:
    contained = container.NAME if container.runs_in_container(unit) else ""
    return exit_records.recording_script(paths, contained=contained, lasting=unit.kind is Kind.TASK)


def archive(unit: Unit, paths: UnitPaths, secrets: Mapping[str, bytes]) -> bytes:
    """A tar archive, to be unpacked at /, with the unit's service, scripts and secrets."""
    text = run_script(unit, paths)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, log_scripts.PROGRAM, log_scripts.PROGRAM_TEXT.encode(), 0o644)
        _add(tar, log_scripts.SERVICE_FILE, log_scripts.SERVICE.encode(), 0o644)
        _add(tar, _file(paths), service(unit, paths).encode(), 0o644)
        _add(tar, paths.script, text.encode("utf-8", "surrogateescape"), 0o644)
        _add(tar, paths.ended, _end_script(unit, paths).encode(), 0o644)
        for secret in unit.run.secrets:
            _add(tar, secret_file(secret, paths), secrets[secret.name], 0o400)
    return target.getvalue()


def _add(tar: tarfile.TarFile, path: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode, entry.size = mode, len(data)
    tar.addfile(entry, io.BytesIO(data))


def setup_script(unit: Unit, paths: UnitPaths, *, new_run: bool = True, start: bool = True) -> str:
    """The shell script that unpacks the archive from standard input and restarts the service.

    `new_run` separates its logs from earlier ones, like those of a new container. Without `start`, the service is not
    started, and nothing changes if everything is already in place since the machine's boot.
    """
    secrets = unit.run.secrets
    contained = container.runs_in_container(unit)
    user = "root" if contained else unit.run.process.user or "root"
    # `user:` also sets the user's group. A numeric user may have no entry in /etc/passwd, and so no group.
    owner = shell(user if user.isdigit() else f"{user}:")
    services = words([_file(paths), log_scripts.SERVICE_FILE])
    folder = paths.script.rpartition("/")[0]
    lines = [
        "set -e",
        "umask 022",
        *([] if start else [_leave_if_in_place(paths, folder)]),
        f"[ ! -s {boot.FAILED} ] || {{ cat {boot.FAILED} >&2; exit 1; }}",
        # A new unit has no service to stop. Skipping that saves a second on an emulated processor.
        f"known=; [ ! -e {_file(paths)} ] || known=yes",
        f'[ -z "$known" ] || systemctl stop {paths.service} {paths.log_service} 2>/dev/null || :',
        *([exit_records.forget_script(paths)] if start else []),
        _REFUSE_MOUNT,
        f"refuse_mount {paths.secrets}; refuse_mount {paths.script}; refuse_mount {_file(paths)}",
        f"rm -rf {paths.secrets}; mkdir -p {paths.secrets} {folder}",
        *_covers(unit),
        *_protections(unit),
        # If an earlier run was killed before systemd read its files, treat them as changed.
        f"before=; [ -e {folder}/unread ] || before=$(cat {services} 2>/dev/null) || :; : >{folder}/unread",
        "tar -xpf - -C /",
        *log_scripts.setup_commands(paths, owner, new_run=new_run),
    ]
    if contained:
        lines += container.setup_commands(unit, [secret_file(secret, paths) for secret in secrets])
    elif secrets:
        lines.append(
            f"chown -- {owner} {words([secret_file(secret, paths) for secret in secrets])}"
        )
        lines += _links(secrets)
    lines += [
        # Takes seconds on an emulated processor. systemd reads new files without it, and already knows unchanged ones.
        f'[ -z "$known" ] || [ "$before" = "$(cat {services})" ] || systemctl daemon-reload',
        f"rm -f {folder}/unread",
    ]
    if start:
        lines += [
            f'[ -z "$known" ] || systemctl reset-failed {paths.service} 2>/dev/null || :',
            f"systemctl start --no-block {paths.log_service} {paths.service}",
        ]
    else:
        lines.append(f"mkdir -p {_IN_PLACE}; : >{_IN_PLACE}/{paths.unit}")
    return "\n".join(lines)


def _leave_if_in_place(paths: UnitPaths, folder: str) -> str:
    """Shell commands that read the input and exit if everything is already in place since the machine's boot."""
    started = f"{{ {exit_records.is_started(paths)} && [ ! -e {folder}/unread ]; }}"
    return f"if {started} || [ -e {_IN_PLACE}/{paths.unit} ]; then cat >/dev/null; exit 0; fi"


def _covers(unit: Unit) -> Iterator[str]:
    """Mount an empty, read-only folder over envctl's own state in mounts of the project."""
    for path in covered(machine_of(unit).mounts):
        place = shell(path)
        yield (
            f"mountpoint -q -- {place} || mount -t tmpfs -o ro,mode=555,size=4k,nosuid,nodev,noexec"
            f" envctl {place}"
        )


def _protections(unit: Unit) -> Iterator[str]:
    """Mount git's own files below a mount read-only."""
    for mount in protected(machine_of(unit).mounts):
        place = shell(mount.target)
        # A path where root cannot write is already mounted read-only.
        yield (
            f"[ ! -w {place} ] || {{ mount -o bind -- {place} {place}"
            f" && mount -o remount,bind,ro -- {place}; }}"
        )


def chown_script(owners: Mapping[str, str]) -> str:
    """Shell commands that set the owners of new volumes' folders, by path."""
    lines = (f"chown -- {shell(owner)} {shell(path)}\n" for path, owner in owners.items())
    return "".join(["set -e\n", *lines]) if owners else ""


def _file(paths: UnitPaths) -> str:
    """The path of a unit's service file."""
    return f"/etc/systemd/system/{paths.service}"


def _links(secrets: Sequence[Secret]) -> Iterator[str]:
    """Link secrets whose target is elsewhere."""
    for secret in secrets:
        file = f"{SECRETS}/{secret_name(secret)}"
        if secret.target != file:
            yield f"refuse_mount {shell(secret.target)}"
            yield f"mkdir -p -- {shell(secret.target.rpartition('/')[0] or '/')}"
            yield f"ln -sfn -- {shell(file)} {shell(secret.target)}"


def stop_script(unit: str, units: Collection[str]) -> str:
    """Shell commands that stop a unit if it exists in the machine."""
    return f"systemctl stop {UnitPaths(unit).service}; " if unit in units else ""


def remove_script(paths: UnitPaths) -> str:
    """The shell script that removes a unit from a shared machine."""
    return (
        f"systemctl stop {paths.service} {paths.log_service} 2>/dev/null; systemctl reset-failed {paths.service} 2>/dev/null;"
        f" rm -rf {paths.secrets} {paths.script.rpartition('/')[0]} {paths.pipes[0].rpartition('/')[0]} {_file(paths)};"
        f" systemctl daemon-reload; {exit_records.remove_script(paths)}; rm -f {_IN_PLACE}/{paths.unit}"
    )


def hosts_file(table: Mapping[str, Sequence[str]]) -> str:
    """The content of /etc/hosts: the machine itself, and the names of all units by address."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{address} {' '.join(names)}" for address, names in sorted(table.items()) if names]
    return "\n".join(lines) + "\n"
