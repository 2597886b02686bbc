"""A unit's files: what is told of each, what is trusted of a machine's, and what is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.parity import file_tree
from envctl.parity.fact_format import Unknown, fact
from envctl.plan.volatile_places import VOLATILE, literally

MADE = 1_700_000_000
"""When the machine's disk was made, seconds of the epoch."""
OLD, NEW = "a" * 64, "b" * 64


def listing(*entries):
    """What `find` tells of files: (kind, mode, size, written, changed, path, target)."""
    return "".join(
        f"{kind} {mode} 0 0 {size} {written}.5 {changed}.25 {path}\0{target}\0"
        for kind, mode, size, written, changed, path, target in entries
    )


def file(path="/usr/bin/x", size=5, written=MADE - 100, changed=MADE - 50):
    return ("f", 755, size, written, changed, path, "")


def machine(*entries, sums="", made=f"{MADE}\n{MADE}\n{MADE + 60}\n"):
    """A machine whose box has a list of one file."""
    return file_tree.read(
        {
            "listing": listing(*entries),
            "sums": sums,
            "made": made,
            "manifest": f"/usr/bin/x\t{OLD}\t5 {MADE - 100}.1234\t755 0 0\n/sbin/init\t-> /lib/systemd/systemd\n",
            "capabilities": "",
        }
    )


def test_what_nobody_touched_since_the_disk_was_made_has_the_digest_of_the_box_s_own_list():
    assert machine(file()).entries["/usr/bin/x"].digest == OLD


@pytest.mark.parametrize(
    "touched",
    [
        # An edit that keeps size and time, as `touch -r` does it: the time of the change itself is the kernel's.
        file(changed=MADE + 500),
        file(size=6),
        file(written=MADE - 99),
        file(path="/usr/bin/other"),
    ],
)
def test_what_was_touched_is_not_trusted(touched):
    found = machine(touched)
    assert found.unread == [touched[5]]
    assert isinstance(fact(found.facts(), "files", touched[5]), Unknown)


@pytest.mark.parametrize(
    "made",
    [
        f"{MADE}\n{MADE + 1}\n{MADE + 60}\n",  # somebody touched the reference
        f"{MADE}\n{MADE}\n{MADE - 60}\n",  # its clock is behind
        "",
        f"{MADE}\n",
    ],
)
def test_nothing_is_trusted_where_the_time_of_the_disk_is_in_doubt(made):
    assert machine(file(), made=made).unread == ["/usr/bin/x"]


def link(target):
    return ("l", 777, 1, MADE - 100, MADE + 500, "/sbin/init", target)


@pytest.mark.parametrize(
    ("entry", "sums", "changed"),
    [
        (file(), "", False),
        # Written again as it was, as a package manager does.
        (file(changed=MADE + 500), f"{OLD}  /usr/bin/x\0", False),
        (file(changed=MADE + 500), f"{NEW}  /usr/bin/x\0", True),
        (("f", 4755, 5, MADE - 100, MADE + 500, "/usr/bin/x", ""), f"{OLD}  /usr/bin/x\0", True),
        (("d", 755, 5, MADE - 100, MADE + 500, "/usr/bin/x", ""), "", True),
        # What cannot be read is not taken for what it was.
        (file(changed=MADE + 500), "", True),
        (file("/usr/bin/other", changed=MADE + 500), "", False),
        (link("/lib/systemd/systemd"), "", False),
        (link("/srv/own"), "", True),
    ],
)
def test_a_machine_tells_what_is_not_as_its_box_has_it(entry, sums, changed):
    facts = machine(entry, sums=sums).facts()
    assert list(facts[file_tree.ALTERED]) == [f"files\t{entry[5]}"] * changed


def test_what_was_read_counts_whatever_the_list_says():
    assert machine(file(), sums=f"{NEW}  /usr/bin/x\0").entries["/usr/bin/x"].digest == NEW


