"""Everything that a project runs or reads on this host, or exposes to its services. The user allows each separately.

Each access is shown exactly, and identified by its words and by the content of the project files that are part of it.
This module only reads files and changes nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envctl.errors import EnvctlError, Place
from envctl.host.git_folders import changeable_git
from envctl.host.links import followed, ignores_case
from envctl.host.safe_read import InsideError, read_inside
from envctl.lazy_dataclass import dataclass
from envctl.trust.command_files import named

if TYPE_CHECKING:
    from envctl.plan.model import Mount, Plan, Unit


_LARGEST_PROGRAM: Final = 16 * 1024 * 1024
_CONTAINED: Final = frozenset(
    (
        *(
            "AUDIT_WRITE",
            "CHOWN",
            "DAC_OVERRIDE",
            "FOWNER",
            "FSETID",
            "IPC_LOCK",
            "IPC_OWNER",
            "KILL",
        ),
        *("LEASE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP"),
        *("SETUID", "SYS_CHROOT", "SYS_NICE", "SYS_PACCT", "SYS_RESOURCE", "SYS_TTY_CONFIG"),
        *("LINUX_IMMUTABLE", "NET_ADMIN"),
    )
)
"""Capabilities whose effects stay in a container; the others affect the kernel that it shares with this host."""


_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u00ad"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Invisible characters that Python considers printable: fillers, variation selectors, the empty Braille pattern.

Source: https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
"""


@dataclass(frozen=True, slots=True)
class HostAccess:
    """One thing that a project runs or reads on this host, or exposes to its services.

    `text` is for the user. `exact` identifies it: its kind, and every word and path to the byte. `content` is a
    digest of the project's own files that are part of it: if they change, the user has to allow it again.
    """

    text: str
    exact: tuple[str, ...]
    content: str = ""
    where: Place | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """The key under which consent is stored. It excludes the text, whose wording may change between versions."""
        exact = json.dumps([*self.exact, self.content], ensure_ascii=False)
        return hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()

    def __str__(self) -> str:
        place = f"  ({self.where})" if self.where else ""
        return f"{self.text}{place}"


@dataclass(frozen=True, slots=True)
class SecretSource:
    """The source of a secret's value: `variable` is a variable that is set, `file` a file outside the project.

    `real_file` is that file with links followed.
    """

    variable: str = ""
    command: tuple[str, ...] = ()
    file: str = ""
    real_file: Path | None = None
    where: Place | None = None


@dataclass(frozen=True, slots=True)
class Mounted:
    """A folder or file of this host that a service mounts; `source` has all links followed."""

    environment: str
    service: str
    source: str
    target: str
    read_only: bool = False
    where: Place | None = field(default=None, compare=False)


def host_accesses(
    plan: Plan,
    sources: Mapping[str, SecretSource],
    *,
    root: Path,
    elsewhere: Iterable[Mounted] = (),
    host_templates: Sequence[str] = (),
    machines: bool = False,
    shares_kernel: bool = False,
) -> tuple[HostAccess, ...]:
    """Everything that `up` of this plan would run, read or expose on this host, without duplicates.

    `sources` are the sources of the plan's secrets. `elsewhere` are the mounts of the project's other environments. The
    other arguments describe the backend: which of its templates become programs on this host, whether units run in
    machines, and whether they share this host's kernel.
    """
    # Imported here because it loads the whole plan model, which a command in a machine does not need.
    from envctl.plan.build_secrets import secret_names

    accesses: dict[HostAccess, None] = {}
    used = secret_names(plan.units)
    for name in sorted(used & set(sources)):
        accesses |= dict.fromkeys(_of_secret(name, sources[name], root))
    for unit in plan.units:
        accesses |= dict.fromkeys(_of_unit(unit, plan, root, machines=machines))
        if shares_kernel:
            accesses |= dict.fromkeys(_beyond_its_container(unit))
    mounts = [mounted for unit in plan.units for mounted in _mounted(unit, plan)]
    accesses |= dict.fromkeys(_below_others(mounts, elsewhere, followed(root)))
    templates = [f"{plan.backend}/{name}" for name in host_templates]
    accesses |= dict.fromkeys(_templates(root, templates, plan.backend))
    return tuple(accesses)


