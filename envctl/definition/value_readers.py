"""The short forms and the scalars: how an authored value is read, and what is said if it cannot be.

Each reader takes a node and returns a plain value, or raises `Wrong`. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable
from typing import Any, Final

from envctl.definition.problems import near
from envctl.definition.tree import Extend, Items, Null, Table, Text, shown, what
from envctl.plan import platforms

USUAL: Final = "usual"
"""Stands for the condition that follows from what a service is, until all services are known."""
CONDITIONS: Final = ("started", "healthy", "completed")
SECRETS: Final = "/run/secrets"
_CAPABILITIES = """
ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN
MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID
SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO
SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM
"""
CAPABILITIES: Final = tuple(_CAPABILITIES.split())
SHELL = ("/bin/sh", "-ec")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?\Z", re.ASCII
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?\Z", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?\Z", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}\Z", re.ASCII)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MODE = re.compile(r"0?[0-7]{3}\Z|[0-7]{4}\Z")
_OWNER = re.compile(r"[a-z0-9_][a-z0-9_.-]*(:[a-z0-9_][a-z0-9_.-]*)?\Z", re.IGNORECASE | re.ASCII)
_MIRROR = re.compile(r"https?://[A-Za-z0-9\[][!-~]{0,200}\Z")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_DAY = 86_400.0


class Wrong(ValueError):  # noqa: N818 — it says what the value is
    """An authored value that cannot be read: what is wrong, what was expected, what helps."""

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint


def wrong_type(value: object, expected: str) -> Wrong:
    """It is not even the right kind of thing."""
    hint = ""
    if isinstance(value, Table) and len(value) == 1:
        key = next(iter(value))
        hint = f"to make {key + ': …'!r} a text, quote it"
    return Wrong(f"expected {expected}, got {what(value)}", hint=hint)


def text(value: Any) -> str:
    """Any scalar, as it is written."""
    if isinstance(value, str):
        return str(value)
    raise wrong_type(value, "a text")


def filled(value: Any) -> str:
    """A text that is not blank."""
    result = text(value)
    if not result.strip():
        raise Wrong("it is empty")
    return result


def plain_text(value: Any) -> str:
    """A text for an environment: unquoted booleans are refused, as YAML tools differ on them."""
    if isinstance(value, Text) and value.plain and value.lower() in _BOOLEANS:
        raise Wrong(
            f"{value} is a boolean in YAML, and this is a text",
            expected="a text or a number",
            hint=f'quote it: "{value}"',
        )
    return text(value)


def boolean(value: Any) -> bool:
    """True or false (or yes, no, on, off)."""
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise Wrong(f"expected true or false, got {what(value)}")


def whole(value: Any, *, low: int, high: int, name: str = "a whole number") -> int:
    """A whole number within bounds, read from its source text."""
    if not isinstance(value, str) or not _DIGITS.match(value):
        raise Wrong(f"expected {name}, got {what(value)}", expected=f"{low} to {high}")
    number = int(value)
    if not low <= number <= high:
        raise Wrong(f"{number} is out of range", expected=f"{low} to {high}")
    return number


def number(value: Any) -> float:
    """A positive number of CPU cores."""
    if not isinstance(value, str) or not _NUMBER.match(value) or not 0 < float(value) <= 1024:
        raise Wrong(
            f"expected a number, got {what(value)}", expected="more than 0, such as 0.5 or 2"
        )
    return float(value)


def duration(value: Any) -> float:
    """A duration in seconds, to the millisecond: "5s", "1m30s", "500ms", or a bare number of seconds."""
    result = None
    if isinstance(value, str) and _NUMBER.match(value):
        result = float(value)
    elif isinstance(value, str) and value and len(value) < 40 and (found := _DURATION.match(value)):
        hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
        result = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    if result is None:
        raise Wrong(
            f"expected a duration, got {what(value)}", expected="5s, 1m30s, 500ms, or seconds"
        )
    if result > _DAY:
        raise Wrong(f"{value} is longer than a day", expected="5s, 1m30s, 500ms, or seconds")
    return round(result, 3)


def positive_duration(value: Any) -> float:
    """A duration that takes some time."""
    result = duration(value)
    if result <= 0:
        raise Wrong("expected a duration of more than nothing, got '0'")
    return result


def size(value: Any) -> int:
    """A size in bytes: "512M", "1GiB", or a bare number of bytes; units are powers of 1024."""
    found = _SIZE.match(value) if isinstance(value, str) and len(value) < 30 else None
    if not found:
        raise Wrong(f"expected a size, got {what(value)}", expected="512M, 1GiB, or bytes")
    return int(float(found[1]) * _FACTORS[found[2].lower()])


def memory(value: Any) -> int:
    """A limit of memory in bytes, not so small that nothing could start."""
    result = size(value)
    if result < 6 * 1024**2:
        raise Wrong(
            f"{value} is {result} bytes, too little to start anything", expected="6M or more"
        )
    if result > 1024**5:
        raise Wrong(f"{value} is more than a machine has", expected="512M, 1GiB, or bytes")
    return result


def pattern(expression: str, expected: str, *, longest: int = 255) -> Any:
    """A reader of texts that match."""
    compiled = re.compile(rf"(?:{expression})\Z")

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, "a text")
        if not compiled.match(value):
            raise Wrong(f"{shown(value)} is not allowed here", expected=expected)
        if len(value) > longest:
            raise Wrong(f"it is longer than {longest} characters", expected=expected)
        return str(value)

    return read


def one_of(*words: str) -> Any:
    """A reader of one of some words."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, "a text")
        if value not in words:
            hint = near(value, words)
            raise Wrong(
                f"{shown(value)} is not known here",
                expected=" or ".join(words),
                hint=hint if "did you mean" in hint else "",
            )
        return str(value)

    return read


