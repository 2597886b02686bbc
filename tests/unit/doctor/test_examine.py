"""What the doctor finds on machines whatever the backend, and how it asks the backend for the rest."""

from __future__ import annotations

import pytest

from envctl.errors import UsageError
from envctl.verbs.examine import examine


def findings(host):
    """The findings by name, for a backend that needs nothing itself."""
    return {finding.name: finding for finding in examine("memory", host=host)}


def test_certificates_of_the_keychain_are_not_said_to_be_trusted(machine):
    found = findings(machine(kernel="Darwin"))["certificates"]

    assert found.ok
    assert (
        "to trust the keychain's, export them to a file and set ENVCTL_CA_BUNDLE" in found.observed
    )


def test_an_old_python_is_reported(machine):
    python = findings(machine(version=(3, 10, 2)))["python"]

    assert (python.ok, python.observed, python.remedy) == (
        False,
        "3.10.2",
        "install Python 3.11 or newer",
    )


def test_a_bundle_that_is_named_and_missing_is_reported(machine):
    finding = findings(machine(environ={"ENVCTL_CA_BUNDLE": "/nowhere/ca.pem"}))["certificates"]

    assert not finding.ok
    assert "/nowhere/ca.pem" in finding.observed


def test_a_backend_that_says_nothing_of_this_machine_needs_what_all_need(machine):
    assert list(findings(machine())) == ["python", "certificates"]


def test_a_backend_s_own_checks_come_after_what_all_need(machine):
    names = [finding.name for finding in examine("vagrant", host=machine(kernel="Darwin"))]

    assert names == ["python", "certificates", "platform"]


def test_a_backend_that_is_not_installed_is_a_wrong_usage(machine):
    with pytest.raises(UsageError) as caught:
        examine("vagrnat", host=machine())

    assert caught.value.brief == "no such backend: 'vagrnat'"
    assert caught.value.hint == "did you mean 'vagrant'?"
