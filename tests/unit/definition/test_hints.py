"""Hints are carried out: what a message tells to write makes its problem go away, and leaves no other in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envctl.errors import Problem
from tests.unit.definition.helpers import HEAD, WEB, problems

DB = "  db: {command: [a]}\n"
TOKEN = "secrets: {token: {env: T}}\n"
VARS = "vars: {port: 80}\n"

CASES = {
    "Compose's build": WEB.replace("base: debian:bookworm\n", "").replace("    command: [serve]\n", "") + "    build: .\n",
    "Compose's build of a folder": "project: p\nservices:\n  web:\n    build: ./web\n",
    "Compose's build with a context": "project: p\nservices:\n  web:\n    build: {context: web, dockerfile: Dockerfile}\n",
    "a command for a build": WEB + "    build: make\n",
    "a command for a step": WEB + "    build: [make]\n",
    "a text for ports": WEB + "    ports: 8080:8000\n",
    "a number for ports": WEB + "    ports: 8080\n",
    "a text for packages": WEB + "    packages: curl\n",
    "texts for packages": WEB + "    packages: curl, wget\n",
    "words for packages": WEB + "    packages: curl wget\n",
    "Norway for packages": WEB + "    packages: no\n",
    "a text for secrets": TOKEN + WEB + "    secrets: token\n",
    "a text for dependencies": WEB + "    depends_on: db\n" + DB,
    "a text for capabilities": WEB + "    capabilities: NET_ADMIN\n",
    "Compose's env": WEB + "    env: [A=b, C=d e, E=]\n",
    "a text for env": WEB + "    env: A=b\n",
    "Compose's mounts": WEB + "    mounts: ./app:/srv\n",
    "Compose's read-only mounts": WEB + "    mounts: ./app:/srv:ro\n",
    "Compose's volumes": WEB + "    volumes: [data:/var/lib]\n",
    "Compose's read-only volumes": WEB + "    volumes: ['data:/var/lib:ro']\n",
    "a boolean for a text": WEB + "    env: {DEBUG: true}\n",
    "a misspelt key": WEB + "    packges: [curl]\n",
    "a misspelt key of Compose": WEB + "    workingdir: /srv\n",
    "a key of Compose": WEB + "    working_dir: /srv\n",
    "a misspelt top key": HEAD + "sevices: {web: {command: [a]}}\n",
    "a misspelt nested key": WEB + "    healthcheck: {htpp: 'http://127.0.0.1/'}\n",
    "another tool's key of a copy": WEB + "    build: [{copy: {src: app, to: /x}}]\n",
    "another tool's keys of a port": WEB + "    ports: [{target: 80}]\n",
    "a misspelt variable": VARS + WEB + '    ports: ["${prot}:8000"]\n',
    "a misspelt variable without quotes": VARS + WEB + "    replicas: ${prot}\n",
    "a misspelt service": WEB + "    depends_on: [dbb]\n" + DB,
    "a misspelt service to extend": WEB + "  b: {extends: wbe}\n",
    "a misspelt secret": TOKEN + WEB + "    secrets: [tokn]\n",
    "a misspelt word": WEB + "    restart: allways\n",
    "a misspelt file": WEB + "    build: [{copy: {from: apq, to: /x}}]\n",
    "a colon in a value": WEB + "    env:\n      A: a: b\n",
    "a missing colon": HEAD + "services:\n  web\n    command: [a]\n",
    "a missing colon with a value": HEAD + "services:\n  web:\n    command [a]\n    user: x\n",
    "a missing space": HEAD + "services:\n  web:\n    command:[a]\n    user: x\n",
    "a missing space at the end": HEAD + "services:\n  web:\n    user: x\n    command:[a]\n",
    "a missing space at the start": "project:p\nbase: debian:bookworm\nservices: {web: {command: [a]}}\n",
    "a missing space in a list": HEAD + "services:\n  web:\n    command:\n    -a\n    -b\n",
    "a variable in a list without quotes": VARS + WEB + "    ports: [${port}:80]\n",
    "an at-sign": WEB + "    env: {A: @x}\n",
    "a star": WEB + "    env:\n      A: *.py\n",
    "a list that is not closed": HEAD + "services:\n  web:\n    command: [a, b\n    user: x\n",
    "a mapping that is not closed": WEB + "    env: {A: b\n    user: x\n",
    "a quote that is not closed": WEB + "    env: {A: 'b}\n    user: x\n",
    "a quote that ends in the next line": WEB + "    workdir: '/srv\n    env: {A: 'b'}\n",
    "a line too deep": HEAD + "services:\n  web:\n    command: [a]\n     user: x\n",
    "a line not deep enough": HEAD + "services:\n  web:\n    command: [a]\n   user: x\n",
    "a line below a value": "project: p\n  base: debian:bookworm\nservices: {web: {command: [a]}}\n",
    "an item too far left": WEB + "    packages:\n      - curl\n    - wget\n    user: x\n",
    "a key of a service too far left": WEB + "  env: {A: b}\n",
    "values that are not indented": WEB + "    env:\n    A: b\n",
    "a service beside the services": WEB + "db:\n  command: [a]\n",
    "services that are not indented": HEAD + "services:\nweb:\n  command: [a]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_what_a_hint_says_is_right(text: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "web").mkdir()
    for folder in (tmp_path, tmp_path / "web"):
        (folder / "Dockerfile").write_text("FROM scratch\n")
    for _ in range(3):
        found = problems(tmp_path, text)
        assert found
        fixed = applied(text, next(one for one in found if one.hint or "spaces" in one.expected))
        if not problems(tmp_path, fixed):
            return
        assert fixed != text
        text = fixed
    raise AssertionError("\n".join(map(str, problems(tmp_path, text))) + "\n" + text)


def applied(text: str, problem: Problem) -> str:
    """The spec after what a problem's hint says has been done to the line that it names."""
    lines = text.split("\n")
    number, column = problem.where.line - 1, problem.where.column - 1
    line, hint = lines[number], problem.hint
    before, after = line[:column], line[column:]
    if said := re.search(r"^(\d+) spaces", problem.expected):
        lines[number] = " " * int(said[1]) + line.lstrip()
    elif said := re.search(r"write dockerfile: (\S+) in place of build", hint):
        lines[number] = f"    dockerfile: {said[1]}"
    elif said := re.search(r"^did you mean '(.*)'\?", hint):
        lines[number] = before + re.sub(r"[\w./-]+", said[1], after, count=1)
    elif said := re.search(r"the key is (\w+)", hint):
        lines[number] = before + re.sub(r"\w+", said[1], after, count=1)
    elif said := re.search(r"quote it: (\"(.*)\")", hint):
        lines[number] = line.replace(said[2], said[1])
    elif hint.startswith("quote a value"):
        name, colon, value = line.rpartition(": ") if "{" in line else line.partition(": ")
        lines[number] = name + colon + re.sub(r"^([^}]*)", r'"\1"', value)
    elif said := re.search(r"put (?:'(.)'|(['\"])) where the (?:text|list|mapping) ends", hint):
        end = line.find("}", column + 1) if said[2] else -1
        sign = said[1] or said[2]
        lines[number] = line[:end] + sign + line[end:] if end > 0 else line + sign
    elif "indented deeper" in hint or "indent" in hint:
        last = next(
            (later for later in range(number + 1, len(lines))
             if len(lines[later]) - len(lines[later].lstrip()) <= column and "below services" in hint),
            len(lines),
        )  # fmt: skip
        first = number + 1 if "what belongs to it" in hint else number
        lines[first:last] = [f"  {later}" if later else later for later in lines[first:last]]
    elif said := re.search(r"write (- .*|[\w.-]+:(?: .*)?)$", hint):
        start = re.match(r" *", line)
        assert start is not None
        lines[number] = start[0] + said[1]
    elif said := re.search(r"write (.*)$", hint):
        end = max((after.rfind(char) for char in "]}"), default=-1)
        whole = ": " in before or after[:1] in "[{"
        lines[number] = before + said[1] + ("" if whole else after[end:])
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("given", "near"), [("enviroment: {A: b}", "env"), ("enviromnet: {A: b}", "env"), ("entrypiont: a", "command")]
)  # fmt: skip
def test_a_misspelt_key_of_another_tool_leads_to_ours(
    tmp_path: Path, given: str, near: str
) -> None:
    [problem] = problems(tmp_path, WEB.replace("command", "command") + f"    {given}\n")
    assert near in problem.hint
    assert len(problem.expected) < 40


