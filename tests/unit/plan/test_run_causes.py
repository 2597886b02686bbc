"""What differs between two runs, in words."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.digest import run_text
from envctl.plan.model import (
    Kind,
    Mount,
    Port,
    Probe,
    ProbeKind,
    Process,
    Resources,
    Restart,
    Run,
    Secret,
    Volume,
)
from envctl.plan.run_causes import changed_fields, run_causes
from tests.support.plans import unit

PROBE = Probe(ProbeKind.HTTP, ("http://127.0.0.1/",), 5, 3, 3, 30)
WEB = Port(80, 8080)


def process(**changes):
    return replace(Process(("serve",), "web", "/srv", {}, ()), **changes)


def causes(old, new, **origins):
    wanted = replace(unit("web", origins=origins), run=new)
    return run_causes(wanted, run_text(old))


def said(old, new):
    """Each cause as a line; a warning follows it."""
    found = causes(old, new)
    return [f"{one.text} ! {one.warning}" if one.warning else one.text for one in found]


@pytest.mark.parametrize(
    ("field", "old", "new", "expected"),
    [
        ("process", process(), process(user="root"), ["user web → root ! runs as root"]),
        ("process", process(), process(user="0:0"), ["user web → 0:0 ! runs as root"]),
        ("process", process(), process(user=None), ["user web → as the image has it ! may run as root"]),
        ("process", process(user="root"), process(), ["user root → web"]),
        ("process", process(), process(argv=("serve", "-v")), ["command serve → serve -v"]),
        ("process", process(), process(argv=None), ["command serve → as the image has it"]),
        ("process", process(), process(workdir="/"), ["workdir /srv → /"]),
        ("process", process(env={"A": "1", "B": ""}), process(env={"B": "x y", "C": "2"}),
         ['env A "1" → unset', 'env B "" → "x y"', 'env C unset → "2"']),
        ("process", process(capabilities=("CHOWN",)), process(capabilities=("NET_ADMIN",)),
         ["capability NET_ADMIN added ! more privileges", "capability CHOWN removed"]),
        ("ports", (WEB,), (Port(80, 8081),), ["port 8080 → 8081"]),
        ("ports", (WEB,), (Port(80, 8080, "0.0.0.0"),), ["port 8080 is now public ! other machines can reach it"]),
        ("ports", (Port(80, 8080, "0.0.0.0"),), (WEB,), ["port 8080 is no longer public"]),
        ("ports", (WEB,), (Port(80, 8081, "0.0.0.0"),),
         ["port 8080 → 8081", "port 8081 is now public ! other machines can reach it"]),
        ("ports", (WEB,), (Port(90, 8080),), ["port 8080 leads to port 80 → 90 inside"]),
        ("ports", (WEB,), (Port(80),), ["port 8080 → any free port for port 80 inside"]),
        ("ports", (), (Port(53, 5353, "0.0.0.0", "udp"),),
         ["port 5353/udp added, leads to port 53 inside", "port 5353/udp is now public ! other machines can reach it"]),
        ("ports", (WEB, Port(90)), (), ["port 8080 removed", "port 90 (at any free port of the host) removed"]),
        ("ports", (Port(80, 8080), Port(80, 8081)), (Port(80, 8080), Port(80, 8081, "0.0.0.0")),
         ["port 8081 is now public ! other machines can reach it"]),
        ("ports", (WEB, Port(90, 9090)), (Port(90, 9090), WEB), ["ports in another order"]),
        ("ports", (Port(80, 8080, "192.0.2.1"),), (Port(80, 8080, "192.0.2.2"),),
         ["port 8080 at 192.0.2.1 → 192.0.2.2 ! other machines can reach it"]),
        ("ports", (Port(80, 8080, "::1"),), (WEB,), ["port 8080 at ::1 → 127.0.0.1"]),
        ("ports", (Port(80, 8080, "localhost"),), (WEB,), ["port 8080 at localhost → 127.0.0.1"]),
        ("ports", (WEB,), (Port(80, 8080, "host.example"),),
         ["port 8080 is now public ! other machines can reach it"]),
        ("ports", (WEB,), (Port(80, 8080, "::10"),), ["port 8080 is now public ! other machines can reach it"]),
        ("ports", (WEB,), (Port(80, 8080, "::1f"),), ["port 8080 is now public ! other machines can reach it"]),
        ("ports", (Port(53, 53, protocol="udp"),), (Port(53, 54, protocol="udp"),), ["port 53 → 54/udp"]),
        ("ports", (Port(53, 53),), (Port(53, 53, protocol="udp"),),
         ["port 53/udp added, leads to port 53 inside", "port 53 removed"]),
        ("ports", (Port(80, 0), Port(90, 9090)), (Port(80, 8080), Port(90, 0)),
         ["port any free port → 8080 for port 80 inside", "port 9090 → any free port for port 90 inside"]),
        ("ports", (Port(80, 0),), (Port(90, 0),),
         ["port 90 (at any free port of the host) added, leads to port 90 inside",
          "port 80 (at any free port of the host) removed"]),
        ("mounts", (Mount("/a", "/app"),), (Mount("/usr", "/app"),),
         ["mount at /app /a → /usr ! reaches into this host's system"]),
        ("mounts", (), (Mount("/srv/run/crio.sock", "/c"), Mount("/srv/docker.socket", "/d"), Mount("/etc/x", "/e")),
         ["mount /srv/run/crio.sock → /c added ! can control this host",
          "mount /srv/docker.socket → /d added", "mount /etc/x → /e added"]),
        ("mounts", (), (Mount("/srv/app", "/app", read_only=True),), ["mount /srv/app → /app added (read-only)"]),
        ("mounts", (), (Mount("/var/run/docker.sock", "/d"),),
         ["mount /var/run/docker.sock → /d added ! can control this host"]),
        ("mounts", (), (Mount("/etc", "/host"),), ["mount /etc → /host added ! reaches into this host's system"]),
        ("mounts", (Mount("/a", "/app", read_only=True),), (Mount("/b", "/app"),),
         ["mount at /app /a → /b", "mount /app read-only → writable"]),
        ("mounts", (Mount("/a", "/app"),), (), ["mount /a → /app removed"]),
        ("volumes", (Volume("data", "/data"),), (Volume("data", "/var/data"),), ["volume data at /data → /var/data"]),
        ("volumes", (Volume("a", "/data"),), (Volume("b", "/data", read_only=True),),
         ["volume b → /data added", "volume a → /data removed"]),
        ("volumes", (Volume("a", "/data"),), (Volume("a", "/data", read_only=True),), ["volume a writable → read-only"]),
        ("secrets", (Secret("key", "/k", "aa"), Secret("old", "/o", "")), (Secret("key", "/l", "bb"), Secret("new", "/n", "")),
         ["secret key at /k → /l", "secret key changed", "secret new added", "secret old removed"]),
        ("probe", None, PROBE, ["healthcheck added"]),
        ("probe", PROBE, None, ["healthcheck removed"]),
        ("probe", PROBE, replace(PROBE, interval=0.5, timeout=10, start_period=0, retries=5),
         ["healthcheck every 5 s → 0.5 s", "healthcheck timeout 3 s → 10 s",
          "healthcheck start period 30 s → 0 s", "healthcheck retries 3 → 5"]),
        ("probe", PROBE, replace(PROBE, kind=ProbeKind.TCP, test=("127.0.0.1", "80")),
         ["healthcheck http http://127.0.0.1/ → tcp 127.0.0.1 80"]),
        ("restart", Restart.NO, Restart.ALWAYS, ["restart no → always"]),
        ("resources", Resources(), Resources(0.5, 128 * 1024**2),
         ["memory unlimited → 128 MiB", "cpus unlimited → 0.5"]),
        ("resources", Resources(memory=64 * 1024**2), Resources(), ["memory 64 MiB → unlimited"]),
        ("aliases", ("web",), ("api",), ["network name api added", "network name web removed"]),
        ("options", {}, {"devices": ["/dev/fuse"]}, ['option devices "/dev/fuse" added ! reaches a device of this host']),
        ("options", {"dns": ["1.1.1.1"]}, {"dns": ["9.9.9.9"]}, ['option dns "9.9.9.9" added', 'option dns "1.1.1.1" removed']),
        ("options", {"dns": ["1.1.1.1"]}, {}, ['option dns "1.1.1.1" removed']),
        ("options", {}, {"privileged": True}, ["option privileged unset → true ! has all powers of root on this host"]),
        ("options", {}, {"network_mode": "host"}, ['option network_mode unset → "host" ! shares it with this host']),
        ("options", {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2, "d": ["x"]}}},
         ["option a b c 1 → 2", 'option a b d "x" added']),
        ("options", {"dns": ["1", "2"]}, {"dns": ["2", "1"]}, ["option dns in another order"]),
        ("options", {"dns": ["1"]}, {"dns": "1"}, ['option dns "1" changed']),
        ("options", {"sysctls": {"a": 1}}, {}, ["option sysctls a 1 → unset"]),
        ("options", {"sysctls": {}}, {}, ["option sysctls none → unset"]),
        ("options", {"privileged": True}, {"privileged": False}, ["option privileged true → false"]),
        ("options", {"gpus": "all"}, {}, ['option gpus "all" → unset']),
        ("options", {}, {"gpus": "all", "device_cgroup_rules": ["c 1:3 r"]},
         ['option device_cgroup_rules "c 1:3 r" added ! reaches a device of this host',
          'option gpus unset → "all" ! reaches a device of this host']),
        ("options", {}, {"cap_add": ["SYS_ADMIN"], "security_opt": ["seccomp=unconfined"]},
         ['option cap_add "SYS_ADMIN" added ! more privileges',
          'option security_opt "seccomp=unconfined" added ! more privileges']),
        ("options", {}, {"cgroupns": "host", "ipc": "host", "pid": "host", "userns_mode": "host", "uts": "host"},
         [f'option {one} unset → "host" ! shares it with this host'
          for one in ("cgroupns", "ipc", "pid", "userns_mode", "uts")]),
        ("options", {}, {"ipc": "private", "hostname": "host"},
         ['option hostname unset → "host"', 'option ipc unset → "private"']),
        ("options", {"network_mode": "none"}, {}, ['option network_mode "none" → unset']),
        ("options", {"sysctls": {"a": 1}}, {"sysctls": {"a": 2, "b": 3}},
         ["option sysctls a 1 → 2", "option sysctls b unset → 3"]),
        ("options", {"ulimits": {"nofile": 5}}, {"ulimits": {"nofile": {"soft": 1, "hard": 2}}},
         ["option ulimits nofile 5 → soft 1, hard 2"]),
    ],
)  # fmt: skip
def test_a_difference_is_reported_in_words(field, old, new, expected):
    assert said(replace(Run(), **{field: old}), replace(Run(), **{field: new})) == expected


def test_a_cause_has_the_place_that_set_it():
    public, port, env = (Place("envctl.yaml", line, 1) for line in (1, 2, 3))
    old = Run(ports=(WEB,))
    new = Run(process(env={"A": "1"}), ports=(Port(80, 8081, "0.0.0.0"),))
    places = {"ports.0.address": public, "ports.0": port, "process.env": env}

    found = {one.text: one.where for one in causes(old, new, **places)}

    assert found["port 8080 → 8081"] == port
    assert found["port 8081 is now public"] == public
    assert found['env A unset → "1"'] == env
    assert found["command as the image has it → serve"] == Place("envctl.yaml", 2, 3)


class AllPlaces(dict[str, Place]):
    """Every part of a unit was set at a place of its own, which is called as the part is."""

    def get(self, key, _default=None):
        return Place(key, 1, 1)


@pytest.mark.parametrize(
    ("field", "old", "new", "expected"),
    [
        ("process", process(), process(argv=("a",), user="b", workdir="/c", env={"D": "e"}, capabilities=("CHOWN",)),
         ["process.argv", "process.user", "process.workdir", "process.env.D", "process.capabilities"]),
        ("process", process(env={"A": "b"}, capabilities=("CHOWN",)), process(), ["process.env.A", "process.capabilities"]),
        ("ports", (WEB,), (Port(90, 90), Port(80, 8081, "0.0.0.0")), ["ports.1.host", "ports.1.address", "ports.0"]),
        ("ports", (WEB,), (Port(90, 90), Port(81, 8080)), ["ports.1", "ports.0"]),
        ("ports", (WEB,), (WEB, Port(90, 90, "0.0.0.0")), ["ports.1", "ports.1.address"]),
        ("ports", (WEB, Port(90, 90)), (WEB,), ["ports"]),
        ("ports", (WEB, Port(90, 90)), (Port(90, 90), WEB), ["ports"]),
        ("mounts", (Mount("/a", "/x"),), (Mount("/b", "/y"), Mount("/c", "/x", read_only=True)),
         ["mounts.0", "mounts.1.source", "mounts.1"]),
        ("mounts", (Mount("/a", "/x"),), (), ["mounts"]),
        ("volumes", (Volume("a", "/x"),), (Volume("b", "/y"), Volume("a", "/z", read_only=True)),
         ["volumes.b", "volumes.a.target", "volumes.a"]),
        ("volumes", (Volume("a", "/x"),), (), ["volumes"]),
        ("secrets", (Secret("a", "/x", "1"),), (Secret("b", "/y", "1"), Secret("a", "/z", "2")),
         ["secrets.0", "secrets.1", "secrets.1"]),
        ("secrets", (Secret("a", "/x", "1"),), (), ["secrets"]),
        ("probe", None, PROBE, ["probe"]),
        ("probe", PROBE, Probe(ProbeKind.TCP, ("127.0.0.1", "80"), 1, 1, 1, 1),
         ["probe.test", "probe.interval", "probe.timeout", "probe.start_period", "probe.retries"]),
        ("resources", Resources(), Resources(0.5, 128 * 1024**2), ["resources.memory", "resources.cpus"]),
        ("restart", Restart.NO, Restart.ALWAYS, ["restart"]),
        ("kind", Kind.SERVICE, Kind.TASK, ["kind"]),
        ("platform", "", "linux/arm64", ["platform"]),
        ("aliases", ("a",), ("b",), ["aliases", "aliases"]),
        ("options", {"dns": ["1"], "b": {"c": 1}}, {"dns": ["2"], "b": {"c": 2}, "d": 1},
         ["options.b.c", "options.d", "options.dns", "options.dns"]),
        ("options", {"dns": ["1", "2"]}, {"dns": ["2", "1"]}, ["options.dns"]),
    ],
)  # fmt: skip
def test_each_cause_has_the_place_of_just_the_part_that_differs(field, old, new, expected):
    wanted = replace(
        unit("web"), run=replace(Run(), **{field: new}), origins=AllPlaces({"x": Place("x", 1, 1)})
    )
    found = run_causes(wanted, run_text(replace(Run(), **{field: old})))
    assert [cause.where.file for cause in found] == expected


def test_two_long_values_are_shown_from_where_they_differ():
    start = "https://example.org/" + "a" * 80
    (line,) = said(Run(process(env={"A": f"{start}/1"})), Run(process(env={"A": f"{start}/2"})))

    assert line == 'env A …aaaaaaaaaaa/1" → …aaaaaaaaaaa/2"'


def test_a_script_that_differs_below_its_first_line_is_said_to_have_changed():
    scripts = (("/bin/sh", "-ec", f"set -u\nserve {port}") for port in (1, 2))

    assert said(*(Run(process(argv=argv)) for argv in scripts)) == ["command sh: set -u … changed"]


def test_a_run_that_an_earlier_envctl_recorded_differs_in_what_differs_only():
    recorded = {
        key: value for key, value in json.loads(run_text(Run())).items() if key != "aliases"
    }
    wanted = replace(unit("web"), run=Run(restart=Restart.ALWAYS))

    assert [one.text for one in run_causes(wanted, json.dumps(recorded))] == ["restart no → always"]
    same = replace(unit("web"), run=Run())
    assert [one.text for one in run_causes(same, json.dumps(recorded))] == [
        "it was created by another version of envctl"
    ]
    assert changed_fields(same, json.dumps(recorded))


def test_a_field_that_no_rule_is_about_is_reported_as_it_is():
    recorded = {**json.loads(run_text(Run())), "flavour": "sweet"}

    (cause,) = run_causes(replace(unit("web"), run=Run()), json.dumps(recorded))

    assert cause.text == 'flavour "sweet" → unset'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([item.name for item in fields(Run)]), JSON) | JSON)
def test_whatever_stands_in_a_label_gives_causes_that_each_fit_on_a_line(recorded):
    found = run_causes(unit("web", probe=PROBE, ports=(WEB,)), json.dumps(recorded))

    assert found
    assert all(one.text.isprintable() for one in found)
    assert changed_fields(unit("web"), json.dumps(recorded))


RUNS = st.builds(
    Run,
    st.builds(
        Process,
        st.none() | st.lists(st.text(max_size=5), min_size=1, max_size=4).map(tuple),
        st.none() | st.sampled_from(["root", "web", "0", "a b"]),
        st.none() | st.sampled_from(["/", "/srv"]),
        st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=70), max_size=2),
        st.lists(st.sampled_from(["CHOWN", "NET_ADMIN"]), unique=True).map(tuple),
    ),
    ports=st.lists(
        st.builds(
            Port,
            st.sampled_from([80, 81]),
            st.sampled_from([0, 8080, 8081]),
            st.sampled_from(["127.0.0.1", "0.0.0.0"]),
            st.sampled_from(["tcp", "udp"]),
        ),
        max_size=3,
    ).map(tuple),
    mounts=st.lists(
        st.builds(Mount, st.sampled_from(["/a", "/b"]), st.sampled_from(["/x", "/y"]), st.booleans()),
        max_size=2,
        unique_by=lambda one: one.target,
    ).map(tuple),
    restart=st.sampled_from(Restart),
    resources=st.builds(Resources, st.none() | st.sampled_from([0.5, 1.0]), st.none() | st.sampled_from([1024, 2048])),
    options=st.dictionaries(st.sampled_from(["dns", "init"]), JSON, max_size=2),
)  # fmt: skip


@given(RUNS, RUNS)
def test_every_field_that_differs_has_a_cause_and_no_other_has(old, new):
    wanted = replace(unit("web"), run=new)
    if run_text(old) == run_text(new):
        return
    found = run_causes(wanted, run_text(old))
    told = changed_fields(wanted, run_text(old))
    alone = [
        cause
        for name in told
        for cause in run_causes(wanted, run_text(replace(new, **{name: getattr(old, name)})))
    ]

    assert sorted(found, key=str) == sorted(set(alone), key=str)
    assert all(one.text.isprintable() for one in found)


@given(RUNS, RUNS)
def test_what_opens_a_unit_to_others_is_always_marked(old, new):
    marked = {one.warning for one in causes(old, new)}

    if new.process.user in ("root", "0") and new.process.user != old.process.user:
        assert "runs as root" in marked
    if set(new.process.capabilities) - set(old.process.capabilities):
        assert "more privileges" in marked
    if any(port.address == "0.0.0.0" and port not in old.ports for port in new.ports):
        public = {(one.container, one.protocol) for one in old.ports if one.address == "0.0.0.0"}
        opened = {(one.container, one.protocol) for one in new.ports if one.address == "0.0.0.0"}
        if not public and opened:
            assert "other machines can reach it" in marked


@pytest.mark.parametrize(
    "folder",
    ["/", "/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/usr", "/var", "/var/run"],
)
def test_each_folder_of_the_hosts_system_is_marked(folder):
    (line,) = said(Run(), Run(mounts=(Mount(folder, "/x"),)))
    assert line == f"mount {folder} → /x added ! reaches into this host's system"


@pytest.mark.parametrize(
    "socket", ["docker.sock", "podman.sock", "containerd.sock", "crio.sock", "libvirt-sock"]
)
def test_each_engines_socket_is_marked(socket):
    (line,) = said(Run(), Run(mounts=(Mount(f"/run/{socket}", "/x"),)))
    assert line.endswith("! can control this host")


def test_what_differs_in_a_part_that_no_rule_is_about_is_told_whichever_side_has_it():
    run = Run(probe=PROBE, resources=Resources(0.5), volumes=(Volume("data", "/data"),))
    recorded = json.loads(run_text(run))
    recorded["probe"] |= {"start_period": 5, "grace": 7}
    recorded["resources"]["disk"] = 5
    recorded["volumes"][0]["flavour"] = "sweet"
    wanted = replace(unit("web"), run=run)
    found = run_causes(wanted, json.dumps(recorded))
    assert [one.text for one in found] == [
        'volume data flavour "sweet" → unset',
        "healthcheck start period 5 s → 30 s",
        "healthcheck grace 7 → unset",
        "limit disk 5 → unset",
    ]


def test_a_part_in_another_form_is_said_to_have_changed_and_the_rest_is_reported():
    recorded = {**json.loads(run_text(Run())), "ports": [5], "restart": "always"}
    found = run_causes(replace(unit("web"), run=Run(ports=(WEB,))), json.dumps(recorded))
    assert [one.text for one in found] == ["ports changed", "restart always → no"]


@pytest.mark.parametrize("recorded", ["", "{", "[]", "7", "[" * 100_000])
def test_a_record_that_cannot_be_read_makes_everything_differ(recorded):
    one = unit("web")
    assert [(cause.text, cause.where) for cause in run_causes(one, recorded)] == [
        ("it was created with other settings", one.where)
    ]
    assert changed_fields(one, recorded) == {"everything"}


def test_the_fields_that_differ_are_reported_and_everything_where_none_does():
    one = replace(unit("web"), run=Run(restart=Restart.ALWAYS, ports=(WEB,)))
    assert changed_fields(one, run_text(Run())) == {"restart", "ports"}
    assert changed_fields(one, run_text(one.run)) == {"everything"}
    gone = {**json.loads(run_text(one.run)), "flavour": "sweet"}
    assert changed_fields(one, json.dumps(gone)) == {"flavour"}
