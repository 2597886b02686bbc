"""What a project reaches of the host, on the command line: shown, asked for on a terminal, allowed and taken back."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envctl.host.private_state import state_path

pytestmark = pytest.mark.slow

TREE = Path(__file__).parents[3]
SPEC = """\
project: shop
secrets: {key: {command: [./get.sh]}}
services: {web: {image: x, secrets: [key], mounts: {/etc: /host/etc}}}
environments: {dev: {backend: memory}}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    root.mkdir()
    (root / "envctl.yaml").write_text(SPEC)
    (root / "get.sh").write_text("#!/bin/sh\necho >>ran; echo hush-hush-hush\n")
    (root / "get.sh").chmod(0o755)
    return root


def environ() -> dict[str, str]:
    """That of a user who trusts nothing yet."""
    return {**os.environ, "ENVCTL_TRUSTED": "", "PYTHONPATH": str(TREE)}


def run(root: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "envctl", *argv],
        cwd=root,
        env={**environ(), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def on_terminal(root: Path, answer: str, *argv: str) -> tuple[int, str]:
    """Run it on a terminal, where this is typed when it asks; its exit code, and what was seen."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "envctl", *argv],
        cwd=root,
        env=environ(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen, typed, end = b"", False, time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        seen += data
        if b"[y/N]" in seen and not typed:
            typed = True
            os.write(terminal, f"{answer}\n".encode())
    code = process.wait(30)
    os.close(terminal)
    return code, seen.decode("utf-8", "replace")


def test_up_asks_on_a_terminal_and_takes_only_a_yes_for_one(clone: Path) -> None:
    for answer in ("", "n", "what?"):
        code, seen = on_terminal(clone, answer, "up", "dev")
        assert code == 1, seen
        assert (
            "runs ./get.sh (secret key, with ./get.sh of the project, and anything that it runs from this folder)"
            in seen
        )
        assert "web sees and can change /etc, as /host/etc" in seen
        assert "you did not allow it" in seen
        assert not (clone / "ran").exists()

    code, seen = on_terminal(clone, "y", "up", "dev")
    assert code == 0, seen
    assert (clone / "ran").exists()
    assert "hush" not in seen

    code, seen = on_terminal(clone, "n", "up", "dev")
    assert (code, "[y/N]" in seen) == (0, False), seen


def test_plan_ends_with_what_up_will_ask_about(clone: Path) -> None:
    last = run(clone, "plan", "dev").stdout.splitlines()[-1]
    assert last == (
        "`up` will ask you to allow 2 things outside the project; `envctl trust dev` shows them"
    )
    told = json.loads(run(clone, "plan", "dev", "--json").stdout)["unapproved"]
    assert [one["text"].split()[0] for one in told] == ["runs", "web"]
    assert not (clone / "ran").exists()

    assert run(clone, "trust", "--yes").returncode == 0
    assert "will ask" not in run(clone, "plan", "dev").stdout
    assert json.loads(run(clone, "plan", "dev", "--json").stdout)["unapproved"] == []


def test_without_a_terminal_up_fails_with_the_list_and_yes_allows_it(clone: Path) -> None:
    refused = run(clone, "up", "dev")
    assert refused.returncode == 1
    assert "runs ./get.sh" in refused.stderr
    assert "envctl trust" in refused.stderr
    assert not (clone / "ran").exists()

    allowed = run(clone, "up", "dev", "--yes")
    assert allowed.returncode == 0, allowed.stderr
    assert "runs ./get.sh" in allowed.stderr
    assert run(clone, "up", "dev").returncode == 0


def test_trust_lists_allows_and_revokes(clone: Path) -> None:
    def listed() -> list[bool]:
        return [one["allowed"] for one in json.loads(run(clone, "trust", "--json").stdout)]

    assert listed() == [False, False]
    refused = run(clone, "trust", "dev")
    assert refused.returncode == 1
    assert "not allowed: runs ./get.sh" in refused.stdout
    assert listed() == [False, False]
    assert run(clone, "trust", "--yes").returncode == 0
    assert listed() == [True, True]
    assert not (clone / "ran").exists()
    assert run(clone, "up", "dev").returncode == 0
    revoked = run(clone, "trust", "--revoke")
    assert (revoked.returncode, "revoked; " in revoked.stderr) == (0, True)
    assert listed() == [False, False]
    revoked = run(clone, "trust", "--revoke")
    assert (revoked.returncode, "revoked; " in revoked.stderr) == (0, False)
    assert "nothing was allowed for this project" in revoked.stderr
    assert run(clone, "up", "dev").returncode == 1


def test_in_ci_and_in_trusted_folders_nothing_is_asked(clone: Path) -> None:
    assert run(clone, "up", "dev", CI="true").returncode == 0
    assert run(clone, "up", "dev", ENVCTL_TRUSTED=f"{clone.parent}/*").returncode == 0
    assert run(clone, "up", "dev").returncode == 1


def test_state_of_an_earlier_envctl_is_taken_over_when_the_user_says_so(clone: Path) -> None:
    (clone / ".envctl/secrets/dev").mkdir(parents=True)
    (clone / ".envctl/secrets/dev/key").write_text("old")
    refused = run(clone, "up", "dev", CI="true")
    assert refused.returncode == 1
    assert ".envctl/secrets/dev is in the project's folder" in refused.stderr

    assert run(clone, "trust", "--state", "--yes").returncode == 0

    assert not (clone / ".envctl").exists()
    assert state_path(clone, "secrets", "dev", "key").read_text() == "old"
    assert run(clone, "up", "dev", CI="true").returncode == 0
