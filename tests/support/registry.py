"""A registry on loopback that wants tokens, as the public ones do: for public images, too."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

USER = "somebody"
PASSWORD = "canary-registry-5d1e8f"
"""What must be found nowhere."""
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class Registry:
    """Serves what `put` was given until it is closed. Repositories below `private/` want USER and PASSWORD.

    Without credentials, a private repository gets a token that is good for nothing, as Docker Hub does it; with
    `strict` no token at all. `asked` are the requests, as "METHOD PATH"; `users` who asked for tokens, "" for nobody.
    """

    strict: bool = False
    asked: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[tuple[str, str], bytes] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def host(self) -> str:
        """Host and port, as in the names of its images."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(
        self,
        name: str,
        files: Mapping[str, str],
        *,
        on: bytes = b"",
        tag: str = "1",
        architecture: str = "amd64",
    ) -> str:
        """Make an image of a layer with these files, on the root filesystem `on` (a tar) if one is given; its full name."""
        self._put(name, files, on=on, tag=tag, architecture=architecture)
        return f"{self.host}/{name}:{tag}"

    def put_for_all(self, name: str, files: Mapping[str, Mapping[str, str]], tag: str = "1") -> str:
        """Make an image for several architectures, with files for each; its full name."""
        listed = []
        for architecture, content in files.items():
            data = self._put(name, content, tag=architecture, architecture=architecture)
            platform = {"architecture": architecture, "os": "linux"}
            digest = {"digest": _digest(data), "size": len(data), "mediaType": _MANIFEST}
            listed.append({**digest, "platform": platform})
        whole = {"schemaVersion": 2, "mediaType": _LIST, "manifests": listed}
        data = json.dumps(whole).encode()
        for reference in (tag, _digest(data)):
            self._manifests[name, reference] = data
        return f"{self.host}/{name}:{tag}"

    def _put(
        self,
        name: str,
        files: Mapping[str, str],
        *,
        on: bytes = b"",
        tag: str = "1",
        architecture: str = "amd64",
    ) -> bytes:
        layers = [*([on] if on else []), _layer(files)]
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(one) for one in layers]},
            "history": [{"created_by": "a test"} for _ in layers],
        }
        # What is large is on the engine in no time, and takes long to pack.
        packed = [gzip.compress(one, 1, mtime=0) for one in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._kept(json.dumps(config).encode(), _CONFIG),
            "layers": [self._kept(one, _LAYER) for one in packed],
        }
        data = json.dumps(manifest).encode()
        for reference in (tag, _digest(data)):
            self._manifests[name, reference] = data
        return data

    def docker_config(self, folder: Path, *, password: str = PASSWORD) -> Path:
        """Write what `docker login` leaves of this registry into a folder; that folder."""
        folder.mkdir(exist_ok=True)
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return folder

    # --- parts

    def _kept(self, data: bytes, kind: str) -> dict[str, object]:
        self._blobs[_digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}

    def _token(self, query: Mapping[str, list[str]], authorization: str) -> tuple[int, object]:
        scope = next(iter(query.get("scope", [])), "")
        repository = scope.split(":")[1] if scope.count(":") >= 2 else ""
        user = ""
        if authorization.startswith("Basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            self.users.append(user)
            if (user, password) != (USER, PASSWORD):
                return 401, _errors("UNAUTHORIZED", "incorrect username or password")
        else:
            self.users.append("")
        private = repository.startswith("private/")
        if private and not user and self.strict:
            return 401, _errors("UNAUTHORIZED", "authentication required")
        token = repository if user or not private else "nothing"
        return 200, {"token": token, "access_token": token, "expires_in": 300}

    def _found(self, path: str) -> tuple[str, bytes] | None:
        name, _, rest = path.removeprefix("/v2/").rpartition("/manifests/")
        if name and (name, rest) in self._manifests:
            data = self._manifests[name, rest]
            return json.loads(data)["mediaType"], data
        _, _, digest = path.rpartition("/blobs/")
        return ("application/octet-stream", self._blobs[digest]) if digest in self._blobs else None

    def _handler(registry) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.asked.append(f"{self.command} {self.path}")
                url = urllib.parse.urlsplit(self.path)
                authorization = self.headers.get("Authorization", "")
                if url.path == "/token":
                    query = urllib.parse.parse_qs(url.query)
                    status, said = registry._token(query, authorization)
                    return self._say(status, json.dumps(said).encode())
                repository = url.path.removeprefix("/v2/").rsplit("/", 2)[0]
                if not authorization.startswith("Bearer "):
                    return self._challenge(repository)
                if repository and authorization != f"Bearer {repository}":
                    return self._challenge(repository, 'error="insufficient_scope"')
                found = ("application/json", b"{}") if not repository else registry._found(url.path)
                if found is None:
                    return self._say(404, json.dumps(_errors("MANIFEST_UNKNOWN", "none")).encode())
                return self._say(200, found[1], {"Content-Type": found[0]})

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._say(404, b"{}")

            def _challenge(self, repository: str, *more: str) -> None:
                parts = [f'realm="http://{registry.host}/token"', 'service="test"', *more]
                if repository:
                    parts.append(f'scope="repository:{repository}:pull"')
                error = json.dumps(_errors("UNAUTHORIZED", "authentication required")).encode()
                self._say(401, error, {"WWW-Authenticate": f"Bearer {','.join(parts)}"})

            def _say(self, status: int, data: bytes, headers: Mapping[str, str] = {}) -> None:
                self.send_response(status)
                kind = {
                    "Content-Type": "application/json",
                    "Docker-Distribution-Api-Version": "registry/2.0",
                }
                for name, value in {**kind, **headers}.items():
                    self.send_header(name, value)
                if "/manifests/" in self.path and status == 200:
                    self.send_header("Docker-Content-Digest", _digest(data))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                """It says nothing."""

        return Handler


def _layer(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _errors(code: str, message: str) -> object:
    return {"errors": [{"code": code, "message": message}]}
