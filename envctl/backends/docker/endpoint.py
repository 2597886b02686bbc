"""Finds the engine: DOCKER_HOST, otherwise the current docker context, otherwise the local socket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

LOCAL = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address; `certificates` is the folder of ca.pem, cert.pem, key.pem if it uses TLS.

    `variable` or `context` is the origin of the address; without both it is the local default.
    """

    host: str
    certificates: Path | None = None
    verify: bool = True
    context: str = ""
    variable: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers from the docker configuration that every request carries (`HttpHeaders`)."""

    @property
    def remedy(self) -> str:
        """What to do if no engine answers at this address."""
        if self.variable:
            return f"check {self.variable}, or unset it to use the engine of this machine"
        if self.context:
            return "check `docker context ls`; `docker context use default` selects the engine of this machine"
        return "`envctl doctor --fix` installs and starts it"

    def __str__(self) -> str:
        return f"{self.host} (context {self.context})" if self.context else self.host


def find(environ: Mapping[str, str]) -> Endpoint:
    """The engine that the docker command would use. EnvctlError for an unknown context."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    configuration = _json(folder / "config.json")
    endpoint = _find(environ, folder, str(configuration.get("currentContext") or ""))
    headers = configuration.get("HttpHeaders")
    if not isinstance(headers, dict):
        return endpoint
    texts = {name: value for name, value in headers.items() if isinstance(value, str)}
    return replace(endpoint, headers=texts)


def _find(environ: Mapping[str, str], folder: Path, current: str) -> Endpoint:
    if host := environ.get("DOCKER_HOST"):
        tls = environ.get("DOCKER_TLS_VERIFY", "") not in {"", "0", "false"}
        where = environ.get("DOCKER_CERT_PATH")
        certificates = Path(where or folder) if tls or where else None
        return Endpoint(host, certificates, tls, variable="DOCKER_HOST")
    name = environ.get("DOCKER_CONTEXT") or current
    return _context(folder, name) if name not in {"", "default"} else Endpoint(LOCAL)


def _context(folder: Path, name: str) -> Endpoint:
    identity = hashlib.sha256(name.encode()).hexdigest()
    data = _json(folder / "contexts" / "meta" / identity / "meta.json")
    endpoint = data.get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        raise EnvctlError(
            f"no such docker context: {name!r}",
            hint="`docker context ls` lists them; `docker context use default` selects the local engine",
        )
    certificates = folder / "contexts" / "tls" / identity / "docker"
    return Endpoint(
        endpoint["Host"],
        certificates if certificates.is_dir() else None,
        not endpoint.get("SkipTLSVerify", False),
        name,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
