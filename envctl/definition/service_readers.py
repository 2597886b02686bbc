"""Readers of what only services have: commands, ports, probes, owners, platforms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from envctl.definition.problems import suggestion
from envctl.definition.tree import ListNode, MapNode, NullNode, ScalarNode, describe, quoted
from envctl.definition.value_readers import (
    InvalidValue,
    filled,
    integer,
    items,
    one_of,
    text,
    unexpected_type,
)
from envctl.plan import platforms, secret_templates

DEFAULT_CONDITION: Final = "default"
"""Stands for the condition until all services are known, because it depends on the other service."""
_LARGEST_UID: Final = 2_000_000_000
CONDITIONS: Final = ("started", "healthy", "completed")
_CAPABILITIES = """
ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN
MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID
SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO
SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM
"""
CAPABILITIES: Final = tuple(_CAPABILITIES.split())
SHELL = ("/bin/sh", "-ec")
_MODE = re.compile(r"0?[0-7]{3}\Z|[0-7]{4}\Z")
_OWNER = re.compile(r"[a-z0-9_][a-z0-9_.-]*(:[a-z0-9_][a-z0-9_.-]*)?\Z", re.IGNORECASE | re.ASCII)
_MIRROR = re.compile(r"https?://[A-Za-z0-9\[][!-~]{0,200}\Z")


def platform(value: Any) -> str:
    """Return a platform as Docker writes it, normalized: linux/arm64/v8 is linux/arm64."""
    if not isinstance(value, str):
        raise unexpected_type(value, "a platform, such as linux/arm64")
    if normalized := platforms.normalized(value):
        return normalized
    system = value.partition("/")[0].lower()
    if system in ("windows", "darwin", "macos", "freebsd"):
        raise InvalidValue(
            f"{quoted(value)} is not a platform here: containers run Linux",
            expected="a platform of Linux, such as linux/amd64",
        )
    meant = platforms.meant(value)
    hint = f"did you mean {meant!r}?" if meant else suggestion(value, platforms.PLATFORMS)
    raise InvalidValue(
        f"{quoted(value)} is not a platform",
        expected=", ".join(platforms.PLATFORMS),
        hint=hint if "did you mean" in hint else "",
    )


def secret_template(value: Any) -> str:
    """Return a text with at least one `${secret.NAME}` in it; it stays in the syntax of variables."""
    result = filled(value)
    if not secret_templates.secrets_of(result):
        raise InvalidValue(
            f"{quoted(result)} has no secret in it",
            expected="a text such as postgres://app:${secret.db_password}@db/app",
            hint="a value without secrets needs no template: write the text itself",
        )
    return result


HOST_UID: Final = "host"
"""Stands for the number of the user who owns the project's folder."""


def uid(value: Any) -> int | str:
    """Return a user's number, or HOST_UID."""
    if value == HOST_UID:
        return HOST_UID
    try:
        return integer(value, low=0, high=_LARGEST_UID)
    except InvalidValue as error:
        raise InvalidValue(
            error.message, expected=f"0 to {_LARGEST_UID}, or {HOST_UID}", hint=error.hint
        ) from error


def mirror(value: Any) -> str:
    """Return the address of a package mirror, without a trailing slash. It becomes part of images, so it must hold no password."""
    expected = "an address such as http://snapshots.example/archive/debian/20260801T000000Z/"
    result = filled(value)
    if not _MIRROR.match(result):
        raise InvalidValue(f"{quoted(result)} is not a valid mirror address", expected=expected)
    if "@" in result.split("/")[2]:
        raise InvalidValue(
            "the address contains a user name or a password",
            expected=expected,
            hint="it would end up in the image: use a mirror that needs no login",
        )
    return result.rstrip("/")


def mode(value: Any) -> str:
    """File permissions, as four octal digits."""
    if not isinstance(value, str) or not _MODE.match(value):
        raise InvalidValue(
            f"expected permissions, got {describe(value)}", expected="octal digits, such as 0644"
        )
    return str(value).zfill(4)


def owner(value: Any) -> str:
    """Return a user, or user:group."""
    if not isinstance(value, str) or not _OWNER.match(value):
        raise InvalidValue(
            f"expected an owner, got {describe(value)}", expected="user or user:group"
        )
    return str(value)


