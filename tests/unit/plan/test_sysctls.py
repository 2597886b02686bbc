"""Which of the kernel's settings are a unit's own, which its host's, and which no fact at all."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from envctl.plan.sysctls import READ, is_left_out, is_of_the_host

OWN = [
    "net.core.somaxconn",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv6.bindv6only",
    "kernel.shmmax",
    "kernel.msgmax",
    "kernel.sem",
    "kernel.domainname",
    "fs.mqueue.msg_max",
]
OF_THE_HOST = [
    "vm.swappiness",
    "vm.overcommit_memory",
    "fs.file-max",
    "fs.inotify.max_user_watches",
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.randomize_va_space",
    "kernel.core_pattern",
    "kernel.yama.ptrace_scope",
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv6.conf.default.forwarding",
    "net.ipv4.neigh.default.gc_thresh1",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.optmem_max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.udp_mem",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_available_congestion_control",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ehash_entries",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv6.icmp.ratelimit",
    "net.unix.max_dgram_qlen",
]
NO_FACT = [
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv6.conf.lo.mtu",
    "net.ipv4.neigh.eth0.gc_stale_time",
    "net.ipv4.route.gc_elasticity",
    "net.ipv6.route.gc_timeout",
    "vm.stat_refresh",
    "vm.nr_hugepages",
    "net.ipv6.conf.all.stable_secret",
    "net.ipv4.tcp_fastopen_key",
]


@pytest.mark.parametrize("name", OWN)
def test_a_setting_that_a_unit_can_have_for_itself_is_compared_as_its_own(name):
    assert not is_of_the_host(name)
    assert not is_left_out(name)


@pytest.mark.parametrize("name", OF_THE_HOST)
def test_a_setting_that_a_container_has_from_its_host_is_compared_as_the_hosts(name):
    assert is_of_the_host(name)
    assert not is_left_out(name)


@pytest.mark.parametrize("name", NO_FACT)
def test_what_is_of_one_card_or_counts_or_is_secret_is_not_a_fact(name):
    assert is_left_out(name)


@pytest.mark.parametrize("name", [*OWN, *OF_THE_HOST])
def test_each_of_them_is_read(name):
    path = name.replace(".", "/")
    assert any(fnmatchcase(path, one) or path.startswith(f"{one}/") for one in READ)


def test_nothing_is_read_that_is_not_compared():
    compared = [name.replace(".", "/") for name in (*OWN, *OF_THE_HOST, "fs.aio-max-nr", "fs.nr_open", "fs.suid_dumpable", "fs.protected_links")]  # fmt: skip
    assert [
        one
        for one in READ
        if not any(fnmatchcase(path, one) or path.startswith(f"{one}/") for path in compared)
    ] == []
