"""Which CA certificates builds trust behind a proxy that inspects TLS; what other programs are trusted with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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


def for_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the environment a system's program is given: where things are, language, proxies, certificates.

    The rest may hold secrets, and an engine that is started keeps its environment for others to read.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _HANDED_ON or name.startswith("LC_") or name.lower() in _PROXIES
    }
