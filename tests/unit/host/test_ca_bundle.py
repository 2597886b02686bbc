"""Which CA certificates builds trust, on systems of several kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host.ca_bundle import bundle

SYSTEMS = {
    "debian": ("usr/local/share/ca-certificates/own/a.crt", "etc/ssl/certs/ca-certificates.crt"),
    "alpine": ("usr/local/share/ca-certificates/a.pem", "etc/ssl/certs/ca-certificates.crt"),
    "arch": (
        "etc/ca-certificates/trust-source/anchors/a.p11-kit",
        "etc/ssl/certs/ca-certificates.crt",
    ),
    "fedora": ("etc/pki/ca-trust/source/anchors/a.pem", "etc/pki/tls/certs/ca-bundle.crt"),
    "suse": ("etc/pki/trust/anchors/a.pem", "var/lib/ca-certificates/ca-bundle.pem"),
}


def write(root: Path, name: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    return file


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_to_which_certificates_were_added_has_a_bundle_of_its_own(tmp_path, system):
    added, file = SYSTEMS[system]
    whole = write(tmp_path, file)
    write(tmp_path, added).unlink()

    assert bundle({}, root=tmp_path) is None
    write(tmp_path, added)
    assert bundle({}, root=tmp_path) == whole
    whole.unlink()
    assert bundle({}, root=tmp_path) is None


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_variable_of_others_goes_before_the_system_if_its_file_is_there(tmp_path, name):
    added, file = SYSTEMS["fedora"]
    write(tmp_path, added)
    whole, own = write(tmp_path, file), write(tmp_path, "own.pem")

    assert bundle({name: str(own)}, root=tmp_path) == own
    assert bundle({name: str(tmp_path / "gone.pem")}, root=tmp_path) == whole


def test_a_bundle_that_was_named_for_envctl_has_to_be_there(tmp_path):
    with pytest.raises(
        EnvctlError, match=r"ENVCTL_CA_BUNDLE names '/gone\.pem', which is not a file"
    ):
        bundle({"ENVCTL_CA_BUNDLE": "/gone.pem"}, root=tmp_path)
