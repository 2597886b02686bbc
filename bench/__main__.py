"""`python -m bench [startup] [containers] [machines] [bounds] [live]`: measure and print; --write updates RESULTS.md.

envctl is installed from a wheel into a separate environment, because users run it that way. An editable install without
byte code starts slower.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from bench import bounds, containers, live, machines, startup
from bench.measure import ENVIRON, Result, said

TREE = Path(__file__).parents[1]
RESULTS = TREE / "bench" / "RESULTS.md"
PARTS: dict[str, ModuleType] = {
    "startup": startup,
    "containers": containers,
    "machines": machines,
    "bounds": bounds,
    "live": live,
}
Row: TypeAlias = Result | startup.Started | bounds.Measured | live.Saved
TITLE = "# Measured against the field\n\nMedians of whole processes, ours and the peer's in turn in the same run.\n"


def install(folder: Path) -> str:
    """Install a wheel of this tree with its byte code; returns the command's path."""
    home = folder / "venv"
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--compile", str(TREE)]
    subprocess.run(pip, check=True, env=ENVIRON)
    return str(home / "bin" / "envctl")


def head(name: str) -> str:
    """The header of a table: for a comparison with a peer, or with our own bounds."""
    if name in ("bounds", "startup", "live"):
        return str(PARTS[name].HEAD)
    peer = {"containers": containers.PEER, "machines": machines.PEER}[name]
    return (
        f"| what | envctl | {peer} | ratio | aim | met | runs |\n|---|---:|---:|---:|---:|---|---:|"
    )


def section(name: str, version: str, results: Sequence[Row]) -> str:
    """A section of RESULTS.md."""
    part = PARTS[name]
    table = "\n".join([head(name), *(result.row() for result in results)])
    return (
        f"## {name.capitalize()}\n\n{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {version}, {os.cpu_count()} cores, "
        f"Python {sys.version.split()[0]}, {part.about()}\nCommand: `python -m bench {name} --write`.\n\n{table}\n"
    )


def write(fresh: dict[str, str]) -> None:
    """Replace these sections in RESULTS.md."""
    known = re.split(r"^(?=## )", RESULTS.read_text("utf-8"), flags=re.MULTILINE)[1:]
    kept = {text.split("\n")[0].removeprefix("## ").lower(): text.rstrip() + "\n" for text in known}
    sections = {**kept, **fresh}
    RESULTS.write_text("\n".join([TITLE, *(sections[name] for name in PARTS if name in sections)]))


def main() -> None:
    """Measure the requested sections, or all."""
    wanted = [name for name in PARTS if name in sys.argv] or list(PARTS)
    fresh = {}
    with tempfile.TemporaryDirectory(prefix="envctl-bench-") as name:
        envctl = install(Path(name))
        for part in wanted:
            folder = Path(name, part)
            folder.mkdir()
            print(head(part))
            results: Sequence[Row] = PARTS[part].measure(envctl, folder)
            fresh[part] = section(part, said(envctl, "--version"), results)
    if "--write" in sys.argv:
        write(fresh)


if __name__ == "__main__":
    main()
