"""The verbs on the memory backend: what they print, for people and as JSON."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from envctl.backends.base import Capabilities
from envctl.backends.memory import MemoryBackend
from envctl.cli.up import to_open
from envctl.cli.verify import remedy
from envctl.parity.drift.expectation import Expectation
from envctl.parity.drift.verification import Verification
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow

ROW_KEYS = {
    "environment", "backend", "service", "replica", "unit", "kind", "state", "health",
    "addresses", "cause",
}  # fmt: skip


@pytest.fixture
def for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory backend gives itself out for one that runs things."""
    monkeypatch.setattr(MemoryBackend, "capabilities", Capabilities())


def test_no_line_of_the_help_ends_with_two_dots(envctl: Run) -> None:
    ended = envctl("--help")
    assert (ended.code, ".." in ended.out.replace("...", "")) == (0, False)


def test_what_a_copy_takes_is_noted_once_by_each_verb_that_decides(
    envctl: Run, shop: Path, tmp_path: Path
) -> None:
    (shop / ".gitignore").write_text(".env\n")
    (shop / "app").mkdir()
    (shop / "app" / ".env").write_text("x")
    spec = (shop / "envctl.yaml").read_text()
    step = "- copy: {from: app, to: /a, exclude: [nothing]}"
    two = "".join(f"  copier{n}:\n    command: [a]\n    build:\n      {step}\n" for n in (1, 2))
    (shop / "envctl.yaml").write_text(f"{spec.rstrip()}\n{two}")
    for words in (
        ("validate", "dev"),
        ("plan", "dev"),
        ("plan", "dev", "--offline"),
        ("render", "dev", "-o", str(tmp_path / "out")),
    ):
        said = envctl(*words).err
        assert said.count("note: copy app takes 1 thing that git ignores: app/.env;") == 1, said
        assert said.count('the pattern "nothing" of its `exclude` matches nothing') == 1
    assert "copy app" not in envctl("status", "dev").err


def test_up_says_what_changes_then_what_it_does_then_where_to_look(
    envctl: Run, shop: Path, for_real: None
) -> None:
    ended = envctl("up", "dev")
    assert ended.code == 0
    assert "+ create web" in ended.out
    assert ended.out.rstrip().endswith("127.0.0.1:8080")
    assert "✓ start web" in ended.err
    assert "\x1b" not in ended.out + ended.err


def test_up_again_says_that_nothing_changes_and_where_to_look(
    envctl: Run, shop: Path, for_real: None
) -> None:
    envctl("up", "dev")
    ended = envctl("up", "dev")
    first, *rest = ended.out.splitlines()
    assert first == "dev: no changes"
    assert "127.0.0.1:8080" in rest[-1]
    assert ended.err == ""


def test_a_quiet_up_prints_the_addresses_alone(envctl: Run, shop: Path, for_real: None) -> None:
    ended = envctl("up", "dev", "-q")
    assert (len(ended.out.splitlines()), ended.err) == (1, "")


def test_up_on_paper_shows_no_address_since_none_answers(envctl: Run, shop: Path) -> None:
    ended = envctl("up", "dev")
    assert "127.0.0.1" not in ended.out
    assert "dev is simulated" in ended.err


MOUNTS = """\
backend: memory
services:
  web:
    mounts:
      ./environments: /env
      ./link: /var/engine
      ./here.sock: /var/here
      /etc/hostname: {target: /name, read_only: true}
    replicas: 2
    ports: null
"""


def test_plan_and_up_note_what_of_the_host_is_mounted(envctl: Run, shop: Path) -> None:
    (shop / "environments" / "dev.yaml").write_text(MOUNTS)
    (shop / "link").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("here.sock")
    notes = [
        "note: web can read and change /etc/passwd on this host (environments/dev.yaml:6:7)",
        f"note: web can read and change {shop}/here.sock on this host (environments/dev.yaml:7:7)",
        "note: web can read /etc/hostname on this host (environments/dev.yaml:8:7)",
    ]
    assert envctl("plan", "dev").err.splitlines() == notes
    assert envctl("plan", "dev", "--offline", "-q").err == ""
    assert envctl("up", "dev").err.splitlines()[:3] == notes
    assert "note:" not in envctl("up", "dev").err


