"""What the script tells, read: from its own words on this host, and from words written by hand."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import as_file, files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.parity import file_tree, parse_facts
from envctl.parity.fact_format import readable
from envctl.plan.volatile_places import literally

MARK = "0123456789abcdef"


def read(**sections: str):
    told = "".join(f"{MARK}:{name}\0{body}" for name, body in sections.items())
    asked = [(name, "") for name in sections if name != "unknown"]
    return parse_facts.facts(f"{told}{MARK}:end\0".encode("utf-8", "surrogateescape"), MARK, asked)


def ask_this_host(asked):
    """What the script tells of this host."""
    script = (files("envctl.parity") / "collect.sh").read_text()
    questions = "".join(f"{kind}\t{value}\n" for kind, value in asked)
    return subprocess.run(
        ["/bin/sh", "-c", script, "facts"],
        input=f"{MARK}\nkey\n{questions}".encode(),
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.as_root
def test_files_are_listed_by_a_root_that_may_not_enter_the_folder_where_the_script_starts(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    script = (files("envctl.parity") / "collect.sh").read_text()

    told = subprocess.run(
        # As in a container: root without the right to enter what is not its own.
        ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "/bin/sh", "-c", script, "facts"],
        input=f"{MARK}\nkey\ntree\t/?*\n".encode(),
        cwd=home,
        capture_output=True,
        check=True,
    ).stdout

    assert list(file_tree.read(parse_facts.parts(told, MARK, "tree")[0]).entries) == ["/"]


def test_the_script_tells_of_this_host_what_is_so(tmp_path):
    (tmp_path / "secret").write_text("value")
    asked = [
        ("kernel", ""),
        ("name", "localhost"),
        ("name", "nobody.invalid"),
        ("secret", f"{tmp_path}/secret"),
    ]
    told = ask_this_host(asked)
    found = parse_facts.facts(told, MARK, asked)

    assert found["names"] == {"localhost": "known"}
    # sha256 of "keyvalue"
    assert found["secrets"][f"{tmp_path}/secret digest"] == (
        "b4bfe7c31fb4b7cd245e74ab89fdb66f2286dc6831b57f112239e0b6131d321c"
    )
    assert "value" not in told.decode().replace(f"{tmp_path}", "")
    assert found["kernel"]["system"] == "Linux"


def all_but(folder):
    """Patterns of all there is on this host but a folder."""
    kept = {folder, *folder.parents}
    beside = [path for up in folder.parents for path in up.iterdir() if path not in kept]
    return "\t".join(literally(str(path)) for path in beside if not set("\t\n") & set(str(path)))


@pytest.mark.slow
def test_the_script_lists_every_file_of_this_host_but_those_left_out(tmp_path):
    (tmp_path / "a file").write_text("one\n")
    (tmp_path / "a file").chmod(0o4640)
    (tmp_path / "link").symlink_to("a file")
    (tmp_path / "gone*").mkdir()
    (tmp_path / "gone*" / "x").touch()
    (tmp_path / "two\nlines ü").write_text("one\n")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with (tmp_path / "sparse").open("wb") as large:
        large.truncate(2 << 30)
    patterns = f"{all_but(tmp_path)}\t{literally(str(tmp_path))}/gone\\*/*"

    (parts,) = parse_facts.parts(ask_this_host([("tree", patterns)]), MARK, "tree")
    told = file_tree.read(parts).facts()

    own = f"owner {os.getuid()}:{os.getgid()}"
    digest = "sha256 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"
    here = {
        path.removeprefix(f"{tmp_path}"): value
        for path, value in told["files"].items()
        if path.startswith(f"{tmp_path}/") and not path.endswith("sparse")
    }
    assert here == {
        "/a file": f"mode 4640, {own}, {digest}",
        "/link": f"link to a file, {own}",
        "/two\nlines ü": f"mode 644, {own}, {digest}",
        "/gone*": f"mode 755, {own}, folder",
        "/pipe": f"mode 600, {own}, named pipe",
    }
    assert "larger than 1 GiB" in told["unknown"][f"files\t{tmp_path}/sparse"]


@pytest.mark.slow
def test_the_script_pleases_the_fields_own_reader():
    with as_file(files("envctl.parity") / "collect.sh") as script:
        done = subprocess.run(
            ["shellcheck", "-s", "sh", str(script)], capture_output=True, check=False
        )
    assert done.stdout == b""


def test_what_was_cut_off_is_unknown_and_so_is_what_would_have_come_after_it():
    asked = [("os", ""), ("packages", ""), ("name", "db"), ("secret", "/s")]
    told = f"{MARK}:os\0ID=debian\n{MARK}:packages\0bash\tamd64\t5\tinst"

    found = parse_facts.facts(told.encode(), MARK, asked)

    assert found["os"] == {"id": "debian"}
    assert "packages" not in found
    assert set(found["unknown"]) == {"packages\t", "names\tdb", "secrets\t/s"}


def test_who_tells_nothing_has_no_facts():
    with pytest.raises(ValueError, match="no output"):
        parse_facts.facts(b"sh: not found", MARK, [("os", "")])


def test_what_a_missing_program_cannot_tell_is_unknown():
    found = read(packages="", unknown="packages\t\tneither dpkg-query, rpm nor apk is installed")
    assert found == {"unknown": {"packages\t": "neither dpkg-query, rpm nor apk is installed"}}


def test_a_line_too_long_makes_its_category_unknown():
    found = read(packages=f"bash\tamd64\t5\tinstalled\n{'x' * 20_000}\n", os="ID=debian\n")
    assert found["os"] == {"id": "debian"}
    assert found["unknown"] == {"packages\t": "the answer is malformed: a line is too long"}


@given(st.binary(max_size=200), st.sampled_from(sorted(parse_facts.KINDS)))
def test_whatever_a_unit_tells_it_is_read_or_unknown(body, kind):
    told = f"{MARK}:{kind}\0".encode() + body + f"{MARK}:end\0".encode()
    found = parse_facts.facts(told, MARK, [(kind, "/x")])
    for category, values in found.items():
        assert isinstance(category, str)
        assert all(isinstance(value, str) for value in values.values())


@given(st.binary(max_size=300))
def test_whatever_sections_a_unit_tells_they_are_read_or_unknown(told):
    told = told.replace(b"\x01", f"{MARK}:os\0".encode())
    try:
        found = parse_facts.facts(told, MARK, [("os", ""), ("packages", "")])
    except ValueError:
        assert MARK.encode() not in told
    else:
        assert "packages\t" in found["unknown"]


@pytest.mark.parametrize(
    "section",
    [
        {"npm": "/srv\n[]"},
        {"npm": '/srv\n{"packages": []}'},
        {"npm": "/srv\n" + "[" * 100_000},
        {"npm": "/srv\n" + "/node_modules/a" * 1000},
        {"limits": "Limit\nMax " + " " * 15_000},
        {"cgroup": "cpu.max 1 0\n"},
        {"sockets": "tcp\n0: -1:1 0:0 0A 0 0 0 0 0 1 2 3\n"},
    ],
)
def test_what_cannot_be_read_is_reported(section):
    reasons = read(**section)["unknown"].values()
    assert any(reason.startswith("the answer is malformed") for reason in reasons)


def test_text_inside_that_looks_like_a_section_is_text():
    found = read(environ="A=other:packages\0B=\n\0", os='ID="debian"\n')
    assert found["environment"] == {"A": "other:packages", "B": "\n"}
    assert found["os"] == {"id": "debian"}


def test_packages_are_read_from_every_distributions_words():
    assert read(packages="bash\tamd64\t5.2-1\tinstalled\nold\tall\t1\tconfig-files\nhalf\tall\t2\tunpacked\n")["packages"] == {
        "bash": "5.2-1 amd64",
        "half": "2 all unpacked",
    }  # fmt: skip
    assert read(packages="musl-utils-1.2.4-r2\n")["packages"] == {"musl-utils": "1.2.4-r2"}


def socket(number, local, remote, state, inode, uid=1000):
    return f"   {number}: {local} {remote} {state} 0:0 0:0 0 {uid} 0 {inode} 2 0 0\n"


def test_only_sockets_that_wait_are_reported_with_their_address():
    table = (
        "declared \nrange 32768\t60999\ntcp\n  sl  local_address rem_address   st\n"
        + socket(0, "0100007F:1F90", "00000000:0000", "0A", 1)
        + socket(1, "0100007F:1F91", "0100007F:1234", "01", 2)
        + "tcp6\n"
        + socket(0, "00000000000000000000000000000000:0016", "00000000000000000000000000000000:0000", "0A", 3, uid=0)
    )  # fmt: skip
    assert read(sockets=table)["sockets"] == {
        "tcp 127.0.0.1:8080": "uid 1000",
        "tcp [::]:22": "uid 0",
    }


def test_a_udp_client_s_port_is_not_told_as_one_that_is_listened_on():
    head = "declared 40000\nrange 32768\t60999\nudp\n  sl  local_address rem_address   st\n"
    anywhere = "00000000:0000"
    table = (
        head
        + socket(0, "00000000:0035", anywhere, "07", 1)  # bound to port 53
        + socket(1, "00000000:9C40", anywhere, "07", 2)  # 40000, which is declared
        + socket(2, "00000000:C350", anywhere, "07", 3)  # 50000: a client's, which stays
        + socket(3, "00000000:C351", anywhere, "07", 4)  # 50001: a client's, which goes
        + socket(4, "0100007F:0044", "0100007F:0035", "07", 5)  # connected
        + "again udp\n"
        + socket(0, "00000000:0035", anywhere, "07", 1)
        + socket(2, "00000000:C350", anywhere, "07", 3)
    )
    assert read(sockets=table)["sockets"] == {
        "udp 0.0.0.0:53": "uid 1000",
        "udp 0.0.0.0:40000": "uid 1000",
        "udp 0.0.0.0:(ephemeral) uid 1000": "bound",
    }


V2 = "memory.max 536870912\nmemory.swap.max 0\nmemory.high max\ncpu.max 150000 100000\ncpu.weight 100\npids.max max\n"
V2_UNLIMITED = (
    "memory.max max\nmemory.swap.max max\ncpu.max max 100000\ncpu.weight 100\npids.max max\n"
)
V1 = (
    "memory.limit_in_bytes 536870912\nmemory.memsw.limit_in_bytes 536870912\ncpu.cfs_quota_us 150000\n"
    "cpu.cfs_period_us 100000\ncpu.shares 1024\npids.max max\n"
)


def test_a_controller_that_one_tree_of_groups_does_not_have_limits_nothing():
    told = read(cgroup="version 2\nmemory.max 1048576\n")["limits"]
    assert told == {
        "memory": "1048576",
        "tasks": "none",
        "processors": "none",
        "processor weight": "default",
    }


def test_limits_mean_the_same_in_both_versions_of_control_groups():
    new, old = read(cgroup=V2)["limits"], read(cgroup=V1)["limits"]
    assert new == old == {
        "memory": "536870912", "swap": "0", "processors": "1.5", "tasks": "none", "processor weight": "default",
    }  # fmt: skip
    none = dict.fromkeys(("memory", "swap", "processors", "tasks"), "none") | {
        "processor weight": "default"
    }
    assert read(cgroup=V2_UNLIMITED)["limits"] == none
    unlimited = "9223372036854771712"
    old = V1.replace("536870912", unlimited).replace("150000", "-1")
    assert read(cgroup=old)["limits"] == none


def test_a_limit_of_a_control_group_above_counts_and_the_least_holds():
    above = "memory.max 1048576\ncpu.max 50000 100000\npids.max 7\nmemory.swap.max 4096\nmemory.high 4096\n"
    found = read(cgroup=V2 + above)["limits"]
    assert (found["memory"], found["swap"], found["tasks"]) == ("1048576", "0", "7")
    assert (found["processors"], found["memory high"]) == ("0.5", "4096")
    hierarchical = "hierarchical_memory_limit 1048576\nhierarchical_memsw_limit 2097152\n"
    found = read(cgroup=V1.replace("536870912", "9223372036854771712") + hierarchical)["limits"]
    assert (found["memory"], found["swap"]) == ("1048576", "1048576")


def test_swap_beyond_the_memory_is_reported():
    swapping = V1.replace("memsw.limit_in_bytes 536870912", "memsw.limit_in_bytes 1073741824")
    assert read(cgroup=swapping)["limits"]["swap"] == "536870912"


def test_a_limit_that_no_control_group_tells_is_unknown():
    found = read(cgroup="")["unknown"]
    assert set(found) == {"limits\tmemory", "limits\ttasks", "limits\tprocessors"}


def test_what_can_be_seen_of_memory_and_processors_is_a_fact():
    size = "MemTotal:       24684100 kB\nSwapTotal:  0 kB\nCpus_allowed_list:\t0-1,4\n"
    assert read(size=size)["limits"] == {
        "memory visible": str(24106 << 20),
        "swap visible": "0",
        "processors visible": "3",
    }


def test_settings_of_the_kernel_are_told_but_for_those_of_a_card():
    told = (
        "net/core/somaxconn:4096\nnet/ipv4/tcp_rmem:4096\t131072\t6291456\n"
        "net/ipv4/conf/eth0/rp_filter:0\nnet/ipv4/conf/all/rp_filter:0\nkernel/sem:32000\t1 2\n"
    )
    assert read(sysctls=told)["sysctls"] == {
        "net.core.somaxconn": "4096",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.conf.all.rp_filter": "0",
        "kernel.sem": "32000 1 2",
    }


def test_every_limit_that_the_kernel_counts_in_bytes_is_reported_in_units():
    table = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max cpu time              unlimited            unlimited            seconds   \n"
        "Max file size             1048576              unlimited            bytes     \n"
        "Max data size             1048576              unlimited            bytes     \n"
        "Max stack size            1048576              unlimited            bytes     \n"
        "Max core file size        1048576              unlimited            bytes     \n"
        "Max resident set          1048576              unlimited            bytes     \n"
        "Max processes             1048576              1048576              processes \n"
        "Max open files            1048576              1048576              files     \n"
        "Max locked memory         1048576              unlimited            bytes     \n"
        "Max address space         1048576              unlimited            bytes     \n"
        "Max file locks            1048576              unlimited            locks     \n"
        "Max pending signals       1048576              1048576              signals   \n"
        "Max msgqueue size         1048576              unlimited            bytes     \n"
    )
    counted = {line[4:26].strip() for line in table.splitlines() if line.split()[-1] == "bytes"}
    found = read(limits=table)["limits"]
    told = {key: readable("limits", key, value) for key, value in found.items()}
    assert {key for key, value in told.items() if "MiB" in value} == counted


def test_a_limit_of_more_digits_than_any_has_is_reported_as_it_is():
    assert readable("limits", "data size", "1" * 5000) == "1" * 5000
    assert readable("limits", "data size", "1048576 unlimited") == "1 MiB unlimited"


def test_npm_packages_are_reported_from_the_lock_or_from_themselves():
    lock = '/srv/app\n{"packages": {"node_modules/a": {"version": "1.0", "integrity": "sha512-x"}}}'
    assert read(npm=lock)["npm"] == {"/srv/app: a": "1.0 sha512-x"}
    file = "/usr/lib/node_modules/@b/c/package.json"
    # Where all is on one line a script of the package may speak of a version, too.
    grepped = f'/usr/lib\n{file}:"version": "2.0"\n{file}:"version":"9"\n'
    assert read(npm=grepped)["npm"] == {"/usr/lib: @b/c": "2.0"}
