"""`systemd`: services of a Debian host with an install script, and what became of each key of the spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from envctl.backends.common.step_views import ContextFile, context_files
from envctl.backends.vagrant.provision import provision_script
from envctl.conversion.conversion_report import KeyOutcome
from envctl.errors import EnvctlError
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.rule_words import drop, keep, other_backends, rules, translate
from envctl.exports.systemd.host_names import HostNames, host_units
from envctl.exports.systemd.install_scripts import (
    builds,
    install_script,
    ready_scripts,
    uninstall_script,
)
from envctl.exports.systemd.readme import readme
from envctl.exports.systemd.service_unit import forwarded_ports, forwarder_units, service_unit
from envctl.plan.artifact import Artifact
from envctl.plan.model import Build, Condition, Plan
from envctl.render import rendered_files
from envctl.render.rendered_files import Content, Copied

_PROGRAM: Final = 0o755
_OTHER: Final = "remedy: the format quadlet, for the whole target"


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The services of one target, and the scripts that build and install what they need."""
    (target,) = targets
    plan, names = target.plan, HostNames.of(target.plan)
    if not host_units(plan):
        raise EnvctlError(
            f"no service of {target.environment} can run on a host itself: all are images",
            hint="export it as quadlet",
        )
    units = _units(plan, names)
    scripts = {
        "install.sh": install_script(plan, names, units=sorted(units)),
        "uninstall.sh": uninstall_script(names, units=sorted(units)),
        **{f"scripts/{name}": text for name, text in ready_scripts(plan, names).items()},
    }
    provision = rendered_files.render(_provision(plan), templates=target.templates)
    context, modes = _context(plan)
    files: dict[str, Content] = {
        "README.md": readme(plan, names).encode(),
        **{path: text.encode("utf-8", "surrogateescape") for path, text in scripts.items()},
        **{f"units/{name}": text for name, text in units.items()},
        **provision,
        **context,
    }
    modes |= dict.fromkeys((*scripts, *provision), _PROGRAM)
    places = {unit.service: f"units/{names.service(unit)}" for unit in reversed(host_units(plan))}
    return ExportedFiles(dict(sorted(files.items())), modes, {"": "install.sh", **places})


def _units(plan: Plan, names: HostNames) -> Mapping[str, bytes]:
    units: dict[str, bytes] = {}
    for unit in host_units(plan):
        units[names.service(unit)] = service_unit(plan, unit, names)
        for port in forwarded_ports(unit):
            units |= forwarder_units(unit, port, names)
    return units


def _provision(plan: Plan) -> Iterator[Artifact]:
    """The scripts that do the steps of builds, as in a machine that builds itself."""
    for name, build in builds(plan).items():
        values = provision_script.context(name, build, trust=False)
        yield Artifact(f"provision/{name}.sh", provision_script.TEMPLATE, values)


def _context(plan: Plan) -> tuple[Mapping[str, Content], dict[str, int]]:
    """The files that builds copy, and their modes."""
    staged = {
        path: file for build in builds(plan).values() for path, file in context_files(build).items()
    }
    return (
        {path: _content(file) for path, file in staged.items()},
        {path: file.mode for path, file in staged.items()},
    )


def _content(file: ContextFile) -> Content:
    if file.entry is not None:
        return Copied(file.source, file.entry)
    return (file.text or "").encode("utf-8", "surrogateescape")


# --- the report -----------------------------------------------------------------------------


def _port_notes(key: SetKey) -> Iterator[KeyNote]:
    unit = key.plan.replicas(key.service)[0]
    forwarded = [*forwarded_ports(unit)]
    for index, port in enumerate(unit.run.ports):
        if port in forwarded:
            note = f"a socket that forwards to port {port.container} on 127.0.0.1"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))
        elif port.host not in (0, port.container):
            note = "systemd forwards TCP only; remedy: the same port on both sides"
            yield KeyNote(KeyOutcome.DROPPED, note, (index,))
        else:
            note = (
                "nothing: the process itself listens, at the addresses that its own settings name;"
                " a firewall can close the port"
            )
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))


