"""What a project reaches of this host: shown exactly, asked for once, remembered by content, never for another."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.host.private_state import state_path
from envctl.plan.target import Target
from envctl.trust.approval import is_trusted, trusted_file
from envctl.trust.host_access import command_access, quoted
from envctl.verbs.list_environments import running
from tests.support.project import Project

pytestmark = pytest.mark.slow

DEV = Target("dev")
MARK = "ran-here"
COMMAND = f'secrets: {{key: {{command: [sh, -c, "echo >>{MARK}; echo hush-hush"]}}}}\n'
SERVICES = "web: {image: x, secrets: [key]}"


def make(tmp_path: Path, services: str = SERVICES, top: str = COMMAND) -> Project:
    """A clone that nobody has trusted yet."""
    root = tmp_path / "clone"
    root.mkdir(exist_ok=True)
    return Project(root, backend="memory", environ={}).spec(services, top=top)


def up(project: Project, answer: bool | None = None) -> list[list[str]]:
    """Bring it up, with this answer; what was asked."""
    asked: list[list[str]] = []

    def ask(wanted):
        asked.append([one.text for one in wanted])
        return answer

    work = project.workspace()
    work.project.ask = ask
    work.up(DEV)
    return asked


def runs(project: Project) -> int:
    """How often the clone's command was run."""
    file = project.root / MARK
    return len(file.read_text().splitlines()) if file.exists() else 0


def _logs(workspace):
    with pytest.raises(EnvctlError, match="so it has no logs"):
        list(workspace.logs(DEV))


LOOKS = {
    "validate": lambda work: work.validate(),
    "config": lambda work: work.resolved("dev"),
    "plan": lambda work: work.changes(DEV),
    "plan offline": lambda work: work.plan(DEV),
    "diff": lambda work: work.diff(DEV, DEV),
    "render": lambda work: work.render(DEV),
    "status": lambda work: work.status(DEV),
    "status of all": running,
    "verify": lambda work: work.verify(DEV),
    "down": lambda work: work.down(DEV),
    "stop": lambda work: work.stop(DEV),
    "logs": _logs,
}


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("verb", LOOKS)
def test_looking_runs_no_command_and_reads_no_file_of_the_host_trusted_or_not(
    tmp_path, verb, trusted, monkeypatch
):
    (tmp_path / "outside").write_text("outside-value")
    top = COMMAND.rstrip().removesuffix("}") + ", out: {file: ../outside}}\n"
    project = make(tmp_path, "web: {image: x, secrets: [key, out]}", top)
    opened: list[str] = []
    original = os.open

    def watched(path, *args, **options):
        opened.append(str(path))
        return original(path, *args, **options)

    if trusted:
        project.environ = {"CI": "true"}
    monkeypatch.setattr(os, "open", watched)
    LOOKS[verb](project.workspace())
    assert runs(project) == 0
    assert not any("outside" in path for path in opened)


@pytest.mark.parametrize("verb", ["plan", "status", "verify"])
def test_after_up_looking_still_runs_nothing_counts_the_value_as_unchanged_and_says_so_once(
    tmp_path, verb
):
    project = make(tmp_path)
    up(project, True)
    assert runs(project) == 1
    project.events.clear()

    LOOKS[verb](project.workspace())

    assert project.workspace().changes(DEV)[1] == ()
    assert runs(project) == 1
    notes = [one for one in project.events if one.work == "secret key"]
    assert len({one.text for one in notes}) == 1
    assert "only `up`" in notes[0].text


def test_up_asks_before_anything_is_run_and_shows_it_exactly(tmp_path):
    project = make(tmp_path)
    with pytest.raises(EnvctlError, match="you did not allow it") as caught:
        up(project, False)
    assert runs(project) == 0
    assert project.workspace().observed(DEV).units == {}
    assert f"runs sh -c 'echo >>{MARK}; echo hush-hush' (secret key)" in caught.value.details
    assert "envctl.yaml:" in caught.value.details


def test_without_anybody_to_ask_up_says_what_is_wanted_and_how_to_allow_it(tmp_path):
    with pytest.raises(EnvctlError, match="nobody has allowed that yet") as caught:
        up(make(tmp_path), None)
    for remedy in ("envctl trust", "up --yes", "CI=true", "ENVCTL_TRUSTED"):
        assert remedy in caught.value.hint


