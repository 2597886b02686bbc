"""The private store: made once, private, shared by backends, gone with the last of them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from envctl.definition.keys.spec_file import SecretData
from envctl.errors import EnvctlError
from envctl.host.private_state import state_path
from envctl.secrets import SecretStore
from envctl.secrets.store import ALPHABET

TREE = Path(__file__).parents[3]
GENERATED: dict[str, SecretData] = {
    "token": {"env": None, "file": None, "command": None, "generate": 24}
}
GIVEN: dict[str, SecretData] = {
    "token": {"env": "TOKEN", "file": None, "command": None, "generate": None}
}


def store(root: Path, environment: str = "dev", declared=None, **environ: str) -> SecretStore:
    """A fresh store, as a new command would have it."""
    made = SecretStore(root, environment, declared or GENERATED, environ=environ)
    made.reach_host = True
    return made


def modes(root: Path) -> dict[str, int]:
    """The permissions of a project's private folder and everything in it."""
    folder = state_path(root)
    found = (folder, *sorted(folder.rglob("*")))
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in found
    }


def test_a_generated_value_is_made_once_and_kept(tmp_path):
    value = store(tmp_path).value("token")

    assert len(value) == 24
    assert set(value.decode()) <= set(ALPHABET)
    assert store(tmp_path).value("token") == value
    assert store(tmp_path, "test").value("token") != value


def test_what_is_kept_is_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        one = store(tmp_path)
        one.value("token")
        one.digest("token")
        one.use("docker")
    finally:
        os.umask(before)

    assert modes(tmp_path) == {
        ".": 0o700,
        "project": 0o600,
        "secrets": 0o700,
        "secrets/dev": 0o700,
        "secrets/dev/token": 0o600,
        "secrets/dev/used-by": 0o700,
        "secrets/dev/used-by/docker": 0o600,
        "secrets/.key": 0o600,
    }
    assert list(tmp_path.iterdir()) == []


def test_what_others_could_read_is_closed_when_it_is_read(tmp_path):
    store(tmp_path).value("token")
    file = state_path(tmp_path, "secrets", "dev", "token")
    file.chmod(0o644)

    store(tmp_path).value("token")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_a_value_is_not_followed(tmp_path):
    folder = state_path(tmp_path, "secrets", "dev")
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("not a secret")
    (folder / "token").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EnvctlError, match="is a link"):
        store(tmp_path).value("token")


def test_a_digest_is_the_same_for_the_same_value_and_says_nothing_about_it(tmp_path):
    first = store(tmp_path, declared=GIVEN, TOKEN="a").digest("token")

    assert re.fullmatch("[0-9a-f]{24}", first)
    assert store(tmp_path, declared=GIVEN, TOKEN="a").digest("token") == first
    assert store(tmp_path, declared=GIVEN, TOKEN="b").digest("token") != first


def test_a_digest_is_keyed_by_the_checkout(tmp_path):
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        digests.add(store(tmp_path / name, declared=GIVEN, TOKEN="a").digest("token"))

    assert len(digests) == 2


def test_a_value_that_is_not_made_yet_has_no_digest_and_asking_makes_none(tmp_path):
    assert store(tmp_path).digest("token") == ""
    assert not state_path(tmp_path).exists()


def test_use_makes_what_is_missing_and_says_so_once(tmp_path):
    assert store(tmp_path).use("docker")
    assert not store(tmp_path).use("docker")
    assert not store(tmp_path).use("memory")


def test_a_given_value_is_not_generated(tmp_path):
    declared: dict[str, SecretData] = {
        "token": {"env": "TOKEN", "file": None, "command": None, "generate": 24}
    }
    assert store(tmp_path, declared=declared, TOKEN="given").value("token") == b"given"
    assert not store(tmp_path, declared=declared, TOKEN="given").use("docker")
    assert not (state_path(tmp_path, "secrets", "dev", "token")).exists()


def test_values_stay_until_the_last_backend_has_let_go(tmp_path):
    first = store(tmp_path)
    first.use("docker")
    first.use("memory")
    value = first.value("token")

    store(tmp_path).release("docker")
    assert store(tmp_path).value("token") == value
    store(tmp_path).release("memory")

    assert not (state_path(tmp_path, "secrets")).exists()
    assert store(tmp_path).value("token") != value


def test_one_environment_lets_go_and_another_keeps_its_values(tmp_path):
    for name in ("dev", "test"):
        store(tmp_path, name).use("docker")
    value = store(tmp_path, "test").value("token")

    store(tmp_path, "dev").release("docker")

    assert store(tmp_path, "test").value("token") == value
    assert not (state_path(tmp_path, "secrets", "dev")).exists()


def test_an_environment_may_be_called_key(tmp_path):
    one = store(tmp_path, "key")
    one.use("docker")
    assert one.digest("token") == store(tmp_path, "key").digest("token") != ""


