"""HTTP probes and forwarded ports, with real sockets in place of a machine."""

from __future__ import annotations

import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from envctl.backends.vagrant.ssh import http_probe, port_forwards
from envctl.errors import EnvctlError, Place
from envctl.plan.model import Port, Probe, ProbeKind
from tests.support.plans import unit


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        status = int(self.path.partition("?")[0].rpartition("/")[2])
        self.send_response(status)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']} {self.path}".encode())

    def log_message(self, *_):
        pass


class Direct:
    """As a machine, of which every port is one of this host."""

    def dial(self, target, timeout):
        host, _, port = target.rpartition(":")
        return socket.create_connection((host, int(port)), timeout)


@pytest.fixture
def port():
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(url):
    probe = Probe(ProbeKind.HTTP, (url,), timeout=0.5)
    assert http_probe.is_reachable(probe)
    return http_probe.ask(probe, Direct())


def test_what_answers_is_healthy_also_with_a_redirect(port):
    assert asked(f"http://127.0.0.1:{port}/200") == (True, "HTTP 200")
    assert asked(f"http://127.0.0.1:{port}/302") == (True, "HTTP 302")


def test_an_error_is_reported_with_what_it_says(port):
    url = f"http://127.0.0.1:{port}/a/503?x=1"
    assert asked(url) == (False, f"HTTP 503\n127.0.0.1:{port} /a/503?x=1")


def test_what_does_not_answer_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        assert asked(f"http://{where}") == (False, "the probe timed out after 0.5 s")
    healthy, said = asked(f"http://{where}")
    assert not healthy
    assert said.startswith(f"no HTTP answer at {where}")


@pytest.mark.parametrize(
    "url",
    ["https://localhost/", "http://a@b/", "http://localhost/a b", "http://[::1]/", "ftp://x/"],
)
def test_what_only_a_tool_inside_can_ask_is_left_to_it(url):
    assert not http_probe.is_reachable(Probe(ProbeKind.HTTP, (url,)))
    assert not http_probe.is_reachable(Probe(ProbeKind.TCP, ("localhost", "80")))


class Kept(Direct):
    """As a machine whose connection a process keeps."""

    def __init__(self, keeper):
        self.keeper = keeper

    def connected(self):
        return self.keeper


def test_a_port_is_carried_only_while_the_connections_own_process_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = {"127.0.0.1/80": server.getsockname()[1]}
        assert not port_forwards.missing(ports, Kept(os.getpid()))
        assert port_forwards.missing(ports, Kept(os.getppid()))
        assert port_forwards.missing(ports, Kept(0))
    assert port_forwards.missing(ports, Kept(os.getpid()))
    assert not port_forwards.missing({}, Kept(0))


class Refusing:
    """A machine whose connection cannot listen here."""

    def connect(self):
        pass

    def forward(self, _address, port, _inside):
        return "cannot listen to port: 8443" if port == 8443 else ""


def test_a_port_that_is_taken_is_reported_with_its_place_and_the_variable_that_chose_it():
    at = Place("envctl.yaml", 7, 13, "tls is '8443', from ENVCTL_VAR_tls")
    web = unit("web", ports=(Port(80, 8080), Port(443, 8443)), origins={"ports.1": at})
    with pytest.raises(EnvctlError) as caught:
        port_forwards.add({"127.0.0.1/80": 8080, "127.0.0.1/443": 8443}, Refusing(), web)
    assert caught.value.brief == "cannot start web: port 8443 is already in use"
    assert caught.value.details == f"{at.note}\ncannot listen to port: 8443"
    assert caught.value.where == at
