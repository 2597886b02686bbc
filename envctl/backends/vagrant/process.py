"""How a process comes to run in a machine as the spec has it: the unit's own, and commands beside it. Pure.

Values of the spec travel in the script only, where a shell's single quotes keep every byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from envctl.backends.common.ulimits import UNLIMITED
from envctl.backends.vagrant.quoting import shell, words

if TYPE_CHECKING:
    from envctl.backends.common.ulimits import Limits
    from envctl.backends.vagrant.unit_paths import UnitPaths
    from envctl.plan.model import Process

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_RUNNING: Final = 125
"""With what a command inside ends if its unit does not run; one that ran may end so, too."""
_NOTHING: Final[Mapping[str, str]] = {}
_NO_LIMITS: Final[Mapping[str, tuple[int, int]]] = {}


def start_script(process: Process) -> str:
    """The script that becomes the unit's process, with just the environment of the spec."""
    return (
        f"{_look_up(process.user or 'root', 'home=$folder', 'home=/')}\n"
        f"cd -- {shell(process.workdir or '/')} || exit 200\n"
        f"exec {_environment(process.env)} {words(_argv(process.argv or ()))}\n"
    )


def _look_up(user: str, then: str, otherwise: str) -> str:
    """Shell commands that look a user up by name or number, and $host, and start no process.

    As in a container the files alone tell. `found` is done with $uid, $gid and $folder, `nobody` if there is none.
    """
    return (
        f"who={shell(user)} known=; read -r host </etc/hostname; "
        'while IFS=: read -r name _ uid gid _ folder _ || [ -n "$name" ]; do '
        f'case $who in "$name"|"$uid") known=$gid; {then}; break;; esac; done </etc/passwd; '
        f'[ -n "$known" ] || {{ {otherwise}; }}'
    )


def _environment(env: Mapping[str, str]) -> str:
    variables = words([f"{name}={value}" for name, value in sorted(env.items())])
    return f'/usr/bin/env -i PATH={PATH} "HOSTNAME=$host" "HOME=$home" {variables}'.rstrip()


def _argv(argv: Sequence[str]) -> tuple[str, ...]:
    # A program whose name has a "=" would be taken for one more variable.
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *argv) if argv and "=" in argv[0] else tuple(argv)


def command(
    argv: Sequence[str],
    paths: UnitPaths,
    *,
    user: str | None = None,
    workdir: str | None = None,
    env: Mapping[str, str] = _NOTHING,
    capabilities: Sequence[str] = (),
    limits: Limits = _NO_LIMITS,
    timeout: float | None = None,
    main: int = 0,
) -> str:
    """A shell command that runs `argv` as the unit's own process would: as this user, in this folder, with no more rights.

    What the unit sees of a shared machine, its secrets for one, is in its process's own view of the files:
    `main` is that process, if there is one.
    """
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    folder = shell(workdir or "/")
    if paths.shared and main:
        enter = (
            f"exec {limit}nsenter --mount=/proc/{main}/ns/mnt --"
            f' /bin/sh -c \'cd -- "$0" || exit 126; exec "$@"\' {folder}'
        )
    else:
        enter = f"cd -- {folder} || exit 126; exec {limit}".rstrip()
    looked_up = _look_up(
        user or "root",
        "home=$folder groups=--init-groups",
        # A number that is nobody's is fine in a container, too.
        'case $who in *[!0-9]*) echo "there is no user $who" >&2; exit 126;; esac;'
        " uid=$who gid=0 home=/ groups=--clear-groups",
    )
    return (
        # It shares the unit's limits, and ends with it, as in a container.
        f"read -r self _ </proc/self/stat; echo $self 2>/dev/null > {paths.processes} || :; {looked_up}; {enter}"
        f" {_limited(limits)}"
        f'setpriv --reuid="$uid" --regid="$gid" $groups'
        f" --inh-caps=-all --bounding-set={bounding} --no-new-privs --"
        f" {_environment(env)} {words(_argv(argv))}"
    )


def _limited(limits: Limits) -> str:
    """The command that runs another one with these limits; "" without any."""
    pairs = (
        f"--{name}={':'.join('unlimited' if limit == UNLIMITED else str(limit) for limit in pair)}"
        for name, pair in limits.items()
    )
    return f"prlimit {' '.join(pairs)} " if limits else ""


def unconfined(
    argv: Sequence[str],
    *,
    main: int = 0,
    env: Mapping[str, str] = _NOTHING,
    timeout: float | None = None,
) -> str:
    """A shell command that runs `argv` as root, outside of the unit's limits, who may do anything.

    `main` is the process, if there is one, whose view of a shared machine's files it has.
    """
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    enter = f"nsenter --mount=/proc/{main}/ns/mnt -- " if main else ""
    variables = [f"{name}={value}" for name, value in sorted(env.items())]
    return f"cd /; exec {limit}{enter}{words(('env', *variables, *_argv(argv)))}"


def require_running(paths: UnitPaths) -> str:
    """Shell commands that end the shell with NOT_RUNNING unless the unit's process is there; no other one starts."""
    return (
        f"tries=0; until read -r _ <{paths.processes}; do tries=$((tries + 1));"
        f" [ -e {paths.processes} ] && [ $tries -lt 50 ] || exit {NOT_RUNNING}; sleep 0.1; done 2>/dev/null;"
    )
