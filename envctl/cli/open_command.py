"""open: open a service in the browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, UsageError


def open_service(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    print_only: Annotated[
        bool, Option(("--print",), "Print the URL, and open no browser.")
    ] = False,
) -> None:
    """Open a service in the web browser, and print its URL.

    Without SERVICE, opens the first one whose health check uses HTTP, or else the first with a published port.

    Examples:
        envctl open
        envctl open dev web --print
    """
    goal, names = invocation.target_and_services(target, services)
    if len(names) > 1:
        raise UsageError("only one service can be opened")
    from envctl.verbs import port as verb

    name = names[0] if names else ""
    ports = verb.published_ports(invocation.project, goal, unit=name)
    url = verb.url_to_open(invocation.project, goal, ports)
    if not url:
        what = name or goal.environment
        raise EnvctlError(f"{what} publishes no TCP port", hint="add one to `ports` in the spec")
    invocation.out.line(invocation.out.safe(url))
    if not print_only and not _opened(url):
        invocation.note("note: there is no browser here to open it in")


def _opened(url: str) -> bool:
    """Open a URL in a graphical browser; False if there is no such browser."""
    import webbrowser

    has_screen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    return has_screen and webbrowser.open(url)
