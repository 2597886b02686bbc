"""Runs an HTTP health check through the SSH connection of a machine.

The request comes from inside the machine, but starts no process there and needs no tool. On an emulated processor, a
Python program for it took longer than a check's timeout (docs/decisions/machines.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from envctl.backends.common.probe import timed_out
from envctl.plan.model import Probe, ProbeKind

if TYPE_CHECKING:
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine

_PLAIN: Final = re.compile(r"http://[a-zA-Z0-9._-]+(:\d+)?(/[!-~]*)?")
"""The URLs that are checked here. For others, such as HTTPS with certificates in the machine, a tool runs inside."""
_SHOWN: Final = 400
"""How many bytes of an error response's body are shown."""


def is_reachable(probe: Probe) -> bool:
    """Whether the check can run without a process in the machine."""
    return probe.kind is ProbeKind.HTTP and bool(_PLAIN.fullmatch(probe.test[0]))


def ask(probe: Probe, machine: SshMachine) -> tuple[bool, str]:
    """Run the check once: whether it passed, and its message. EnvctlError if the machine does not answer."""
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
