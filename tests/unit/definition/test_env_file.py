"""`env_file`: which variables a service gets from files, where they come from, and what is a mistake in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl import definition
from envctl.definition import dotenv
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode
from envctl.errors import SpecError
from tests.unit.definition.helpers import HEAD, load, problems, write

WEB = HEAD + "vars: {port: 8080}\nservices:\n  web:\n    command: [serve]\n    env_file: .env\n"


def values(text: str, **known: str) -> dict[str, str]:
    """What a file sets; it has no mistakes."""
    found = Problems()
    table = dotenv.parse(text, ".env", known=known.get, problems=found)
    assert found.entries == []
    return {name: str(value) for name, value in table.items()}


def mistakes(text: str) -> list[str]:
    """What is wrong with a file, each with its line."""
    found = Problems()
    dotenv.parse(text, ".env", known=lambda _: None, problems=found)
    return [f"{problem.where.line}:{problem.message}" for problem in found.entries]


def env(root: Path, spec: str, file: str | None, *, dev: str = "") -> dict[str, object]:
    """The variables of the service web."""
    if file is not None:
        (root / ".env").write_text(file)
    return dict(load(root, spec, dev=dev).data["services"]["web"]["env"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = two words \nexport C=3\nD: 4\n", {"A": "1", "B": "two words", "C": "3", "D": "4"}),
        ("\n# comment\n  A=x # comment\nB=x#y\nC=\nD=a=b\n", {"A": "x", "B": "x#y", "C": "", "D": "a=b"}),
        ("A='$x \\n \\'q\\' \"' # c\n", {"A": "$x \\n 'q' \""}),
        ('A="a\\tb\\n\\"q\\" \\\\ \\$x $$y \\0101 \\z"\n', {"A": 'a\tb\n"q" \\ $x $y A \\z'}),
        ("A='one\ntwo'\nB=3\n", {"A": "one\ntwo", "B": "3"}),
        ("A=1\r\nB='x\r\ny'\r\n", {"A": "1", "B": "x\ny"}),
        ("A=x\nB=$A/${A}/\"\nC=\"$A ${A}y\"\n", {"A": "x", "B": 'x/x/"', "C": "x xy"}),
        ("E=\nA=${N:-d}${N-d}${E:-d}${E-d}\n", {"E": "", "A": "ddd"}),
        ("E=\nF=f\nA=${F:+s}${E:+s}${E+s}${N+s}${F:?no}\n", {"E": "", "F": "f", "A": "ssf"}),
        ("A=${N:-${M:-deep}}}\n", {"A": "deep}"}),
        ("A=$1 $ 5$\n", {"A": "$1 $ 5$"}),
        ("A=$port\nport=1\nB=$port\n", {"A": "80", "port": "1", "B": "1"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)  # fmt: skip
def test_files_are_read_as_compose_reads_them(text: str, expected: dict[str, str]) -> None:
    assert values(text, port="80") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A\n", ["1:'A' sets no variable"]),
        ("\nA B=1\n=2\n", ["2:'A B=1' sets no variable", "3:'=2' sets no variable"]),
        ("A='x\nB=1\n", ['1:A: the closing \' is missing']),
        ("A='x' y\nB=$N\n", ["1:A: 'y' follows the closing quote",
          "2:B: $N is not set: neither above, nor in the service's env, nor in vars"]),
        ("A='1\n2'\nB=${N\n", ["3:B: the } of a ${ is missing"]),
        ("A=${N:?give one}\nB=${1}\n", ["1:A: N is not set: 'give one'", "2:B: '${1}' is not a valid variable"]),
        ('A="\\0000"\n', ["1:A: a value must not contain a NUL character"]),
        ("A=" + "${N:-" * 30 + "}" * 30, ["1:A: nested deeper than 20 levels"]),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_variables_cannot_make_a_file_endless() -> None:
    text = "A=" + "x" * 1000 + "\n" + "A=$A$A\n" * 100
    found = mistakes(text)
    assert found
    assert all("longer than 4,194,304 characters" in mistake for mistake in found)


@given(st.text(alphabet="AB='\"$\\{}:-?+# \n\r0n", max_size=60))
def test_any_text_is_read_or_has_mistakes(text: str) -> None:
    table = dotenv.parse(text, ".env", known=lambda _: None, problems=Problems())
    assert all(node.position[1] <= text.count("\n") + 1 for node in table.values())


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40))
def test_any_value_can_be_written_in_double_quotes(value: str) -> None:
    written = "".join({'"': '\\"', "\\": "\\\\", "$": "\\$"}.get(char, char) for char in value)
    # A backslash pair before the closing quote is one that Compose takes for an escaped quote, too.
    assert values(f'A="{written}"\n') == {"A": value}


def test_env_wins_wherever_it_is_written(tmp_path: Path) -> None:
    spec = WEB + "    env: {A: spec}\n"
    overlay = "services: {web: {env: {C: dev}}}\n"
    assert env(tmp_path, spec, "A=file\nB=file\nC=file\n", dev=overlay) == {
        "A": "spec",
        "B": "file",
        "C": "dev",
    }


def test_the_last_file_wins_and_may_be_missing(tmp_path: Path) -> None:
    spec = WEB.replace("env_file: .env", "env_file: [.env, {path: .env.local, required: false}]")
    assert env(tmp_path, spec, "A=1\nB=$A\n") == {"A": "1", "B": "1"}
    (tmp_path / ".env.local").write_text("A=2\nC=$B\n")
    assert env(tmp_path, spec, "A=1\nB=$A\n") == {"A": "2", "B": "1", "C": "1"}


def test_files_use_the_service_env_and_vars(tmp_path: Path) -> None:
    spec = WEB + "    env: {HOST: db}\n"
    assert env(tmp_path, spec, "URL=$HOST:$port\n") == {"URL": "db:8080", "HOST": "db"}


def test_a_value_of_a_file_is_literal(tmp_path: Path) -> None:
    assert env(tmp_path, WEB, "A='${port} $$'\nB=yes\n") == {"A": "${port} $$", "B": "yes"}


def test_the_path_may_have_a_variable(tmp_path: Path) -> None:
    (tmp_path / ".env.8080").write_text("A=1\n")
    assert env(tmp_path, WEB.replace(".env", '".env.${port}"'), None) == {"A": "1"}


def test_overlays_replace_extend_and_remove_files(tmp_path: Path) -> None:
    spec = WEB.replace("env_file: .env", "env_file: [.env]")
    (tmp_path / ".env.dev").write_text("B=2\n")
    overlay = "services: {{web: {{env_file: {}}}}}\n"
    assert env(tmp_path, spec, "A=1\n", dev=overlay.format(".env.dev")) == {"B": "2"}
    both = {"A": "1", "B": "2"}
    assert env(tmp_path, spec, "A=1\n", dev=overlay.format("!append [.env.dev]")) == both
    assert env(tmp_path, spec, "A=1\n", dev=overlay.format("null")) == {}


def test_an_overlay_removes_a_variable_of_a_file(tmp_path: Path) -> None:
    assert env(tmp_path, WEB, "A=1\nB=2\n", dev="services: {web: {env: {A: null}}}\n") == {"B": "2"}


def test_a_service_inherits_files(tmp_path: Path) -> None:
    spec = WEB + "  worker: {extends: web, env: {A: w}}\n"
    (tmp_path / ".env").write_text("A=1\nB=2\n")
    services = load(tmp_path, spec).data["services"]
    assert services["worker"]["env"] == {"A": "w", "B": "2"}
    assert services["web"]["env"] == {"A": "1", "B": "2"}


def test_origins_name_the_file_and_what_was_replaced(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# c\nA=1\nB=2\n")
    resolved = load(tmp_path, WEB + "    env: {B: spec}\n")
    text = definition.config_text(resolved, origins=True)
    assert 'A: "1"  # .env:2:3' in text
    assert "B: spec  # envctl.yaml:8:14 (was 2 at .env:3:3)" in text
    assert "env_file" not in text
    assert str(resolved.where("services", "web", "env", "A")) == ".env:2:3"


def test_what_config_prints_means_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('A=\'${x} $$ # "\'\nB="1\n2"\n')
    first = load(tmp_path, WEB)
    text = definition.config_text(first)
    again = tmp_path / "again"
    again.mkdir()
    (again / "envctl.yaml").write_text(text)
    second = definition.load(again, "dev", environ={}, cache=False)
    assert second.data["services"]["web"]["env"] == first.data["services"]["web"]["env"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (".env.gone", "services.web.env_file: '.env.gone' does not exist"),
        ("../x", "services.web.env_file: '../x' leads outside the project"),
        ("/etc/passwd", "services.web.env_file: '/etc/passwd' is not relative to the project"),
        ("{paht: x}", "services.web.env_file has no key 'paht'"),
        ("[[x]]", "services.web.env_file.0: expected a file (a path or a mapping), got a list"),
        ("null", "services.web.env_file has no value"),
        ("link", "services.web.env_file: link leads outside the project"),
        ("folder", "services.web.env_file: folder is a folder"),
        ("large", "services.web.env_file: large is larger than 1 MiB"),
        ("latin", "services.web.env_file: latin is not UTF-8 text"),
        ("names", "services.web.env.B-C: 'B-C' is not allowed here"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place(tmp_path: Path, value: str, message: str) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"#" * (1024 * 1024 + 1))
    (tmp_path / "latin").write_bytes(b"A=\xff\n")
    (tmp_path / "names").write_text("A=1\nB-C=2\n")
    spec = WEB.replace("env_file: .env", f"env_file: {value}")
    (problem,) = problems(tmp_path, spec)
    assert message in problem.message
    assert problem.where.line == (2 if value == "names" else 7)
    assert "root:" not in str(problem)


def test_a_mistake_in_a_file_shows_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB=${C}\n")
    (problem,) = problems(tmp_path, WEB)
    assert (str(problem.where), problem.source) == (".env:2:3", "B=${C}")


def test_the_cache_depends_on_the_files(tmp_path: Path) -> None:
    spec = WEB.replace("env_file: .env", "env_file: [.env, {path: .local, required: false}]")
    write(tmp_path, spec)

    def cached_env() -> dict[str, object]:
        return dict(definition.load(tmp_path, "dev", environ={}).data["services"]["web"]["env"])

    (tmp_path / ".env").write_text("A=1\n")
    assert cached_env() == cached_env() == {"A": "1"}
    (tmp_path / ".env").write_text("A=2\n")
    assert cached_env() == cached_env() == {"A": "2"}
    (tmp_path / ".local").write_text("A=3\n")
    assert cached_env() == cached_env() == {"A": "3"}
    (tmp_path / ".env").unlink()
    with pytest.raises(SpecError, match="does not exist"):
        cached_env()


def test_many_services_of_one_large_file_are_too_much(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"A{n}={'x' * 900}\n" for n in range(1000)))
    services = "".join(f"  w{n}: {{extends: web}}\n" for n in range(12))
    (problem,) = problems(tmp_path, WEB + services)
    assert "more than 8,388,608 characters" in problem.message


def test_services_without_files_stay_shared(tmp_path: Path) -> None:
    node = MapNode(("f", 1, 1))
    node.put("web", MapNode(("f", 2, 1)), ("f", 2, 1))
    from envctl.definition.env_files import EnvFiles
    from envctl.definition.input_files import InputFiles
    from envctl.definition.size import Size

    found = Problems()
    files = EnvFiles(InputFiles(tmp_path), {}, problems=found, size=Size(found))
    assert files.add_to(node)["web"] is node["web"]