def command(value: Any) -> list[str]:
    """Return the arguments of a command; a text is a shell script."""
    if isinstance(value, str):
        return [*SHELL, filled(value)]
    if isinstance(value, list):
        return argv(value)
    raise unexpected_type(value, "a command (a text or a list of texts)")


def argv(value: Iterable[Any]) -> list[str]:
    """Return the arguments of a command, of which the first names the program."""
    words: list[str] = []
    for word in value:
        if not isinstance(word, str):
            place = (
                f" in line {word.position[1]}"
                if isinstance(word, MapNode | ListNode | NullNode)
                else ""
            )
            raise InvalidValue(
                f"a command is a list of texts; it contains {describe(word)}{place}",
                hint="quote a word that contains ': '" if isinstance(word, MapNode) else "",
            )
        words.append(str(word))
    if not words or not words[0]:
        raise InvalidValue("the command is empty")
    return words


def commands(value: Any) -> list[list[str]]:
    """Several commands: a list of them, or a single text."""
    if isinstance(value, str):
        return [command(value)]
    return [command(item) for item in items(value, name="commands")]


def url(value: Any) -> list[str]:
    """Return the URL that a probe requests."""
    result = filled(value)
    if not result.startswith(("http://", "https://")) or any(char.isspace() for char in result):
        raise InvalidValue(
            f"{quoted(result)} is not a valid address", expected="http://127.0.0.1:8000/healthz"
        )
    return [result]


def tcp(value: Any) -> list[str]:
    """Return a host and a port, read from a port or host:port."""
    host, colon, port = text(value).rpartition(":")
    if colon and not host:
        raise InvalidValue(
            f"{quoted(value)} is not a valid address", expected="a port, or 127.0.0.1:5432"
        )
    return [host or "127.0.0.1", str(integer(port, low=1, high=65_535, name="a port"))]


def port_parts(value: Any) -> dict[str, str]:
    """Return the keys of a port that "8080:8000/udp" stands for."""
    if not isinstance(value, str):
        raise unexpected_type(value, "a port")
    ports, slash, protocol = str(value).partition("/")
    host, colon, container = ports.rpartition(":") if ports.count(":") < 2 else _with_address(ports)
    expected = '"8080:8000", "8000", or {host: 8080, container: 8000}'
    result: dict[str, str] = {}
    for key, part in (("host", host), ("container", container)):
        if part or key == "container" or colon:
            if not part.isascii() or not part.isdigit() or len(part) > 9:
                hint = "list the ports one by one" if "-" in part else ""
                raise InvalidValue(
                    f"{quoted(value)} is not a valid port", expected=expected, hint=hint
                )
            result[key] = part
    return {**result, "protocol": protocol} if slash else result


def _with_address(text: str) -> tuple[str, str, str]:
    """Read ports with an address before them, which is accepted only if it changes nothing."""
    address, _, ports = text.partition(":")
    if address in ("127.0.0.1", "localhost") and ports.count(":") == 1:
        return ports.rpartition(":")
    *_, host, container = text.split(":")
    raise InvalidValue(
        f"{quoted(text)}: an address before the port is not supported",
        expected='"8080:8000", reachable on 127.0.0.1',
        hint=f"to make it reachable from other machines, write {{host: {host or container}, container: {container}, public: true}}",
    )


def requirement(value: Any) -> str:
    """Return a package for pip or npm; no option."""
    word = filled(value)
    if word.startswith("-") or "\n" in word:
        raise InvalidValue(
            f"{quoted(word)} is not a valid package", expected="a package, such as flask==3.1"
        )
    return word


def condition(value: Any) -> str:
    """Read the condition that a service waits for."""
    if isinstance(value, dict) and "condition" in value:
        word = str(value["condition"]).removeprefix("service_").removesuffix("_successfully")
        hint = f"write it directly: {word}" if word in CONDITIONS else ""
        raise InvalidValue(
            "expected a condition, got a mapping", expected=" or ".join(CONDITIONS), hint=hint
        )
    return str(one_of(*CONDITIONS)(value))


def capability(value: Any) -> str:
    """Return a Linux capability, without the prefix CAP_."""
    name = text(value).upper().removeprefix("CAP_")
    return str(one_of(*CAPABILITIES)(ScalarNode(name, value.position)))
