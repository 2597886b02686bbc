"""Facts asked for, from a unit that may say anything."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError
from envctl.parity import collecting
from envctl.secrets import SecretStore
from tests.support.plans import plan, unit


class Telling:
    """A backend whose units answer what they are made to."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.argv: tuple[str, ...] = ()

    def exec(self, _name, execution):
        self.argv = execution.argv
        mark = execution.stdin.readline().strip()
        for part in self.parts:
            execution.stdout(part.replace(b"MARK", mark))
        return 0


def told(backend, mask=lambda data: data):
    web = unit("web")
    return collecting.collect(plan(web), [web], backend, key="key", mask=mask).units["web"]


def test_the_mark_is_on_no_command_line():
    backend = Telling(b"MARK:os\0ID=debian\nMARK:end\0")
    assert told(backend) == {"os": {"id": "debian"}, "files": {}, "sockets": {}}
    assert "MARK" not in " ".join(backend.argv)
    assert len(backend.argv) == 4


@pytest.mark.parametrize(
    "value", [b'pa"ss\\word-secret', b"tab\there-secret", b"\xff\xfe-secret-bytes"]
)
def test_the_value_of_a_secret_is_told_nowhere_however_it_is_written(value, tmp_path):
    (tmp_path / "token").write_bytes(value)
    declared = {"token": {"env": None, "file": "token", "command": None, "generate": None}}
    store = SecretStore(tmp_path, "dev", declared, environ={})
    store.value("token")
    said = b"MARK:argv\0web\0--pw=VALUE\0MARK:environ\0A=VALUE\0MARK:end\0".replace(b"VALUE", value)

    found = told(Telling(said), store.masked_bytes)

    assert found["process"] == {"argv": '["web", "--pw=‹secret token›"]'}
    assert found["environment"] == {"A": "‹secret token›"}


def test_a_unit_that_tells_without_end_is_not_kept_in_memory(monkeypatch):
    monkeypatch.setattr(collecting, "MOST", 100)
    with pytest.raises(EnvctlError, match="it tells more than"):
        told(Telling(*[b"x" * 60] * 1000))
