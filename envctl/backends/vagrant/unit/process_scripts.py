"""Shell scripts that start a unit's process and commands beside it, as declared in the spec. Pure.

Values of the spec are in single quotes, which preserve every byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.ulimits import UNLIMITED
from envctl.backends.vagrant.quoting import shell, words
from envctl.backends.vagrant.unit.unit_paths import SECRETS

if TYPE_CHECKING:
    from envctl.backends.common.ulimits import Limits
    from envctl.backends.vagrant.unit.unit_paths import UnitPaths
    from envctl.plan.model import Run

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_RUNNING: Final = 125
"""The exit code if a command's unit is not running. The command itself may return it, too."""
_NOTHING: Final[Mapping[str, str]] = {}
_NO_LIMITS: Final[Mapping[str, tuple[int, int]]] = {}


def start_script(run: Run) -> str:
    """The script that becomes the unit's process, with only the environment from the spec."""
    process = run.process
    return (
        f"{_look_up(process.user or 'root', 'home=$folder', 'home=/')}\n"
        f"cd -- {shell(process.workdir or '/')} || exit 200\n"
        f"exec {_environment(process.env)} {words(wrapped(run, _argv(process.argv or ())))}\n"
    )


def _look_up(user: str, then: str, otherwise: str) -> str:
    """Shell commands that look up a user, by name or number, and set $host, without starting a process.

    As in a container, only /etc/passwd counts. `then` runs with $uid, $gid and $folder set; `otherwise` runs if the
    user does not exist.
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
    # `env` would mistake a program with "=" in its name for a variable.
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
    apart: bool = False,
    secret_exports: str = "",
) -> str:
    """A shell command that runs `argv` with the user, folder and rights of the unit's process.

    In a shared machine it enters the mount namespace of the unit's main process `main`, which has the unit's secrets.
    With `apart`, the unit may be stopped: the command is separate, and in a shared machine it has its own namespace.
    `secret_exports` are commands that export variables with secrets, whose files only root and the unit's user can
    read.
    """
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    folder = shell(workdir or "/")
    go = 'cd -- "$0" || exit 126; exec "$@"'
    if paths.shared and main:
        enter = (
            f"exec {limit}nsenter --mount=/proc/{main}/ns/mnt -- /bin/sh -c {shell(go)} {folder}"
        )
    elif paths.shared and apart:
        script = shell(f"{_bind_secrets(paths)}; {go}")
        enter = f"exec {limit}unshare --mount --propagation=slave -- /bin/sh -c {script} {folder}"
    else:
        enter = f"cd -- {folder} || exit 126; exec {limit}".rstrip()
    looked_up = _look_up(
        user or "root",
        "home=$folder groups=--init-groups",
        # As in a container, a number without an entry in /etc/passwd is valid.
        'case $who in *[!0-9]*) echo "there is no user $who" >&2; exit 126;; esac;'
        " uid=$who gid=0 home=/ groups=--clear-groups",
    )
    # Join the unit's cgroup, so that the command shares the unit's limits and ends with it, as in a container.
    join = f"read -r self _ </proc/self/stat; echo $self 2>/dev/null > {paths.processes} || :; "
    if secret_exports:
        argv = ("/bin/sh", "-c", _TAKE_VARIABLES, "sh", *_argv(argv))
    return (
        f"{'' if apart else join}{looked_up}; {_hand_over(secret_exports)}{enter} {_limited(limits)}"
        f'setpriv --reuid="$uid" --regid="$gid" $groups'
        f" --inh-caps=-all --bounding-set={bounding} --no-new-privs --"
        f" {_environment(env)} {words(_argv(argv))}"
    )


_TAKE_VARIABLES: Final = 'eval "$(/bin/cat <&3)"; exec 3<&-; unset PWD OLDPWD SHLVL; exec "$@"'
"""Makes the command's own shell read the variables that `_hand_over` has left at descriptor 3."""


def exported(secret_exports: str) -> str:
    """A shell command that prints the exports of other commands as commands."""
    return f"env -i /bin/sh -c {shell(f'{secret_exports}; export -p')}"


def _hand_over(secret_exports: str) -> str:
    """Shell commands that leave the variables at descriptor 3 for the command, so that no value is in an argument."""
    if not secret_exports:
        return ""
    return (
        f"variables=$({exported(secret_exports)}) || exit 126; exec 3<<ENVCTL_END\n"
        "$variables\nENVCTL_END\n"
    )


def _bind_secrets(paths: UnitPaths) -> str:
    """Shell commands that mount the unit's secrets, if it has any."""
    return (
        f"[ ! -d {paths.secrets} ] || {{ mkdir -p {SECRETS} && mount --bind {paths.secrets} {SECRETS}"
        f" && mount -o remount,bind,ro {SECRETS}; }} || exit 126"
    )


def _limited(limits: Limits) -> str:
    """The prefix that runs a command with these limits; "" without limits."""
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
    """A shell command that runs `argv` as root, with all privileges and without the unit's limits.

    In a shared machine it enters the mount namespace of the unit's main process `main`.
    """
    limit = f"timeout --foreground --signal=KILL {timeout:g} " if timeout else ""
    enter = f"nsenter --mount=/proc/{main}/ns/mnt -- " if main else ""
    variables = [f"{name}={value}" for name, value in sorted(env.items())]
    return f"cd /; exec {limit}{enter}{words(('env', *variables, *_argv(argv)))}"


def require_running(paths: UnitPaths) -> str:
    """Shell commands that exit with NOT_RUNNING unless the unit has processes. They start no process."""
    return (
        f"tries=0; until read -r _ <{paths.processes}; do tries=$((tries + 1));"
        f" [ -e {paths.processes} ] && [ $tries -lt 50 ] || exit {NOT_RUNNING}; sleep 0.1; done 2>/dev/null;"
    )