def _of_secret(name: str, source: SecretSource, root: Path) -> Iterator[HostAccess]:
    if source.variable:
        text = f"reads the variable {source.variable} of your environment (secret {name})"
        yield HostAccess(text, ("variable", name, source.variable), "", source.where)
    if source.command:
        yield command_access(name, source.command, root, source.where)
    if source.file:
        real = str(source.real_file)
        to = "" if real == source.file else f", which is {quoted(real)}"
        text = f"reads {quoted(source.file)}{to} (secret {name})"
        yield HostAccess(text, ("file", name, source.file, real), "", source.where)


def command_access(name: str, argv: Sequence[str], root: Path, where: Place | None) -> HostAccess:
    """The access of a secret's command, including the project's programs and scripts that it names."""
    command = named(root, argv)
    notes = [f"secret {name}"]
    if command.files:
        notes.append(f"with {', '.join(map(quoted, command.files))} of the project")
    notes += [f"with {quoted(link)}, which leads to {quoted(to)}" for link, to in command.links]
    if command.may_run_more:
        notes.append("and anything that it runs from this folder")
    return HostAccess(
        f"runs {' '.join(map(quoted, argv))} ({', '.join(notes)})",
        ("command", name, str(len(argv)), *argv, *itertools.chain(*command.links)),
        _content(root, command.files) if command.files else "",
        where,
    )


def _of_unit(unit: Unit, plan: Plan, root: Path, *, machines: bool) -> Iterator[HostAccess]:
    service = unit.service
    for index, mount in enumerate(unit.run.mounts):
        if not _is_own(mount, root):
            does = "sees" if mount.read_only else "sees and can change"
            shown = f"{service} {does} {quoted(mount.source)}, as {quoted(mount.target)}"
            where = unit.origins.get(f"mounts.{index}") or unit.origins.get("mounts") or unit.where
            kind = "mount, read-only" if mount.read_only else "mount"
            yield HostAccess(shown, (kind, service, mount.source, mount.target), "", where)
        git = (
            None if mount.read_only else _changeable_git(mount, unit, plan, root, machines=machines)
        )
        if git is not None:
            where = unit.origins.get(f"mounts.{index}") or unit.origins.get("mounts") or unit.where
            why = (
                ", and cannot be kept from it on a disk that ignores case"
                if ignores_case(git)
                else ""
            )
            text = (
                f"{service} can change {_path(str(git), followed(root))}, which names programs that git runs on this host"
                f"{why}"
            )
            yield HostAccess(text, ("git", service, str(git)), "", where)
    devices = unit.run.options.get("devices")
    for device in devices if isinstance(devices, list) else ():
        where = unit.origins.get("options.devices") or unit.where
        text = f"{service} uses the device {quoted(str(device))}"
        yield HostAccess(text, ("device", service, str(device)), "", where)


def _beyond_its_container(unit: Unit) -> Iterator[HostAccess]:
    for name in sorted(set(unit.run.process.capabilities) - _CONTAINED):
        where = unit.origins.get("process.capabilities") or unit.where
        text = f"{unit.service} has the capability {name}, which has effects outside its container"
        yield HostAccess(text, ("capability", unit.service, name), "", where)


def _changeable_git(
    mount: Mount, unit: Unit, plan: Plan, root: Path, *, machines: bool
) -> Path | None:
    """Git's own files that a unit can change through a mount; None if it cannot."""
    if mount.protected and machines and _has_root_of_machine(unit, plan):
        return Path(mount.source, mount.protected[0])
    return changeable_git(Path(mount.source), root)