def test_what_was_allowed_is_asked_for_once_and_a_change_is_asked_for_again(tmp_path):
    project = make(tmp_path)
    assert len(up(project, True)) == 1
    assert up(project) == []
    project.spec(SERVICES, top=COMMAND.replace("hush-hush", "hush-again"))
    assert up(project, True) == [[f"runs sh -c 'echo >>{MARK}; echo hush-again' (secret key)"]]
    assert up(project) == []


def test_a_script_of_the_project_that_a_command_names_is_part_of_what_is_allowed(tmp_path):
    top = "secrets: {key: {command: [./get.sh]}}\n"
    project = make(tmp_path, top=top).write("get.sh", "#!/bin/sh\necho hush-hush-1\n")
    (project.root / "get.sh").chmod(0o755)
    shown = "runs ./get.sh (secret key, with ./get.sh of the project, and anything that it runs from this folder)"
    assert up(project, True) == [[shown]]
    assert up(project) == []
    project.write("get.sh", "#!/bin/sh\necho hush-hush-2\n")
    assert len(up(project, True)) == 1


def test_another_checkout_of_the_same_project_is_asked_for_itself(tmp_path):
    up(make(tmp_path), True)
    (tmp_path / "other").mkdir()
    with pytest.raises(EnvctlError, match="nobody has allowed"):
        up(make(tmp_path / "other"))


def test_what_is_allowed_cannot_come_with_a_clone(tmp_path):
    project = make(tmp_path)
    up(project, True)
    kept = [path for path in project.root.rglob("*") if "allowed" in path.name]
    assert kept == []


@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_in_automation_nothing_is_asked_and_nothing_remembered(tmp_path, value):
    project = make(tmp_path)
    project.environ = {"CI": value}
    assert up(project) == []
    assert runs(project) == 1
    project.environ = {}
    with pytest.raises(EnvctlError, match="nobody has allowed"):
        up(project)


@pytest.mark.parametrize("value", ["", "false", "0", "no"])
def test_other_values_of_ci_are_no_automation(tmp_path, value):
    project = make(tmp_path)
    project.environ = {"CI": value}
    with pytest.raises(EnvctlError, match="nobody has allowed"):
        up(project)


@pytest.mark.parametrize(
    ("entry", "holds"),
    [
        ("{root}", True),
        ("{parent}/*", True),
        ("*", True),
        ("{parent}", False),
        ("{root}/*", False),
        ("{root}x", False),
        ("clone", False),
        ("", False),
        ("/none/*:{root}", True),
    ],
)
@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_list_of_trusted_folders_has_folders_all_below_one_or_everything(
    tmp_path, entry, holds, how
):
    root = tmp_path / "clone"
    root.mkdir()
    line = entry.format(root=root, parent=tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    if how == "variable":
        environ["ENVCTL_TRUSTED"] = line
    else:
        trusted_file(environ).parent.mkdir(parents=True)
        trusted_file(environ).write_text("# mine\n" + line.replace(":", "\n") + "\n")
    assert is_trusted(root, environ) is holds


def test_a_list_that_others_can_change_is_refused(tmp_path):
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    trusted_file(environ).parent.mkdir(parents=True)
    trusted_file(environ).write_text("*\n")
    trusted_file(environ).chmod(0o666)
    with pytest.raises(EnvctlError, match="can be changed by other users"):
        is_trusted(tmp_path, environ)


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        ("mounts: {{{outside}: /x}}", "web sees and can change {outside}, as /x"),
        (
            "mounts: [{{source: {outside}, target: /x, read_only: true}}]",
            "web sees {outside}, as /x",
        ),
        ("mounts: {{..: /x}}", "web sees and can change {parent}, as /x"),
        ("mounts: {{./link: /x}}", "web sees and can change {outside}, as /x"),
        ("mounts: {{./link/deep: /x}}", "web sees and can change {outside}/deep, as /x"),
        ("mounts: {{./s: /x}}", "web sees and can change {root}/s, as /x"),
        ("options: {{memory: {{devices: [/dev/fuse]}}}}", "web uses the device /dev/fuse"),
    ],
)
def test_what_is_mounted_from_outside_the_project_is_asked_for(tmp_path, service, shown):
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    root = tmp_path / "clone"
    root.mkdir()
    (root / "link").symlink_to("../outside")
    places = {"outside": tmp_path / "outside", "parent": tmp_path, "root": root}
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)
        server.bind("s")
        os.chdir(here)
        project = make(tmp_path, f"web: {{image: x, {service.format(**places)}}}", "")
        assert up(project, True) == [[shown.format(**places)]]


