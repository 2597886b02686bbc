"""What a unit is asked to be held against its spec, and what is said of those that nobody looks into."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from envctl.backends.base import Capabilities
from envctl.errors import EnvctlError
from envctl.parity.drift import unit_verifier
from envctl.plan.model import PipInstall, Port, WriteFile
from tests.support.plans import plan, unit
from tests.unit.parity.test_drift import Silent, Unmasked, unchecked, web

CONF = WriteFile("/etc/app.conf", "x")


def verifier(*units, backend=None, redactor=None, running=None):
    decided = plan(*units)
    backend = backend or Silent(root=False)
    return unit_verifier.UnitVerifier(
        decided, backend, running or decided.units, "key", {}, redactor or Unmasked()
    )


def test_a_unit_is_asked_for_all_that_its_claims_go_by_and_for_each_once():
    again = WriteFile("/etc/./app.conf", "y")
    odd = WriteFile("/etc/two\nlines", "x")
    one = web(CONF, again, odd, PipInstall("/opt/web/"), PipInstall("/opt/web"))
    asked = list(unit_verifier.inquiry(one))
    assert len(asked) == len(set(asked))
    assert set(asked) == {
        ("times", "/.dockerenv"),
        ("times", "/etc/ssh/ssh_host_ed25519_key"),
        ("times", "/var/lib/dpkg/status"),
        ("times", "/var/lib/dpkg/info"),
        ("times", "/etc/app.conf"),
        ("gone", "/etc/app.conf"),
        ("python", "/opt/web/lib"),
        ("exec_environ", "environment"),
        ("tool", "getent"),
        ("provides", "all"),
        ("removed", "all"),
        ("changed", "all"),
        ("lost", "all"),
    }


def test_of_what_nobody_looks_into_all_claims_are_there_with_the_reason():
    one = web(CONF, ports=(Port(80),))
    found = verifier(one).expectations({"web": "it is stopped"})
    assert {expectation.unchecked for expectation in found if expectation.category != "names"} == {
        "it is stopped"
    }
    assert len(found) == len(verifier(one).expectations({}))


def test_tasks_make_no_claims_and_each_service_makes_its_own():
    found = verifier(web(), unit("db"), unit("job", kind="task")).expectations(
        {"web": "a", "db": "b"}
    )
    assert list(dict.fromkeys(expectation.unit for expectation in found)) == ["web", "db"]
    names = [
        (expectation.unit, expectation.key)
        for expectation in found
        if expectation.category == "names"
    ]
    assert names == [("web", "db"), ("db", "web")]


class Masked(Unmasked):
    def masked(self, text):
        return text.replace("hush", "***")


class Failing:
    capabilities = Capabilities()

    def __init__(self, hint):
        self.hint = hint

    def exec(self, _unit, _execution):
        raise EnvctlError("it says hush", hint=self.hint)


@pytest.mark.parametrize("hint", ["", "start it"])
def test_why_a_unit_does_not_tell_is_reported_without_secrets_and_with_the_remedy(hint):
    found = verifier(web(CONF), backend=Failing(hint), redactor=Masked()).expectations({})
    assert {one.partition(": ")[2] for one in unchecked(found)} == {"it says ***"}
    remedies = {expectation.hint for expectation in found}
    assert remedies == {hint} if hint else all(remedies)


def test_what_may_still_come_is_waited_for_and_nothing_else_is(monkeypatch):
    """Sockets and names of a process that was started just now."""
    slept = []
    now = iter(range(0, 1000, 2))
    # For this module alone: other threads of the tests look at the clock, too.
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: next(now))
    monkeypatch.setattr(unit_verifier, "time", clock)
    one = replace(web(ports=(Port(80),)))

    class Deaf:
        capabilities = Capabilities()

        def exec(self, _unit, execution):
            mark = execution.stdin.readline().decode().strip()
            execution.stdout(f"{mark}:sockets\0{mark}:end\0".encode())
            return 0

    found = verifier(one, backend=Deaf()).expectations({})
    assert [expectation.observed for expectation in found if expectation.category == "sockets"] == [
        "not listened on within 5 s"
    ]
    assert slept == [0.5, 0.5]
    slept.clear()
    verifier(web(CONF), backend=Deaf()).expectations({})
    assert slept == []
