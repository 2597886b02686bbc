"""What the script told, as facts. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass
from envctl.parity.fact_format import (
    DIGEST,
    PROCESSOR,
    SUBSTRATE,
    UNKNOWN,
    Category,
    UnitFacts,
    Unknown,
    fact_id,
)
from envctl.parity.file_tree import python_packages
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.sysctls import is_left_out

Values: TypeAlias = Iterator[tuple[str, "str | Unknown"]]

_LISTENING: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""By table of the kernel, the state of a socket that waits for somebody."""
_STATUS: Final = {
    "Uid": "uid", "Gid": "gid", "Groups": "groups", "Umask": "umask", "NoNewPrivs": "no new privileges",
    "CapEff": "capabilities", "CapBnd": "capabilities at most",
}  # fmt: skip
_LIMIT: Final = re.compile(r"Max ((?:\S+ )*\S+)\s{2,}(\S+)\s+(\S+)")
_MODE: Final = re.compile(r"(\d+) (\d+) (\d+) ([^\t]+)\t(.+)")
_NPM_VERSION: Final = re.compile(r'"version"\s*:\s*"([^"]*)"')
_LONGEST: Final = 16 * 1024
"""Characters of a line; nothing that is told in lines has longer ones, two paths included."""
IN_PARTS: Final = frozenset({"tree", "sums", "processes"})
"""What is told in parts, which others read."""
_UNREADABLE: Final = (ArithmeticError, LookupError, RecursionError, ValueError, struct.error)
"""What readers raise at words that mean nothing to them."""
_NO_LIMIT: Final = 1 << 60
"""Bytes: above it the kernel means that there is none."""