def platform(value: Any) -> str:
    """A platform as Docker writes it, in the one way that it is written from then on."""
    if not isinstance(value, str):
        raise wrong_type(value, "a platform, such as linux/arm64")
    if found := platforms.normalized(value):
        return found
    system = value.partition("/")[0].lower()
    if system in ("windows", "darwin", "macos", "freebsd"):
        raise Wrong(
            f"{shown(value)} is not a platform here: containers run Linux",
            expected="a platform of Linux, such as linux/amd64",
        )
    meant = platforms.meant(value)
    hint = f"did you mean {meant!r}?" if meant else near(value, platforms.PLATFORMS)
    raise Wrong(
        f"{shown(value)} is not a platform",
        expected=", ".join(platforms.PLATFORMS),
        hint=hint if "did you mean" in hint else "",
    )


def unit_path(value: Any) -> str:
    """An absolute path inside the unit, without `..`; a trailing slash is kept."""
    result = filled(value)
    if not result.startswith("/"):
        raise Wrong(
            f"{shown(result)} is not an absolute path", expected="a path that begins with /"
        )
    if ".." in result.split("/"):
        raise Wrong(f"{shown(result)} contains ..", expected="an absolute path without ..")
    tidy = "/" + posixpath.normpath(result).lstrip("/")
    return tidy + "/" if result.endswith("/") and tidy != "/" else tidy


def unit_folder(value: Any) -> str:
    """An absolute path inside the unit, without a trailing slash."""
    return unit_path(value).rstrip("/") or "/"


def mount_target(value: Any) -> str:
    """Where a mount or volume appears; the `:ro` of other tools is a field of its own here."""
    result = unit_folder(value)
    if re.search(r":(ro|rw|z|Z)\Z", result):
        raise Wrong(
            f"{shown(result)}: options do not follow the path",
            hint="write {target: …, read_only: true}",
        )
    if result == "/":
        raise Wrong("nothing can be mounted over /")
    return result


def project_path(value: Any) -> str:
    """A relative path within the project, tidied: "./app/" is "app"."""
    result = filled(value)
    if result.startswith(("/", "~")) or _DRIVE.match(result):
        raise Wrong(
            f"{shown(result)} is not relative to the project",
            expected="a path within the project",
            hint="to use files from elsewhere, copy them into the project or mount them",
        )
    tidy = posixpath.normpath(result)
    if tidy == ".." or tidy.startswith("../"):
        raise Wrong(
            f"{shown(result)} leads outside the project",
            expected="a path within the project",
            hint="to use files from elsewhere, copy them into the project or mount them",
        )
    return tidy


