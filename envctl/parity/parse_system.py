"""Parses answers about the system in a unit: distribution, packages, users, sockets, settings, names, secrets. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from envctl.parity.answers import MODE, Values, lines
from envctl.parity.fact_format import DIGEST, PROCESSOR, Unknown, fact_id
from envctl.parity.file_tree import python_packages
from envctl.plan.sysctls import is_left_out

_LISTENING: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""By kernel table, the state of a receiving socket."""
_NPM_VERSION: Final = re.compile(r'"version"\s*:\s*"([^"]*)"')


def parse_os(body: str) -> Values:
    """The distribution's name and version."""
    for line in lines(body):
        name, equals, value = line.partition("=")
        if equals and name in ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME"):
            yield name.lower(), value.strip('"')


def parse_kernel(body: str) -> Values:
    """The kernel's name and release, and the processor."""
    yield from zip(("system", "release", PROCESSOR), body.split(), strict=False)


def parse_packages(body: str) -> Values:
    """Packages, as listed by dpkg, rpm or apk."""
    for line in lines(body):
        name, *fields = line.split("\t")
        if len(fields) == 3:
            architecture, version, state = fields
            if state == "installed":
                yield name, f"{version} {architecture}"
            elif state != "config-files":
                yield name, f"{version} {architecture} {state}"
        elif name:
            # apk's format: NAME-VERSION-rRELEASE.
            package, _, version = name.rpartition("-")
            package, _, number = package.rpartition("-")
            yield package or name, f"{number}-{version}"


def parse_python(body: str) -> Values:
    """Python packages, by the folders with their metadata."""
    yield from python_packages(lines(body))


def parse_npm(body: str) -> Values:
    """Packages of npm, from npm's own list or their package.json files."""
    folder, _, listing = body.partition("\n")
    if not folder:
        return
    try:
        packages = json.loads(listing)["packages"].items()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # A package.json on a single line may contain several versions; the package's own comes first.
        for line in reversed(lines(listing)):
            path, is_package, line_version = line.partition("/package.json:")
            if not is_package:
                raise ValueError("it is not a list of packages") from None
            match = _NPM_VERSION.fullmatch(line_version)
            version = match[1] if match else Unknown("its package.json has no version")
            yield f"{folder}: {path.rpartition('/node_modules/')[2]}", version
        return
    for path, package in packages:
        if isinstance(package, dict):
            details = f"{package.get('version', '')} {package.get('integrity', '')}"
            yield f"{folder}: {path.removeprefix('node_modules/')}", details.strip()


def parse_users(body: str) -> Values:
    """Users with their ids, homes and shells."""
    for line in lines(body):
        if len(fields := line.split(":")) == 7:
            name, _, uid, gid, _, home, shell = fields
            yield name, f"uid {uid}, gid {gid}, {home}, {shell}"


def parse_groups(body: str) -> Values:
    """Groups with their ids and members."""
    for line in lines(body):
        if len(fields := line.split(":")) == 4:
            name, _, gid, members = fields
            yield name, f"gid {gid}" + (f": {members}" if members else "")


def parse_timezone(body: str) -> Values:
    """The time zone, and the target of the link /etc/localtime."""
    if not body:
        return
    zone, _, link = body.strip().partition("\n")
    yield "time zone", zone
    if link:
        yield "/etc/localtime", link.rpartition("zoneinfo/")[2]


def parse_locale(body: str) -> Values:
    """The available locales."""
    if body:
        yield "available", " ".join(sorted(body.split()))


def parse_sockets(body: str) -> Values:
    """Sockets that are bound for receiving.

    A UDP client's socket looks the same, but uses a port of the kernel's ephemeral range. An undeclared socket in that
    range is reported without its port, which differs each time, and only if it is still open at the second look.
    """
    tables, declared, ephemeral = parse_tables(body)
    again = {fields[9] for name in ("again udp", "again udp6") for fields in tables[name]}
    for table, sockets in tables.items():
        for fields in sockets:
            host, _, port = fields[1].partition(":")
            key, number = f"{table[:3]} {_address(host)}", int(port, 16)
            is_client = table.startswith("udp") and number in ephemeral and number not in declared
            if table.startswith("again") or int(fields[2].rpartition(":")[2], 16):
                continue  # already seen, or connected
            if not is_client:
                yield f"{key}:{number}", f"uid {fields[7]}"
            elif fields[9] in again:
                yield f"{key}:(ephemeral) uid {fields[7]}", "bound"


def parse_tables(body: str) -> tuple[Mapping[str, list[list[str]]], set[int], range]:
    """The receiving sockets by table of the kernel, the declared ports, and the range of ephemeral ports."""
    tables: dict[str, list[list[str]]] = defaultdict(list)
    table, declared, ephemeral = "", set[int](), range(0)
    for line in lines(body):
        fields = line.split()
        if fields == ["missing"]:
            raise ValueError("the kernel's tables cannot be read")
        if fields[:1] == ["declared"]:
            declared = {int(port) for port in fields[1:]}
        elif fields[:1] == ["range"]:
            ephemeral = range(int(fields[1]), int(fields[2]) + 1)
        elif fields[:1] == ["again"] or len(fields) == 1:
            table = line
        elif len(fields) > 9 and fields[3] == _LISTENING.get(table.removeprefix("again ")):
            tables[table].append(fields)
    return tables, declared, ephemeral


def _address(text: str) -> str:
    """An address in the kernel's notation: hexadecimal words in the machine's byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    return f"[{address}]" if address.version == 6 else str(address)


def parse_sysctls(body: str) -> Values:
    """The kernel settings that are compared."""
    values: dict[str, list[str]] = defaultdict(list)
    for line in lines(body):
        path, colon, value = line.partition(":")
        name = path.replace("/", ".")
        if colon and not is_left_out(name):
            values[name].append(" ".join(value.split()))
    yield from ((name, "; ".join(lines)) for name, lines in values.items())


def parse_name(body: str) -> Values:
    """A name that was looked up successfully."""
    for name in body.split():
        yield name, "known"


def parse_secret(body: str) -> Values:
    """Mode, owner and digest of a secret's file."""
    for line in lines(body):
        if match := MODE.fullmatch(line):
            mode, uid, gid, _, path = match.groups()
            digest = next((word for word in body.split() if re.fullmatch("[0-9a-f]{64}", word)), "")
            yield path, f"mode {mode}, owner {uid}:{gid}"
            yield f"{path}{DIGEST}", digest or Unknown("cannot be read")


def parse_substrate(body: str) -> Values:
    """Facts that came with the machine, by `fact_id`."""
    for line in lines(body):
        category, tab, key_and_value = line.partition("\t")
        if tab:
            key, _, before = key_and_value.partition("\t")
            yield fact_id(category, key), before
