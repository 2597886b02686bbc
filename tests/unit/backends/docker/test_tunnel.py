"""Engines behind ssh. A script plays ssh."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from envctl.backends.docker.endpoint import Endpoint
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.tunnel import Tunnel, command
from envctl.errors import EnvctlError

NEAR = Path("/tmp/near")


def played(tmp_path, monkeypatch, script):
    """Have this script for ssh."""
    (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ssh://box", ["/tmp/near:/var/run/docker.sock", "--", "box", "cat"]),
        ("ssh://me@box:22", ["/tmp/near:/var/run/docker.sock", "-l", "me", "-p", "22", "--", "box", "cat"]),
        ("ssh://box/run/user/1/docker.sock", ["/tmp/near:/run/user/1/docker.sock", "--", "box", "cat"]),
        ("ssh://-oProxyCommand=x", ["/tmp/near:/var/run/docker.sock", "--", "-oproxycommand=x", "cat"]),
    ],
)  # fmt: skip
def test_an_address_becomes_what_ssh_is_told(address, words):
    argv = command(address, NEAR)
    assert list(argv[argv.index("-L") + 1 :]) == words


def test_an_address_without_a_machine_is_refused():
    with pytest.raises(EnvctlError, match="has no host name"):
        command("ssh://", NEAR)


def test_it_lasts_until_it_is_closed_and_leaves_nothing(tmp_path, monkeypatch):
    bind = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    played(
        tmp_path,
        monkeypatch,
        f'while [ "$1" != -L ]; do shift; done; python3 -c \'{bind}\' "${{2%%:*}}"; cat',
    )
    tunnel = Tunnel("ssh://box")
    near = Path(tunnel.host.removeprefix("unix://"))
    assert near.is_socket()
    assert near.parent.stat().st_mode & 0o077 == 0
    tunnel.close()
    tunnel.close()
    assert not near.parent.exists()


def test_what_ssh_says_is_reported(tmp_path, monkeypatch):
    played(tmp_path, monkeypatch, "echo 'Permission denied (publickey).' >&2; exit 255")
    engine = Engine(Endpoint("ssh://box"))
    with pytest.raises(EnvctlError, match="engine at ssh://box") as caught, engine.doing("x"):
        pass
    assert "publickey" in caught.value.details
    assert "by hand" in caught.value.hint


FORWARDS = """\
import os, socket, sys, threading
near, far = sys.argv[sys.argv.index("-L") + 1].split(":")
server = socket.socket(socket.AF_UNIX)
server.bind(near)
server.listen()

def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)

def serve():
    while True:
        here, _ = server.accept()
        there = socket.socket(socket.AF_UNIX)
        there.connect(far)
        for pair in ((here, there), (there, here)):
            threading.Thread(target=copy, args=pair, daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
sys.stdin.read()
os._exit(0)
"""
"""What ssh does with -L: forwards a socket until its input ends."""


@pytest.mark.engine
@pytest.mark.slow
def test_an_engine_behind_ssh_is_reached_the_way_up_reaches_it(tmp_path, monkeypatch, make_project):
    played(tmp_path, monkeypatch, f'exec {sys.executable} {tmp_path}/forwards "$@"')
    (tmp_path / "forwards").write_text(FORWARDS)
    project = make_project().spec(
        "web: {build: [{run: 'echo built > /it'}], command: [sleep, infinity]}"
    )
    project.environ = {**os.environ, "DOCKER_HOST": "ssh://box"}
    looked = project.cli("doctor")
    up = project.cli("up", "dev")
    inside = project.cli("exec", "dev", "web", "cat", "/it")

    assert "at ssh://box" in looked.stdout
    assert "paramiko" not in looked.stdout + looked.stderr
    assert (up.returncode, inside.stdout) == (0, "built\n"), up.stderr
