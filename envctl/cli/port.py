"""port and env: how programs on this host reach a running environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeAlias

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.completions import complete_service
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import UsageError

_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-"
)
_Format: TypeAlias = Callable[[str, str], str]


def port(
    invocation: Invocation,
    target: TargetOrService = None,
    words: Annotated[
        list[str] | None,
        Argument(
            "[SERVICE] [PORT]",
            "A service or one of its replicas (web-2), and its port inside, such as 8000 or 53/udp.",
            complete_service,
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show where on this host services' ports are published.

    With PORT, prints the address alone. Without, lists all published ports of SERVICE, or of every service.

    Examples:
        envctl port dev web 8000
        envctl port dev

    JSON: a list of objects with `unit`, `port`, `protocol` and `address`.
    """
    goal, names = invocation.target_and_services(target, words)
    if len(names) > 2:
        raise UsageError("too many words", hint="envctl port [TARGET] [SERVICE] [PORT]")
    unit, number = (*names, "", "")[:2]
    from envctl.verbs import port as verb

    ports = verb.published_ports(invocation.project, goal, unit=unit, port=number)
    if as_json:
        invocation.json(
            [
                {
                    "unit": row.unit,
                    "port": row.port,
                    "protocol": row.protocol,
                    "address": row.address,
                }
                for row in ports
            ]
        )
    elif number:
        for row in ports:
            invocation.out.line(invocation.out.safe(row.address))
    elif ports:
        rows = [(row.unit, f"{row.port}/{row.protocol}", row.address) for row in ports]
        invocation.out.table(rows, head=("UNIT", "PORT", "ADDRESS"), styles={})
    else:
        invocation.note("no ports are published")


def env(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    format_name: Annotated[str, Option(("--format",), "dotenv, shell or json.")] = "dotenv",
    as_json: AsJson = False,
) -> None:
    """Print variables that let programs on this host reach an environment.

    For each service with published ports: WEB_HOST, WEB_PORT (the first one), WEB_PORT_8000 (by port inside), and WEB_URL
    if its health check uses HTTP. With SERVICE, also that service's own `env`, with this host's addresses in place of
    other services' names, so that it can run outside. Secrets are not included.

    Examples:
        envctl env dev --format shell
        envctl env dev web > .env

    JSON: an object of names and values.
    """
    formats: Mapping[str, _Format] = {"dotenv": dotenv_line, "shell": shell_line}
    if format_name not in (*formats, "json"):
        raise UsageError(f"--format {format_name!r} is not dotenv, shell or json")
    goal, names = invocation.target_and_services(target, services)
    if len(names) > 1:
        raise UsageError("only one service can be named")
    from envctl.verbs import host_variables as verb

    variables = verb.host_variables(invocation.project, goal, *names)
    if as_json or format_name == "json":
        invocation.json(dict(variables))
        return
    for name, value in variables.items():
        line = formats[format_name](name, value)
        if invocation.out.terminal:
            invocation.out.text(line)
        else:
            invocation.out.file.write(f"{line}\n")


def dotenv_line(name: str, value: str) -> str:
    """A line of a .env file. The value is quoted, so that it is read without interpolation."""
    if set(value) <= _PLAIN:
        return f"{name}={value}"
    if "'" not in value and "\n" not in value:
        return f"{name}='{value}'"
    text = value
    for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n")):
        text = text.replace(char, escaped)
    return f'{name}="{text}"'


def shell_line(name: str, value: str) -> str:
    """An `export` command for a POSIX shell."""
    import shlex

    return f"export {name}={shlex.quote(value)}"