def _has_root_of_machine(unit: Unit, plan: Plan) -> bool:
    """Whether a unit, or one in the same machine, runs as the machine's root, who can undo the protection of a folder."""
    from envctl.plan.model import Build

    shared = "machine" in unit.run.options
    others = [other for other in plan.units if shared and "machine" in other.run.options]
    return any(
        isinstance(inside.source, Build)
        and (inside.run.process.user or "root").partition(":")[0] in ("root", "0")
        for inside in others or [unit]
    )


def _mounted(unit: Unit, plan: Plan) -> Iterator[Mounted]:
    for index, mount in enumerate(unit.run.mounts):
        where = unit.origins.get(f"mounts.{index}") or unit.origins.get("mounts") or unit.where
        yield Mounted(
            plan.scope.environment,
            unit.service,
            mount.source,
            mount.target,
            mount.read_only,
            where,
        )


def _below_others(
    mounts: Sequence[Mounted], elsewhere: Iterable[Mounted], root: Path
) -> Iterator[HostAccess]:
    """Mounts of a path inside a folder that another unit can write to.

    Engines resolve a mount's path each time a unit starts, and the other unit could put a link there.
    """
    every = list(dict.fromkeys((*mounts, *elsewhere)))
    ours = frozenset(mounts)

    def name(mounted: Mounted) -> str:
        return mounted.service + ("" if mounted in ours else f" of {mounted.environment}")

    pairs = ((outer, inner) for outer in every for inner in (every if outer in ours else mounts))
    for outer, inner in pairs:
        if not outer.read_only and Path(outer.source) in Path(inner.source).parents:
            yield HostAccess(
                f"{name(outer)} can write {_path(outer.source, root)}, and so can make"
                f" {_path(inner.source, root)}, which {name(inner)} mounts at {quoted(inner.target)},"
                " lead anywhere on this host",
                (
                    *("mount below a mount", outer.environment, outer.service, outer.source),
                    *(inner.environment, inner.service, inner.source, inner.target),
                ),
                "",
                inner.where or outer.where,
            )


def _path(path: str, root: Path) -> str:
    """A path for the user, relative if it is in the project's folder."""
    absolute = Path(path)
    if absolute.is_relative_to(root):
        return quoted(f"./{absolute.relative_to(root)}" if absolute != root else ".")
    return quoted(path)


def _is_own(mount: Mount, root: Path) -> bool:
    """Whether a mount is a file or folder of the project. A socket never is, because it leads to a program on the host."""
    source = Path(mount.source)
    try:
        if stat.S_ISSOCK(source.stat().st_mode):
            return False
    except OSError:
        return False
    return source.is_relative_to(followed(root))


def _templates(root: Path, names: Iterable[str], backend: str) -> Iterator[HostAccess]:
    """The project's own templates for programs on this host. They may include other templates, but not through links."""
    folder = root / "templates"
    if folder.is_symlink() or (folder / backend).is_symlink():
        return
    for name in names:
        if os.path.lexists(folder / name):
            every = sorted(
                Path(parent, file).relative_to(root).as_posix()
                for parent, _, files in os.walk(folder)
                for file in files
                if file.endswith(".j2") and not Path(parent, file).is_symlink()
            )
            text = f"runs templates/{name} on this host, through {backend}"
            yield HostAccess(text, ("template", name), _content(root, every))


def _content(root: Path, files: Iterable[str]) -> str:
    summary = hashlib.sha256()
    for file in files:
        try:
            data = read_inside(root, file, largest=_LARGEST_PROGRAM)
        except (OSError, InsideError) as error:
            raise EnvctlError(f"{file} cannot be read, so it cannot be allowed: {error}") from error
        summary.update(os.fsencode(file) + b"\0" + hashlib.sha256(data).digest())
    return summary.hexdigest()


def quoted(word: str) -> str:
    """A word quoted for a shell; control and invisible characters are shown by their codes.

    Different words never look the same, because a backslash, which starts a code, is doubled.
    """
    return shlex.quote("".join(map(_shown, word)))


def _shown(char: str) -> str:
    number = ord(char)
    if char == "\\":
        return "\\\\"
    if char.isprintable() and not _BLANK.match(char):
        return char
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