def host_path(value: Any) -> str:
    """A path of the host: relative to the project, or absolute."""
    result = filled(value)
    if result.startswith("~"):
        raise Wrong(
            f"{shown(result)}: ~ is not expanded", expected="a relative or an absolute path"
        )
    return posixpath.normpath(result)


def mirror(value: Any) -> str:
    """The address of a package mirror, without a trailing slash; it ends up in images."""
    expected = "an address such as http://snapshots.example/archive/debian/20260801T000000Z/"
    result = filled(value)
    if not _MIRROR.match(result):
        raise Wrong(f"{shown(result)} is no mirror's address", expected=expected)
    if "@" in result.split("/")[2]:
        raise Wrong(
            "an address with a user or a password in it",
            expected=expected,
            hint="it is kept in the image: have the mirror readable without",
        )
    return result.rstrip("/")


def mode(value: Any) -> str:
    """File permissions, as four octal digits."""
    if not isinstance(value, str) or not _MODE.match(value):
        raise Wrong(
            f"expected permissions, got {what(value)}", expected="octal digits, such as 0644"
        )
    return str(value).zfill(4)


def owner(value: Any) -> str:
    """A user, or user:group."""
    if not isinstance(value, str) or not _OWNER.match(value):
        raise Wrong(f"expected an owner, got {what(value)}", expected="user or user:group")
    return str(value)


def items(value: Any, *, least: int = 0, of: str = "texts") -> list[Any]:
    """A list."""
    if isinstance(value, Extend):
        value = Items(value.spot, [*value.before, *value.after])
    if not isinstance(value, list):
        raise Wrong(f"expected a list{of and f' of {of}'}, got {what(value)}")
    if len(value) < least:
        raise Wrong("the list is empty")
    return value


def command(value: Any) -> list[str]:
    """An argv; a text becomes a shell script."""
    if isinstance(value, str):
        return [*SHELL, filled(value)]
    if isinstance(value, list):
        return argv(value)
    raise wrong_type(value, "a command (a text or a list of texts)")


def argv(value: Iterable[Any]) -> list[str]:
    """The words of a command, the first of which names the program."""
    words: list[str] = []
    for word in value:
        if not isinstance(word, str):
            place = f" in line {word.spot[1]}" if isinstance(word, Table | Items | Null) else ""
            raise Wrong(
                f"a command is a list of texts; it contains {what(word)}{place}",
                hint="quote a word that contains ': '" if isinstance(word, Table) else "",
            )
        words.append(str(word))
    if not words or not words[0]:
        raise Wrong("the command is empty")
    return words


def commands(value: Any) -> list[list[str]]:
    """Several commands: a list of them, or a single text."""
    if isinstance(value, str):
        return [command(value)]
    return [command(item) for item in items(value, of="commands")]


def settings(value: Any) -> Any:
    """A mapping of what only a backend knows."""
    if not isinstance(value, dict):
        raise Wrong(f"expected a mapping of the backend's settings, got {what(value)}")
    return free(value)


def free(value: Any) -> Any:
    """Data that only a backend or a template knows: typed as JSON would be, ambiguities refused."""
    match value:
        case Text() if value.plain:
            return _typed(value)
        case str():
            return str(value)
        case dict():
            return {str(key): free(item) for key, item in value.items()}
        case list() | Extend():
            return [free(item) for item in items(value)]
        case _:
            return None


def _typed(value: Text) -> Any:
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return value.lower() == "true"
    if value.lower() in _BOOLEANS:
        raise Wrong(
            f"{value} is read as a boolean by some", hint=f'write true or false, or "{value}"'
        )
    if re.match(r"-?(0|[1-9]\d{0,17})\Z", value):
        return int(value)
    if re.match(r"-?(0|[1-9]\d{0,17})\.\d{1,17}\Z", value):
        return float(value)
    return str(value)


