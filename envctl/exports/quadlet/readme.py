"""The README of a folder of units for Podman. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from envctl.backends.common.comment_text import code, markdown
from envctl.backends.common.step_views import secret_variable
from envctl.exports.quadlet.unit_names import UnitNames
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import BuildSecret, DockerfileBuild, Plan, Secret


def readme(plan: Plan, names: UnitNames) -> str:
    """The text: how to install, start, look at and remove the units."""
    return "".join(f"{line}\n" for line in _lines(plan, names))


def _lines(plan: Plan, names: UnitNames) -> Iterator[str]:
    prefix, folder = names.prefix, f"~/.config/containers/systemd/{names.prefix}"
    services = " ".join(f"{names.container(unit)}.service" for unit in plan.units)
    title = f"{plan.scope.project}: {plan.scope.environment}, with Podman and systemd"
    yield f"# {markdown(title)}"
    yield ""
    yield "Made by `envctl export quadlet`. These units work without envctl. They need Podman 5.3 or newer, with catatonit and aardvark-dns, and systemd."
    yield "Podman's generator makes a service from each `.container`, `.build`, `.volume` and `.network` file."
    yield ""
    yield "## Install"
    yield ""
    yield "For your own user, in this folder (for root: `/etc/containers/systemd` and no `--user`):"
    yield ""
    yield "```sh"
    yield f"mkdir -p {folder} && cp -R . {folder}/"
    yield from _secret_commands(plan, names)
    yield "systemctl --user daemon-reload"
    yield f"systemctl --user start {services}"
    yield "```"
    yield ""
    yield "Services start at boot if `loginctl enable-linger` was run for the user."
    yield from _notes(plan)
    yield ""
    yield "## Look and remove"
    yield ""
    yield "| to | run |"
    yield "| --- | --- |"
    yield f"| see what runs | `systemctl --user status '{prefix}-*'` |"
    for unit in plan.units:
        log = f"journalctl --user --unit {names.container(unit)}"
        yield f"| read the log of {markdown(unit.name)} | {code(log)} |"
    yield f"| stop | {code(f'systemctl --user stop {services}')} |"
    yield f"| remove | stop, then `rm -r {folder}` and `systemctl --user daemon-reload` |"
    if volumes := plan.volumes():
        shown = shlex.join(names.volume(volume) for volume in volumes)
        yield f"| delete the data | {code(f'podman volume rm {shown}')} |"


def _secret_commands(plan: Plan, names: UnitNames) -> Iterator[str]:
    """Commands that read each secret from an environment variable, so that no value is in a command line."""
    used: dict[str, Secret] = {}
    in_builds: dict[str, BuildSecret] = {}
    for unit in plan.units:
        used |= {secret.name: secret for secret in unit.run.secrets}
        in_builds |= {secret.name: secret for secret in build_secrets(unit.source)}
    for name, secret in sorted(used.items()):
        yield f'printf %s "${secret_variable(secret)}" | podman secret create --replace {names.secret(name)} -'
    folder = f"~/.config/{names.prefix}/secrets"
    if in_builds:
        yield f"mkdir -p -m 700 {folder}   # builds read secrets from files here; for root: /etc/{names.prefix}/secrets"
    for name, build_secret in sorted(in_builds.items()):
        variable = secret_variable(build_secret)
        yield f'(umask 077 && printf %s "${variable}" >{folder}/{name})'


def _notes(plan: Plan) -> Iterator[str]:
    if any(isinstance(unit.source, DockerfileBuild) for unit in plan.units):
        yield ""
        yield "Names of images in the project's own Dockerfiles need their registry (`docker.io/library/debian`), or"
        yield "`unqualified-search-registries` in `/etc/containers/registries.conf`."
    if any(unit.run.mounts for unit in plan.units):
        yield ""
        yield f"Folders of the project are mounted from {code(plan.scope.root)}."
    if any(port.host and port.host < 1024 for unit in plan.units for port in unit.run.ports):
        yield ""
        yield "Ports below 1024 need root, or a lower `net.ipv4.ip_unprivileged_port_start`."
