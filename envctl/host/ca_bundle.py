"""Which CA certificates builds trust behind a proxy that inspects TLS; what other programs are trusted with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError

VARIABLES = ("ENVCTL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a bundle; the first that is set wins."""

_HANDED_ON = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"),
        *("XDG_RUNTIME_DIR", "VAGRANT_HOME", "LIBVIRT_DEFAULT_URI"),
        *("SSL_CERT_DIR", "CURL_CA_BUNDLE", *VARIABLES),
    )
)
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")

_SYSTEM: Final = (
    ("usr/local/share/ca-certificates", "etc/ssl/certs/ca-certificates.crt"),
    ("etc/ca-certificates/trust-source/anchors", "etc/ssl/certs/ca-certificates.crt"),
    ("etc/pki/ca-trust/source/anchors", "etc/pki/tls/certs/ca-bundle.crt"),
    ("etc/pki/trust/anchors", "var/lib/ca-certificates/ca-bundle.pem"),
)
"""Where an administrator adds certificates, and the bundle that they are in then: of Debian and Alpine, of Arch, of Fedora
and RHEL, of SUSE."""


def bundle(environ: Mapping[str, str], *, root: Path = Path("/")) -> Path | None:
    """The host's CA bundle if it has one of its own, else None; the system's own is looked for below `root`.

    A variable that names a missing file is an error only for the one that is ours.
    """
    for name in VARIABLES:
        value = environ.get(name, "")
        if not value:
            continue
        path = Path(value)
        if path.is_file():
            return path
        if name == VARIABLES[0]:
            raise EnvctlError(
                f"{name} names {value!r}, which is not a file",
                hint="set it to a PEM bundle of CA certificates, or unset it",
            )
    for added, file in _SYSTEM:
        if (root / file).is_file() and any(path.is_file() for path in (root / added).rglob("*")):
            return root / file
    return None


def for_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the environment a system's program is given: where things are, language, proxies, certificates.

    The rest may hold secrets, and an engine that is started keeps its environment for others to read.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _HANDED_ON or name.startswith("LC_") or name.lower() in _PROXIES
    }
