"""Which CA certificates builds trust, on hosts behind a proxy that inspects TLS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envctl.errors import EnvctlError

VARIABLES = ("ENVCTL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a bundle; the first that is set wins."""

_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_LOCAL_ADDITIONS = Path("/usr/local/share/ca-certificates")


def bundle(environ: Mapping[str, str]) -> Path | None:
    """The host's CA bundle if it has one of its own, else None.

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
    if _SYSTEM_BUNDLE.is_file() and any(_LOCAL_ADDITIONS.glob("**/*.crt")):
        return _SYSTEM_BUNDLE
    return None
