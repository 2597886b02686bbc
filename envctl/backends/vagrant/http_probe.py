"""An HTTP probe asked over a machine's connection, as seen from inside: no process starts there, no tool is needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from envctl.backends.common.probe import timed_out
from envctl.plan.model import Probe, ProbeKind

if TYPE_CHECKING:
    from envctl.backends.vagrant.ssh import Machine

_PLAIN: Final = re.compile(r"http://[a-zA-Z0-9._-]+(:\d+)?(/[!-~]*)?")
"""What is asked here; for all else, such as HTTPS, whose certificates the machine knows, a tool inside is."""
_SHOWN: Final = 400
"""Bytes of an error's body that are told."""


def is_reachable(probe: Probe) -> bool:
    """Whether it can be asked without anything inside."""
    return probe.kind is ProbeKind.HTTP and bool(_PLAIN.fullmatch(probe.test[0]))


def ask(probe: Probe, machine: Machine) -> tuple[bool, str]:
    """Ask once: is it healthy, and what the answer was. EnvctlError if the machine itself does not answer."""
    from http.client import HTTPConnection, HTTPException

    url = urlsplit(probe.test[0])
    host, port = url.hostname or "localhost", url.port or 80
    connection = HTTPConnection(host, port)
    try:
        connection.sock = machine.dial(f"{host}:{port}", probe.timeout)
        connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        answer = connection.getresponse()
        message = f"HTTP {answer.status}"
        if answer.status >= 400:
            message += f"\n{answer.read(_SHOWN).decode('utf-8', 'replace')}"
        return answer.status < 400, message.strip()
    except TimeoutError:
        return False, timed_out(probe)
    except (OSError, HTTPException) as error:
        return False, f"no HTTP answer at {host}:{port}: {error}"
    finally:
        connection.close()
