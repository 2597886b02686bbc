"""Drift: each kind is found with the line that declares it, and what the spec itself can have caused is none."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from importlib.resources import files as resources
from types import SimpleNamespace

import pytest

from envctl.backends.base import Capabilities
from envctl.errors import EnvctlError, Place
from envctl.host.source_tree import EntryKind, SourceEntry, SourceTree
from envctl.parity import parse_facts
from envctl.parity.drift import files as file_rules
from envctl.parity.drift import libraries as library_rules
from envctl.parity.drift import packages as package_rules
from envctl.parity.drift import process as process_rules
from envctl.parity.drift import run_checks, unit_verifier, units
from envctl.parity.drift.expectation import Expectation
from envctl.parity.drift.verification import Verification, to_json
from envctl.parity.fact_format import UNKNOWN
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import (
    Check,
    CopyFiles,
    CreateUser,
    Hooks,
    InstallPackages,
    NpmInstall,
    PipInstall,
    Port,
    Probe,
    ProbeKind,
    Process,
    Resources,
    Secret,
    Volume,
    WriteFile,
)
from envctl.plan.state import Drift, Health, Status
from tests.support.plans import made, plan, script, unit
from tests.support.taken import entry

AT = Place("envctl.yaml", 9, 5)
CURL = InstallPackages(("curl",), AT)
MADE = {"/.dockerenv": "100 100"}
WEB = "uid 20001, gid 20001, /home/web, /usr/sbin/nologin"


def said(expectations):
    """What is wrong as people see it, without the unit."""
    return [
        f"{one.category} {one.key}: {one.message} ({one.where})"
        for expectation in expectations
        for one in expectation.findings
        if not one.unchecked
    ]


def unchecked(expectations):
    """What cannot be checked."""
    return [f"{one.category} {one.key}: {one.unchecked}" for one in expectations if one.unchecked]


def only(told):
    """Facts of which those categories that a test does not speak of are unknown."""
    unknown = unit_verifier.nothing_told("not asked")[UNKNOWN]
    asked = {category for category in told if told[category] is not None}
    rest = {one: why for one, why in unknown.items() if one.partition("\t")[0] not in asked}
    return {**told, UNKNOWN: {**rest, **told.get(UNKNOWN, {})}}


def of(rule):
    return lambda one, told, **more: rule(one, only(told), **more)


packages = SimpleNamespace(expectations=of(package_rules.expectations))
libraries = SimpleNamespace(expectations=of(library_rules.expectations))
files = SimpleNamespace(expectations=of(file_rules.expectations), secrets=of(file_rules.secrets))
process = SimpleNamespace(expectations=of(process_rules.expectations))


def web(*steps, user="web", origins=None, **run):
    """A unit that runs as `web`."""
    process = run.pop("process", Process(("app",), user, "/srv"))
    made = unit("web", *steps, origins=origins, **run)
    return replace(made, run=replace(made.run, process=process))


# --- packages


def installed(*names, times=None, **more):
    found = {"packages": dict.fromkeys(names, "1.0-1 amd64"), "times": {**MADE, **(times or {})}}
    return {"provides": {}, "removed": {}, **found, **more}


STATUS_NOW = {"/var/lib/dpkg/status": "150 150"}


def test_a_package_that_is_declared_and_not_installed_is_found():
    assert said(packages.expectations(web(CURL), installed("bash"))) == [
        "packages curl: declared, not installed (envctl.yaml:9:5)"
    ]
    assert said(packages.expectations(web(CURL), installed("curl"))) == []


def test_a_package_that_is_only_half_there_is_found():
    told = {"packages": {"curl": "1.0-1 amd64 half-configured"}}
    assert said(packages.expectations(web(CURL), told)) == [
        "packages curl: declared installed, found half-configured (envctl.yaml:9:5)"
    ]


def test_a_package_that_another_provides_is_installed():
    told = installed("mawk", provides={"awk": ""})
    assert said(packages.expectations(web(InstallPackages(("awk",), AT)), told)) == []


def test_a_version_in_the_spec_must_be_that_version():
    step = InstallPackages(("curl=7.88-1",), AT)
    assert said(packages.expectations(web(step), installed("curl"))) == [
        "packages curl: declared 7.88-1, found 1.0-1 (envctl.yaml:9:5)"
    ]
    assert (
        said(packages.expectations(web(InstallPackages(("curl=1.0-1",), AT)), installed("curl")))
        == []
    )


def test_a_package_that_the_build_may_have_removed_is_none_unless_it_was_removed_since():
    steps = (CURL, script("apt-get purge curl"))

    def found(when):
        told = installed("bash", times=STATUS_NOW, removed={"curl": when, "vim": "1970-01-01 00:02:30"})  # fmt: skip
        return [one for one in said(packages.expectations(web(*steps), told)) if "curl" in one]

    assert said(packages.expectations(web(*steps), installed("bash"))) == []
    assert found("1970-01-01 00:00:50") == []
    assert found("1970-01-01 00:02:30") == [
        "packages curl: declared, not installed (envctl.yaml:9:5)"
    ]


def test_packages_changed_by_hand_are_found_once():
    told = installed(
        "curl",
        "nmap",
        times={
            **STATUS_NOW,
            "/var/lib/dpkg/info/nmap.list": "150 150",
            "/var/lib/dpkg/info/libc6:amd64.list": "150 150",
            "/var/lib/dpkg/info/curl.list": "99 90",
        },
        removed={"vim": "1970-01-01 00:02:30", "gcc": "1970-01-01 00:00:50", "nmap": "1970-01-01 00:02:20"},
    )  # fmt: skip
    assert said(packages.expectations(web(CURL), told)) == [
        "packages libc6: declared as it was built, found removed since (envctl.yaml:9:5)",
        "packages nmap: declared as it was built, found 1.0-1, installed since (envctl.yaml:9:5)",
        "packages vim: declared as it was built, found removed since (envctl.yaml:9:5)",
    ]
    told = installed("curl", times=STATUS_NOW)
    assert said(packages.expectations(web(CURL), told)) == [
        "packages dpkg: declared as it was built, found its records were changed since (envctl.yaml:9:5)"
    ]


def test_what_a_hook_of_root_installs_is_not_drift():
    told = installed("curl", times=STATUS_NOW)
    hooked = replace(web(CURL, user="root"), hooks=Hooks((("apt-get", "install"),)))
    assert said(packages.expectations(hooked, told)) == []


def test_packages_that_nobody_can_tell_of_cannot_be_checked():
    assert unchecked(packages.expectations(web(CURL), {})) == [
        "packages curl: not asked",
        "packages others: not asked",
    ]
    # Nobody knows when the unit was made.
    told = {"packages": {"curl": "1 all"}, "times": {"/var/lib/dpkg/info/curl.list": "150 150"}}
    assert said(packages.expectations(web(CURL), told)) == []


# --- pip and npm

PIP = PipInstall("/opt/web", "/srv/requirements.txt", ("flask==3.1",), AT)
FOLDER = "/opt/web/lib/python3.11/site-packages"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "Jinja_2==3.1.4 \\\n    --hash=sha256:0\nclick>=8 # so\n-r other\nx @ https://y\n"
        'tomli==2; python_version < "3"\n'
    )
    (tmp_path / "page.txt").write_text("hello")
    (tmp_path / "page.txt").chmod(0o644)
    return tmp_path


def copy(source="requirements.txt", target="/srv/", **options):
    options.setdefault("tree", SourceTree(source, (entry("", "hello"),)))
    return CopyFiles(source, target, "0", where=AT, **options)


def test_pinned_python_packages_are_held_against_their_pins(root):
    found = {"flask": "3.1.0", "jinja-2": "3.1.5", "other": "1"}
    told = {"python": {f"{FOLDER}: {name}": version for name, version in found.items()}}
    assert said(libraries.expectations(web(copy(), PIP), told, root=root)) == [
        "python /opt/web: Jinja_2: declared 3.1.4, found 3.1.5 (envctl.yaml:9:5)",
        "python /opt/web: click: declared, not installed (envctl.yaml:9:5)",
    ]


def test_what_later_steps_may_have_changed_is_not_judged(root):
    told = {"python": {f"{FOLDER}: flask": "2.0", f"{FOLDER}: jinja-2": "1", f"{FOLDER}: click": "8"}}  # fmt: skip
    upgrade = PipInstall("/opt/web", packages=("flask",), where=AT)
    assert said(libraries.expectations(web(copy(), PIP, upgrade), told, root=root)) == []
    assert said(libraries.expectations(web(copy(), PIP, script("pip …")), {}, root=root)) == []
    covered = web(copy(), PIP, volumes=(Volume("venv", "/opt/web"),))
    assert said(libraries.expectations(covered, {}, root=root)) == []


def test_versions_that_have_several_spellings_are_not_judged(root):
    step = PipInstall("/opt/web", packages=("torch==2.0", "a==1.0rc1", "b==2.*"), where=AT)
    told = {"python": {f"{FOLDER}: torch": "2.0.0+cpu", f"{FOLDER}: a": "1.0.rc1", f"{FOLDER}: b": "2.5"}}  # fmt: skip
    assert said(libraries.expectations(web(step), told, root=root)) == []


def test_npm_packages_that_are_missing_or_of_another_version_are_found(root):
    (root / "package.json").write_text('{"dependencies": {"left": "^1", "right": "^2"}}')
    steps = (
        copy("package.json", "/srv/package.json"),
        NpmInstall("/srv", where=AT),
        NpmInstall(packages=("serve@14.2.0", "@vue/cli", "https://x/y.tgz"), where=AT),
    )
    told = {"npm": {"/srv: left": "1.0.0 sha512-x", "/usr/lib: serve": "14.2.1"}}
    assert said(libraries.expectations(web(*steps), told, root=root)) == [
        "npm /srv: right: declared, not installed (envctl.yaml:9:5)",
        "npm serve: declared 14.2.0, found 14.2.1 (envctl.yaml:9:5)",
        "npm @vue/cli: declared, not installed (envctl.yaml:9:5)",
    ]


# --- files

HELLO = hashlib.sha256(b"hello").hexdigest()


def file(text=f"mode 644, owner 0:0, sha256 {HELLO}", *, times="150 150", path="/srv/page.txt"):
    known = {"users": {"web": WEB}, "groups": {"web": "gid 20001"}}
    return {"files": {path: text}, "times": {**MADE, path: times}, **known}


PAGE = copy("page.txt", "/srv/page.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mode 644, owner 0:0, sha256 77", "declared the content of page.txt, found different content"),
        (f"mode 666, owner 0:0, sha256 {HELLO}", "declared mode 644, found mode 666"),
        (f"mode 644, owner 20001:20001, sha256 {HELLO}", "declared owner 0, group 0, found owner 20001, group 20001"),
        ("mode 644, owner 0:0, folder", "declared a file, found a folder"),
        ("link to /x, owner 0:0", "declared a file, found a link"),
    ],
)  # fmt: skip
def test_a_file_that_was_changed_since_is_found(root, text, expected):
    assert said(files.expectations(web(PAGE), file(text))) == [
        f"files /srv/page.txt: {expected} (envctl.yaml:9:5)"
    ]


@pytest.mark.parametrize("times", ["90 150", "100 100", "99 0"])
def test_a_file_as_old_as_its_unit_is_as_it_was_built(root, times):
    told = file("mode 600, owner 7:7, sha256 77", times=times)
    assert said(files.expectations(web(PAGE), told)) == []


def test_a_file_that_was_touched_only_is_as_it_was(root):
    assert said(files.expectations(web(PAGE), file())) == []
    assert said(files.expectations(web(PAGE), file("mode 644, owner 0:0, sha256 unreadable"))) == []  # fmt: skip


def test_a_file_that_a_later_step_may_have_changed_must_have_been_written_since(root):
    steps = (PAGE, script("sed -i s/a/b/ /srv/page.txt"))
    told = file("mode 600, owner 0:0, sha256 77", times="150 90")
    assert said(files.expectations(web(*steps), told)) == []
    told = file("mode 644, owner 0:0, sha256 77")
    assert len(said(files.expectations(web(*steps), told))) == 1
    # Of what is gone nobody can tell who has removed it.
    gone = {"gone": {"/srv/page.txt": ""}}
    assert said(files.expectations(web(*steps), gone)) == []
    assert said(files.expectations(web(PAGE), gone)) == [
        "files /srv/page.txt: declared, not present (envctl.yaml:9:5)"
    ]


def test_pip_and_npm_count_where_they_install_only(root):
    gone = {"gone": {"/srv/page.txt": ""}}
    for step in (PipInstall("/opt/venv", packages=("x",)), NpmInstall("/opt/app")):
        assert len(said(files.expectations(web(PAGE, step), gone))) == 1
    for step in (
        PipInstall("/srv", packages=("x",)),
        NpmInstall("/srv"),
        NpmInstall(packages=("x",)),
    ):
        assert said(files.expectations(web(PAGE, step), gone)) == []


def test_the_last_step_that_puts_a_file_there_counts(root):
    template = WriteFile("/srv/page.txt", "hello", owner="web", mode="0600", where=AT)
    told = file(f"mode 600, owner 20001:20001, sha256 {HELLO}")
    assert said(files.expectations(web(copy(), PAGE, template), told)) == []
    assert len(said(files.expectations(web(template, PAGE), told))) == 1


def test_what_a_volume_covers_or_a_hook_may_write_is_not_judged(root):
    told = file("mode 644, owner 20001:20001, sha256 77")
    assert said(files.expectations(web(PAGE, volumes=(Volume("d", "/srv"),)), told)) == []
    owned = copy("page.txt", "/srv/page.txt", owner="web")
    assert len(said(files.expectations(web(owned), told))) == 1
    hooked = replace(web(owned), hooks=Hooks((("migrate",),)))
    assert said(files.expectations(hooked, told)) == []
    assert said(files.expectations(hooked, {"gone": {"/srv/page.txt": ""}})) == []


def test_links_are_held_against_where_they_lead(root):
    (root / "link").symlink_to("page.txt")
    link = SourceEntry("link", EntryKind.LINK, digest="page.txt")
    step = copy(".", "/srv/", tree=SourceTree(".", (link,)))
    told = file("link to page.txt, owner 0:0", path="/srv/link")
    assert said(files.expectations(web(step), told)) == []
    told = file("link to /etc/passwd, owner 0:0", path="/srv/link")
    assert said(files.expectations(web(step), told)) == [
        "files /srv/link: declared link to page.txt, found link to /etc/passwd (envctl.yaml:9:5)"
    ]


# --- secrets

TOKEN = Secret("token", "/run/secrets/token")
DIGESTS = {"token": hashlib.sha256(b"keyvalue").hexdigest()}


def secret(mode="mode 400, owner 20001:20001", digest=DIGESTS["token"]):
    told = {"/run/secrets/token": mode, "/run/secrets/token digest": digest}
    return {"secrets": told, "users": {"web": WEB}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (secret(), None),
        ({"secrets": {}}, "declared, not present"),
        (secret("mode 444, owner 20001:20001"), "declared mode 400, owner 20001, found mode 444, owner 20001"),
        (secret("mode 400, owner 0:0"), "declared mode 400, owner 20001, found mode 400, owner 0"),
        (secret(digest="77"), "declared the value of token, found a different value"),
        (secret(digest=hashlib.sha256(b"key").hexdigest()), None),
    ],
)  # fmt: skip
def test_secrets_are_there_their_users_alone_and_of_the_right_value(told, expected):
    holder = web(secrets=(TOKEN,), origins={"secrets.0": AT})
    found = said(files.secrets(holder, told, digests=DIGESTS, key="key"))
    assert found == ([f"secrets /run/secrets/token: {expected} (envctl.yaml:9:5)"] if expected else [])  # fmt: skip


# --- the process


def looked(one, told, *others, running=("db",)):
    names = process.expectations(
        one, told, mask=lambda text: text, services=others, running=set(running)
    )
    return said(names)


USER = CreateUser("web", 20001, "/home/web", AT)


@pytest.mark.parametrize(
    ("users", "uid", "expected"),
    [
        ({"web": WEB}, "20001", []),
        ({"root": "uid 0, gid 0, /root, /bin/sh"}, "20001", ["users web: declared, not present"]),
        ({"web": WEB.replace("uid 20001", "uid 7")}, "20001", ["users web: declared uid 20001, found uid 7"]),
        ({"web": WEB.replace("/home/web", "/tmp")}, "20001", ["users web: declared home /home/web, found home /tmp"]),
        ({"web": WEB}, "0", ["process uid: declared 20001, found 0"]),
        # A package, or the base, has made it before.
        ({"web": "uid 33, gid 33, /var/www, /bin/sh"}, "33", []),
    ],
)  # fmt: skip
def test_the_user_is_there_as_planned_and_runs_the_process(users, uid, expected):
    one = web(USER, origins={"process.user": AT})
    told = {"users": users, "process": {"uid": uid}}
    assert looked(one, told) == [f"{line} (envctl.yaml:9:5)" for line in expected]


def test_a_number_that_the_spec_gives_must_be_the_users():
    one = web(USER, origins={"process.user.uid": AT})
    told = {"users": {"web": "uid 33, gid 33, /x, /bin/sh"}, "process": {"uid": "33"}}
    assert looked(one, told) == ["users web: declared uid 20001, found uid 33 (envctl.yaml:9:5)"]


def test_a_home_that_a_later_command_may_have_changed_is_not_judged():
    told = {"users": {"web": WEB.replace("/home/web", "/srv")}, "process": {"uid": "20001"}}
    assert looked(web(USER, script("usermod -d /srv web")), told) == []


LEVEL = {"process.env.LEVEL": AT}


@pytest.mark.parametrize(
    ("argv", "has", "given", "expected"),
    [
        ('["app"]', {"LEVEL": "debug", "HOME": "/"}, {}, []),
        ('["app"]', {"LEVEL": "info"}, {"LEVEL": "debug"}, ['declared "debug", found "info"']),
        ('["/bin/sh", "app"]', {"HOME": "/"}, {}, ["declared, not set"]),
        # A script has set it, or the program has written its title over it.
        ('["other"]', {"LEVEL": "info"}, {"LEVEL": "debug"}, []),
        ('["other"]', {"LEVEL": "info"}, {"LEVEL": "info"}, ['declared "debug", found "info"']),
        ("", {}, {"LEVEL": "info"}, ['declared "debug", found "info"']),
        ("", {}, {}, []),
    ],
)
def test_declared_variables_are_what_the_process_has(argv, has, given, expected):
    one = web(process=Process(("app",), None, "/", {"LEVEL": "debug"}), origins=LEVEL)
    told = {"process": {"argv": argv}, "environment": has, "exec_environ": given}
    assert looked(one, told) == [f"environment LEVEL: {line} (envctl.yaml:9:5)" for line in expected]  # fmt: skip


def test_a_secret_that_a_variable_has_is_held_against_its_mask():
    one = web(process=Process(("app",), None, "/", {"URL": "x:hunter2hunter2"}))
    told = {"process": {"argv": '["app"]'}, "environment": {"URL": "x:‹secret a›"}}
    mask = lambda text: text.replace("hunter2hunter2", "‹secret a›")  # noqa: E731
    assert said(process.expectations(one, told, mask=mask, services=(), running=())) == []


def test_limits_are_in_force():
    one = web(resources=Resources(0.5, 100_000_001), origins={"resources.memory": AT, "resources.cpus": AT})  # fmt: skip
    assert looked(one, {"limits": {"memory": "99999744", "processors": "0.5"}}) == []
    assert looked(one, {"limits": {"memory": "none", "processors": "2"}}) == [
        "limits memory: declared 100000001 bytes, found none (envctl.yaml:9:5)",
        "limits processors: declared 0.5, found 2 (envctl.yaml:9:5)",
    ]
    assert looked(one, {}) == []


def test_what_the_process_may_do_is_what_is_declared():
    one = web(process=Process(("app",), None, "/", {}, ("NET_BIND_SERVICE",)))
    fine = {"no new privileges": "1", "capabilities at most": "0000000000000400"}
    assert looked(one, {"process": fine}) == []
    more = {"no new privileges": "0", "capabilities at most": "0000000000200400"}
    assert looked(one, {"process": more}) == [
        "process no new privileges: declared yes, found no (envctl.yaml:2:3)",
        "process capabilities: declared NET_BIND_SERVICE, found NET_BIND_SERVICE SYS_ADMIN (envctl.yaml:2:3)",
    ]


def test_something_listens_on_each_declared_port():
    one = web(ports=(Port(8000), Port(53, protocol="udp")), origins={"ports.0": AT, "ports": AT})
    fine = {"tcp [::]:8000": "uid 1", "udp 127.0.0.1:53": "uid 1"}
    assert looked(one, {"sockets": fine}) == []
    assert looked(one, {"sockets": {"tcp 0.0.0.0:53": "", "tcp 0.0.0.0:80": ""}}) == [
        "sockets tcp 8000: declared, not listened on (envctl.yaml:9:5)",
        "sockets udp 53: declared, not listened on (envctl.yaml:9:5)",
    ]


def test_names_of_the_others_resolve_where_that_can_be_told():
    db = unit("db")
    assert looked(web(), {"tools": {"getent": ""}, "names": {}}, db) == [
        "names db: declared, not known (envctl.yaml:2:3)"
    ]
    # Without the tool the engine's own record has to do; of what does not run nobody can tell.
    assert looked(web(), {"tools": {}, "names": {}}, db) == []
    assert looked(web(), {"tools": {"getent": ""}, "names": {}}, db, running=()) == []
    assert looked(web(), {"tools": {"getent": ""}, "names": {"db": "known"}}, db) == []
    assert looked(web(), {}, db) == []
    assert looked(web(options={"network_mode": "none"}), {"tools": {"getent": ""}}, db) == []


# --- units as a whole


def test_what_up_would_do_is_drift_and_what_it_waits_for_too():
    probed = unit("web", probe=Probe(ProbeKind.TCP, ("x", "1")), origins={"probe": AT})
    task, db, gone = unit("migrate", kind="task"), unit("db"), unit("cache")
    decided = plan(probed, task, db, gone)
    states = {
        "web": made(probed, health=Health.UNHEALTHY, cause="HTTP 500"),
        "migrate": made(task, status=Status.RUNNING, exit_code=None),
        "db": made(db, status=Status.RESTARTING),
        "cache": made(gone),
    }
    changes = (
        Change(Action.BUILD, "cache", because("the image does not exist yet", AT)),
        Change(Action.REPLACE, "cache", because('env A "1" → "2"', AT)),
        Change(Action.REMOVE, "web-2", because("web has fewer replicas now")),
    )
    found = list(units.expectations(decided, changes, states))
    assert [(one.unit, one.message, str(one.where)) for one in found if not one.passed] == [
        ("web", "it is unhealthy; HTTP 500", "envctl.yaml:9:5"),
        ("migrate", "it has not completed: it is running", "envctl.yaml:2:3"),
        ("db", "it is not running: it is restarting", "envctl.yaml:2:3"),
        ("cache", 'env A "1" → "2"', "envctl.yaml:9:5"),
        ("web-2", "web has fewer replicas now", "None"),
    ]
    # What is made anew for the spec is not looked into; what was only changed by other means is.
    why = {one.name: units.not_looked_into(one, changes, states) for one in decided.units}
    assert why == {
        "web": "",
        "migrate": "",
        "db": "it is restarting",
        "cache": "`envctl up` has to change it first",
    }
    drifted = {**states, "cache": made(gone, drift=(Drift('env A "1" → "2"'),))}
    assert units.not_looked_into(gone, changes, drifted) == ""
    assert [one.name for one in units.running(decided, states)] == ["web", "cache"]


def test_a_unit_whose_hooks_have_not_run_or_that_lost_a_port_is_looked_into_anyway():
    web = unit("web")
    hook = (Change(Action.HOOK, "web", because("after_start hook 1 has not succeeded: a")),)
    lost = (Change(Action.START, "web", because("port 80 is not forwarded")),)

    assert units.not_looked_into(web, hook, {"web": made(web)}) == ""
    state = made(web, defect="port 80 is not forwarded")
    assert units.not_looked_into(web, lost, {"web": state}) == ""
    assert units.not_looked_into(web, lost, {"web": made(web)}) != ""


def test_what_nobody_could_look_at_is_reported_beside_what_is_wrong():
    probed = unit("web", probe=Probe(ProbeKind.TCP, ("x", "1")))

    def told(**state):
        states = {"web": made(probed, unchecked=("whether /etc/x is the host's",), **state)}
        return [
            one.message for one in units.expectations(plan(probed), (), states) if not one.passed
        ]

    assert told() == ["cannot be checked: whether /etc/x is the host's"]
    assert told(health=Health.UNHEALTHY) == [
        "it is unhealthy; it is unknown whether /etc/x is the host's"
    ]


def test_that_a_unit_is_unhealthy_is_reported_beside_what_up_would_do_to_it():
    probed, plain = unit("web", probe=Probe(ProbeKind.TCP, ("x", "1"))), unit("db")
    changes = (
        Change(Action.HOOK, "web", because("after_start hook 1 has not succeeded: a", AT)),
        Change(Action.HOOK, "db", because("after_start hook 1 has not succeeded: b", AT)),
    )
    states = {
        "web": made(probed, health=Health.UNHEALTHY, cause="its probe fails: HTTP 500"),
        "db": made(plain),
    }

    found = units.expectations(plan(probed, plain), changes, states)
    assert [(one.message, one.where) for one in found] == [
        ("after_start hook 1 has not succeeded: a; it is unhealthy; its probe fails: HTTP 500", AT),
        ("after_start hook 1 has not succeeded: b", AT),
    ]


def test_what_is_as_planned_holds():
    probed, task = unit("web", probe=Probe(ProbeKind.TCP, ("x", "1"))), unit("job", kind="task")
    decided = plan(probed, task)
    states = {one.name: made(one) for one in decided.units}
    assert all(one.passed for one in units.expectations(decided, (), states))


# --- checks, and the whole


class Shell:
    """A backend whose units are this host, without their user."""

    def exec(self, _unit, execution):
        if execution.argv == ("late",):
            raise EnvctlError("web: `late` did not finish within 1 s")
        done = subprocess.run(execution.argv, capture_output=True, check=False)
        execution.stdout(done.stdout)
        execution.stderr(done.stderr)
        return done.returncode


def checked(*argv):
    one = replace(unit("web"), checks=(Check("it", argv, 1.0, AT),))
    (found,) = run_checks.run([one], Shell(), mask=lambda text: text.replace("hush", "***"), report=lambda _: None)  # fmt: skip
    return found


def test_a_check_that_fails_is_reported_with_its_exit_code_and_its_last_lines():
    found = checked("sh", "-c", "seq 30; echo hush >&2; exit 7")
    assert said([found.expectation]) == ["checks it: exit code 7 (envctl.yaml:9:5)"]
    assert found.output == (*map(str, range(12, 31)), "***")
    assert said([checked("true").expectation]) == []
    assert said([checked("late").expectation]) == [
        "checks it: web: `late` did not finish within 1 s (envctl.yaml:9:5)"
    ]


def test_json_has_what_was_found():
    found = Verification("dev@docker", ["db", "web"], list(packages.expectations(web(CURL), installed("bash"))), [checked("true")])  # fmt: skip
    told = to_json(found)
    assert (told["format"], told["version"], told["target"]) == ("envctl verify", 1, "dev@docker")
    assert told["units"] == [
        {"unit": "db", "claims": 0, "holding": 0},
        {"unit": "web", "claims": 3, "holding": 2},
    ]
    (finding,) = told["findings"]
    assert finding["found"] == "not installed"
    assert finding["where"] == "envctl.yaml:9:5"
    assert told["checks"][0]["exit_code"] == 0


class Silent:
    """A backend whose units answer to root only, or to nobody."""

    capabilities = Capabilities()

    def __init__(self, root):
        self.root = root

    def exec(self, _unit, execution):
        if execution.user != "0" or not self.root:
            raise EnvctlError("unable to find user web", hint="so")
        users = "root:x:0:0:root:/root:/bin/sh\n"
        mark = execution.stdin.readline().decode().strip()
        execution.stdout(f"{mark}:users\0{users}{mark}:end\0".encode())
        return 0


class Unmasked:
    def masked(self, text):
        return text

    def masked_bytes(self, data):
        return data


def looked_into(backend, *steps, **run):
    decided = plan(web(*steps, **run))
    verifier = unit_verifier.UnitVerifier(decided, backend, decided.units, "key", {}, Unmasked())
    return verifier.expectations({})


def test_what_a_unit_that_does_not_tell_has_cannot_be_checked_and_is_not_fewer():
    silent, told = (looked_into(Silent(root), USER, CURL) for root in (False, True))

    assert unchecked(silent)[:2] == [
        "packages curl: unable to find user web",
        "packages others: unable to find user web",
    ]
    assert len(unchecked(silent)) == len(silent) == len(told)
    assert {one.hint for one in silent} == {"so"}
    assert "users web: declared, not present (envctl.yaml:2:3)" in said(told)


class Deaf(Silent):
    """Nothing ever listens in it."""

    def exec(self, _unit, execution):
        mark = execution.stdin.readline().decode().strip()
        execution.stdout(f"{mark}:sockets\0{mark}:end\0".encode())
        return 0


def test_a_port_that_nothing_listens_on_is_reported_with_how_long_that_was_waited_for(monkeypatch):
    monkeypatch.setattr(unit_verifier, "PATIENCE", 0.1)
    monkeypatch.setattr(unit_verifier, "_PAUSE", 0.05)
    decided = plan(web(ports=(Port(8000),), origins={"ports": AT}))
    verifier = unit_verifier.UnitVerifier(
        decided, Deaf(root=True), decided.units, "key", {}, Unmasked()
    )
    assert said(verifier.expectations({})) == [
        "sockets tcp 8000: declared, not listened on within 0.1 s (envctl.yaml:9:5)"
    ]


# --- what the script tells of it


def test_the_script_tells_what_is_gone_and_when_things_were_changed(tmp_path):
    mark = "0123456789abcdef"
    (tmp_path / "here").write_text("x")
    asked = [
        f"times\t{tmp_path}/here",
        f"gone\t{tmp_path}/here",
        f"gone\t{tmp_path}/a/b",
        "gone\t/proc/nothing",
        "exec_environ\tall",
        "tool\tsh",
        "tool\tno-such-tool",
    ]
    source = (resources("envctl.parity") / "collect.sh").read_text()
    done = subprocess.run(
        ["/bin/sh", "-c", source, "facts"],
        input="\n".join([mark, "key", *asked, ""]).encode(),
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LEVEL": "a\nb"},
    )
    told = parse_facts.facts(done.stdout, mark, [tuple(one.split("\t")) for one in asked])
    state = (tmp_path / "here").stat()
    assert told["times"] == {f"{tmp_path}/here": f"{int(state.st_ctime)} {int(state.st_mtime)}"}
    same = tmp_path.stat().st_dev == tmp_path.parents[len(tmp_path.parents) - 1].stat().st_dev
    assert told.get("gone", {}) == ({f"{tmp_path}/a/b": ""} if same else {})
    assert told["exec_environ"]["LEVEL"] == "a\nb"
    assert told["tools"] == {"sh": ""}


def test_the_packagers_words_are_read():
    mark = "0123456789abcdef"
    log = "2026-01-02 03:04:05 remove less:amd64 590-2 <none>\n2026-01-02 03:04:06 purge\n"
    provides = "installed\tawk\ninstalled\tmail (= 1), mta:any\nconfig-files\tgone\ninstalled\t\n"
    told = f"{mark}:removed\0{log}{mark}:provides\0{provides}{mark}:end\0"
    found = parse_facts.facts(told.encode(), mark, [("removed", "all"), ("provides", "all")])
    assert found["removed"] == {"less": "2026-01-02 03:04:05"}
    assert sorted(found["provides"]) == ["awk", "mail", "mta"]


def test_a_line_whose_beginning_is_lost_is_not_told_since_it_may_hold_half_a_secret():
    long = checked("sh", "-c", "head -c 70000 /dev/zero | tr '\\0' x; echo sh; echo whole; exit 1")
    assert long.output == ("whole",)
    only = checked("sh", "-c", "head -c 70000 /dev/zero | tr '\\0' x; exit 1")
    assert only.output == ()
    short = checked("sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x; echo; echo whole; exit 1")
    assert short.output == ("x" * 60000, "whole")


def test_checks_of_units_that_do_not_run_are_reported_as_not_run():
    one = replace(unit("web"), checks=(Check("a", ("x",), 1.0, AT), Check("b", ("y",), 1.0, AT)))
    found = list(run_checks.not_run([one, unit("db")]))
    assert [(at.unit, at.check.name, at.exit_code, at.cause) for at in found] == [
        ("web", "a", None, "web does not run"),
        ("web", "b", None, "web does not run"),
    ]
    assert not any(at.expectation.passed for at in found)


def test_each_check_is_reported_as_it_begins_and_as_it_ends():
    told = []
    one = replace(
        unit("web"), checks=(Check("a", ("true",), 1.0, AT), Check("b", ("false",), 1.0, AT))
    )
    list(run_checks.run([one], Shell(), mask=str, report=told.append))
    assert [(at.work, at.stage.name, at.text) for at in told] == [
        ("check web a", "STARTED", ""),
        ("check web a", "DONE", ""),
        ("check web b", "STARTED", ""),
        ("check web b", "FAILED", "exit code 1"),
    ]


def test_only_what_comes_after_a_file_may_have_changed_it(root):
    command = script("true")
    gone = {"gone": {"/srv/page.txt": ""}}
    assert len(said(files.expectations(web(command, PAGE), gone))) == 1
    assert len(said(files.expectations(web(command, PAGE, copy("page.txt", "/opt/x")), gone))) == 1
    assert said(files.expectations(web(PAGE, command), gone)) == []


def test_what_a_unit_should_be_is_reported_with_what_it_is():
    task, probed, plain = (
        unit("job", kind="task"),
        unit("web", probe=Probe(ProbeKind.TCP, ("x", "1"))),
        unit("db"),
    )
    decided = plan(task, probed, plain)
    states = {one.name: made(one, status=Status.PAUSED) for one in decided.units}
    found = {
        one.unit: (one.expected, one.observed) for one in units.expectations(decided, (), states)
    }
    assert found == {
        "job": ("completed", "it has not completed: it is paused"),
        "web": ("healthy", "it is not running: it is paused"),
        "db": ("running", "it is not running: it is paused"),
    }
    states = {**states, "db": made(plain, status=Status.MISSING, cause="somebody removed it")}
    found = {one.unit: one.observed for one in units.expectations(decided, (), states)}
    assert found["db"] == "it is not running: it is missing; somebody removed it"


def test_what_is_not_the_units_own_change_is_not_told_of_it():
    db = unit("db")
    changes = (
        Change(Action.STOP, "db", because("web takes its port 1")),
        Change(Action.TEAR_DOWN, "", because("x")),
    )
    (expectation,) = units.expectations(plan(db), changes, {"db": made(db)})
    assert expectation.passed


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.RUNNING}))
def test_what_does_not_run_is_not_looked_into(status):
    db = unit("db")
    why = units.not_looked_into(db, (), {"db": made(db, status=status)})
    assert why == ("it does not exist yet" if status is Status.MISSING else f"it is {status}")


def test_json_tells_all_of_a_finding_and_of_a_check():
    outcome = run_checks.CheckResult(
        "web", Check("it", ("x",), 1.0, AT), None, 1.5, ("one", "two"), "it hangs"
    )
    silent = list(packages.expectations(web(CURL), {}))
    told = to_json(Verification("dev@docker", ["web"], silent, [outcome]))
    assert told["findings"][0] == {
        "unit": "web",
        "category": "packages",
        "key": "curl",
        "expected": "so",
        "found": "",
        "where": "envctl.yaml:9:5",
        "hint": "`envctl up` repairs what it can; then verify again",
        "unchecked": "not asked",
    }
    assert told["findings"][-1] == {
        "unit": "web",
        "category": "checks",
        "key": "it",
        "expected": "exit code 0",
        "found": "it hangs",
        "where": "envctl.yaml:9:5",
        "hint": "",
        "unchecked": None,
    }
    assert told["checks"] == [
        {
            "unit": "web",
            "check": "it",
            "exit_code": None,
            "cause": "it hangs",
            "seconds": 1.5,
            "output": ["one", "two"],
        }
    ]


def test_findings_come_in_the_order_of_the_plan_each_unit_as_a_whole_first():
    def expectation(name, category):
        return Expectation(name, category, "", "so", "not so")

    every = [
        expectation("web", "files"),
        expectation("gone", "unit"),
        expectation("db", "files"),
        expectation("web", "unit"),
        expectation("db", "unit"),
    ]
    found = Verification("dev@docker", ["db", "web"], every)
    assert [(one.unit, one.category) for one in found.findings] == [
        ("db", "unit"), ("db", "files"), ("web", "unit"), ("web", "files"), ("gone", "unit")
    ]  # fmt: skip
    assert found.expectation_counts == {"db": 2, "web": 2, "gone": 1}
    assert found.passed_counts == {"db": 0, "web": 0}


def test_a_version_is_judged_where_no_command_ran_after_it_or_it_was_changed_since():
    step = InstallPackages(("curl=7.88-1",), AT)
    built = web(step, script("apt-get upgrade"))
    assert said(packages.expectations(built, installed("curl"))) == []
    since = installed("curl", times={**STATUS_NOW, "/var/lib/dpkg/info/curl.list": "150 150"})
    assert said(packages.expectations(built, since)) == [
        "packages curl: declared 7.88-1, found 1.0-1 (envctl.yaml:9:5)"
    ]


def test_a_name_with_a_dash_behind_it_asks_for_the_package_to_go():
    step = InstallPackages(("less-",), AT)
    assert said(packages.expectations(web(step), installed("bash"))) == []
    assert said(packages.expectations(web(step), installed("less"))) == []
    # Of a package that is really called so it is the package.
    assert [one.passed for one in packages.expectations(web(step), installed("less-"))] == [
        True,
        True,
    ]


def test_another_package_that_provides_it_has_not_its_version():
    told = installed("mawk", provides={"awk": ""})
    assert said(packages.expectations(web(InstallPackages(("awk=1",), AT)), told)) == [
        "packages awk: declared, not installed (envctl.yaml:9:5)"
    ]


def test_a_hook_of_another_user_than_root_installs_nothing():
    told = installed("curl", times=STATUS_NOW)
    hooked = replace(web(CURL, user="web"), hooks=Hooks((("apt-get", "install"),)))
    assert said(packages.expectations(hooked, told)) == [
        "packages dpkg: declared as it was built, found its records were changed since (envctl.yaml:9:5)"
    ]
    assert said(packages.expectations(web(CURL, user="root"), told)) != []