def test_a_variable_that_is_not_declared_is_all_that_is_told_of_its_value(tmp_path: Path) -> None:
    text = (
        VARS + WEB + '    ports: ["${prot}:8000"]\n    replicas: ${n}\n    depends_on: ["${d}"]\n'
    )
    text += '    build: [{copy: {from: "${s}", to: /x}}]\n    workdir: "${w}"\n'
    found = problems(tmp_path, text)
    assert [one.message for one in found] == [
        f"the variable '{name}' is not declared" for name in ("prot", "n", "d", "s", "w")
    ]
    assert "declare it: vars: {n: …}" in found[1].hint


def test_an_overlays_service_that_is_misspelt_is_told_which_it_may_be(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, WEB, dev="services:\n  wbe:\n    env: {A: b}\n")
    assert str(problem.where) == "environments/dev.yaml:2:3"
    assert problem.hint == "envctl.yaml has no service 'wbe'; did you mean 'web'?"


def test_an_overlays_own_service_that_lacks_something_is_told_what_there_is(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, WEB, dev="services:\n  post:\n    env: {A: b}\n")
    assert problem.hint == "envctl.yaml has no service 'post'; there is web"


EVERYTHING = """\
project: Shop
base: debian:bookworm
services:
  web:
    command: [a]
    replicas: two
    depends_on: [dbb]
    packges: [curl]
    build:
      - copy: {from: nowhere, to: /x}
      - copy: {from: nowhere}
      - copy: {from: elsewhere, to: /x}
    secrets: [tokn]
  db:
    kind: jobs
    command: [b]
    healthcheck: {tcp: 99999999}
  cache:
    image: NO
    depends_on: {db: healthy}
    volumes: {A: /x, b: /y}
    mounts: {./gone: /y}
secrets: {token: {env: T}}
"""


def test_mistakes_of_all_kinds_are_reported_at_once(tmp_path: Path) -> None:
    places = [f"{one.where.line}" for one in problems(tmp_path, EVERYTHING)]
    assert places == ["1", "6", "7", "8", "10", "11", "12", "13", "15", "17", "19", "21", "21"]


def test_nothing_is_told_that_only_follows_from_another_mistake(tmp_path: Path) -> None:
    for line in ("command: {}", "image: NO", "base: []", "extends: 1", "dockerfile: /x", "user: []\n    command: [a]"):  # fmt: skip
        text = HEAD + f"services:\n  job:\n    {line}\n"
        assert len(problems(tmp_path, text)) == 1, line
    text = WEB + "    healthcheck: {tcp: x}\n  b: {command: [a], depends_on: {web: healthy}}\n"
    assert len(problems(tmp_path, text)) == 1
    text = WEB + "    kind: tsk\n  b: {command: [a], depends_on: {web: completed}}\n"
    assert len(problems(tmp_path, text)) == 1
