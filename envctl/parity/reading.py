"""What the script told, as facts. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from envctl.parity.facts import DIGEST, SUBSTRATE, Category, UnitFacts
from envctl.parity.inquiry import Asked

Values: TypeAlias = Iterator[tuple[str, str]]

_LISTENING: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""By table of the kernel, the state of a socket that waits for somebody."""
_STATUS: Final = {
    "Uid": "uid", "Gid": "gid", "Groups": "groups", "Umask": "umask", "NoNewPrivs": "no new privileges",
    "CapEff": "capabilities", "CapBnd": "capabilities at most",
}  # fmt: skip
_LIMIT: Final = re.compile(r"Max ((?:\S+ )*\S+)\s{2,}(\S+)\s+(\S+)")
_HASH: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_MODE: Final = re.compile(r"(\d+) (\d+) (\d+) ([^\t]+)\t(.+)")
_LINK: Final = re.compile(r"link (\d+) (\d+) '")
_ARROW: Final = "' -> '"
_PYTHON: Final = re.compile(r"(.+)/([^/]+?)-([^/-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_NPM_VERSION: Final = re.compile(r'\s*"version":\s*"([^"]*)"')
_LONGEST: Final = 16 * 1024
"""Characters of a line; nothing that is told in lines has longer ones, two paths included."""
_NO_LIMIT: Final = 1 << 60
"""Bytes: above it the kernel means that there is none."""


def facts(told: bytes, mark: str) -> UnitFacts:
    """By category and key what a unit told; `mark` is what it was given. ValueError if it was cut off."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    sections = _sections(told, mark)
    if "end" not in sections:
        raise ValueError("it was cut off")
    for name, (category, read) in _READERS.items():
        for body in sections.get(name, ()):
            try:
                found[category].update(read(body))
            except (
                ArithmeticError,
                LookupError,
                RecursionError,
                ValueError,
                struct.error,
            ) as error:
                raise ValueError(f"what it says of {category} cannot be read") from error
    return {category: values for category, values in found.items() if values}


def _sections(told: bytes, mark: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for part in told.decode("utf-8", "surrogateescape").split(f"{mark}:")[1:]:
        name, _, body = part.partition("\0")
        found[name].append(body)
    return found


def _lines(body: str) -> list[str]:
    """The lines of a text, as programs end them: whatever else is a line's end to some may be in a name."""
    lines = body.removesuffix("\n").split("\n") if body else []
    return [line for line in lines if len(line) <= _LONGEST]


def _os(body: str) -> Values:
    for line in _lines(body):
        name, equals, value = line.partition("=")
        if equals and name in ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME"):
            yield name.lower(), value.strip('"')


def _kernel(body: str) -> Values:
    yield from zip(("system", "release", "machine"), body.split(), strict=False)


def _packages(body: str) -> Values:
    for line in _lines(body):
        name, *rest = line.split("\t")
        if len(rest) == 3:
            architecture, version, state = rest
            if state == "installed":
                yield name, f"{version} {architecture}"
            elif state != "config-files":
                yield name, f"{version} {architecture} {state}"
        elif name:
            # As apk has it: NAME-VERSION-rRELEASE.
            package, _, version = name.rpartition("-")
            package, _, number = package.rpartition("-")
            yield package or name, f"{number}-{version}"


def _python(body: str) -> Values:
    for line in _lines(body):
        if match := _PYTHON.fullmatch(line):
            folder, name, version = match.groups()
            yield f"{folder}: {name.lower().replace('_', '-')}", version


def _npm(body: str) -> Values:
    folder, _, said = body.partition("\n")
    try:
        packages = json.loads(said)["packages"].items()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        for line in _lines(said):
            path, _, rest = line.partition("/package.json:")
            if match := _NPM_VERSION.match(rest):
                yield f"{folder}: {path.rpartition('/node_modules/')[2]}", match[1]
        return
    for path, package in packages:
        if isinstance(package, dict):
            told = f"{package.get('version', '')} {package.get('integrity', '')}"
            yield f"{folder}: {path.removeprefix('node_modules/')}", told.strip()


def _users(body: str) -> Values:
    for line in _lines(body):
        if len(fields := line.split(":")) == 7:
            name, _, uid, gid, _, home, shell = fields
            yield name, f"uid {uid}, gid {gid}, {home}, {shell}"


def _groups(body: str) -> Values:
    for line in _lines(body):
        if len(fields := line.split(":")) == 4:
            name, _, gid, members = fields
            yield name, f"gid {gid}" + (f": {members}" if members else "")


def _timezone(body: str) -> Values:
    zone, _, link = body.strip().partition("\n")
    yield "time zone", zone
    if link:
        yield "/etc/localtime", link.rpartition("zoneinfo/")[2]


def _locale(body: str) -> Values:
    yield "available", " ".join(sorted(body.split()))


def _sockets(body: str) -> Values:
    table = ""
    for line in _lines(body):
        fields = line.split()
        if len(fields) == 1:
            table = fields[0]
        elif len(fields) > 7 and fields[3] == _LISTENING.get(table):
            host, _, port = fields[1].partition(":")
            yield f"{table[:3]} {_address(host)}:{int(port, 16)}", f"uid {fields[7]}"


def _address(text: str) -> str:
    """An address as the kernel writes it, in words of the machine's own byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    return f"[{address}]" if address.version == 6 else str(address)


def _argv(body: str) -> Values:
    yield "argv", json.dumps(body.split("\0")[:-1], ensure_ascii=False)


def _environ(body: str) -> Values:
    for line in body.split("\0"):
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


def _status(body: str) -> Values:
    for line in _lines(body):
        name, _, value = line.partition(":")
        if name in _STATUS:
            fields = value.split()
            # Of four ids, real, effective, saved and of the file system, one is told where they are one.
            one = len(set(fields)) == 1 and name in ("Uid", "Gid")
            yield _STATUS[name], fields[0] if one else " ".join(fields)


def _limits(body: str) -> Values:
    for line in _lines(body)[1:]:
        if match := _LIMIT.match(line):
            yield match[1], f"{match[2]} to {match[3]}"


def _cwd(body: str) -> Values:
    yield "directory", body.rstrip("\n")


def _cgroup(body: str) -> Values:
    """Limits of a control group, whatever version it is of: memory in bytes, processors as a number."""
    values = dict(line.split(" ", 1) for line in _lines(body) if " " in line)
    memory = values.get("memory.max") or values.get("memory.limit_in_bytes") or "max"
    unlimited = memory == "max" or int(memory) >= _NO_LIMIT
    yield "memory", "none" if unlimited else memory
    quota, _, period = (values.get("cpu.max") or "").partition(" ")
    quota, period = (
        quota or values.get("cpu.cfs_quota_us", "max"),
        period or values.get("cpu.cfs_period_us", "1"),
    )
    yield "processors", "none" if quota in ("max", "-1") else f"{int(quota) / int(period):g}"


def _files(body: str) -> Values:
    hashes = {match[2]: match[1] for match in map(_HASH.fullmatch, _lines(body)) if match}
    for line in _lines(body):
        if match := _LINK.match(line):
            path, arrow, target = line[match.end() :].partition(_ARROW)
            if path and arrow:
                yield path, f"link to {target[:-1]}, owner {match[1]}:{match[2]}"
        elif match := _MODE.fullmatch(line):
            mode, uid, gid, kind, path = match.groups()
            what = "folder" if kind == "directory" else f"sha256 {hashes.get(path, 'unreadable')}"
            yield path, f"mode {mode}, owner {uid}:{gid}, {what}"


def _name(body: str) -> Values:
    for name in body.split():
        yield name, "known"


def _secret(body: str) -> Values:
    for line in _lines(body):
        if match := _MODE.fullmatch(line):
            mode, uid, gid, _, path = match.groups()
            digest = next((word for word in body.split() if re.fullmatch("[0-9a-f]{64}", word)), "")
            yield path, f"mode {mode}, owner {uid}:{gid}"
            yield f"{path}{DIGEST}", digest or "unreadable"


def _times(body: str) -> Values:
    for line in _lines(body):
        times, tab, path = line.partition("\t")
        if tab:
            yield path, times


def _provides(body: str) -> Values:
    for line in _lines(body):
        state, _, provided = line.partition("\t")
        if state == "installed":
            for one in filter(None, provided.split(",")):
                yield one.split()[0].partition(":")[0], ""


def _removed(body: str) -> Values:
    for line in _lines(body):
        if len(fields := line.split()) > 3:
            day, time, _, package = fields[:4]
            yield package.partition(":")[0], f"{day} {time}"


def _words(body: str) -> Values:
    yield from ((line, "") for line in _lines(body))


def _substrate(body: str) -> Values:
    for line in _lines(body):
        category, tab, key = line.partition("\t")
        if tab:
            yield f"{category}\t{key}", ""


_READERS: Final[Mapping[str, tuple[str, Callable[[str], Values]]]] = {
    "os": (Category.OS, _os),
    "kernel": (Category.KERNEL, _kernel),
    "packages": (Category.PACKAGES, _packages),
    "python": (Category.PYTHON, _python),
    "npm": (Category.NPM, _npm),
    "users": (Category.USERS, _users),
    "groups": (Category.GROUPS, _groups),
    "timezone": (Category.LOCALE, _timezone),
    "locale": (Category.LOCALE, _locale),
    "sockets": (Category.SOCKETS, _sockets),
    "argv": (Category.PROCESS, _argv),
    "environ": (Category.ENVIRONMENT, _environ),
    "status": (Category.PROCESS, _status),
    "limits": (Category.LIMITS, _limits),
    "cwd": (Category.PROCESS, _cwd),
    "cgroup": (Category.LIMITS, _cgroup),
    "file": (Category.FILES, _files),
    "name": (Category.NAMES, _name),
    "secret": (Category.SECRETS, _secret),
    "substrate": (SUBSTRATE, _substrate),
    "times": (Asked.TIMES, _times),
    "gone": (Asked.GONE, _words),
    "given": (Asked.GIVEN, _environ),
    "tool": (Asked.TOOLS, _words),
    "provides": (Asked.PROVIDES, _provides),
    "removed": (Asked.REMOVED, _removed),
}
