"""A secret's value is looked for everywhere it must not be."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from envctl.host.private_state import state_path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

CANARY = "canary-7f3b9e51c2d8"


def found_in_tar(archive: io.BufferedIOBase, path: str = "") -> list[str]:
    """Members, of nested archives too, that hold the canary in name or content."""
    found: list[str] = []
    with tarfile.open(fileobj=archive) as tar:
        for member in tar:
            name = f"{path}/{member.name}"
            if CANARY in member.name:
                found.append(name)
            if not member.isfile():
                continue
            content = tar.extractfile(member)
            data = content.read() if content else b""
            if CANARY.encode() in data:
                found.append(name)
            if member.name.endswith("layer.tar"):
                found += found_in_tar(io.BytesIO(data), name)
    return found


def found_in_files(root: Path) -> list[Path]:
    """Files below `root` that hold the canary."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and CANARY.encode() in path.read_bytes()
    ]


@contextmanager
def watched_command_lines() -> Iterator[set[bytes]]:
    """Every command line of this machine's processes, containers included, while the block runs."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for path in Path("/proc").iterdir():
                if path.name.isdigit():
                    with suppress(OSError):
                        seen.add((path / "cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def test_a_secret_is_nowhere_but_in_its_unit(guestbook, engine, tmp_path):
    project = guestbook.project
    project.environ = {**project.environ, "GUESTBOOK_DB_PASSWORD": CANARY}
    said = []
    with watched_command_lines() as seen:
        for argv in (
            ["config", "dev"],
            ["config", "dev", "--origins"],
            ["plan", "dev"],
            ["up", "dev"],
            ["status", "dev", "--json"],
            ["plan", "dev", "--json"],
            ["logs", "dev"],
            ["render", "dev", "-o", str(tmp_path / "rendered")],
        ):
            done = project.cli(*argv, *guestbook.sets(argv[0]))
            assert done.returncode == 0, done.stderr
            said += [done.stdout, done.stderr]
        assert guestbook.post("hello") == 201

    label = {"label": f"dev.envctl.project={project.name}"}
    inspected = [
        str(engine.api.inspect_container(one["Id"]))
        for one in engine.api.containers(all=True, filters=label)
    ]
    images = engine.api.images(filters=label)
    inspected += [str(engine.api.inspect_image(one["Id"])) for one in images]
    inspected += [str(engine.api.history(one["Id"])) for one in images]
    inspected += [str(engine.api.volumes(filters=label)), str(engine.api.networks(filters=label))]

    assert not [text for text in said if CANARY in text]
    assert found_in_files(tmp_path / "rendered") == []
    assert found_in_files(project.root) == []
    assert len(seen) > 20
    assert not [line for line in seen if CANARY.encode() in line]
    assert len(inspected) > 5
    assert not [text for text in inspected if CANARY in text]
    assert images
    for image in images:
        saved = io.BytesIO(b"".join(engine.api.get_image(image["Id"])))
        assert found_in_tar(saved) == []
    for one in engine.api.containers(all=True, filters=label):
        exported = io.BytesIO(b"".join(engine.api.export(one["Id"])))
        assert found_in_tar(exported) == []


def test_a_generated_secret_is_in_its_private_store_only(guestbook):
    project = guestbook.project
    guestbook.cli("up", "dev")
    (store,) = [
        path
        for path in state_path(project.root, "secrets").rglob("*")
        if path.is_file() and path.name == "db_password"
    ]
    value = store.read_bytes()

    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    others = [path for path in project.root.rglob("*") if path.is_file() and path != store]
    assert not [path for path in others if value in path.read_bytes()]
