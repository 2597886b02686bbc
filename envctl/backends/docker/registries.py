"""Credentials for registries from the user's docker configuration, by `docker login` or a credential helper."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from docker.auth import (
    INDEX_NAME,
    AuthConfig,
    encode_header,
    resolve_index_name,
    resolve_repository_name,
)
from docker.credentials import Store
from docker.errors import DockerException
from docker.utils.config import find_config_file, home_dir

from envctl.lazy_dataclass import dataclass

TIMEOUT: Final = 60.0
"""How many seconds a helper may take: it may prompt the user."""
_HUB: Final = "registry-1.docker.io"
"""The host of Docker Hub's images. Its credentials are stored under another name."""
_REFUSED: Final = re.compile(
    r"\b40[13] (?:unauthorized|forbidden)|access denied|access to the resource is denied|authentication required"
    r"|authorization failed|incorrect username or password|no basic auth credentials|unauthorized:|\bdenied:"
    # The error of a token server that rejected the second authentication method.
    r"|failed to authorize:.*unexpected status: 40\d",
    re.IGNORECASE,
)
_ABOUT: Final = re.compile(
    r"(?:load metadata for|resolve image config for|\bFROM|pull access denied for)\s+(?:docker-image://)?([^\s,@]+)"
)


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials for a registry; an identity token has no username."""

    username: str
    secret: str = field(repr=False)
    header: str = field(repr=False)
    """The credentials as the engine's X-Registry-Auth header."""


class Registries:
    """Credentials by registry, looked up on demand; safe to use from threads."""

    def __init__(self) -> None:
        self._helpers: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._closed = False

    def login(self, host: str) -> Login | None:
        """The credentials of a registry; None if it has none, or if they cannot be read: see `trouble`."""
        name = _name(host)
        try:
            credentials = self._resolve(name)
        except (ValueError, KeyError, TypeError, AttributeError, DockerException):
            self._troubles[name] = (
                f"{config_file()} is not in the format that `docker login` writes"
            )
            return None
        return _login(credentials) if credentials else None

    def trouble(self, host: str) -> str:
        """Why the credentials of a registry cannot be read, or ""."""
        return self._troubles.get(_name(host), "")

    def remedy(self, host: str) -> str:
        """The remedy if a registry refuses an image."""
        name = _name(host)
        command = "`docker login`" if name == INDEX_NAME else f"`docker login {name}`"
        if trouble := self.trouble(name):
            return f"{trouble}; fix that, then {command}"
        if self.login(name):
            return f"it rejects the credentials in {config_file()}: {command}"
        return f"log in: {command}"

    def close(self) -> None:
        """End helpers that are still running."""
        with self._guard:
            self._closed = True
            for helper in self._helpers:
                helper.kill()

    # --- parts

    def _resolve(self, name: str) -> Mapping[str, Any] | None:
        config = _Config.load_config(None, None)
        config.registries = self
        try:
            credentials: Mapping[str, Any] | None = config.resolve_authconfig(name)
            return credentials
        except _HelperError as error:
            key = "credHelpers" if name in config.cred_helpers else "credsStore"
            self._troubles[name] = f"{error} (`{key}` in {config_file()})"
        # If the helper fails, credentials from the file are used.
        written: Mapping[str, Any] | None
        written = AuthConfig({"auths": config.auths}).resolve_authconfig(name)
        if written:
            self._troubles.pop(name)
        return written

    def run(self, program: str, subcommand: str, request: bytes | None) -> bytes:
        """Run a credential helper; its output. _HelperError on failure, without the output: it may contain credentials."""
        path = shutil.which(program)
        if path is None:
            raise _HelperError(f"the credential helper {program} is not installed")
        with self._guard:
            if self._closed:
                raise _HelperError("it was cancelled")
            try:
                helper = subprocess.Popen(
                    [path, subcommand],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise _HelperError(f"{program} cannot be started: {error.strerror}") from error
            self._helpers.add(helper)
        try:
            with helper:
                return self._communicate(program, helper, request)
        finally:
            with self._guard:
                self._helpers.discard(helper)

    def _communicate(
        self, program: str, helper: subprocess.Popen[bytes], request: bytes | None
    ) -> bytes:
        try:
            output, _ = helper.communicate(request, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            helper.kill()
            raise _HelperError(
                f"the credential helper {program} did not answer within {TIMEOUT:g} s"
            ) from None
        if helper.returncode == 0:
            return output
        if b"credentials not found" in output:
            return b'{"Username": "", "Secret": ""}'
        raise _HelperError(
            f"the credential helper {program} failed (exit code {helper.returncode})"
        )


class _HelperError(Exception):
    """A credential helper failed."""


class _Config(AuthConfig):
    """docker-py's reader of the configuration, with timeouts for helpers and without its warnings."""

    registries: Registries

    def _get_store_instance(self, name: str) -> _Store:
        return _Store(name, self.registries)


class _Store(Store):
    def __init__(self, name: str, registries: Registries) -> None:
        self.program = f"docker-credential-{name}"
        self._registries = registries

    def _execute(self, subcmd: str, data_input: bytes | None) -> bytes:
        return self._registries.run(self.program, subcmd, data_input)


def config_file() -> Path:
    """The docker configuration file, which may not exist."""
    path = find_config_file()
    return Path(str(path)) if path else Path(home_dir()) / ".docker" / "config.json"


def refused(text: str) -> bool:
    """Whether an error of the engine means that a registry requires (other) credentials."""
    return bool(_REFUSED.search(text))


def registry_of(image: str) -> str:
    """The registry in an image's name."""
    return str(resolve_repository_name(image)[0])


def image_in(text: str) -> str:
    """The image that a builder's message refers to; "" if it names none."""
    match = _ABOUT.search(text)
    return match[1] if match else ""


def _name(host: str) -> str:
    name = str(resolve_index_name(host))
    return INDEX_NAME if name == _HUB else name


def _login(credentials: Mapping[str, Any]) -> Login | None:
    values = {str(key).lower(): value for key, value in credentials.items()}
    token = values.get("identitytoken")
    secret = token or values.get("password")
    if not secret:
        return None
    username = "" if token else str(values.get("username") or "")
    return Login(username, str(secret), encode_header(dict(credentials)).decode())