def test_folders_of_the_project_are_mounted_without_asking(tmp_path):
    project = make(
        tmp_path,
        "web: {image: x, mounts: {./sub: /sub, ./in: /in, ./subway: /way}}\n"
        "job: {image: x, mounts: {./sub: /app}}",
        "",
    )
    (project.root / "sub").mkdir()
    (project.root / "subway").mkdir()
    (project.root / "in").symlink_to("sub")
    assert up(project) == []


BELOW = (
    "{0} can write ./app, and so can make ./app/data, which {1} mounts at /data, lead anywhere"
    " on this host"
)


WRITES = "web: {image: x, replicas: 2, mounts: {./app: /app}}\n"
READS = "mounts: [{source: ./app, target: /app, read_only: true}, {source: ./app/data, target: /d}]"


@pytest.mark.parametrize(
    ("services", "shown"),
    [
        ("web: {image: x, mounts: {./app: /app, ./app/data: /data}}", ["web", "web"]),
        ("web: {image: x, mounts: {./app: /app, ./link: /data}}", ["web", "web"]),
        (WRITES + "job: {image: x, replicas: 2, mounts: {./app/data: /data}}", ["web", "job"]),
        (
            WRITES + "job: {image: x, mounts: [{source: ./link, target: /data, read_only: true}]}",
            ["web", "job"],
        ),
        (f"web: {{image: x, {READS}}}", None),
    ],
)
def test_a_mount_that_another_can_lead_elsewhere_is_asked_for(tmp_path, services, shown):
    project = make(tmp_path, services, "")
    (project.root / "app" / "data").mkdir(parents=True)
    (project.root / "link").symlink_to("app/data")
    assert up(project, True) == ([[BELOW.format(*shown)]] if shown else [])
    assert up(project) == []


def test_a_mount_that_another_environment_s_unit_can_lead_elsewhere_is_asked_for_in_both(tmp_path):
    project = make(tmp_path, "web: {image: x}", "")
    (project.root / "app" / "data").mkdir(parents=True)
    dev, test, wrong = (
        f"backend: memory\nservices: {{web: {{mounts: {{{mount}}}}}}}\n"
        for mount in ("./app: /app", "./app/data: /data", "./circle: /none, ./app/data: /data")
    )
    (project.root / "circle").symlink_to("circle")
    project.write("environments/dev.yaml", dev).write("environments/test.yaml", test)
    project.write("environments/wrong.yaml", wrong)
    project.write("environments/broken.yaml", "services: {web: {imagine: 1}}\n")
    texts = [
        [one.text for one in project.workspace().host_accesses(Target(name))[0]]
        for name in ("dev", "test")
    ]
    assert texts == [
        [BELOW.format("web", "web of test"), BELOW.format("web", "web of wrong")],
        [BELOW.format("web of dev", "web")],
    ]


def test_only_capabilities_that_reach_beyond_a_container_are_asked_for(tmp_path):
    services = "web: {image: x, capabilities: [NET_BIND_SERVICE, SYS_ADMIN, CHOWN]}"
    project = make(tmp_path, services, "")
    every, new = project.workspace().host_accesses(Target("dev", "docker"))
    assert [one.text for one in every] == [
        "web has the capability SYS_ADMIN, which has effects outside its container"
    ]
    assert new == every
    assert project.workspace().host_accesses(Target("dev", "memory"))[0] == ()


def test_a_file_outside_the_project_is_read_by_up_alone_and_asked_for(tmp_path):
    (tmp_path / "outside").write_text("hush-hush-hush")
    project = make(tmp_path, top="secrets: {key: {file: ../outside}}\n")
    with pytest.raises(EnvctlError) as caught:
        up(project)
    assert f"reads ../outside, which is {tmp_path}/outside (secret key)" in caught.value.details
    assert len(up(project, True)) == 1
    assert up(project) == []


VARIABLE = "secrets: {key: {env: AWS_SECRET_ACCESS_KEY, generate: 24}}\n"
TAKES = "reads the variable AWS_SECRET_ACCESS_KEY of your environment (secret key)"