@pytest.mark.parametrize("link", [(), ("secrets",), ("secrets", "dev")])
def test_letting_go_does_not_reach_through_a_link(tmp_path, link):
    victim = tmp_path / "victim"
    for folder in (victim / "secrets" / "dev", victim / "dev", victim):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "precious").write_text("x")
    place = state_path(tmp_path, *link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(victim)
    before = sorted(victim.rglob("*"))

    for act in (store(tmp_path).release, store(tmp_path).use):
        with pytest.raises(EnvctlError, match="is a link"):
            act("docker")

    assert sorted(victim.rglob("*")) == before


def test_letting_go_removes_values_and_nothing_that_is_none(tmp_path):
    store(tmp_path).use("docker")
    own = state_path(tmp_path, "secrets", "dev")
    (own / "folder").mkdir()
    (own / "folder" / "precious").write_text("x")

    store(tmp_path).release("docker")

    assert sorted(path.name for path in own.rglob("*")) == ["folder", "precious"]


def test_what_began_to_let_go_and_was_killed_is_reported_until_it_has_or_is_used_again(tmp_path):
    store(tmp_path).use("docker")
    assert not store(tmp_path).is_releasing("docker")

    store(tmp_path).begin_release("docker")
    assert store(tmp_path).is_releasing("docker")
    assert not store(tmp_path).is_releasing("vagrant")

    value = store(tmp_path).value("token")
    store(tmp_path).use("docker")
    assert not store(tmp_path).is_releasing("docker")
    assert store(tmp_path).value("token") == value

    store(tmp_path).begin_release("docker")
    store(tmp_path).release("docker")
    assert not store(tmp_path).is_releasing("docker")
    assert not state_path(tmp_path, "secrets").exists()


def test_a_killed_letting_go_is_known_until_the_last_value_is_gone(tmp_path, monkeypatch):
    store(tmp_path).use("docker")
    store(tmp_path).begin_release("docker")

    def killed(_path, missing_ok=False):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            store(tmp_path).release("docker")

    assert store(tmp_path).is_releasing("docker")


def test_values_of_secrets_that_are_declared_no_more_go_too(tmp_path):
    store(tmp_path).use("docker")
    SecretStore(tmp_path, "dev", {}, environ={}).release("docker")
    assert not (state_path(tmp_path, "secrets")).exists()


def test_values_are_masked_once_they_are_known_and_those_of_variables_from_the_start(tmp_path):
    (tmp_path / "file").write_text("first-line\nsecond-line\nshort\n")
    of_file: dict[str, SecretData] = {
        "token": {"env": None, "file": "file", "command": None, "generate": None}
    }
    one = store(tmp_path, declared=of_file)
    assert one.masked("first-line") == "first-line"
    one.digest("token")
    assert one.masked("first-line") == "‹secret token›"
    one = store(tmp_path, declared=GIVEN, TOKEN="first-line\nsecond-line\nshort\n")
    one.reach_host = False
    assert one.masked("a first-line, second-line; short") == (
        "a ‹secret token›, ‹secret token›; short"
    )


def test_of_two_values_the_longer_is_masked_first(tmp_path):
    declared: dict[str, SecretData] = {
        name: {"env": name, "file": None, "command": None, "generate": None} for name in "ab"
    }
    one = store(tmp_path, declared=declared, a="password", b="password-2")
    one.digest("a")
    one.digest("b")
    assert one.masked("password-2 password") == "‹secret b› ‹secret a›"


def test_letting_go_of_what_was_never_used_is_nothing(tmp_path):
    store(tmp_path).release("docker")
    assert list(tmp_path.iterdir()) == []


def test_a_secret_without_a_value_says_how_to_give_one(tmp_path):
    for ask in ("value", "digest"):
        with pytest.raises(EnvctlError) as caught:
            getattr(store(tmp_path, declared=GIVEN), ask)("token")
        assert caught.value.brief == "secret token has no value"
        assert caught.value.hint.startswith("set TOKEN; or let envctl generate it")


def test_threads_that_ask_at_once_get_one_value(tmp_path):
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait(20)
        found.append(store(tmp_path).value("token"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.slow
def test_two_processes_that_ask_at_once_get_one_value(tmp_path):
    gate = tmp_path / "gate"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from envctl.secrets import SecretStore\n"
        "declared = {'token': {'env': None, 'file': None, 'command': None, 'generate': 24}}\n"
        "store = SecretStore(Path(sys.argv[1]), 'dev', declared, environ={})\n"
        "print('ready', flush=True)\n"
        "while not Path(sys.argv[2]).exists(): pass\n"
        "sys.stdout.write(store.value('token').decode() + ' ' + store.digest('token'))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(gate)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TREE)},
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    gate.touch()
    said = {process.communicate(timeout=30)[0] for process in processes}

    assert len(said) == 1
    assert said == {f"{store(tmp_path).value('token').decode()} {store(tmp_path).digest('token')}"}
    assert [path for path in modes(tmp_path) if "/.new-" in path] == []


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    value = store(tmp_path).value("token")

    assert store(tmp_path).value("token") == value
    assert modes(tmp_path)["secrets/dev/token"] == 0o600


def test_a_store_shows_no_value_in_its_text_form(tmp_path):
    one = store(tmp_path, declared=GIVEN, TOKEN="hush-hush")
    one.value("token")

    assert "hush-hush" not in f"{one!r} {one}"


def test_the_last_environment_that_lets_go_takes_the_projects_key_with_it(tmp_path):
    for name in ("dev", "test"):
        store(tmp_path, name).use("docker")
        store(tmp_path, name).digest("token")
    folder = state_path(tmp_path, "secrets")
    files = {path.name for path in folder.iterdir() if path.is_file()}
    assert files

    store(tmp_path, "dev").release("docker")
    assert {path.name for path in folder.iterdir() if path.is_file()} == files

    store(tmp_path, "test").release("docker")
    assert not folder.exists()


OF_FILE: dict[str, SecretData] = {
    "token": {"env": None, "file": "token.txt", "command": None, "generate": None}
}
OF_COMMAND: dict[str, SecretData] = {
    "token": {"env": None, "file": None, "command": ["printf", "long-value"], "generate": None}
}


def untrusted(root: Path, declared, **environ: str) -> SecretStore:
    """A store of a run that must look nothing up on the host."""
    made = SecretStore(root, "dev", declared, environ=environ)
    assert made.reach_host is False
    return made


@pytest.mark.parametrize("declared", [GIVEN, OF_COMMAND])
def test_what_may_not_be_looked_up_is_reported_by_what_the_last_up_recorded(tmp_path, declared):
    assert untrusted(tmp_path, declared, TOKEN="long-value").facts_digest("token") == ""
    one = store(tmp_path, declared=declared, TOKEN="long-value")
    told = one.facts_digest("token")
    one.use("docker")

    assert len(told) == 64
    assert untrusted(tmp_path, declared, TOKEN="long-value").facts_digest("token") == told
    assert untrusted(tmp_path, declared, TOKEN="long-value").digest("token") is None
    kept = (path for path in state_path(tmp_path).rglob("*") if path.is_file())
    assert not any(b"long-value" in path.read_bytes() for path in kept)


def test_a_record_that_is_none_tells_nothing(tmp_path):
    one = store(tmp_path, declared=GIVEN, TOKEN="long-value")
    one.digest("token")
    one.use("docker")
    (record,) = (
        path
        for path in state_path(tmp_path, "secrets", "dev").iterdir()
        if path.is_file() and one.facts_digest("token").encode() in path.read_bytes()
    )
    for text in ("", "{", "[]", "7", '"x"'):
        record.write_text(text)
        assert untrusted(tmp_path, GIVEN).facts_digest("token") == ""


def test_a_digest_of_facts_is_another_one_for_each_value_and_project_and_not_the_key(tmp_path):
    roots = [tmp_path / name for name in "ab"]
    for root in roots:
        root.mkdir()
    told = {
        store(root, declared=GIVEN, TOKEN=value).facts_digest("token")
        for root in roots
        for value in ("one-value", "two-value")
    }
    assert len(told) == 4
    assert store(tmp_path).facts_digest("token") == ""
    keys = {store(root).facts_key() for root in roots}
    assert len(keys) == 2
    assert store(roots[0]).facts_key() == store(roots[0]).facts_key()


def test_values_are_masked_in_bytes_as_in_text_and_short_ones_are_not(tmp_path):
    one = store(tmp_path, declared=GIVEN, TOKEN="long-value\nabc")
    one.digest("token")
    masked = b"\xff " + "‹secret token›".encode() + b" abc"
    assert one.masked_bytes(b"\xff long-value abc") == masked
    assert one.masked_bytes(b"nothing") == b"nothing"


def test_whether_something_had_to_be_generated_is_reported(tmp_path):
    assert store(tmp_path).use("docker", names=["other"]) is False
    assert store(tmp_path).use("docker", names=["token"]) is True
    assert store(tmp_path).use("docker") is False
    assert store(tmp_path / "x", declared=GIVEN, TOKEN="v").use("docker") is False


def test_that_values_are_kept_is_known_from_the_first_to_the_last(tmp_path):
    assert not store(tmp_path).keeps_any()
    store(tmp_path).use("docker")
    assert store(tmp_path).keeps_any()
    assert not store(tmp_path, "test").keeps_any()
    store(tmp_path).release("docker")
    assert not store(tmp_path).keeps_any()
