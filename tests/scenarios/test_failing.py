"""What a user sees when a service does not get well."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1])); self.end_headers(); self.wfile.write(b"the cache is cold")
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""
SPEC = """
web:
  packages: [python3]
  build: [copy: {from: server.py, to: /srv/}]
  command: [python3, /srv/server.py, "%d"]
  healthcheck: {http: "http://127.0.0.1:8000/", interval: 500ms, retries: 3, start_period: 2s}
after:
  command: [sleep, infinity]
  depends_on: [web]
"""


def test_a_failing_probe_ends_up_in_time_with_its_words_and_the_log(engine, make_project):
    project = make_project().write("server.py", SERVER).spec(SPEC % 503)
    project.cli("up", "dev", "after")
    start = time.monotonic()
    done = project.cli("up", "dev")
    took = time.monotonic() - start

    assert done.returncode == 1
    assert took < 15
    assert "web: it did not become healthy within 3.5 s" in done.stderr
    assert "HTTP 503" in done.stderr
    assert "the cache is cold" in done.stderr
    assert "serving" in done.stderr
    assert "envctl.yaml:" in done.stderr
    assert project.cli("exec", "dev", "web", "--", "cat", "/srv/server.py").stdout == SERVER
    (web,) = [
        row for row in json.loads(project.cli("status", "dev", "--json").stdout)
        if row["service"] == "web"
    ]  # fmt: skip
    assert (web["state"], web["health"]) in {("running", "unhealthy"), ("running", "starting")}

    project.spec(SPEC % 200)
    mended = project.cli("up", "dev")

    assert mended.returncode == 0, mended.stderr
    assert project.states() == {"web": "running", "after": "running"}
