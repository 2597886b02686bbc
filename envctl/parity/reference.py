"""Generates the list of compared facts in docs/how-to/parity.md from the tables that the collector uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from envctl.parity.file_tree import LARGEST
from envctl.parity.run_collector import MOST, TIMEOUT
from envctl.plan.categories import Category
from envctl.plan.sysctls import LEFT_OUT, OF_THE_HOST, READ
from envctl.plan.volatile_places import VOLATILE

BEGIN: Final = "<!-- begin: written by `make docs` from the tables of the collector -->"
END: Final = "<!-- end -->"
COMPARED: Final[Mapping[Category, str]] = {
    Category.OS: "name and version of the distribution",
    Category.KERNEL: "the kernel's name and release, which are always substrate; the processor's architecture",
    Category.PACKAGES: "every package of dpkg, rpm or apk: version, architecture, state",
    Category.PYTHON: "every Python package in any folder, including those in home folders",
    Category.NPM: "every npm package in any `node_modules`, including those in home folders",
    Category.USERS: "every user: uid, gid, home, shell",
    Category.GROUPS: "every group: gid, members",
    Category.FILES: "every file, folder, link, pipe, socket and device: mode with setuid and sticky bit, owner, SHA-256 of the"
    " content, target of a link, capability of a program, other file systems that are mounted",
    Category.PROCESS: "the main process: command line, directory, user, groups, umask, capabilities, no new privileges",
    Category.PROCESSES: "every long-running program: command line, user, nice, `oom_score_adj`, capabilities",
    Category.ENVIRONMENT: "every variable the main process was given",
    Category.LIMITS: "the main process's resource limits; memory, swap, processors and tasks that its control group and"
    " those above it allow; memory, swap and processors that can be seen (substrate between a container and another unit)",
    Category.SYSCTLS: "the kernel's settings: " + ", ".join(f"`{name}`" for name in READ),
    Category.SOCKETS: "every TCP and UDP socket that is bound to receive: address, port, user",
    Category.LOCALE: "time zone, available locales",
    Category.NAMES: "whether the name of each service can be looked up",
    Category.SECRETS: "every declared secret: presence, mode, owner, a keyed digest",
}


def section() -> str:
    """The generated section of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| category | compared |"
    yield "| --- | --- |"
    for category, text in COMPARED.items():
        yield f"| {category} | {text} |"
    yield ""
    yield "These places are not compared; everything else in the file system is:"
    yield ""
    yield "| place | why it is left out |"
    yield "| --- | --- |"
    for place in VOLATILE:
        yield f"| `{place.pattern}` | {place.reason} |"
    yield "| volumes, mounts | declared in the spec; what is in them is not the unit's own |"
    yield "| targets of secrets | compared as secrets |"
    yield ""
    yield "Times, hard links, and extended attributes other than capabilities are not compared for any file. Capabilities are"
    yield "looked for on executable files."
    yield ""
    yield f"A file larger than {LARGEST >> 30} GiB is not read: its content is unknown. Once a unit has reported {MOST >> 20} MiB, or has taken {TIMEOUT:g} s,"
    yield "the rest of it is unknown."
    yield ""
    yield "In a container, settings of the whole kernel are the host's; compared with a container, they are substrate:"
    yield (
        ", ".join(f"`{name}`" for name in OF_THE_HOST)
        + ". Settings of single network interfaces, counters and caches are not compared:"
    )
    yield ", ".join(f"`{name}`" for name in LEFT_OUT) + "."
