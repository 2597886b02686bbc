"""Adds variables that contain secrets to a process's environment when it starts.

A shell reads the secrets' files, exports the variables and executes the program. So a value is neither in the
configuration of a container or service nor in a command line, only in the environment of the process. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from envctl.plan.secret_templates import parts

if TYPE_CHECKING:
    from envctl.plan.model import Run

_VALUE: Final = "envctl_value"
_READ: Final = (
    # A command substitution strips newlines at the end; the dot keeps them.
    f'envctl_read() {{ {_VALUE}=$(cat "$1" && echo .) || exit 126; {_VALUE}=${{{_VALUE}%.}}; }}'
)
_FORGET: Final = f"unset {_VALUE} PWD OLDPWD SHLVL; unset -f envctl_read"
"""Unsets the variables that the shell itself adds, because the spec does not declare them."""


def files_inside(run: Run) -> Mapping[str, str]:
    """By secret, the path of its file inside the unit."""
    return {secret.name: secret.target for secret in run.secrets}


def export_script(variables: Mapping[str, str], files: Mapping[str, str]) -> str:
    """Shell commands that export the variables, given as templates by name. `files` are the paths of the secrets."""
    return "; ".join([_READ, *_assignments(variables, files), _FORGET])


def _assignments(variables: Mapping[str, str], files: Mapping[str, str]) -> Iterator[str]:
    for variable, template in sorted(variables.items()):
        yield f"{variable}="
        for text, secret in parts(template):
            if secret:
                yield f"envctl_read {shlex.quote(files[secret])}"
            added = f'"${_VALUE}"' if secret else shlex.quote(text)
            yield f'{variable}="${variable}"{added}'
        yield f"export {variable}"


def wrapper(variables: Mapping[str, str], files: Mapping[str, str]) -> tuple[str, ...]:
    """The command to put before another one, which then runs with the variables. It needs /bin/sh and cat."""
    return ("/bin/sh", "-c", f'{export_script(variables, files)}; exec "$@"', "sh")


def wrapped(run: Run, argv: Sequence[str]) -> tuple[str, ...]:
    """A command to run in the unit as its user, with the variables that contain secrets."""
    variables = run.process.secret_env
    return (*wrapper(variables, files_inside(run)), *argv) if variables else tuple(argv)


def recorded_variables(run: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables of a recorded run, as templates by name."""
    process = run.get("process")
    variables = process.get("secret_env") if isinstance(process, Mapping) else None
    return variables if isinstance(variables, Mapping) else {}