def test_every_kind_of_file_is_reported_with_its_mode_and_owner():
    found = file_tree.read(
        {
            "listing": listing(
                ("f", 4755, 1, 1, 1, "/bin/su", ""),
                ("d", 1777, 1, 1, 1, "/tmp", ""),
                ("l", 777, 1, 1, 1, "/bin/sh", "dash"),
                ("s", 600, 1, 1, 1, "/var/s", ""),
                ("c", 666, 1, 1, 1, "/null", ""),
            ),
            "sums": f"{OLD}  /bin/su\0",
            "mounted": "/tmp\ttmpfs tmpfs rw\n",
            "capabilities": "/bin/su\ncap_net_raw=ep\0\0\0\0envctl\n",
        }
    ).facts()
    assert found["files"] == {
        "/bin/su": f"mode 4755, owner 0:0, sha256 {OLD}, capability cap_net_raw=ep",
        "/tmp": "mode 1777, owner 0:0, folder, tmpfs mounted",
        "/bin/sh": "link to dash, owner 0:0",
        "/var/s": "mode 600, owner 0:0, socket",
        "/null": "mode 666, owner 0:0, character device",
    }
    assert found["unknown"] == {}


def test_what_a_small_stat_tells_means_the_same():
    found = file_tree.read(
        {
            "plain": "81ed 0 0 5 1 1 /bin/a b\n43ff 0 0 5 1 1 /tmp\na1ff 0 0 5 1 1 /bin/sh\n",
            "links": "'/bin/sh' -> 'busybox'\n",
            "sums": f"{OLD}  /bin/a b\n",
            "newlines": "/x\ny\0",
            "capabilities": "",
        }
    ).facts()
    assert found["files"] == {
        "/bin/a b": f"mode 755, owner 0:0, sha256 {OLD}",
        "/tmp": "mode 1777, owner 0:0, folder",
        "/bin/sh": "link to busybox, owner 0:0",
    }
    assert "line break" in found["unknown"]["files\t/x\ny"]


def test_what_cannot_be_listed_or_read_is_unknown_with_its_place():
    found = file_tree.read(
        {
            "listing": listing(("f", 600, 1, 1, 1, "/etc/key", "")),
            "denied": "find: '/root': Permission denied\nfind: '/x': No such file or directory\n",
        }
    ).facts()
    assert found["unknown"] == {
        "files\t/etc/key": "cannot be read (mode 600, owner 0:0)",
        "files\t/root": "cannot be listed: Permission denied",
        "files\tcapabilities of files": "neither GNU tar nor getcap is installed",
    }


def test_python_s_packages_are_found_wherever_they_are():
    found = file_tree.read(
        {
            "listing": listing(
                ("d", 755, 1, 1, 1, "/home/a/.local/lib/python3/My_Pkg-1.0.dist-info", "")
            )
        }
    ).facts()
    assert found["python"] == {"/home/a/.local/lib/python3: my-pkg": "1.0"}


def test_folders_of_npm_are_found_but_not_those_inside_of_packages():
    paths = ["/home/a/node_modules", "/home/a/node_modules/b/node_modules", "/srv/x"]
    assert file_tree.npm_folders(dict.fromkeys(paths)) == ["/home/a"]


def test_a_list_that_was_cut_off_is_not_a_list():
    with pytest.raises(ValueError, match="list of files"):
        file_tree.read({"listing": listing(file())[:-1]})


@given(st.dictionaries(
    st.sampled_from(["listing", "plain", "links", "denied", "sums", "made", "manifest", "mounted", "capabilities"]),
    st.text(max_size=60),
))  # fmt: skip
def test_whatever_is_told_of_files_is_read_or_refused(parts):
    try:
        found = file_tree.read(parts).facts()
    except ValueError:
        return
    assert all(isinstance(value, str) for values in found.values() for value in values.values())


def test_every_place_that_is_left_out_has_a_reason():
    assert all(place.reason for place in VOLATILE)
    assert len({place.pattern for place in VOLATILE}) == len(VOLATILE)


def test_a_path_as_a_pattern_matches_itself_alone():
    assert literally("/a[1]*?\\") == "/a\\[1\\]\\*\\?\\\\"