def test_a_variable_of_the_user_s_is_taken_by_up_alone_and_asked_for_if_it_is_set(tmp_path):
    project = make(tmp_path, top=VARIABLE)
    assert up(project) == []
    project.environ = {"AWS_SECRET_ACCESS_KEY": ""}
    assert up(project) == []
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush"}
    with pytest.raises(EnvctlError) as caught:
        up(project)
    assert TAKES in caught.value.details
    assert "hush" not in f"{caught.value} {caught.value.details}"
    assert up(project, True) == [[TAKES]]
    assert up(project) == []
    project.spec(SERVICES, top=VARIABLE.replace("AWS_SECRET_ACCESS_KEY", "OTHER"))
    project.environ = {"OTHER": "hush-hush-hush"}
    assert up(project, True) == [[TAKES.replace("AWS_SECRET_ACCESS_KEY", "OTHER")]]


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"ENVCTL_TRUSTED": "*"}])
def test_a_variable_is_taken_without_asking_in_automation_and_in_trusted_folders(tmp_path, environ):
    project = make(tmp_path, top=VARIABLE)
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush", **environ}
    assert up(project) == []


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("verb", LOOKS)
def test_looking_takes_no_variable_trusted_or_not(tmp_path, verb, trusted):
    project = make(tmp_path, top=VARIABLE)
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush"}
    if trusted:
        project.environ = {**project.environ, "CI": "true"}
    LOOKS[verb](project.workspace())
    assert project.workspace().open(DEV).store.digest("key") is None
    assert not state_path(project.root, "secrets", "dev").exists()


def test_after_up_a_variable_counts_as_unchanged_and_verify_has_what_up_recorded(tmp_path):
    project = make(tmp_path, top=VARIABLE)
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush"}
    up(project, True)
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-else"}
    assert project.workspace().changes(DEV)[1] == ()
    assert list(project.workspace().verify(DEV).findings) == []
    recorded = project.workspace().open(DEV).store.facts_digest("key")
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush"}
    session = project.workspace().open(DEV)
    session.access.use_what_is_approved()
    assert session.store.facts_digest("key") == recorded != ""


@pytest.mark.parametrize("verb", ["config", "render", "lock --check"])
def test_what_needs_no_value_needs_no_leave_for_a_variable(tmp_path, verb):
    project = make(tmp_path, top=VARIABLE)
    project.environ = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush"}
    work = project.workspace()
    if verb == "config":
        work.resolved("dev")
    elif verb == "render":
        assert not any(b"hush" in text for text in work.render(DEV).values())
    else:
        with pytest.raises(EnvctlError, match=r"no envctl\.lock found"):
            work.check_lock()


def test_a_file_outside_that_leads_elsewhere_than_it_did_is_asked_for_again(tmp_path):
    (tmp_path / "one").write_text("hush-hush-one")
    (tmp_path / "two").write_text("hush-hush-two")
    (tmp_path / "outside").symlink_to("one")
    project = make(tmp_path, top="secrets: {key: {file: ../outside}}\n")
    shown = "reads ../outside, which is {}/{} (secret key)"
    assert up(project, True) == [[shown.format(tmp_path, "one")]]
    assert up(project) == []
    (tmp_path / "outside").unlink()
    (tmp_path / "outside").symlink_to("two")
    assert up(project, True) == [[shown.format(tmp_path, "two")]]


def test_a_file_outside_is_read_where_it_led_when_it_was_allowed(tmp_path):
    (tmp_path / "one").write_text("hush-hush-one")
    (tmp_path / "two").write_text("hush-hush-two")
    (tmp_path / "outside").symlink_to("one")
    project = make(tmp_path, top="secrets: {key: {file: ../outside}}\n")
    work = project.workspace()

    def exchange(_wanted):
        (tmp_path / "outside").unlink()
        (tmp_path / "outside").symlink_to("two")
        return True

    work.project.ask = exchange
    session = work.open(DEV)
    session.require_approval()
    assert session.store.value("key") == b"hush-hush-one"


def test_a_secret_s_file_that_leads_back_into_the_project_is_one_of_the_project(tmp_path):
    (tmp_path / "outside").write_text("hush-hush-hush")
    for file in ("../clone/token", f"{tmp_path}/clone/token", "sub/../../clone/token"):
        project = make(tmp_path, top=f"secrets: {{key: {{file: {file}}}}}\n")
        project.write("token", "the-project-s-own")
        assert up(project) == []
        (project.root / "token").unlink()
        (project.root / "token").symlink_to("../outside")
        with pytest.raises(EnvctlError, match="token leads outside the project"):
            up(project, True)
        (project.root / "token").unlink()


def test_a_secret_s_file_of_the_project_that_leads_outside_is_refused_whoever_allows_what(tmp_path):
    (tmp_path / "outside").write_text("hush-hush-hush")
    project = make(tmp_path, top="secrets: {key: {file: key}}\n")
    (project.root / "key").symlink_to("../outside")
    project.environ = {"CI": "true"}
    for act in (lambda: up(project), lambda: project.workspace().changes(DEV)):
        with pytest.raises(EnvctlError) as caught:
            act()
        assert "key leads outside the project" in str(caught.value)
        assert "hush" not in str(caught.value)


