"""The private store of generated secrets, and the digests by which secrets are compared."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import string
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.errors import EnvctlError
from envctl.host.atomic_write import create_file, replace_file
from envctl.host.private_state import existing_folder, open_private, private_folder, state_path
from envctl.secrets.sources import NotEvaluatedError, missing, source_value, variable_value

if TYPE_CHECKING:
    from envctl.definition.keys.spec_file import SecretData

ALPHABET = string.ascii_letters + string.digits
"""The characters of generated secrets: none is special in a URL, a shell or a configuration file."""

_DIGEST_LENGTH = 24
_KEY_LENGTH = 32
_FOLDER = "secrets"
_KEY = ".key"
"""Not a valid name of an environment."""
_RECORD = ".digests.json"
_USERS = "used-by"
"""Not a valid name of a secret."""
_LEAVING = b"its values are being deleted"
"""The content of the file that records a backend's use of the values, while these are being deleted."""
_LEAST_MASKED = 8
"""The minimum length of masked values, in bytes. Shorter ones would also match unrelated text."""


class SecretStore:
    """The secrets of one environment.

    Generated values and the key of the digests are files in the project's private folder that only their owner can
    read. All backends of an environment share its values. The values are deleted when no backend uses them any more.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        declared: Mapping[str, SecretData],
        *,
        environ: Mapping[str, str],
    ) -> None:
        self._root = root
        self._declared = declared
        self._environ = environ
        self._path = (_FOLDER, environment)
        self._values: dict[str, bytes] = {}
        self.reach_host = False
        """Whether the store may use variables, commands and files outside the project. Set after the user allowed it.
        """
        self.allowed_files: Mapping[str, Path] = {}
        """By secret, the target of its file outside the project at the time when the user allowed it."""

    def allow_host(self, files: Mapping[str, Path]) -> None:
        """Allow values from this host, as the user did; `files` are the targets of files outside the project then."""
        self.reach_host = True
        self.allowed_files = files

    def digest(self, name: str) -> str | None:
        """A keyed digest of the value; "" if the value has yet to be generated.

        None if the value comes from a variable, program or file of the host that this run must not use.
        """
        try:
            value = self._find(name)
        except NotEvaluatedError:
            return None
        if value is None:
            if self._declaration(name)["generate"] is None:
                raise missing(name, self._declaration(name))
            return ""
        key = self._key()
        return hmac.new(key, value, hashlib.sha256).hexdigest()[:_DIGEST_LENGTH]

    def facts_key(self) -> str:
        """The key of digests in facts. It is derived from the store's key, and does not reveal it."""
        return hmac.new(self._key(), b"facts", hashlib.sha256).hexdigest()

    def facts_digest(self, name: str) -> str:
        """The value's digest in facts, made with `facts_key`; "" if the value has yet to be generated.

        If this run must not read the value, returns the digest that the last `up` recorded, or "".
        """
        try:
            value = self._find(name)
        except NotEvaluatedError:
            return self._recorded().get(name, "")
        return (
            "" if value is None else hashlib.sha256(self.facts_key().encode() + value).hexdigest()
        )

    def value(self, name: str) -> bytes:
        """The value; if necessary, it is generated and stored first."""
        value = self._find(name)
        if value is not None:
            return value
        declared = self._declaration(name)
        length = declared["generate"]
        if length is None:
            raise missing(name, declared)
        import secrets

        generated = "".join(secrets.choice(ALPHABET) for _ in range(length)).encode()
        self._values[name] = _write_once(private_folder(self._root, *self._path) / name, generated)
        return self._values[name]

    def use(self, backend: str, names: Collection[str] | None = None) -> bool:
        """Record that a backend uses the values, and generate missing ones (of `names`); whether any was missing."""
        has_generated = False
        for name, declared in self._declared.items():
            if names is not None and name not in names:
                continue
            if declared["generate"] is not None and self._find(name) is None:
                self.value(name)
                has_generated = True
        if self._declared:
            note = private_folder(self._root, *self._path, _USERS) / backend
            if self.is_releasing(backend):
                note.unlink()
            _write_once(note, b"")
        self._record()
        return has_generated

    def _record(self) -> None:
        """Record, for facts, the digests of values that later runs must not read. They do not reveal the values."""
        names = [
            name
            for name, secret in self._declared.items()
            if secret["env"] or secret["command"] or secret["file"]
        ]
        known = {name: self.facts_digest(name) for name in names if name in self._values}
        if not known:
            return
        path = private_folder(self._root, *self._path) / _RECORD
        replace_file(path, json.dumps({**self._recorded(), **known}).encode(), mode=0o600)

    def _recorded(self) -> Mapping[str, str]:
        folder = existing_folder(self._root, *self._path)
        try:
            data = json.loads((_read_private(folder / _RECORD) if folder else None) or b"{}")
        except ValueError:
            return {}
        return (
            {str(name): str(digest) for name, digest in data.items()}
            if isinstance(data, dict)
            else {}
        )

    def begin_release(self, backend: str) -> None:
        """Record that the values are being deleted. If this run is killed, the next one continues."""
        users = existing_folder(self._root, *self._path, _USERS)
        if users is None:
            return
        # On a full disk, delete the values without the record.
        with (
            suppress(OSError, EnvctlError),
            os.fdopen(open_private(users / backend, os.O_WRONLY | os.O_CREAT), "wb") as file,
        ):
            file.write(_LEAVING)

    def is_releasing(self, backend: str) -> bool:
        """Whether a killed run had begun to delete the values for a backend."""
        users = existing_folder(self._root, *self._path, _USERS)
        return users is not None and _read_private(users / backend) == _LEAVING

    def release(self, backend: str) -> None:
        """Delete the generated values, if no other backend uses them.

        EnvctlError, with the path, if a file cannot be removed.
        """
        try:
            self._release(backend)
        except OSError as error:
            where = error.filename or state_path(self._root, _FOLDER)
            raise EnvctlError(
                f"everything was removed except {where}: {error.strerror}",
                hint="remove it by hand: it contains values of generated secrets",
            ) from error

    def _release(self, backend: str) -> None:
        users = existing_folder(self._root, *self._path, _USERS)
        others = [path for path in users.iterdir() if path.name != backend] if users else []
        folder_of_environment = existing_folder(self._root, *self._path)
        if folder_of_environment is not None and not others:
            _remove_files(folder_of_environment)
        if users is not None:
            # Delete this record last: while it exists, the next run continues after a killed one.
            (users / backend).unlink(missing_ok=True)
            _removed(users)
        if folder_of_environment is not None:
            _removed(folder_of_environment)
        folder = existing_folder(self._root, _FOLDER)
        if folder is not None and not any(path.is_dir() for path in folder.iterdir()):
            _remove_files(folder)
            _removed(folder)

    def masked(self, text: str) -> str:
        """The text, with the names of secrets in place of values: values read so far, and those of variables.

        Each line of a value is replaced separately, because logs are printed line by line.
        """
        for part, name in self._parts():
            text = text.replace(part.decode("utf-8", "replace"), name)
        return text

    def masked_bytes(self, data: bytes) -> bytes:
        """The same for bytes that need not be valid text."""
        for part, name in self._parts():
            data = data.replace(part, name.encode())
        return data

    def _parts(self) -> Sequence[tuple[bytes, str]]:
        """The values to hide, each with its replacement, the longest first."""
        variables = (
            (name, variable_value(declared, self._environ) or b"")
            for name, declared in self._declared.items()
        )
        parts = {
            line: f"‹secret {name}›"
            for name, value in [*variables, *self._values.items()]
            for line in value.splitlines()
            if len(line) >= _LEAST_MASKED
        }
        return sorted(parts.items(), key=lambda part: len(part[0]), reverse=True)

    def keeps_any(self) -> bool:
        """Whether the environment has stored generated values."""
        return existing_folder(self._root, *self._path) is not None

    def _declaration(self, name: str) -> SecretData:
        return self._declared[name]

    def _find(self, name: str) -> bytes | None:
        if name not in self._values:
            declared = self._declaration(name)
            value = source_value(
                name,
                declared,
                root=self._root,
                environ=self._environ,
                reach_host=self.reach_host,
                allowed_file=self.allowed_files.get(name),
            )
            if value is None and declared["generate"] is not None:
                folder = existing_folder(self._root, *self._path)
                value = _read_private(folder / name) if folder else None
            if value is None:
                return None
            self._values[name] = value
        return self._values[name]

    def _key(self) -> bytes:
        key = os.urandom(_KEY_LENGTH)
        return _write_once(private_folder(self._root, _FOLDER) / _KEY, key)


def _removed(folder: Path) -> bool:
    """Remove a folder if it is empty. Returns whether it is gone."""
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def _remove_files(folder: Path) -> None:
    """Remove the regular files in a folder; all values are regular files."""
    for path in folder.iterdir():
        if stat.S_ISREG(path.lstat().st_mode):
            path.unlink(missing_ok=True)


def _read_private(path: Path) -> bytes | None:
    """A file's content; None if it does not exist."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _write_once(path: Path, content: bytes) -> bytes:
    """Write a private file unless it exists, and return its content.

    If two processes write at the same time, both get the content of the first.
    """
    existing = _read_private(path)
    if existing is not None:
        return existing
    try:
        if create_file(path, content, mode=0o600):
            return content
    except OSError as error:
        raise EnvctlError(f"{path} cannot be written: {error.strerror}") from error
    existing = _read_private(path)
    return content if existing is None else existing