def url(value: Any) -> list[str]:
    """The address that a probe asks for."""
    result = filled(value)
    if not result.startswith(("http://", "https://")) or any(char.isspace() for char in result):
        raise Wrong(f"{shown(result)} is no address", expected="http://127.0.0.1:8000/healthz")
    return [result]


def tcp(value: Any) -> list[str]:
    """A host and a port, read from a port or host:port."""
    host, colon, port = text(value).rpartition(":")
    if colon and not host:
        raise Wrong(f"{shown(value)} is no address", expected="a port, or 127.0.0.1:5432")
    return [host or "127.0.0.1", str(whole(port, low=1, high=65_535, name="a port"))]


def port_parts(value: Any) -> dict[str, str]:
    """The keys of a port that "8080:8000/udp" stands for."""
    if not isinstance(value, str):
        raise wrong_type(value, "a port")
    rest, slash, protocol = str(value).partition("/")
    address, colon, ports = rest.rpartition(":") if rest.count(":") < 2 else _addressed(rest)
    expected = '"8080:8000", "8000", or {host: 8080, container: 8000}'
    result: dict[str, str] = {}
    for key, part in (("host", address), ("container", ports)):
        if part or key == "container" or colon:
            if not part.isascii() or not part.isdigit() or len(part) > 9:
                hint = "list the ports one by one" if "-" in part else ""
                raise Wrong(f"{shown(value)} is no port", expected=expected, hint=hint)
            result[key] = part
    return {**result, "protocol": protocol} if slash else result


def _addressed(text: str) -> tuple[str, str, str]:
    """A port with an address before it: fine if it is the one that holds anyway."""
    address, _, rest = text.partition(":")
    if address in ("127.0.0.1", "localhost") and rest.count(":") == 1:
        return rest.rpartition(":")
    host, _, container = text.rpartition(":")[0].rpartition(":")[2], "", text.rpartition(":")[2]
    raise Wrong(
        f"{shown(text)}: an address does not stand before the port",
        expected='"8080:8000", reachable on 127.0.0.1',
        hint=f"to let other machines reach it: {{host: {host or container}, container: {container}, public: true}}",
    )


def secret_target(value: Any) -> str:
    """Read where a secret appears; what lies in /run/secrets is one plain file for each."""
    result = mount_target(value)
    folder, name = posixpath.split(result)
    within = f"{result}/".startswith((f"{SECRETS}/", f"/var{SECRETS}/"))
    if within and (folder != SECRETS or name.startswith(".")):
        raise Wrong(
            f"{shown(result)} cannot be a secret's file",
            expected=f"{SECRETS}/NAME, where NAME begins with no dot, or a path elsewhere",
        )
    return result


def requirement(value: Any) -> str:
    """A word that pip or npm must not take for an option."""
    word = filled(value)
    if word.startswith("-") or "\n" in word:
        raise Wrong(f"{shown(word)} is no package", expected="a package, such as flask==3.1")
    return word


def condition(value: Any) -> str:
    """What a service waits for."""
    if isinstance(value, dict) and "condition" in value:
        word = str(value["condition"]).removeprefix("service_").removesuffix("_successfully")
        hint = f"write it directly: {word}" if word in CONDITIONS else ""
        raise Wrong(
            "expected a condition, got a mapping", expected=" or ".join(CONDITIONS), hint=hint
        )
    return str(one_of(*CONDITIONS)(value))


def capability(value: Any) -> str:
    """A Linux capability, without its CAP_."""
    name = text(value).upper().removeprefix("CAP_")
    return str(one_of(*CAPABILITIES)(Text(name, value.spot)))


def line(value: Any) -> str:
    """A text that is not blank, on one line."""
    return " ".join(filled(value).split())


def written(value: Any) -> str:
    """A value as it is written in YAML, on one line."""
    match value:
        case dict():
            return (
                "{"
                + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items())
                + "}"
            )
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case "true" | "false":
            return str(value)
        case _:
            return _scalar(str(value))


def _scalar(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z./_][\w./@+=-]*(:[A-Za-z./_][\w./@+=:-]*)?", text, re.ASCII)
    ambiguous = text.lower() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    return text if plain and not ambiguous else json.dumps(text, ensure_ascii=False)
