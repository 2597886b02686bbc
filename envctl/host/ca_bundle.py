"""The CA certificates that builds trust behind an inspecting proxy, and the environment that other programs get."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError

VARIABLES = ("ENVCTL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a bundle; the first one that is set wins."""

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
"""Where administrators add certificates, and the bundle that then contains them: on Debian and Alpine, Arch, Fedora and
RHEL, SUSE.
"""


def bundle(environ: Mapping[str, str], *, root: Path = Path("/")) -> Path | None:
    """The host's CA bundle if it has additional certificates, otherwise None. Finds system bundles below `root`.

    A missing file is an error only for envctl's own variable.
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
    """The environment variables that system programs get: paths, language, proxies, certificates.

    Other variables may contain secrets, and other users can read the environment of an engine that envctl starts.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _HANDED_ON or name.startswith("LC_") or name.lower() in _PROXIES
    }
