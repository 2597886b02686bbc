"""Units that are container images. A Docker engine in the machine runs them, on the machine's network. Pure.

The image is a file in the machine's box and is loaded when the unit is first set up.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.ulimits import limits
from envctl.backends.vagrant.quoting import shell, words
from envctl.backends.vagrant.unit.process_scripts import exported
from envctl.backends.vagrant.unit.unit_paths import UnitPaths, secret_file
from envctl.plan.image_volumes import parted
from envctl.plan.model import Build, Unit

IMAGE: Final = "/var/lib/envctl/image.tar"
"""The image in a box, as a file from `docker save`."""
VOLUMES: Final = "/var/lib/envctl/volumes"
"""Where the machine mounts the disks of volumes. The container mounts them at their targets."""
NAME: Final = "envctl"
"""The image's tag and the container's name, in the machine."""
AFTER: Final = f"ExecStopPost=-/usr/bin/docker rm --force {NAME}"
"""Removes the container when its client has exited, for whatever reason."""
_RUNS: Final = (
    f"until docker inspect -f {{{{.State.Running}}}} {NAME} 2>/dev/null | grep -qx true;"
    " do kill -0 $$MAINPID 2>/dev/null || exit 0; sleep 0.3; done"
)
STARTED: Final = f"ExecStartPost=/bin/sh -c '{_RUNS}; sleep 0.5; {_RUNS}'"
"""Waits until the container runs, because its client starts seconds before it, and exits a moment after it.

It checks twice, half a second apart, so that a container that exits at once does not count as started.
"""
MODULES: Final = ("overlay",)
"""Kernel modules that the engine needs to store images."""
TIMEOUT: Final = 900.0
"""The timeout for setting up, in seconds: the image may have to be loaded from a file."""
_NOTHING: Final[Mapping[str, str]] = {}
_DAEMON: Final = "dockerd --bridge=none --iptables=false --ip-masq=false --userland-proxy=false --live-restore=false"


def runs_in_container(unit: Unit) -> bool:
    """Whether the unit runs as a container in its machine."""
    return not isinstance(unit.source, Build)


def volume_path(volume: str) -> str:
    """Where the machine mounts the disk of a volume."""
    return f"{VOLUMES}/{quote(volume, safe='')}"


def start_engine() -> Iterator[str]:
    """Shell commands that start the engine, if it is not running."""
    yield (
        "docker version >/dev/null 2>&1 || { mkdir -p /var/log; "
        f"setsid {_DAEMON} </dev/null >/var/log/dockerd.log 2>&1 & }}"
    )
    yield (
        "tries=0; until docker version >/dev/null 2>&1; do tries=$((tries + 1)); "
        "[ $tries -lt 300 ] || { tail -5 /var/log/dockerd.log >&2; exit 1; }; sleep 0.2; done"
    )


def setup_commands(unit: Unit, secrets: Sequence[str]) -> Iterator[str]:
    """Shell commands that start the engine, load the image and make secrets readable by its user."""
    yield from start_engine()
    yield (
        f"[ ! -e {IMAGE} ] || {{ loaded=$(docker load --quiet --input {IMAGE});"
        f' docker tag "${{loaded##* }}" {NAME}; rm {IMAGE}; }}'
    )
    if secrets:
        user = unit.run.process.user
        who = (
            shell(user)
            if user is not None
            else f"\"$(docker image inspect -f '{{{{.Config.User}}}}' {NAME})\""
        )
        yield (
            f"who={who}; case ${{who%%:*}} in ''|root) who=0;; *[!0-9]*) who=$(docker run --rm --network=none"
            f' --user="$who" --entrypoint=/bin/sh {NAME} -c "id -u");; esac'
        )
        yield f'chown -- "${{who%%:*}}" {words(secrets)}'
    yield f"docker rm --force {NAME} >/dev/null 2>&1 || :"


def client_script(unit: Unit) -> str:
    """The unit's script, which becomes the container's client, with the container's streams and exit code."""
    return f"docker rm --force {NAME} >/dev/null 2>&1\n{_client(unit, f'--name={NAME}')}\n"


def one_off_command(unit: Unit, *, tty: bool) -> str:
    """A shell command that runs a one-off of the unit in a separate container, which the engine removes afterwards."""
    terminal = ("--tty",) if tty else ()
    return _client(unit, "--rm", "--interactive", *terminal)