def facts(
    told: bytes, mark: str, asked: Sequence[tuple[str, str]], *, cut: str = "it stopped before that"
) -> UnitFacts:
    """By category and key what a unit told; `mark` is what it was given, `asked` are its questions in their order.

    What it did not tell, or not in words that can be read, is unknown; `cut` says why its answers may end early.
    ValueError if it told nothing at all.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    unknown: dict[str, str] = {}
    sections = _sections(told, mark)
    if not sections:
        raise ValueError("it told nothing")
    answers: dict[str, deque[_Section]] = defaultdict(deque)
    for section in sections:
        answers[section.name].append(section)
    for kind, value in asked:
        if kind in IN_PARTS:
            continue
        reader = _READERS[kind]
        lacking = unknown_without(kind, value)
        if not answers[kind] or not (section := answers[kind].popleft()).is_whole:
            unknown.setdefault(lacking, cut)
            continue
        try:
            for name, fact in reader.read(section.body):
                if isinstance(fact, Unknown):
                    unknown[fact_id(reader.category, name)] = fact.reason
                else:
                    found[reader.category][name] = fact
        except _UNREADABLE as error:
            why = "what it tells cannot be read"
            unknown[lacking] = f"{why}: {error}" if error.args else why
    unknown.update(map(_unknown, answers[UNKNOWN]))
    known = {category: values for category, values in found.items() if values}
    return {**known, UNKNOWN: unknown} if unknown else known


def parts(told: bytes, mark: str, kind: str) -> Sequence[Mapping[str, str]]:
    """What a unit told in parts: of each whole answer to questions of a kind its parts, by name."""
    return [
        {
            name: body
            for name, _, body in (part.partition("\0") for part in one.body.split(f"{mark}/")[1:])
        }
        for one in _sections(told, mark)
        if one.name == kind and one.is_whole
    ]


def unknown_told(told: bytes, mark: str) -> Mapping[str, str]:
    """What a unit says it cannot tell: the reasons, by `fact_id`."""
    return dict(_unknown(one) for one in _sections(told, mark) if one.name == UNKNOWN)


def _unknown(section: _Section) -> tuple[str, str]:
    category, tab, rest = section.body.partition("\t")
    key, _, reason = rest.partition("\t")
    return fact_id(category, key) if tab else section.body, reason or "it cannot be told"


def unknown_without(kind: str, value: str) -> str:
    """What is not known, as `fact_id` calls it, if a question has no answer."""
    reader = _READERS[kind]
    return fact_id(reader.category, value if reader.key is None else reader.key)


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    body: str
    is_whole: bool


def _sections(told: bytes, mark: str) -> Sequence[_Section]:
    """The sections of a telling; only the last can have been cut off, unless it says that this is the end."""
    parts = told.decode("utf-8", "surrogateescape").split(f"{mark}:")[1:]
    found = []
    for number, part in enumerate(parts, start=1):
        name, nul, body = part.partition("\0")
        found.append(_Section(name, body, bool(nul) and number < len(parts)))
    return found


def _lines(body: str) -> list[str]:
    """The lines of a text, as programs end them: whatever else is a line's end to some may be in a name.

    ValueError if one is so long that nothing told in lines has it.
    """
    lines = body.removesuffix("\n").split("\n") if body else []
    if any(len(line) > _LONGEST for line in lines):
        raise ValueError("a line is too long")
    return lines


def _os(body: str) -> Values:
    for line in _lines(body):
        name, equals, value = line.partition("=")
        if equals and name in ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME"):
            yield name.lower(), value.strip('"')


def _kernel(body: str) -> Values:
    yield from zip(("system", "release", PROCESSOR), body.split(), strict=False)


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
    yield from python_packages(_lines(body))


def _npm(body: str) -> Values:
    folder, _, said = body.partition("\n")
    if not folder:
        return
    try:
        packages = json.loads(said)["packages"].items()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # Of a file on one line there may be several; a package's own version stands first.
        for line in reversed(_lines(said)):
            path, is_package, rest = line.partition("/package.json:")
            if not is_package:
                raise ValueError("it is no list of packages") from None
            match = _NPM_VERSION.fullmatch(rest)
            version = match[1] if match else Unknown("its package.json tells no version")
            yield f"{folder}: {path.rpartition('/node_modules/')[2]}", version
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
    if not body:
        return
    zone, _, link = body.strip().partition("\n")
    yield "time zone", zone
    if link:
        yield "/etc/localtime", link.rpartition("zoneinfo/")[2]


def _locale(body: str) -> Values:
    if body:
        yield "available", " ".join(sorted(body.split()))


def _sockets(body: str) -> Values:
    """Sockets that are bound to receive.

    A UDP socket that a client just sends from looks the same, but has a port of the range that the kernel takes such
    ports from. What is in that range, and not declared, is told without its port, which is another one each time, and
    only if it stayed.
    """
    tables, declared, ephemeral = _tables(body)
    again = {one[9] for name in ("again udp", "again udp6") for one in tables[name]}
    for table, sockets in tables.items():
        for fields in sockets:
            host, _, port = fields[1].partition(":")
            key, number = f"{table[:3]} {_address(host)}", int(port, 16)
            is_client = table.startswith("udp") and number in ephemeral and number not in declared
            if table.startswith("again") or int(fields[2].rpartition(":")[2], 16):
                continue  # looked at already, or connected
            if not is_client:
                yield f"{key}:{number}", f"uid {fields[7]}"
            elif fields[9] in again:
                yield f"{key}:(ephemeral) uid {fields[7]}", "bound"


def _tables(body: str) -> tuple[Mapping[str, list[list[str]]], set[int], range]:
    """The waiting sockets of each of the kernel's tables, the ports declared, and those that clients are given."""
    tables: dict[str, list[list[str]]] = defaultdict(list)
    table, declared, ephemeral = "", set[int](), range(0)
    for line in _lines(body):
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
    """An address as the kernel writes it, in words of the machine's own byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    return f"[{address}]" if address.version == 6 else str(address)


def _argv(body: str) -> Values:
    if body:
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
        match = _LIMIT.match(line)
        if match is None:
            raise ValueError("it is no table of limits")
        yield match[1], f"{match[2]} to {match[3]}"


def _cwd(body: str) -> Values:
    if body:
        yield "directory", body.rstrip("\n")


def _cgroup(body: str) -> Values:
    """What the control groups of a unit allow, its own and those above it, whatever version they are of.

    Memory in bytes, processors as a number.
    """
    values: dict[str, list[str]] = defaultdict(list)
    for line in _lines(body):
        name, _, value = line.partition(" ")
        values[name].append(value)
    old = {"memory": ("memory.limit_in_bytes", "hierarchical_memory_limit"),
           "both": ("memory.memsw.limit_in_bytes", "hierarchical_memsw_limit")}  # fmt: skip
    silent = "none" if values["version"] else Unknown("no control group tells it")
    memory = _least(values, "memory.max", *old["memory"])
    yield "memory", silent if memory is None else _limit(memory)
    if "memory.max" in values:
        swap = _least(values, "memory.swap.max")
    else:
        both = _least(values, *old["both"])
        swap = both if None in (both, memory) or both == _UNLIMITED else both - memory  # type: ignore[operator]
    if swap is not None:
        yield "swap", _limit(swap)
    if (high := _least(values, "memory.high")) not in (None, _UNLIMITED):
        yield "memory high", _limit(high or 0)
    tasks = _least(values, "pids.max")
    yield "tasks", silent if tasks is None else _limit(tasks)
    quotas = [one.partition(" ")[::2] for one in values["cpu.max"]]
    quotas += list(zip(values["cpu.cfs_quota_us"], values["cpu.cfs_period_us"], strict=False))
    shares = [
        int(quota) / int(period or 1) for quota, period in quotas if quota not in ("max", "-1")
    ]
    yield "processors", f"{min(shares):g}" if shares else "none" if quotas else silent
    if weights := values["cpu.weight"][:1] or values["cpu.shares"][:1]:
        usual = {"cpu.weight": "100", "cpu.shares": "1024"}[
            "cpu.weight" if values["cpu.weight"] else "cpu.shares"
        ]
        yield "processor weight", "default" if weights[0] == usual else weights[0]
    elif values["version"]:
        yield "processor weight", "default"


_UNLIMITED: Final = 1 << 62


def _least(values: Mapping[str, Sequence[str]], *names: str) -> int | None:
    """The least of the limits of these names; None if there is none, not even one that says that there is no limit."""
    found = [
        _UNLIMITED if value == "max" or int(value) >= _NO_LIMIT else int(value)
        for name in names
        for value in values.get(name, ())
    ]
    return min(found, default=None)


def _limit(value: int) -> str:
    return "none" if value >= _UNLIMITED else str(value)


def _size(body: str) -> Values:
    """How much memory, and how many processors, can be seen: of the machine, or the host."""
    for line in _lines(body):
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            yield "processors visible", str(sum(map(_count, value.strip().split(","))))
        elif name in _VISIBLE:
            # The kernel takes a few KiB for itself, more or less.
            yield _VISIBLE[name], str(round(int(value.split()[0]) / 1024) << 20)


_VISIBLE: Final = {"MemTotal": "memory visible", "SwapTotal": "swap visible"}


def _count(numbers: str) -> int:
    first, _, last = numbers.partition("-")
    return int(last or first) - int(first) + 1


def _sysctls(body: str) -> Values:
    values: dict[str, list[str]] = defaultdict(list)
    for line in _lines(body):
        path, colon, value = line.partition(":")
        name = path.replace("/", ".")
        if colon and not is_left_out(name):
            values[name].append(" ".join(value.split()))
    yield from ((name, "; ".join(lines)) for name, lines in values.items())


def _name(body: str) -> Values:
    for name in body.split():
        yield name, "known"


def _secret(body: str) -> Values:
    for line in _lines(body):
        if match := _MODE.fullmatch(line):
            mode, uid, gid, _, path = match.groups()
            digest = next((word for word in body.split() if re.fullmatch("[0-9a-f]{64}", word)), "")
            yield path, f"mode {mode}, owner {uid}:{gid}"
            yield f"{path}{DIGEST}", digest or Unknown("cannot be read")


def _times(body: str) -> Values:
    for line in _lines(body):
        times, tab, path = line.partition("\t")
        if tab:
            yield path, times


def _changed(body: str) -> Values:
    """Files with mode and owner; those that packages name are told after them."""
    found: dict[str, str] = {}
    for line in _lines(body):
        if match := _MODE.fullmatch(line):
            mode, uid, gid, _, path = match.groups()
            found[path] = f"mode {mode}, owner {uid}:{gid}, nobody's"
        elif line.startswith("packaged "):
            # A package may name a file by where its folder was before it became a link.
            package, _, path = line.removeprefix("packaged ").partition(".list:")
            path = path if path in found else f"/usr{path}"
            if path in found:
                about = found[path].rpartition(", ")[0]
                found[path] = f"{about}, of {package.partition(':')[0]}"
    yield from found.items()


def _provides(body: str) -> Values:
    for line in _lines(body):
        state, _, provided = line.partition("\t")
        if state == "installed":
            for one in filter(str.strip, provided.split(",")):
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
        category, tab, rest = line.partition("\t")
        if tab:
            key, _, before = rest.partition("\t")
            yield fact_id(category, key), before


@dataclass(frozen=True, slots=True)
class _Reader:
    """How a section is read: into facts of a category. `key` is what is unknown without it: None for what was asked."""

    category: str
    read: Callable[[str], Values]
    key: str | None = ""


_READERS: Final[Mapping[str, _Reader]] = {
    "os": _Reader(Category.OS, _os),
    "kernel": _Reader(Category.KERNEL, _kernel),
    "packages": _Reader(Category.PACKAGES, _packages),
    "python": _Reader(Category.PYTHON, _python),
    "npm": _Reader(Category.NPM, _npm),
    "users": _Reader(Category.USERS, _users),
    "groups": _Reader(Category.GROUPS, _groups),
    "timezone": _Reader(Category.LOCALE, _timezone, "time zone"),
    "locale": _Reader(Category.LOCALE, _locale, "available"),
    "sockets": _Reader(Category.SOCKETS, _sockets),
    "argv": _Reader(Category.PROCESS, _argv, "argv"),
    "environ": _Reader(Category.ENVIRONMENT, _environ),
    "status": _Reader(Category.PROCESS, _status),
    "limits": _Reader(Category.LIMITS, _limits),
    "cwd": _Reader(Category.PROCESS, _cwd, "directory"),
    "cgroup": _Reader(Category.LIMITS, _cgroup, "memory"),
    "size": _Reader(Category.LIMITS, _size, "memory visible"),
    "sysctls": _Reader(Category.SYSCTLS, _sysctls),
    "name": _Reader(Category.NAMES, _name, None),
    "secret": _Reader(Category.SECRETS, _secret, None),
    "substrate": _Reader(SUBSTRATE, _substrate),
    "times": _Reader(VerifyCategory.TIMES, _times, None),
    "gone": _Reader(VerifyCategory.GONE, _words, None),
    "given": _Reader(VerifyCategory.GIVEN, _environ),
    "tool": _Reader(VerifyCategory.TOOLS, _words, None),
    "provides": _Reader(VerifyCategory.PROVIDES, _provides),
    "removed": _Reader(VerifyCategory.REMOVED, _removed),
    "changed": _Reader(VerifyCategory.CHANGED, _changed),
    "lost": _Reader(VerifyCategory.LOST, _words),
}
KINDS: Final = frozenset(_READERS)
"""What can be asked."""
