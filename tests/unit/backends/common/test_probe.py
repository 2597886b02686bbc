"""Probes run by a real shell against a server on loopback, with each tool an image may have."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from envctl.backends.common import probe
from envctl.errors import EnvctlError
from envctl.plan.model import Probe, ProbeKind

pytestmark = pytest.mark.slow


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self):
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/500")
        self.end_headers()
        if status >= 400:
            self.wfile.write(b"the reason")

    def log_message(self, *_args):
        """Nobody reads it."""


@pytest.fixture(scope="module")
def port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closed():
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def paths(tool):
    return {"python3": sys.executable}.get(tool) or shutil.which(tool)


HTTP_TOOLS = [tool for tool in ("curl", "python3", "perl", "wget", "bash") if paths(tool)]
TCP_TOOLS = [tool for tool in ("python3", "perl", "nc", "bash") if paths(tool)]


@pytest.fixture
def ask(tmp_path):
    """Run a probe where only one tool is there: exit code and what it said."""

    def run(tool, kind, *test, timeout=3.0):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        if tool:
            (folder / tool).symlink_to(paths(tool))
        argv = probe.test(Probe(ProbeKind(kind), tuple(test), timeout=timeout))
        done = subprocess.run(
            argv, env={"PATH": str(folder)}, capture_output=True, text=True, timeout=20, check=False
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    return run


@pytest.mark.parametrize("tool", HTTP_TOOLS)
@pytest.mark.parametrize(
    ("status", "healthy"), [(200, True), (204, True), (302, True), (404, False), (500, False)]
)
def test_an_answer_below_400_is_healthy_and_redirects_are_not_followed(
    ask, port, tool, status, healthy
):
    if tool == "wget" and status == 302:
        # It knows no other way than to follow, here to an error.
        healthy = False
    code, said = ask(tool, "http", f"http://127.0.0.1:{port}/{status}")
    assert (code == 0) == healthy, said
    assert said


@pytest.mark.parametrize("tool", HTTP_TOOLS)
def test_a_server_that_does_not_exist_is_unhealthy_with_a_word_why(ask, closed, tool):
    code, said = ask(tool, "http", f"http://127.0.0.1:{closed}/")
    assert code != 0
    assert said
    assert "Traceback" not in said


@pytest.mark.parametrize("tool", TCP_TOOLS)
def test_an_open_port_is_healthy(ask, port, tool):
    assert ask(tool, "tcp", "127.0.0.1", str(port))[0] == 0


@pytest.mark.parametrize("tool", TCP_TOOLS)
def test_a_closed_port_is_unhealthy(ask, closed, tool):
    code, said = ask(tool, "tcp", "127.0.0.1", str(closed))
    assert code != 0
    assert said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_an_image_without_any_tool_is_told_what_to_write(ask, kind):
    test = ("http://127.0.0.1/",) if kind == "http" else ("127.0.0.1", "80")
    code, said = ask("", kind, *test)
    assert code == 1
    assert said.endswith("in the image to probe with: use {command: [...]}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/200?a='\"$(touch x)`touch x`", "http://127.0.0.1:{}/a b/200"]
)
def test_what_is_probed_is_never_part_of_a_script(ask, port, url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ask(HTTP_TOOLS[0], "http", url.format(port))
    assert not (tmp_path / "x").exists()


def test_a_command_is_run_as_it_is():
    assert probe.test(Probe(ProbeKind.COMMAND, ("ready", "-q"))) == ("ready", "-q")


@pytest.mark.parametrize("tool", [tool for tool in HTTP_TOOLS if tool != "wget"])
def test_a_server_that_keeps_silent_is_reported_as_that_whatever_the_tool(ask, tool):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        wanted = Probe(ProbeKind.HTTP, (url,), timeout=1)

        def run(execution):
            code, said = ask(tool, "http", url, timeout=1)
            execution.stdout(said.encode())
            return code

        assert probe.ask(wanted, run, grace=1) == (False, "the probe timed out after 1 s")


@pytest.mark.parametrize(
    ("kind", "code", "printed", "said"),
    [
        (ProbeKind.COMMAND, 3, "", "the probe ended with exit code 3"),
        (ProbeKind.COMMAND, 143, "", "the probe ended with exit code 143 (SIGTERM)"),
        (ProbeKind.COMMAND, 1, "no connection\n", "exit code 1: no connection"),
        (ProbeKind.HTTP, 1, "HTTP 500\nwhy", "HTTP 500\nwhy"),
        (ProbeKind.HTTP, 142, "", "the probe ended with exit code 142 (SIGALRM)"),
        (ProbeKind.TCP, 1, "timed out\n", "the probe timed out after 3 s"),
    ],
)
def test_a_probe_that_failed_is_reported_with_its_words_and_how_it_ended(kind, code, printed, said):
    def run(execution):
        execution.stdout(printed.encode())
        return code

    wanted = Probe(kind, ("127.0.0.1", "80"), timeout=3)
    assert probe.ask(wanted, run, grace=1) == (False, said)


def test_a_probe_whose_time_is_over_is_reported_as_that():
    def run(_execution):
        raise EnvctlError("too long") from TimeoutError()

    wanted = Probe(ProbeKind.COMMAND, ("sleep", "9"), timeout=3)
    assert probe.ask(wanted, run, grace=1) == (False, "the probe timed out after 3 s")
