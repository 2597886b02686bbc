"""The kernel's settings that are compared: those of a unit's own, and those of the machine or host it is on.

This is the only such table; docs/how-to/parity.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

READ: Final[Sequence[str]] = (
    "net/core", "net/ipv4", "net/ipv6", "net/unix", "kernel/shm*", "kernel/msg*", "kernel/sem", "kernel/domainname",
    "fs/mqueue", "vm", "fs/file-max", "fs/nr_open", "fs/inotify", "fs/aio-max-nr", "fs/suid_dumpable", "fs/protected_*",
    "kernel/pid_max", "kernel/threads-max", "kernel/randomize_va_space", "kernel/core_pattern", "kernel/yama",
)  # fmt: skip
"""Below /proc/sys."""
OF_THE_HOST: Final = (
    "vm.*", "fs.[!m]*", "kernel.[!smd]*", "kernel.yama.*",
    # A container's network begins with its host's settings of these; the kernel makes some of its memory.
    "net.ipv4.ip_forward*", "net.ipv?.conf.*", "net.ipv?.neigh.*", "net.core.[rw]mem_*", "net.core.optmem_max",
    "net.ipv4.tcp_[rw]mem", "net.ipv4.*_mem", "net.ipv4.tcp_max_*", "net.ipv4.tcp_*congestion_control",
    # Their defaults are another with another version of the kernel, or the init sets them for the whole machine.
    "net.ipv4.tcp_ehash_entries", "net.ipv4.tcp_limit_output_bytes", "net.ipv6.icmp.ratelimit", "net.unix.max_dgram_qlen",
)  # fmt: skip
"""Of the whole kernel, which containers share with their host, or taken over from the host."""
LEFT_OUT: Final = (
    "net.*.conf.[!ad]*", "net.*.neigh.[!d]*", "net.ipv4.route.*", "net.ipv6.route.*", "vm.stat_refresh", "vm.nr_*",
    "net.ipv6.conf.*.stable_secret", "net.ipv4.tcp_fastopen_key",
)  # fmt: skip
"""Of one network card, whose names differ; counters; caches of routes."""


def is_of_the_host(name: str) -> bool:
    """Whether a setting is of the kernel as a whole."""
    return any(fnmatchcase(name, pattern) for pattern in OF_THE_HOST)


def is_left_out(name: str) -> bool:
    """Whether a setting is no fact."""
    return any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)
