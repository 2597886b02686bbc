"""Which way a base comes, and that it comes once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from envctl.bases import AvailableBase, bootstrap, ensure, image_for, is_made
from envctl.errors import EnvctlError
from envctl.plan.model import Base
from envctl.progress import no_progress

BOOKWORM = Base("debian:bookworm", "debian:bookworm")
DATED = "http://snapshots.example/archive/debian/20250520T000000Z"
TREE = Path(__file__).parents[3]


def said(events):
    return [f"{event.work} {event.stage}: {event.text}" for event in events]


def test_a_local_image_is_taken_without_asking_anyone(store, fake):
    runs = fake()
    store.registry.add("debian:bookworm")
    store.pull("debian:bookworm")
    store.pulls.clear()
    events = []

    found = ensure(BOOKWORM, store, events.append)

    assert found == AvailableBase("debian:bookworm", "local", "sha256:pulled-debian:bookworm")
    assert said(events) == ["base debian:bookworm done: local image"]
    assert not store.pulls
    assert not runs.exists()


def test_the_registry_comes_before_the_mirror(store, fake):
    runs = fake()
    store.registry.add("debian:bookworm")

    assert ensure(BOOKWORM, store, no_progress).how == "registry"
    assert not runs.exists()


def test_without_a_registry_it_is_bootstrapped_and_both_are_reported(store, fake):
    fake()
    events = []

    found = ensure(BOOKWORM, store, events.append)

    lines = said(events)
    assert found.how == "bootstrapped"
    assert "base debian:bookworm note: registry: not reachable (dial tcp: no such host)" in lines
    assert "base debian:bookworm working: running apt-get update" in lines
    assert lines[-1].startswith(
        "base debian:bookworm done: bootstrapped with mmdebstrap from the distribution's mirror in"
    )
    assert not any("hook" in line for line in lines)


def test_the_bootstrap_is_told_no_secrets_of_whoever_asks_for_it(
    store, fake, tmp_path, monkeypatch
):
    monkeypatch.setenv("DB_PASSWORD", "hush")
    monkeypatch.setenv("http_proxy", "http://proxy.example:1")
    fake(f'env > "{tmp_path}/given"; exit 1\n')

    with pytest.raises(EnvctlError):
        ensure(BOOKWORM, store, no_progress)

    given = (tmp_path / "given").read_text()
    assert "DB_PASSWORD" not in given
    assert "http_proxy=http://proxy.example:1" in given


def test_the_image_says_how_it_was_made(store, fake):
    fake()
    ensure(BOOKWORM, store, no_progress)

    image = store.images["debian:bookworm"]

    labels = image["labels"]
    assert labels["dev.envctl.base"] == "debian:bookworm"
    assert labels["dev.envctl.base.suite"] == "bookworm"
    assert labels["dev.envctl.base.mirror"] == "http://mirror.example/debian bookworm main"
    assert labels["dev.envctl.base.manifest"].startswith("sha256:")
    assert image["changes"] == ('CMD ["bash"]',)


def test_an_image_that_is_in_no_catalogue_is_pulled_or_refused(store, fake):
    fake()
    with pytest.raises(EnvctlError, match="not found, locally or in its registry") as caught:
        ensure(Base("", "registry.example/ours:1"), store, no_progress)
    assert "no such host" in caught.value.details

    store.registry.add("registry.example/ours:1")
    assert ensure(Base("", "registry.example/ours:1"), store, no_progress).how == "registry"


def test_force_bootstraps_what_is_there(store, fake):
    fake()
    first = ensure(BOOKWORM, store, no_progress)

    again = ensure(BOOKWORM, store, no_progress, force=True)

    assert again.how == "bootstrapped"
    assert again.id != first.id
    assert store.pulls == ["debian:bookworm"]


def test_a_dated_mirror_makes_an_image_of_its_own_and_is_never_pulled(store, fake):
    fake()
    image = image_for("debian:bookworm", DATED)
    base = Base("debian:bookworm", image, snapshot=DATED)

    assert ensure(base, store, no_progress).how == "bootstrapped"
    assert ensure(base, store, no_progress).how == "local"
    assert store.pulls == []
    assert store.images[image]["labels"]["dev.envctl.base.snapshot"] == DATED
    assert image != image_for("debian:bookworm", DATED.replace("0520", "0521"))


def test_an_image_of_another_date_is_not_taken_for_it(store, fake):
    fake()
    ensure(Base("debian:bookworm", "base:dated", snapshot=DATED), store, no_progress)
    later = DATED.replace("20250520", "20250601")

    found = ensure(Base("debian:bookworm", "base:dated", snapshot=later), store, no_progress)

    assert found.how == "bootstrapped"


def test_a_failing_bootstrap_shows_its_last_lines_and_leaves_no_image(store, fake):
    fake('echo "E: Could not resolve mirror.example" >&2; exit 1')

    with pytest.raises(EnvctlError) as caught:
        ensure(BOOKWORM, store, no_progress)

    assert caught.value.brief == "mmdebstrap failed to bootstrap the base debian:bookworm"
    assert "Could not resolve mirror.example" in caught.value.details
    assert "network" in caught.value.hint
    assert store.images == {}


def test_a_root_filesystem_cut_off_in_the_middle_becomes_no_image(store, fake):
    fake('echo envctl-end >&2; head -c 3000000 /dev/zero; echo "E: no more" >&2; exit 25')

    with pytest.raises(EnvctlError, match="no more"):
        ensure(BOOKWORM, store, no_progress)
    assert store.images == {}


def test_a_store_that_fails_ends_the_bootstrap(store, fake, tmp_path):
    fake("echo envctl-end >&2\nexec head -c 90000000 /dev/zero")

    def full(tar, **_options):
        tar.read(10)
        raise EnvctlError("no space in the engine")

    store.load = full
    with pytest.raises(EnvctlError, match="no space"):
        ensure(BOOKWORM, store, no_progress)


def test_what_is_ended_gets_to_remove_what_it_made(store, fake, tmp_path):
    # As mmdebstrap does: the main process waits for its worker, whoever asks it to stop.
    fake(
        "trap : TERM\necho envctl-end >&2\nhead -c 1048576 /dev/zero\n"
        f"sh -c 'mkdir {tmp_path}/made && exec sleep 60'\nrmdir {tmp_path}/made"
    )

    def stopped(_tar, **_options):
        deadline = time.monotonic() + 20
        while not (tmp_path / "made").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise KeyboardInterrupt

    store.load = stopped
    with pytest.raises(KeyboardInterrupt):
        ensure(BOOKWORM, store, no_progress)

    assert not (tmp_path / "made").exists()


def test_without_mmdebstrap_the_remedy_is_named(store, fake, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvctlError, match="mmdebstrap is not installed") as caught:
        ensure(BOOKWORM, store, no_progress)
    assert "envctl doctor --fix" in caught.value.hint


def test_without_the_keys_of_the_distribution_the_package_is_named(store, fake, tmp_path):
    fake()
    (tmp_path / "keys.gpg").unlink()

    with pytest.raises(EnvctlError) as caught:
        ensure(Base("ubuntu:24.04", "ubuntu:24.04"), store, no_progress)
    assert caught.value.hint == "install the package ubuntu-keyring, as Debian and Ubuntu call it"


def test_two_at_once_bootstrap_once(store, fake, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    runs = fake(f'cat "{gate}" > /dev/null\necho envctl-end >&2\nhead -c 1024 /dev/zero')
    waiting = threading.Event()
    found: list[str] = []

    def report(event):
        if "another envctl" in event.text:
            waiting.set()

    def work():
        found.append(ensure(BOOKWORM, store, report).how)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert waiting.wait(20)
    with gate.open("w") as opened:
        opened.write("go")
    for thread in threads:
        thread.join(20)

    assert sorted(found) == ["bootstrapped", "local"]
    assert runs.read_text() == "run\n"


def test_the_bootstrap_does_not_outlive_a_killed_envctl(store, fake, tmp_path):
    """The fake cleans up on SIGTERM, as mmdebstrap does, and says so through a pipe."""
    told = tmp_path / "told"
    os.mkfifo(told)
    fake(
        f"trap 'echo cleaned > \"{told}\"; exit 1' TERM\n"
        f'echo started > "{told}"\n'
        "while :; do read -r line < /dev/null; done"
    )
    code = (
        "from envctl.bases.bootstrap import _running\n"
        "with _running(('mmdebstrap',), dict(__import__('os').environ)) as process:\n"
        "    process.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(TREE)}
    )
    assert told.read_text() == "started\n"

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert told.read_text() == "cleaned\n"


AMD = Base("debian:bookworm", "envctl-platform/linux-amd64/debian:bookworm", platform="linux/amd64")


def test_a_base_for_a_platform_is_pulled_by_its_own_name_or_else_made_for_it(store, fake):
    runs = fake()
    store.registry.add("debian:bookworm")
    store.pull("debian:bookworm")
    found = ensure(AMD, store, no_progress)

    assert found == AvailableBase(AMD.image, "bootstrapped", store.find(AMD.image))
    assert store.pulls == ["debian:bookworm", AMD.image]
    assert runs.exists()
    made = store.info(AMD.image)
    assert made["platform"] == made["labels"]["dev.envctl.base.platform"] == "linux/amd64"
    assert is_made(AMD.image, made)
    assert not is_made("debian:bookworm", made)
    assert ensure(AMD, store, no_progress).how == "local"


def test_a_base_for_a_platform_that_this_host_cannot_run_is_refused_before_it_is_made(
    store, fake, monkeypatch
):
    monkeypatch.setattr(bootstrap, "runs_here", lambda _platform: False)
    runs = fake()
    arm = replace(AMD, image="envctl-platform/linux-arm64/debian:bookworm", platform="linux/arm64")

    with pytest.raises(
        EnvctlError, match="this host cannot run programs of linux/arm64"
    ) as refused:
        ensure(arm, store, no_progress)

    assert "qemu-user-static and binfmt-support" in refused.value.hint
    assert not runs.exists()
    assert store.find(arm.image) is None


def test_a_base_without_packages_for_a_platform_is_not_made(store, fake):
    runs = fake()
    six = replace(
        AMD, image="envctl-platform/linux-arm-v6/debian:bookworm", platform="linux/arm/v6"
    )

    with pytest.raises(EnvctlError, match="has no packages for linux/arm/v6"):
        ensure(six, store, no_progress)

    assert not runs.exists()
