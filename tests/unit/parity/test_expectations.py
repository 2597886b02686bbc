"""How many claims there are hangs on the plan alone; packages' files, and files that nobody's spec put there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from importlib.resources import files as resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.parity import parse_facts
from envctl.parity.drift import package_files, unit_verifier
from envctl.parity.drift.verification import Verification
from envctl.parity.fact_format import UNKNOWN, fact_id
from envctl.plan.model import (
    Check,
    CopyFiles,
    CreateUser,
    Hooks,
    InstallPackages,
    NpmInstall,
    PipInstall,
    Port,
    Process,
    Resources,
    Secret,
    WriteFile,
)
from tests.support.plans import plan, script, unit
from tests.support.taken import tree

AT = Place("envctl.yaml", 9, 5)
PASSWD = "uid 20001, gid 20001, /home/web, /bin/sh"
FULL = {
    "packages": {"curl": "1 amd64", "bash": "5 amd64"},
    "provides": {"awk": ""},
    "removed": {"vim": "2026-01-01 00:00:00"},
    "times": {"/.dockerenv": "100 100", "/srv/page.txt": "150 150", "/var/lib/dpkg/status": "150 150"},
    "users": {"web": PASSWD, "root": "uid 0, gid 0, /root, /bin/sh"},
    "groups": {"web": "gid 20001"},
    "process": {"uid": "20001", "argv": '["app"]', "no new privileges": "1", "capabilities at most": "0"},
    "environment": {"LEVEL": "debug"},
    "exec_environ": {"LEVEL": "debug"},
    "limits": {"memory": "1048576", "processors": "0.5"},
    "sockets": {"tcp 0.0.0.0:8000": "uid 1"},
    "names": {"db": "known"},
    "tools": {"getent": ""},
    "files": {"/srv/page.txt": "mode 644, owner 0:0, sha256 77"},
    "gone": {},
    "secrets": {"/run/secrets/token": "mode 400, owner 20001:1", "/run/secrets/token digest": "77"},
    "python": {"/opt/web/lib/python3.11/site-packages: flask": "3.1"},
    "npm": {"/srv: left": "1.0.0 x"},
    "changed": {"/usr/bin/env": "mode 4755, owner 0:0, of coreutils"},
    "lost": {"/usr/bin/perl": ""},
}  # fmt: skip
STEPS = (
    InstallPackages(("awk", "curl", "less-", "vim=2"), AT),
    CreateUser("web", 20001, "/home/web", AT),
    CopyFiles("page.txt", "/srv/page.txt", "0", tree=tree("page.txt"), where=AT),
    WriteFile("/etc/app.conf", "x", where=AT),
    PipInstall("/opt/web", packages=("flask==3.1", "click"), where=AT),
    NpmInstall(packages=("left@1.0.0", "right"), where=AT),
)


def everything(**changes):
    one = unit(
        "web",
        *STEPS,
        *([script("make")] if changes.pop("scripted", False) else []),
        ports=(Port(8000), Port(53, protocol="udp")),
        secrets=(Secret("token", "/run/secrets/token"), Secret("key", "/etc/key")),
        resources=Resources(0.5, 1048576),
    )
    process = Process(("app",), changes.pop("user", "web"), "/", {"LEVEL": "debug", "B": "1"})
    return replace(
        one, run=replace(one.run, process=process), checks=(Check("it", ("true",)),), **changes
    )


class Unmasked:
    def masked(self, text):
        return text

    def masked_bytes(self, data):
        return data


def verifier(one, root, running=("web", "db")):
    decided = plan(one, unit("db"))
    decided = replace(decided, scope=replace(decided.scope, root=str(root)))
    there = [found for found in decided.units if found.name in running]
    return unit_verifier.UnitVerifier(decided, None, there, "key", {"token": "77"}, Unmasked())


def held(one, told, root, **options):
    return list(verifier(one, root, **options)._held(one, told))


UNITS = [
    everything(),
    everything(user="root"),
    everything(user=None),
    everything(user="1000:1000"),
    everything(scripted=True),
    everything(hooks=Hooks((("migrate",),))),
    unit("web", image="redis:7"),
]


@st.composite
def tellings(draw):
    """Facts of which some are lost, some unknown, and some are anything else."""
    told = {}
    unknown = {}
    for category, values in FULL.items():
        kept = {key: value for key, value in values.items() if draw(st.booleans())}
        if draw(st.booleans()):
            kept |= {key: draw(st.text(max_size=6)) for key in kept if draw(st.booleans())}
        if draw(st.booleans()):
            told[category] = kept
        if draw(st.booleans()):
            unknown[fact_id(category, draw(st.sampled_from(["", *values])))] = "so"
    if draw(st.booleans()):
        told["gone"] = {"/srv/page.txt": ""}
    return {**told, UNKNOWN: unknown} if unknown else told


def _is_sound(told):
    """Whether numbers are numbers, as readers leave them."""
    numbers = told.get("process", {}).get("capabilities at most", "0")
    times = told.get("times", {}).values()
    return all(len(one.split()) == 2 and one.replace(" ", "").isdigit() and one.isascii() for one in times) and (
        bool(numbers) and all(char in "0123456789abcdef" for char in numbers)
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "page.txt").write_text("hello")
    return folder


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.sampled_from(UNITS), tellings().filter(_is_sound), st.booleans())
def test_there_are_as_many_claims_whatever_is_reported(root, one, told, runs):
    subjects = [(expectation.category, expectation.key) for expectation in held(one, FULL, root)]
    running = ("web", "db") if runs else ("web",)

    assert [
        (expectation.category, expectation.key)
        for expectation in held(one, told, root, running=running)
    ] == subjects


@pytest.mark.parametrize("one", UNITS)
def test_nothing_holds_of_what_tells_nothing(root, one):
    expectations = held(one, unit_verifier.nothing_told("it is exited"), root)

    assert expectations
    assert {expectation.unchecked for expectation in expectations} == {"it is exited"}
    assert all(
        expectation.message == "cannot be checked: it is exited" for expectation in expectations
    )
    assert all(expectation.hint for expectation in expectations)


def test_what_cannot_be_checked_is_counted_and_found():
    one = everything()
    expectations = held(one, unit_verifier.nothing_told("it is exited"), "/nowhere")
    found = Verification("dev@docker", ["web"], expectations)

    assert found.expectation_counts == {"web": len(expectations)}
    assert found.passed_counts == {"web": 0}
    assert len(found.findings) == len(expectations)


# --- files of packages, and others


def told(changed=(), lost=(), users=("web",)):
    return {
        "times": {"/.dockerenv": "100 100"},
        "users": dict.fromkeys(users, PASSWD),
        "process": {"uid": "20001"} if users else {},
        "changed": dict(changed),
        "lost": dict.fromkeys(lost, ""),
    }


def said(one, facts):
    return [
        f"{detail.key}: {detail.observed}"
        for expectation in package_files.expectations(one, facts)
        for detail in expectation.findings
    ]


OWNED, PACKAGED = "mode 644, owner 0:0, nobody's", "mode 755, owner 0:0, of coreutils"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/usr/bin/env", PACKAGED, ["/usr/bin/env: changed since it was created"]),
        ("/usr/bin/env", "mode 4755, owner 0:0, of coreutils", ["/usr/bin/env: changed since it was created, setuid"]),
        ("/usr/bin/env", "mode 2755, owner 0:0, of coreutils", ["/usr/bin/env: changed since it was created, setgid"]),
        ("/usr/local/bin/evil", "mode 4755, owner 0:0, nobody's", ["/usr/local/bin/evil: changed or added since it was created, setuid"]),
        ("/root/.profile", OWNED, ["/root/.profile: changed or added since it was created"]),
        # Its mode and owner are of after the change, and hide nothing.
        ("/usr/bin/env", "mode 777, owner 0:0, of coreutils", ["/usr/bin/env: changed since it was created"]),
        ("/usr/bin/env", "mode 755, owner 20001:1, of coreutils", ["/usr/bin/env: changed since it was created"]),
        ("/usr/local/bin/sh", "mode 4777, owner 0:0, nobody's", ["/usr/local/bin/sh: changed or added since it was created, setuid"]),
        ("/usr/local/bin/wc", "mode 777, owner 0:0, nobody's", ["/usr/local/bin/wc: changed or added since it was created"]),
        ("/etc/passwd", "mode 777, owner 0:0, nobody's", ["/etc/passwd: changed or added since it was created"]),
        ("/etc/shadow", "mode 644, owner 20001:1, nobody's", ["/etc/shadow: changed or added since it was created"]),
        ("/etc/redis.conf", "mode 640, owner 20001:1, of redis", []),
        # The program's own, or anybody's.
        ("/srv/upload", "mode 644, owner 20001:20001, nobody's", []),
        ("/srv/shared", "mode 666, owner 0:0, nobody's", []),
        # The spec's own files have claims of their own; secrets are linked where they are wanted.
        ("/srv/page.txt", OWNED, []),
        ("/etc/key", "mode 777, owner 0:0, nobody's", []),
        # Of the engine, or of somebody's look around.
        ("/etc/hosts", OWNED, []),
        ("/var/log/x", OWNED, []),
        ("/root/.bash_history", OWNED, []),
        ("/usr/lib/python3/__pycache__/x.pyc", OWNED, []),
        ("/x", "words", []),
    ],
)  # fmt: skip
def test_files_that_were_changed_since_are_found_unless_the_spec_can_have_caused_it(path, text, expected):  # fmt: skip
    assert said(everything(), told({path: text})) == expected


def test_root_may_do_nearly_anything_but_rewrite_what_packages_brought():
    found = told(
        {
            "/opt/x": OWNED,
            "/opt/sh": "mode 4755, owner 0:0, nobody's",
            "/usr/bin/env": PACKAGED,
            "/etc/nginx.conf": PACKAGED,
        }
    )

    assert said(everything(user="root"), found) == [
        "/usr/bin/env: changed since it was created",
        "/opt/sh: changed or added since it was created, setuid",
    ]
    hooked = everything(user="root", hooks=Hooks((("apt-get", "upgrade"),)))
    assert said(hooked, told({"/usr/bin/env": PACKAGED}, ["/usr/bin/perl"])) == []


def test_files_of_packages_that_are_gone_are_found():
    assert said(everything(), told(lost=["/usr/bin/perl", "/var/cache/x"])) == [
        "/usr/bin/perl: missing"
    ]


def test_where_the_users_are_gone_the_number_that_the_build_gave_counts():
    found = told({"/opt/x": OWNED, "/srv/own": "mode 644, owner 20001:1, nobody's"}, users=())

    assert said(everything(), found) == ["/opt/x: changed or added since it was created"]


def test_files_of_a_package_that_was_installed_since_are_reported_with_the_package_only():
    facts = told(
        {
            "/usr/bin/nmap": "mode 755, owner 0:0, of nmap",
            "/usr/bin/env": PACKAGED,
            "/etc/alternatives/pager": OWNED,
        }
    )
    facts["times"]["/var/lib/dpkg/info/nmap.list"] = "150 150"

    assert said(everything(), facts) == ["/usr/bin/env: changed since it was created"]


def test_many_files_are_reported_in_short():
    found = said(everything(), told({f"/opt/{number:02}": OWNED for number in range(50)}))

    assert len(found) == 21
    assert found[-1] == "others: 30 more were changed since"


def test_what_packages_name_by_the_folder_before_it_became_a_link_is_theirs():
    lines = "755 0 0 regular file\t/usr/bin/env\n644 0 0 regular empty file\t/opt/x\npackaged coreutils:amd64.list:/bin/env\npackaged x.list:/opt/y\n"
    mark = "0123456789abcdef"
    found = parse_facts.facts(f"{mark}:changed\0{lines}{mark}:end\0".encode(), mark, [("changed", "all")])  # fmt: skip

    assert found["changed"] == {
        "/usr/bin/env": "mode 755, owner 0:0, of coreutils",
        "/opt/x": "mode 644, owner 0:0, nobody's",
    }


@pytest.mark.slow
def test_the_script_knows_when_nobody_can_tell_what_was_changed():
    """This host is no unit: nothing here came to be when one was made."""
    if any(os.path.exists(path) for path in ("/.dockerenv", "/etc/ssh/ssh_host_ed25519_key")):  # noqa: PTH110
        source_says = ""
    else:
        source_says = "it is unknown when the unit was created"
    mark = "0123456789abcdef"
    source = (resources("envctl.parity") / "collect.sh").read_text()
    done = subprocess.run(
        ["/bin/sh", "-c", source, "facts"],
        input=f"{mark}\nkey\nlost\tall\n".encode(),
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    found = parse_facts.facts(done.stdout, mark, [("lost", "all")])
    assert found.get(UNKNOWN, {}).get(fact_id("lost", ""), "") == source_says


@pytest.mark.parametrize("blank", ["", " ", "\r", "\t\n"])
@pytest.mark.parametrize("category", sorted(FULL))
def test_values_that_are_blank_are_no_fault_of_ours(root, category, blank):
    facts = {**FULL, category: dict.fromkeys(FULL[category], blank)}
    for each in UNITS:
        if _is_sound(facts):
            assert held(each, facts, root)
