"""A web server that needs only Python's standard library."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every path with a greeting, and /healthz with "ok"."""

    def do_GET(self) -> None:
        """Answer a request."""
        text = "ok" if self.path == "/healthz" else os.environ.get("GREETING", "Hello")
        body = f"{text}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
