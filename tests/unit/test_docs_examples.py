"""The documentation's examples: files are written, commands run, and the output shown is what comes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from envctl.backends.base import Capabilities
from envctl.backends.memory import MemoryBackend
from envctl.cli.app import command_line
from envctl.cli.front import Call
from tests.unit.cli.conftest import Run, envctl

pytestmark = pytest.mark.slow

__all__ = ["envctl"]

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "how-to").glob("*.md"))
README = DOCS.parent / "README.md"
NEEDS_AN_ENGINE = {
    "doctor", "base", "exec", "shell", "logs", "facts", "parity", "verify",
    "run", "cp", "pull", "top", "events", "open", "port", "ssh-config", "list", "gc",
}  # fmt: skip
"""Verbs that mean nothing on the memory backend: their lines are only parsed."""

BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^ *```(?P<kind>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
INLINE = re.compile(r"`(envctl [^`…]+)`")


@dataclass
class Example:
    """A command, and the lines of output shown below it."""

    command: str
    shown: list[str] = field(default_factory=list)
    code: int = 0


def examples(text: str) -> list[Example]:
    found: list[Example] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Example(line[2:]))
        elif code := re.fullmatch(r"\(exit code (\d)\)", line):
            found[-1].code = int(code[1])
        elif line.strip():
            found[-1].shown.append(line)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_does_what_it_says(
    path: Path, envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MemoryBackend, "capabilities", Capabilities())  # it plays the engine
    for block in BLOCK.finditer(path.read_text()):
        if block["file"]:
            file = tmp_path / block["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["text"])
        elif block["kind"] == "console":
            for example in examples(block["text"]):
                follow(example, envctl, monkeypatch)


def follow(example: Example, envctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = shlex.split(example.command)
    if program == "cd":
        monkeypatch.chdir(words[0])
        return
    if program == "cat":
        compare(example, Path(words[0]).read_text())
        return
    if variable := re.fullmatch(r"(\w+)=(.*)", program):
        with monkeypatch.context() as patch:
            patch.setenv(variable[1], variable[2])
            follow(replace(example, command=shlex.join(words)), envctl, patch)
        return
    assert program == "envctl"
    if words[0] in NEEDS_AN_ENGINE and not any(word.endswith(".json") for word in words):
        assert understood(words)
        return
    on_paper(Path())
    ended = envctl(*words)
    assert ended.code == example.code, ended.err
    compare(example, ended.out + ended.err)


def compare(example: Example, output: str) -> None:
    """Every line shown is in the output; `…` stands for anything, a run of spaces for any other."""
    for line in example.shown:
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
        pattern = re.sub(r"(\\ )+", r"\\s+", pattern)
        assert re.search(pattern, output), f"{line!r} not in:\n{output}"


def on_paper(folder: Path) -> None:
    """Have the project's environments on the memory backend."""
    for file in (folder / "environments").glob("*.yaml"):
        file.write_text(file.read_text().replace("backend: docker", "backend: memory"))


def understood(words: list[str]) -> bool:
    """Whether the command line takes these words; nothing is run."""
    calls: list[Call] = []

    def run(call: Call) -> int:
        calls.append(call)
        return 0

    with pytest.raises(SystemExit):
        command_line(run).main(words, prog_name="envctl")
    return bool(calls) or words[-1] == "--help"


@pytest.mark.parametrize("path", [*PAGES, README], ids=lambda path: path.name)
def test_every_command_in_a_page_is_one(path: Path) -> None:
    text = path.read_text()
    lines = [line[2:] for line in text.splitlines() if line.startswith("$ envctl ")]
    lines += re.findall(r"^(envctl .+)$", text, re.MULTILINE)
    lines += [found for found in INLINE.findall(text) if len(found.split()) > 2]
    for line in lines:
        words = shlex.split(re.split(r"[|&;>]|\s#", line)[0])[1:]
        assert understood(words), line
