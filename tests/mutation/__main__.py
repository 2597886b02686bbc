"""`python -m tests.mutation`: put small faults into modules, and tell which of them no quick test notices.

    --since REF    of the modules that differ from a commit; a file's name may be given instead
    --all          of every module named in pyproject.toml
    --sample N     of each module N faults only, always the same
    --report       tell what is known, try nothing

Verdicts are kept in .artifacts/mutants: a run that was ended goes on where it was, and a module is not tried again before it
or its tests change. --report tells what is known, and what is still to be tried.
It exits with 1 if fewer are noticed than pyproject.toml asks for.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutation.choosing import tests_for
from tests.mutation.covering import TREE, Coverage, coverage_map
from tests.mutation.operators import Mutant, mutants
from tests.mutation.results import (
    NO_TEST,
    Results,
    counted,
    due,
    due_text,
    equivalents,
    table,
    total,
)
from tests.mutation.worker import Outcome, Try, try_in_functions, try_in_modules

KEPT: Final = TREE / ".artifacts" / "mutants"


def main() -> int:
    """Try, tell, and say whether it is enough."""
    arguments = _arguments()
    settings = tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))["tool"]["envctl"][
        "mutants"
    ]
    paths = _modules(arguments, settings["modules"])
    if not paths:
        print("no module that is named in pyproject.toml has changed: nothing to try")
        return 0
    every = [one for path in paths for one in mutants(path, (TREE / path).read_text("utf-8"))]
    chosen = _sample(every, arguments.sample) if arguments.sample else every
    if arguments.only:
        chosen = [one for one in chosen if arguments.only in one.id]
    results = Results(KEPT / "results.jsonl")
    if not arguments.report:
        _try(chosen, results, arguments)
    return _tell(chosen, results, settings["share"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("paths", nargs="*", help="modules, such as envctl/reconcile/compare.py")
    parser.add_argument("--since", default="", help="a commit: try the modules that differ from it")
    parser.add_argument(
        "--all", action="store_true", help="try every module that pyproject.toml names"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many faults of each module")
    parser.add_argument(
        "--only", default="", help="faults whose line of the report has this text in it"
    )
    parser.add_argument("--report", action="store_true", help="tell what is known, try nothing")
    parser.add_argument(
        "--again", action="store_true", help="run all quick tests again to see which lines they run"
    )
    parser.add_argument(
        "--budget", type=float, default=10.0, help="seconds of tests a fault may take; default 10"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _modules(arguments: argparse.Namespace, patterns: Sequence[str]) -> Sequence[str]:
    named = sorted(
        {str(path.relative_to(TREE)) for pattern in patterns for path in TREE.glob(pattern)}
    )
    if arguments.paths:
        return [str(Path(path)) for path in arguments.paths]
    if arguments.all:
        return named
    since = arguments.since or "HEAD"
    run = subprocess.run(
        ["git", "diff", "--name-only", since, "--", "envctl"],
        cwd=TREE,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(
            f"git knows no commit {since!r}: {run.stderr.strip()}\nname another: make mutants MUTANTS_SINCE=main"
        )
    return [path for path in named if path in set(run.stdout.split())]


def _sample(every: Sequence[Mutant], count: int) -> Sequence[Mutant]:
    chosen: list[Mutant] = []
    for path in sorted({one.path for one in every}):
        mine = [one for one in every if one.path == path]
        chosen += mine if len(mine) <= count else random.Random(path).sample(mine, count)
    return chosen


def _try(chosen: Sequence[Mutant], results: Results, arguments: argparse.Namespace) -> None:
    left = due(chosen, results)
    if not left:
        return
    coverage = coverage_map(KEPT, anew=arguments.again)
    tries = _tries(left, coverage, results, arguments.budget)
    print(
        f"{len(left)} faults to try, {len(left) - len(tries)} of them run by no quick test",
        flush=True,
    )
    began = time.monotonic()
    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        results.add(outcome)
        if not outcome.by or done % 100 == 0:
            state = outcome.broken or ("survived" if not outcome.by else "killed")
            print(
                f"{time.monotonic() - began:7.0f} s {done:5}  {state}  {outcome.mutant.id[:300]!r}",
                flush=True,
            )

    try_in_functions(
        [one for one in tries if one.mutant.code_is_replaceable], arguments.processes, tell
    )
    results.read()
    try_in_modules(
        [one for one in tries if not one.mutant.code_is_replaceable], arguments.processes, tell
    )


def _tries(
    left: Sequence[Mutant], coverage: Coverage, results: Results, budget: float
) -> Sequence[Try]:
    found = []
    for mutant in left:
        task = tests_for(mutant, coverage, budget=budget)
        if task:
            found.append(task)
        else:
            results.add(Outcome(mutant, NO_TEST, 0))
    return found


def _tell(chosen: Sequence[Mutant], results: Results, least: float) -> int:
    harmless = equivalents()
    for mutant in chosen:
        verdict = results.last(mutant)
        if (
            mutant.id not in harmless
            and verdict
            and (verdict["broken"] or verdict["by"] in ("", NO_TEST))
        ):
            state = verdict["broken"] or verdict["by"] or "survived"
            print(f"{mutant.path}:{mutant.lines[0]}: {state}: {mutant.id.partition('::')[2]}")
    counts = counted(chosen, results)
    print("\n".join(["", *table(counts), "", due_text(due(chosen, results))]).rstrip())
    share = total(counts.values()).share
    if share < least:
        print(f"\n{share:.1f} % are noticed; pyproject.toml asks for {least} %", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
