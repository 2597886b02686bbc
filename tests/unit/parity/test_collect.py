"""Facts asked for, from a unit that may say anything."""

from __future__ import annotations

import socket
import sys

import pytest

from envctl.backends.base import Capabilities
from envctl.parity import collect, file_tree, run_collector
from envctl.parity.fact_format import SUBSTRATE, UNKNOWN, Category
from envctl.parity.verify_categories import VerifyCategory
from envctl.secrets import SecretStore
from tests.support.plans import plan, unit


class Telling:
    """A backend whose units answer what they are made to."""

    capabilities = Capabilities(name_server="127.0.0.11")

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.argv: tuple[str, ...] = ()

    def exec(self, _name, execution):
        self.argv = execution.argv
        mark, _key, *asked = execution.stdin.read().splitlines()
        kinds = [line.partition(b"\t")[0] for line in asked]
        answers = {part.partition(b"\0")[0].partition(b":")[2]: part for part in self.parts}
        for kind in [*kinds, b"end"]:
            part = answers.get(kind, b"MARK:" + kind + b"\0")
            execution.stdout(part.replace(b"MARK", mark))
        return 0


def told(backend, mask=lambda data: data):
    web = unit("web")
    return collect.collect(plan(web), [web], backend, key="key", mask=mask).units["web"]


def test_the_mark_is_on_no_command_line():
    backend = Telling(b"MARK:os\0ID=debian\n")
    assert told(backend)["os"] == {"id": "debian"}
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
    said = (b"MARK:argv\0web\0--pw=VALUE\0", b"MARK:environ\0A=VALUE\0")

    found = told(Telling(*(part.replace(b"VALUE", value) for part in said)), store.masked_bytes)

    assert found["process"] == {"argv": '["web", "--pw=‹secret token›"]'}
    assert found["environment"] == {"A": "‹secret token›"}


def test_a_unit_that_tells_without_end_is_not_kept_in_memory(monkeypatch):
    monkeypatch.setattr(run_collector, "MOST", 1 << 20)
    found = told(Telling(b"MARK:os\0ID=debian\n", b"MARK:kernel\0" + b"x" * (2 << 20)))
    assert found["os"] == {"id": "debian"}
    assert found["unknown"]["kernel\t"] == "it reports more than 1 MiB"
    assert "packages\t" in found["unknown"]


def test_the_engines_own_name_server_is_no_socket_of_the_unit():
    line = b"  0: %s:1F90 00000000:0000 0A 0 0 0 1000 0 1 2 3\n"
    # As the kernel writes addresses: in this processor's byte order.
    addresses = (
        int.from_bytes(socket.inet_aton(text), sys.byteorder)
        for text in ("127.0.0.11", "127.0.0.1")
    )
    lines = b"".join(line % (b"%08X" % address) for address in addresses)
    found = told(Telling(b"MARK:sockets\0declared \ntcp\n  sl  local_address\n" + lines))
    assert found["sockets"] == {"tcp 127.0.0.1:8080": "uid 1000"}


def test_a_unit_without_a_shell_has_no_facts_and_the_others_have_theirs():
    class One(Telling):
        def exec(self, name, execution):
            return 127 if name == "mute" else super().exec(name, execution)

    units = [unit("web"), unit("mute")]
    found = collect.collect(
        plan(*units), units, One(b"MARK:os\0ID=debian\n"), key="key", mask=lambda data: data,
        idle={"db": "exited (exit code 1): no facts"},
    ).units  # fmt: skip
    assert found["web"]["os"] == {"id": "debian"}
    assert found["mute"] == {
        "unknown": {"units\t": "mute cannot be examined (exit code 127): there was no output"}
    }
    assert found["db"] == {"unknown": {"units\t": "exited (exit code 1): no facts"}}


def test_what_hangs_on_who_asks_is_asked_as_the_unit_and_all_else_as_root():
    class Noting(Telling):
        def __init__(self):
            super().__init__()
            self.asked = {}

        def exec(self, name, execution):
            text = execution.stdin.getvalue().decode()
            kinds = {line.partition("\t")[0] for line in text.splitlines()[2:]}
            _, known = self.asked.get(execution.user, (None, set()))
            self.asked[execution.user] = (execution.everything, kinds | known)
            return super().exec(name, execution)

    backend = Noting()
    web = unit("web")
    collect.ask(plan(web), web, backend, key="", mask=bytes, also=[("exec_environ", "all")])
    everything, by_root = backend.asked["0"]
    assert everything
    assert {"tree", "packages", "sockets"} <= by_root
    everything, by_unit = backend.asked[None]
    assert not everything
    assert {"exec_environ", "environ", "name"} <= by_unit
    assert by_root & by_unit == {"processes", "secret"} - ({"secret"} - by_root)


def test_what_the_unit_s_own_user_cannot_be_asked_is_unknown():
    class Nobody(Telling):
        def exec(self, name, execution):
            return super().exec(name, execution) if execution.user == "0" else 126

    found = told(Nobody(b"MARK:os\0ID=debian\n"))
    assert found["os"] == {"id": "debian"}
    assert "cannot be examined" in found["unknown"]["environment\t"]


def test_what_is_reported_beside_the_categories_has_names_of_its_own():
    """One that was called as another would hide it: `verify` lost all that was changed since."""
    beside = [file_tree.ALTERED, SUBSTRATE, UNKNOWN, *VerifyCategory, *Category]
    assert len({*beside}) == len(beside)
