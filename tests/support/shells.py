"""Shells that complete a line with envctl's own script, as one does who presses TAB."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

TREE: Final = Path(__file__).parents[2]
_PATIENCE: Final = 120.0
_ZSH: Final = """\
autoload -Uz compinit; compinit -D; source <(envctl completion zsh)
PS1= RPS1=; unsetopt prompt_cr prompt_sp
show() { print -r -- "[[$BUFFER]]"; zle .kill-buffer; }
zle -N show; bindkey '^X' show; bindkey '^I' complete-word; print ready
"""
_SHOW: Final = b"\x18"


def bash(line: str, folder: Path) -> list[str]:
    """What bash puts in the place of the last word, or offers for it."""
    words = re.findall(r"[@=:]+|[^\s@=:]+", line) + ([""] if line.endswith(" ") else [])
    script = f"""
        source <(envctl completion bash)
        compopt() {{ :; }}
        COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_WORDS=({shlex.join(words)})
        COMP_CWORD={len(words) - 1}
        COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
        _envctl_completion envctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return _output("bash", script, folder).split()


def fish(line: str, folder: Path) -> list[str]:
    """What fish offers for the last word."""
    script = f"envctl completion fish | source; complete --do-complete {shlex.quote(line)}"
    return [row.partition("\t")[0] for row in _output("fish", script, folder).splitlines()]


def zsh(line: str, folder: Path) -> tuple[str, str]:
    """The line after TAB in an interactive zsh, and what the terminal has shown until then."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [_program("zsh"), "-f", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=folder,
        env={**_environ(folder), "TERM": "dumb", "COLUMNS": "200"},
        start_new_session=True,
    )
    os.close(terminal)
    try:
        os.write(controller, _ZSH.encode())
        _read_until(controller, rb"\nready")
        os.write(controller, line.encode() + b"\t" + _SHOW)
        shown = _read_until(controller, rb"\[\[.*\]\]\r\n").decode()
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    return shown.rpartition("[[")[2].partition("]]")[0], shown


def _read_until(descriptor: int, pattern: bytes) -> bytes:
    data, deadline = b"", time.monotonic() + _PATIENCE
    while not re.search(pattern, data):
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {pattern!r} in {data!r}"
        data += os.read(descriptor, 65_536)
    return data


def _output(shell: str, script: str, folder: Path) -> str:
    done = subprocess.run(
        [_program(shell), "-c", script],
        cwd=folder,
        env=_environ(folder),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def _program(shell: str) -> str:
    path = shutil.which(shell)
    if path is None:
        pytest.fail(f"the tests need {shell}: run .ci/test-packages as root, or install it")
    return path


def _environ(folder: Path) -> dict[str, str]:
    """An environment with `envctl` on PATH, and no files of the user's own shell."""
    program = folder / "bin" / "envctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m envctl "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": str(TREE), "PATH": path, "HOME": str(folder)}