def test_what_cannot_be_seen_is_shown_by_its_number(tmp_path):
    top = 'secrets: {key: {command: [sh, "\\e[2J\\u202e", "a\\nb"]}}\n'
    with pytest.raises(EnvctlError) as caught:
        up(make(tmp_path, top=top))
    assert r"runs sh '\x1b[2J\u202e' 'a\x0ab'" in caught.value.details


def test_a_comment_that_was_allowed_does_not_become_a_command(tmp_path):
    """The four characters of an escaped line break are shown, and remembered, as other than a line break."""
    comment = r"true # \x0atouch evil"
    project = make(tmp_path, top=f"secrets: {{key: {{command: [sh, -c, '{comment}']}}}}\n")
    ((first,), *_) = up(project, True)
    command = comment.replace(r"\x0a", r"\n")
    project.spec(SERVICES, top=f'secrets: {{key: {{command: [sh, -c, "{command}"]}}}}\n')
    with pytest.raises(EnvctlError) as caught:
        up(project, False)
    second = caught.value.details
    assert first not in second
    assert r"\\x0a" in first
    assert not (project.root / "evil").exists()


CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=6) | st.text(
    "\\x0a\nu '\"\ud83d\ude00\U0001f600\u3164", max_size=12
)
ARGV = st.lists(CHARACTERS, min_size=1, max_size=4)


@given(one=ARGV, other=ARGV)
def test_two_commands_have_neither_one_key_nor_one_look(one, other):
    assume(one != other)
    first, second = (command_access("key", argv, Path("/nowhere"), None) for argv in (one, other))
    assert first.key != second.key
    assert first.text != second.text


@pytest.mark.parametrize(
    "char", ["\u3164", "\u2800", "\u115f", "\uffa0", "\u034f", "\ufe0f", "\U000e0101", "\u00a0"]
)
def test_what_looks_like_nothing_is_shown_by_its_number(char):
    assert char not in quoted(f"a{char}b")
    assert f"{ord(char):x}" in quoted(f"a{char}b")


@pytest.mark.parametrize("name", ["Vagrantfile.j2", "box.Vagrantfile.j2"])
def test_a_template_that_vagrant_runs_on_this_host_is_asked_for_by_its_content(tmp_path, name):
    project = make(tmp_path, "web: {packages: [bash], command: [sleep, infinity]}", "")
    project.write(f"templates/vagrant/{name}", "system('id')\n")
    target = Target("dev", "vagrant")
    (one,), _ = project.workspace().host_accesses(target)
    assert one.text == f"runs templates/vagrant/{name} on this host, through vagrant"
    project.write(f"templates/vagrant/{name}", "system('rm')\n")
    (other,), _ = project.workspace().host_accesses(target)
    assert other.key != one.key
    assert project.workspace().host_accesses(DEV)[0] == ()


def test_templates_that_vagrant_runs_are_not_looked_for_through_a_link(tmp_path):
    project = make(tmp_path, "web: {packages: [bash], command: [sleep, infinity]}", "")
    (tmp_path / "theirs/vagrant").mkdir(parents=True)
    (tmp_path / "theirs/vagrant/Vagrantfile.j2").write_text("hush-hush")
    (project.root / "templates").symlink_to("../theirs")
    with pytest.raises(EnvctlError) as caught:
        project.workspace().host_accesses(Target("dev", "vagrant"))
    assert "templates leads outside the project" in str(caught.value)
    assert "Vagrantfile" not in str(caught.value)


def test_a_template_that_vagrant_runs_is_not_filled_in_for_a_run_that_is_not_allowed(tmp_path):
    project = make(tmp_path, "web: {packages: [bash], command: [sleep, infinity]}", "")
    project.write("templates/vagrant/Vagrantfile.j2", "system('id')\n")
    session = project.workspace().open(Target("dev", "vagrant"))
    with pytest.raises(EnvctlError, match="wants access outside its folder"):
        session.backend.context.render("vagrant/Vagrantfile.j2", {})


def test_a_clone_s_own_state_is_not_taken_for_the_user_s(tmp_path):
    project = make(tmp_path, top="secrets: {key: {generate: 24}}\n")
    project.write(".envctl/secrets/dev/key", "planted-by-the-clone")
    with pytest.raises(EnvctlError, match="is in the project's folder"):
        up(project)
    assert project.workspace().open(DEV).store.value("key") != b"planted-by-the-clone"