def _client(unit: Unit, *options: str) -> str:
    """Shell commands that become the engine's client, which runs the unit's process in a container."""
    argv = unit.run.process.argv
    run = (*_run(unit, *options), NAME)
    if not unit.run.process.secret_env:
        return f"exec {words((*run, *(argv or ())))}"
    # The secrets wrapper replaces the image's entrypoint, and executes it afterwards.
    program, *arguments = wrapped(unit.run, ())
    start = words((*run[:-1], f"--entrypoint={program}", NAME, *arguments))
    of_image = f"{_of_image('Entrypoint')} {_of_image('Cmd') if argv is None else ''}"
    return f'eval "set -- {of_image}"; exec {start} "$@" {words(argv or ())}'


def _of_image(key: str) -> str:
    """A command substitution with the words of the image's entrypoint or command, each in single quotes."""
    word = """'{{join (split . "'") "'\\\\''"}}'"""
    return f"$(docker image inspect -f {shell(f'{{{{range .Config.{key}}}}}{word} {{{{end}}}}')} {NAME})"


def _run(unit: Unit, *options: str) -> Iterator[str]:
    run, paths = unit.run, UnitPaths(unit.name)
    yield from ("docker", "run", "--init", *options, "--network=host")
    yield from ("--log-driver=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    yield from (f"--cap-add={name}" for name in run.process.capabilities)
    # The machine rewrites this file in place, so the container always sees the current names.
    yield "--volume=/etc/hosts:/etc/hosts:ro"
    for mount in run.mounts:
        yield _mount(mount.target, mount.target, read_only=mount.read_only)
    for volume in run.volumes:
        option = "volume-opt=type=none,volume-opt=o=bind," + _field(
            f"volume-opt=device={volume_path(volume.name)}"
        )
        read_only = ",readonly" if volume.read_only else ""
        target = _field(f"target={volume.target}")
        yield f"--mount=type=volume,source={_called(volume.name)},{target},{option}{read_only}"
    for secret in run.secrets:
        yield _mount(secret_file(secret, paths), secret.target, read_only=True)
    for name, (soft, hard) in limits(run.options).items():
        yield f"--ulimit={name}={soft}:{hard}"
    if run.resources.memory is not None:
        yield f"--memory={run.resources.memory}"
        yield f"--memory-swap={run.resources.memory}"
    if run.resources.cpus is not None:
        yield f"--cpus={run.resources.cpus:g}"
    yield from (f"--env={name}={value}" for name, value in sorted(run.process.env.items()))
    if run.process.user is not None:
        yield f"--user={run.process.user}"
    if run.process.workdir is not None:
        yield f"--workdir={run.process.workdir}"


def _called(volume: str) -> str:
    """The name of a volume in the engine."""
    image_volume = parted(volume)
    if image_volume is None:
        return volume
    return (
        f"own-{hashlib.sha256(image_volume[1].encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    )


def _mount(source: str, target: str, *, read_only: bool) -> str:
    fields = ["type=bind", _field(f"source={source}"), _field(f"target={target}")]
    return "--mount=" + ",".join([*fields, *(["readonly"] if read_only else [])])


def _field(text: str) -> str:
    """A field of the value of `--mount`, which is a CSV line."""
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',"\n') else text


def command(
    argv: Sequence[str],
    *,
    user: str | None = None,
    workdir: str | None = None,
    env: Mapping[str, str] = _NOTHING,
    tty: bool = False,
    timeout: float | None = None,
    everything: bool = False,
    secret_exports: str = "",
    secret_names: Sequence[str] = (),
) -> str:
    """A shell command that runs `argv` in the container; None keeps the container's user or directory.

    `secret_exports` are commands that export the variables `secret_names`. The engine's client passes their values on.
    """
    options = ["--interactive", *(["--tty"] if tty else [])]
    options += [f"--env={name}" for name in secret_names] if secret_exports else []
    take = (
        f'variables=$({exported(secret_exports)}) || exit 126; eval "$variables"; '
        if secret_exports
        else ""
    )
    options += ["--privileged"] if everything else []
    options += [f"--env={name}={value}" for name, value in sorted(env.items())]
    if user is not None:
        options.append(f"--user={user}")
    if workdir is not None:
        options.append(f"--workdir={workdir}")
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    return f"{take}exec {limit}docker exec {shlex.join(options)} {NAME} {words(argv)}"