def _dependency_notes(key: SetKey) -> Iterator[KeyNote]:
    on_host = {unit.service for unit in host_units(key.plan)}
    for service, condition in key.plan.replicas(key.service)[0].depends_on.items():
        if service not in on_host:
            note = f"{service} is an image and not among these services; {_OTHER}"
            yield KeyNote(KeyOutcome.DROPPED, note, (service,))
        elif condition is Condition.STARTED and key.plan.replicas(service)[0].run.probe:
            note = "After=, which waits until it is healthy: systemd counts it as started then"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (service,))


def _replica_notes(key: SetKey) -> Iterator[KeyNote]:
    units = key.plan.replicas(key.service)
    if len(units) > 1 and units[0].run.ports:
        note = f"a host has each port once, so only the first one is here; {_OTHER}"
        yield KeyNote(KeyOutcome.DROPPED, note)


_OPTIONS: Final = frozenset(
    {
        "devices",
        "network_mode",
        "pids_limit",
        "read_only",
        "stop_signal",
        "stop_timeout",
        "tmpfs",
        "ulimits",
    }
)
"""The options of containers that services of a host have, too."""


def _option_notes(key: SetKey) -> Iterator[KeyNote]:
    yield from other_backends("docker")(key)
    for name in (key.value or {}).get("docker") or {}:
        if name not in _OPTIONS:
            note = f"a service of a host has the host's own {name}; {_OTHER}"
            yield KeyNote(KeyOutcome.DROPPED, note, ("docker", name))


def _of_images(rule: KeyRule) -> KeyRule:
    """The rule, which drops the key for services that are not built in steps."""

    def notes(key: SetKey) -> Iterable[KeyNote]:
        if not isinstance(key.plan.replicas(key.service)[0].source, Build):
            note = f"the service is an image, which a host cannot run as its own; {_OTHER}"
            return (KeyNote(KeyOutcome.DROPPED, note),)
        return rule.notes(key) if rule.notes else ()

    return replace(rule, notes=notes)


_ONLY_IMAGES: Final = f"it makes the service an image; {_OTHER}"
_SERVICE_RULES: Final = (
    translate("kind", "a service; `Type=oneshot` for a task"),
    drop("image", _ONLY_IMAGES),
    drop("dockerfile", _ONLY_IMAGES),
    translate("platform", "nothing: a host has its own platform"),
    translate("base", "a check that the host has this distribution"),
    translate("packages", "a step of `provision/`"),
    translate("build", "steps of `provision/`, which run once for each version"),
    translate("build_args", "variables of the steps in `provision/`"),
    translate("stages", "stages of `provision/`, each in a copy of the host's file system"),
    keep("user", "`User=`; `provision/` creates it"),
    keep("workdir", "`WorkingDirectory=`"),
    keep("env", "`Environment=`; what contains a secret is put together at the start"),
    keep("command", "`ExecStart=`"),
    translate("ports", "sockets, or nothing where the process itself listens", _port_notes),
    keep("mounts", "`BindPaths=`; envctl's own state is covered"),
    translate("volumes", "folders in `/var/lib/`, and `BindPaths=`"),
    keep("secrets", "files in memory; install.sh says where to put the values"),
    translate("healthcheck", "`ExecStartPost=` at the start; it is not repeated afterwards"),
    keep("depends_on", "`Requires=` and `After=`", _dependency_notes),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    translate("replicas", "a service for each, if it publishes no ports", _replica_notes),
    keep("resources", "`MemoryMax=` and `CPUQuota=`"),
    keep("restart", "`Restart=`"),
    drop("restart_on", "it is for `envctl watch`; remedy: `systemctl restart` after a change"),
    drop("checks", "they are for `envctl verify`; remedy: keep using envctl for it"),
    translate("hooks", "`ExecStartPost=` and `ExecStop=`"),
    keep("capabilities", "`CapabilityBoundingSet=`"),
    keep("options", "settings of the service, for options.docker", _option_notes),
)
_RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "the beginning of all names"),
    keep("top.environment", "a part of all names"),
    translate("top.backend", "nothing: the services run on a host"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "files that install.sh asks for"),
    drop("top.accept", "it is for `envctl parity`; remedy: keep using envctl for it"),
    *map(_of_images, _SERVICE_RULES),
)

SYSTEMD: Final = ExportFormat(
    "systemd",
    "services for a Debian host, with scripts that install and remove them",
    "docker",
    _RULES,
    write,
    next_commands=("sudo ./install.sh   # install and start it on this host, in that folder",),
)