@pytest.mark.parametrize("words", ["plan dev", "config dev", "render dev -o out", "up dev"])
def test_a_variable_that_sets_nothing_is_noted(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("ENVCTL_VAR_levl", "debug")
    monkeypatch.setenv("ENVCTL_VAR_level", "debug")
    noted = [line for line in envctl(*words.split()).err.splitlines() if "note:" in line]
    assert noted == [
        "note: ENVCTL_VAR_levl has no effect: dev declares no variable 'levl'; did you mean 'level'?"
    ]


def test_up_as_json_prints_json_alone_on_standard_output(envctl: Run, shop: Path) -> None:
    data = envctl("up", "dev", "--json").json
    assert data.keys() == {"environment", "backend", "changes", "addresses"}
    assert (data["environment"], data["backend"]) == ("dev", "memory")
    assert set(data["addresses"]) == {"web"}


def test_up_of_one_service_brings_up_what_it_needs_and_no_more(envctl: Run, shop: Path) -> None:
    envctl("up", "dev", "db")
    states = {row["unit"]: row["state"] for row in envctl("status", "dev", "--json").json}
    assert states == {"db": "running", "web": "missing"}


def test_plan_shows_the_cause_and_the_place_of_a_change(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    overlay = "backend: memory\nservices:\n  web:\n    env: {LOG_LEVEL: debug}\n"
    (shop / "environments" / "dev.yaml").write_text(overlay)
    (change,) = envctl("plan", "dev", "--json").json["changes"]
    assert change.keys() == {"action", "unit", "cause", "where", "causes"}
    assert (change["action"], change["unit"]) == ("replace", "web")
    assert change["where"] == "environments/dev.yaml:4:22"
    line = envctl("plan", "dev").out
    assert 'LOG_LEVEL "info" → "debug"' in line
    assert "environments/dev.yaml:4:22" in line


def test_a_change_of_the_projects_own_template_is_a_change_of_the_build(
    envctl: Run, shop: Path
) -> None:
    envctl("up", "dev")
    steps = shop / "templates" / "docker" / "steps"
    steps.mkdir(parents=True)
    (steps / "run.j2").write_text("RUN true\n")
    changes = envctl("plan", "dev", "--json").json["changes"]
    assert {change["action"] for change in changes} == {"build", "replace"}


def test_plan_tells_differences_by_its_exit_code_if_asked(envctl: Run, shop: Path) -> None:
    assert envctl("plan", "dev").code == 0
    assert envctl("plan", "dev", "--exit-code").code == 3
    envctl("up", "dev")
    ended = envctl("plan", "dev", "--exit-code")
    assert (ended.code, ended.out) == (0, "dev: no changes\n")


def test_plan_offline_shows_the_whole_plan(envctl: Run, shop: Path) -> None:
    assert "volume data → /data" in envctl("plan", "dev", "--offline").out
    data = envctl("plan", "dev", "--offline", "--json").json
    assert data.keys() == {"environment", "backend", "plan"}


def test_a_variable_is_set_before_or_after_the_verb(envctl: Run, shop: Path) -> None:
    assert 'env LOG_LEVEL="a"' in envctl("--set", "level=a", "plan", "dev", "--offline").out
    assert 'env LOG_LEVEL="b"' in envctl("plan", "dev", "--offline", "--set", "level=b").out


def test_status_has_documented_keys(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    rows = envctl("status", "dev", "--json").json
    assert [row.keys() for row in rows] == [ROW_KEYS, ROW_KEYS]
    web = next(row for row in rows if row["unit"] == "web")
    assert (web["environment"], web["backend"], web["state"]) == ("dev", "memory", "running")


def test_status_without_a_target_shows_all_that_are_up(envctl: Run, shop: Path) -> None:
    assert envctl("status").out == "nothing is up\n"
    envctl("up", "dev")
    envctl("up", "test")
    assert {row["environment"] for row in envctl("status", "--json").json} == {"dev", "test"}
    assert envctl("status").out.splitlines()[0].split() == [
        "ENVIRONMENT", "BACKEND", "UNIT", "STATE", "ADDRESSES"
    ]  # fmt: skip


def test_verify_tells_what_is_not_as_the_spec_has_it(envctl: Run, shop: Path) -> None:
    found = envctl("verify", "dev")
    assert found.code == 3
    assert "web unit: does not exist yet  (envctl.yaml:" in found.out
    assert "2 units, 0 facts hold; 2 drifted" in found.out
    assert "`envctl up dev@memory` restores it, or shows why" in found.err
    quiet = envctl("verify", "dev", "-q")
    assert (quiet.code, quiet.err) == (3, "")
    assert quiet.out == "dev@memory: 2 units, 0 facts hold; 2 drifted\n"
    envctl("up", "dev")
    fine = envctl("verify", "dev")
    assert (fine.code, fine.out) == (0, "2 units, 2 facts hold\n")
    assert "dev@memory is simulated" in fine.err
    told = envctl("verify", "dev", "--set", "level=x", "--json")
    assert told.code == 3
    (finding,) = told.json["findings"]
    assert finding["found"].startswith("env LOG_LEVEL")
    assert told.json.keys() == {"format", "version", "target", "units", "findings", "checks"}


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        (("sockets", "names"), "`envctl logs dev@docker web db` may show why"),
        (("sockets", "packages"), "`envctl down dev@docker` and `envctl up dev@docker`"),
        (("unit", "checks"), "`envctl up dev@docker` restores it"),
        (("checks", "checks"), "see the output of the failing checks"),
    ],
)
def test_verify_ends_with_what_mends_it(categories: tuple[str, str], said: str) -> None:
    claims = [
        Expectation(unit, category, "x", "so", "not so")
        for unit, category in zip(("web", "db"), categories, strict=True)
    ]
    assert said in remedy(Verification("dev@docker", ["web", "db"], claims))


def test_stop_keeps_what_down_removes(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    assert {change["action"] for change in envctl("stop", "dev", "--json").json["changes"]} == {
        "stop"
    }
    removed = envctl("down", "dev", "--json").json
    assert removed.keys() == {"environment", "backend", "changes"}
    assert "remove" in {change["action"] for change in removed["changes"]}
    assert envctl("down", "dev").out == "dev: nothing is up\n"


def test_down_deletes_data_only_when_told(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    kept = envctl("down", "dev", "--json").json["changes"]
    assert "discard" not in {change["action"] for change in kept}
    gone = envctl("down", "dev", "--volumes", "--json").json["changes"]
    assert ("discard", "data") in {(change["action"], change["unit"]) for change in gone}


def test_plan_and_status_name_the_data_that_nothing_uses_any_more(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    text = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(text.replace("{data: /data}", "{data2: /data}"))

    said = envctl("plan", "dev").out
    assert "volume data → data2: data2 is new and does not have the data of data" in said
    (told,) = envctl("plan", "dev", "--json").json["volumes"]
    assert (told["volume"], told["state"], told["where"]) == ("data2", "new", "envctl.yaml:12:22")
    envctl("up", "dev")

    (told,) = envctl("plan", "dev", "--json").json["volumes"]
    assert (told["volume"], told["state"]) == ("data", "unused")
    (row,) = (one for one in envctl("status", "dev", "--json").json if one["kind"] == "volume")
    assert (row["unit"], row["state"]) == ("data", "unused")
    assert "volume data" in envctl("status", "dev").out
    down = envctl("down", "dev")
    assert "data stay: data, data2; `envctl down --volumes` deletes them" in down.err
    assert "data stay: data, data2" in envctl("down", "dev").err


def test_the_only_environment_needs_no_name(envctl: Run, shop: Path) -> None:
    (shop / "environments" / "test.yaml").unlink()
    assert "backend: memory" in envctl("config").out
    assert envctl("up").code == 0


def test_validate_tells_which_are_valid(envctl: Run, shop: Path) -> None:
    assert envctl("validate").out == "valid: dev, test\n"
    assert envctl("validate", "dev", "--json").json == {
        "valid": True,
        "environments": ["dev"],
        "problems": [],
    }


def test_validate_tells_every_problem_with_its_place(envctl: Run, shop: Path) -> None:
    broken = "backend: memory\nservices:\n  web:\n    prots: []\n    restart: sometimes\n"
    (shop / "environments" / "dev.yaml").write_text(broken)
    ended = envctl("validate", "--json")
    assert ended.code == 1
    places = {(one["file"], one["line"]) for one in ended.json["problems"]}
    assert places == {("environments/dev.yaml", 4), ("environments/dev.yaml", 5)}
    assert "environments/dev.yaml:4:5" in ended.err


def test_what_is_missing_and_what_the_backend_cannot_do_are_reported_together(
    envctl: Run, shop: Path
) -> None:
    (shop / "environments" / "dev.yaml").write_text(
        "backend: docker\nservices:\n  web:\n    mounts: {./gone: /a}\n"
        "    options: {docker: {shm: 1}}\n  db:\n    build: [{copy: {from: app, to: /a}}]\n"
        "    options: {docker: {shm: 1}}\n"
    )
    (shop / "app").symlink_to("/etc")
    problems = envctl("validate", "dev", "--json").json["problems"]
    assert {one["line"] for one in problems} == {4, 5, 7}


def test_a_misspelt_backend_is_a_problem_of_the_spec_with_its_place(
    envctl: Run, shop: Path
) -> None:
    (shop / "environments" / "dev.yaml").write_text("backend: dokcer\n")
    (shop / "environments" / "test.yaml").write_text(
        "backend: memory\nservices: {web: {prots: []}}\n"
    )
    ended = envctl("validate", "--json")
    assert ended.code == 1
    assert [(one["file"], one["line"], one["hint"]) for one in ended.json["problems"]] == [
        ("environments/dev.yaml", 1, "did you mean 'docker'?"),
        ("environments/test.yaml", 2, "did you mean 'ports'?"),
    ]


def accepting(shop: Path, unit: str, category: str = "limits") -> None:
    """Let the file that environments share accept differences of a unit."""
    file = shop / "envctl.yaml"
    entry = f"  - {{category: {category}, unit: {unit!r}, reason: none}}\n"
    file.write_text(f"{file.read_text()}accept:\n{entry}")


@pytest.mark.parametrize("words", ["validate", "validate dev"])
def test_accepting_differences_of_a_unit_that_no_environment_has_is_a_mistake(
    envctl: Run, shop: Path, words: str
) -> None:
    accepting(shop, "wbe")
    ended = envctl(*words.split())
    assert ended.code == 1
    assert ended.err == (
        "envctl.yaml:14:30: accept.0.unit: no environment has a unit 'wbe'\n"
        "      - {category: limits, unit: 'wbe', reason: none}\n"
        "                                 ^\n"
        "    hint: did you mean 'web'?\n"
        "1 problem in the spec\n"
    )
    (problem,) = envctl(*words.split(), "--json").json["problems"]
    assert (problem["line"], problem["hint"]) == (14, "did you mean 'web'?")
    assert envctl("up", "dev").code == 0


@pytest.mark.parametrize(
    ("unit", "category"),
    [
        ("web", "limits"),
        ("w*", "limits"),
        ("web-7", "limits"),  # how many there are may be a variable
        ("web-*", "limits"),
        ("extra", "limits"),
        ("gone", "units"),  # kept facts may be of a time when there was one
    ],
)
def test_accepting_differences_of_a_unit_that_some_environment_may_have_is_none(
    envctl: Run, shop: Path, unit: str, category: str
) -> None:
    overlay = "backend: memory\nservices: {extra: {command: [x]}}\n"
    (shop / "environments/test.yaml").write_text(overlay)
    accepting(shop, unit, category)
    assert envctl("validate", "dev").code == 0


def test_a_broken_environment_may_have_the_unit(envctl: Run, shop: Path) -> None:
    (shop / "environments/test.yaml").write_text("backend: memory\nservices: {extra: {x: 1}}\n")
    accepting(shop, "extra")
    assert envctl("validate", "dev").code == 0
    assert "accept" not in envctl("validate").err


def test_a_variable_of_one_environment_alone_hinders_no_look_at_the_others(
    envctl: Run, shop: Path
) -> None:
    (shop / "environments/test.yaml").write_text("backend: memory\nvars: {only_here: 1}\n")
    accepting(shop, "web")
    assert envctl("validate", "test", "--set", "only_here=2").code == 0


def test_config_prints_the_resolved_spec_and_its_origins(envctl: Run, shop: Path) -> None:
    data = envctl("config", "test", "--json").json
    assert data["services"]["web"]["env"] == {"LOG_LEVEL": "debug"}
    assert "environments/test.yaml:2" in envctl("config", "test", "--origins").out
    origins = envctl("config", "test", "--json", "--origins").json["origins"]
    assert origins["vars.level"]["where"].startswith("environments/test.yaml:2:")


def test_config_on_a_backend_that_does_not_exist_is_refused(envctl: Run, shop: Path) -> None:
    ended = envctl("config", "dev@memroy")
    assert (ended.code, ended.out) == (2, "")
    assert "no such backend: 'memroy'" in ended.err
    assert "did you mean 'memory'?" in ended.err


def test_what_is_on_paper_only_has_no_facts(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    ended = envctl("facts", "dev")
    assert ended.code == 1
    assert ended.err == (
        "error: dev@memory is simulated, so it has no facts\nhint: use another backend: dev@docker\n"
    )


def test_what_is_to_be_brought_up_is_named_with_its_backend(envctl: Run, shop: Path) -> None:
    assert (
        "bring it up with `envctl up dev@memory`" in envctl("exec", "dev@memory", "web", "ls").err
    )


def test_schema_prints_a_json_schema_or_writes_it(envctl: Run, shop: Path) -> None:
    assert "properties" in envctl("schema").json
    envctl("schema", "--for", "environment", "-o", "schema.json")
    assert '"properties"' in (shop / "schema.json").read_text()


def test_render_writes_a_folder_and_lists_it(envctl: Run, shop: Path) -> None:
    data = envctl("render", "dev", "-o", "out", "--json").json
    assert data == {
        "environment": "dev",
        "backend": "memory",
        "folder": "out",
        "files": ["plan.txt"],
    }
    assert "service web" in (shop / "out" / "plan.txt").read_text()
    assert envctl("render", "dev", "-o", "out").out == "out/plan.txt\n"


@pytest.mark.parametrize("verb", ["exec", "shell"])
def test_a_unit_must_be_named_if_there_are_several(envctl: Run, shop: Path, verb: str) -> None:
    envctl("up", "dev")
    words = ("dev", "--", "true") if verb == "exec" else ("dev",)
    ended = envctl(verb, *words)
    assert ended.code == 2
    assert "web, db" in ended.err


@pytest.mark.parametrize(
    ("ports", "address", "shown"),
    [
        ("['8080:8000']", "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("['8000']", "127.0.0.1:49153", "http://127.0.0.1:49153"),
        ("['8080:8000', '9000:9000']", "127.0.0.1:9000", "127.0.0.1:9000"),
    ],
)
def test_an_address_is_a_link_where_the_probe_speaks_http(
    shop: Path, ports: str, address: str, shown: str
) -> None:
    (shop / "envctl.yaml").write_text(
        "project: shop\nbase: debian:bookworm\nservices:\n  web:\n    command: [sleep, '1']\n"
        f"    ports: {ports}\n    healthcheck: {{http: 'http://127.0.0.1:8000/'}}\n"
    )
    (unit,) = Session(Project(shop, environ={}), Target("dev")).plan.units
    assert to_open(address, unit) == shown


def test_diff_shows_both_sides_and_the_lines_that_make_the_difference(
    envctl: Run, shop: Path
) -> None:
    overlay = (
        "backend: memory\nvars: {level: debug}\nservices: {db: null, web: {depends_on: null}}\n"
    )
    (shop / "environments/lab.yaml").write_text(overlay)
    ended = envctl("diff", "dev", "lab")
    assert ended.code == 3
    assert (
        'services.web.env.LOG_LEVEL\n  - "info"  (envctl.yaml:7:22)\n  + "debug"  (envctl.yaml:7:22)\n'
        in ended.out
    )
    assert ended.out.splitlines()[-1] == "builds: db only in the first, web the same"

    data = envctl("diff", "dev", "lab", "--json").json
    level = next(one for one in data["differences"] if one["path"] == "vars.level")
    assert (level["before"], level["after"]) == ("info", "debug")
    assert level["after_where"] == "environments/lab.yaml:2:15"
    assert data["builds"]["db"]["after"] is None


def test_diff_tells_memory_in_units_and_as_a_number_in_json(envctl: Run, shop: Path) -> None:
    limits = "services: {web: {resources: {memory: 256M}, env: {memory: 1024}}}\n"
    (shop / "environments/lab.yaml").write_text(f"backend: memory\n{limits}")
    shown = envctl("diff", "dev", "lab").out
    assert "  + 256 MiB  (environments/lab.yaml:2:38)" in shown
    assert '  + "1024"  (environments/lab.yaml:2:59)' in shown
    data = envctl("diff", "dev", "lab", "--json").json
    values = {one["path"]: one["after"] for one in data["differences"]}
    assert values["services.web.resources.memory"] == 256 * 2**20


def test_diff_of_an_environment_with_itself_finds_nothing(envctl: Run, shop: Path) -> None:
    ended = envctl("diff", "dev", "dev")
    assert (ended.code, ended.out) == (
        0,
        "the specs are the same\nbuilds: db the same, web the same\n",
    )


def test_a_quiet_diff_is_the_verdict_in_a_line(envctl: Run, shop: Path) -> None:
    overlay = "backend: memory\nservices: {web: {env: {A: b}, packages: [curl]}}\n"
    (shop / "environments/lab.yaml").write_text(overlay)
    ended = envctl("diff", "dev", "lab", "-q")
    assert (ended.code, ended.out) == (
        3,
        "dev compared with lab: 2 differences in the spec, 1 build differs\n",
    )
    ended = envctl("diff", "dev", "dev", "-q")
    assert (ended.code, ended.out) == (0, "dev compared with dev: no differences\n")


def test_diff_of_two_backends_tells_the_backend_alone(envctl: Run, shop: Path) -> None:
    data = envctl("diff", "dev@memory", "dev@docker", "--json").json
    assert [one["path"] for one in data["differences"]] == ["backend"]
    assert data["differences"][0]["after_where"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{vagrant: single}", "expected a mapping of the backend's settings"),
        ("{docker: [x]}", "expected a mapping of the backend's settings"),
        ("{vagrnat: {layout: single}}", "no such backend: 'vagrnat'"),
        ("{layout: {single: 1}}", "no such backend: 'layout'"),
    ],
)
def test_options_that_no_backend_would_read_are_reported_with_their_place(
    envctl: Run, shop: Path, options: str, said: str
) -> None:
    (shop / "environments/dev.yaml").write_text(f"backend: memory\noptions: {options}\n")
    ended = envctl("validate", "dev")
    assert ended.code == 1
    assert said in ended.err
    assert "environments/dev.yaml:2:" in ended.err


def test_a_target_on_another_backend_is_checked_and_shown_for_that_one(
    envctl: Run, shop: Path
) -> None:
    assert "backend: docker" in envctl("config", "dev@docker").out
    (shop / "environments/dev.yaml").write_text(
        "backend: memory\noptions: {vagrant: {layuot: single}}\n"
    )
    assert envctl("validate", "dev").code == 0
    ended = envctl("validate", "dev@vagrant")
    assert ended.code == 1
    assert "environments/dev.yaml:2:29: no such option: options.vagrant.layuot" in ended.err


def test_status_shows_what_was_brought_up_on_another_backend_than_the_specs(
    envctl: Run, shop: Path
) -> None:
    (shop / "environments/other.yaml").write_text("backend: docker\n")
    envctl("up", "other@memory")
    rows = envctl("status", "--json").json
    assert {(row["environment"], row["backend"]) for row in rows} == {("other", "memory")}
