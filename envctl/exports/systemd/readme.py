"""The README of a folder of services for a host. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from envctl.backends.common.comment_text import code, markdown
from envctl.exports.systemd.host_names import HostNames, host_units
from envctl.plan.model import Plan


def readme(plan: Plan, names: HostNames) -> str:
    """The text: what the scripts do, and where everything is."""
    return "".join(f"{line}\n" for line in _lines(plan, names))


def _lines(plan: Plan, names: HostNames) -> Iterator[str]:
    title = f"{plan.scope.project}: {plan.scope.environment}, on a host"
    yield f"# {markdown(title)}"
    yield ""
    yield "Made by `envctl export systemd`. This folder works without envctl, on a host with the distribution of the spec."
    yield ""
    yield "`sudo ./install.sh` installs packages, users and files, and starts the services. It can run again: a build runs once for each"
    yield "version, and nothing restarts unless something changed. Packages do not start services of their own while it runs. It removes"
    yield "the lists of apt when it has installed packages. `sudo ./uninstall.sh` removes the services and says what stays."
    yield ""
    yield "| | where |"
    yield "| --- | --- |"
    yield f"| services | {code('/etc/systemd/system/' + names.prefix + '-*')} |"
    yield f"| volumes | {code(names.state + '/volumes/')} |"
    yield f"| secrets, which you put there | {code(names.secrets + '/')} |"
    yield "| names of the services | a block in `/etc/hosts` |"
    yield ""
    yield "Services have the host's network: a process is reachable at the addresses that it listens on, so bind it to 127.0.0.1 or close"
    yield "its port with a firewall."
    on_host = {unit.service for unit in host_units(plan)}
    if images := sorted({unit.service for unit in plan.units} - on_host):
        yield ""
        yield f"Not among these services, because they are images: {', '.join(map(code, images))}. If others reach them by name, add the"
        yield "names to `/etc/hosts`."
    for unit in host_units(plan):
        yield ""
        yield f"- {markdown(unit.name)}: {code(f'systemctl status {names.service(unit)}')}, {code(f'journalctl --unit {names.service(unit)}')}"
