"""Where tests are that need engines: `make test` looks for them nowhere else, since to collect all takes its time."""

from __future__ import annotations

import re
from pathlib import Path

TREE = Path(__file__).parents[2]
MARK = re.compile(r"\bmark\.(engine|machines)\b")


def test_what_needs_an_engine_is_where_make_test_runs_it():
    (line,) = re.findall(r"^ON_ENGINES := (.*)$", (TREE / "Makefile").read_text(), re.MULTILINE)
    folders = [word for word in line.split() if word.startswith("tests/")]
    marked = [
        path.relative_to(TREE).as_posix()
        for path in (TREE / "tests").rglob("test_*.py")
        if MARK.search(path.read_text("utf-8")) and "soak" not in path.parts
    ]

    assert len(marked) > 20
    assert [
        path for path in marked if not path.startswith(tuple(f"{one}/" for one in folders))
    ] == []
