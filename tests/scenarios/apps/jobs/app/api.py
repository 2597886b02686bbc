"""Takes jobs, and tells what became of them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from queue_of import DONE, QUEUE, SCHEMA, connect

store = connect()


class Jobs(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.answer(200 if store.get(SCHEMA) == "3" else 503, {})
        elif self.path == "/marks":
            self.answer(200, store.hgetall(f"{QUEUE}:marks"))
        elif found := store.hget(DONE, self.path.strip("/")):
            self.answer(200, json.loads(found))
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        job = {
            "id": uuid4().hex,
            "text": self.rfile.read(int(self.headers["content-length"])).decode(),
        }
        store.lpush(QUEUE, json.dumps(job))
        self.answer(202, job)

    def answer(self, status: int, body: dict) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


ThreadingHTTPServer(("0.0.0.0", 8000), Jobs).serve_forever()
