"""`vagrant`: the rendered folder with its Vagrantfile, and what became of each key of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.rule_words import drop, keep, other_backends, rules, translate
from envctl.plan.host_ports import port_key, portable_ports

_FILE: Final = "Vagrantfile"
_ONLY_ENVCTL: Final = "remedy: run `envctl up` for the backend vagrant, which does it"


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The rendered folder of one target."""
    (target,) = targets
    files, modes = target.render()
    services = {unit.service for unit in target.plan.units}
    return ExportedFiles(files, modes, dict.fromkeys(("", *services), _FILE))


def _port_notes(key: SetKey) -> Iterator[KeyNote]:
    chosen = portable_ports(key.plan)
    unit = key.plan.replicas(key.service)[0]
    for index, port in enumerate(unit.run.ports):
        if not port.host:
            number = chosen[port_key(unit.name, port)]
            note = f"a forwarded port with the number {number}, since the spec leaves it open"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))


_RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "a part of the names of the network and the disks"),
    keep("top.environment", "a part of the names of the network and the disks"),
    translate("top.backend", "nothing: a Vagrantfile is for machines"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "environment variables that `vagrant up` reads"),
    drop("top.accept", "it is for `envctl parity`; remedy: keep using envctl for it"),
    translate("kind", "a service of systemd; a task is a oneshot service"),
    translate("image", "a container in the machine"),
    translate("dockerfile", "a build in the machine, with a copy of its context"),
    translate("platform", "nothing: a machine has the host's own platform"),
    translate("base", "`vm.box`"),
    translate("packages", "a step of `provision/`"),
    translate("build", "steps of `provision/`"),
    translate("build_args", "variables of the steps in `provision/`"),
    translate("stages", "stages of `provision/`, each in a copy of the machine's system"),
    keep("user", "`User=` of its service"),
    keep("workdir", "in `units/`"),
    keep("env", "in `units/`; what contains a secret is put together at the start"),
    keep("command", "in `units/`"),
    keep("ports", "`forwarded_port`", _port_notes),
    keep("mounts", "`synced_folder`; envctl's own state is covered"),
    translate("volumes", "disks that outlive `vagrant destroy`"),
    keep("secrets", "files in the machine's memory"),
    translate("healthcheck", "a check at the start; it is not repeated afterwards"),
    translate("depends_on", "the order in which machines start; each waits until it is ready"),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    translate("replicas", "a machine for each"),
    keep("resources", "`MemoryMax=` and `CPUQuota=`"),
    keep("restart", "`Restart=`"),
    drop("restart_on", f"it is for `envctl watch`; {_ONLY_ENVCTL}"),
    drop("checks", "they are for `envctl verify`; remedy: keep using envctl for it"),
    drop("hooks", f"Vagrant does not run commands when a service is healthy; {_ONLY_ENVCTL}"),
    keep("capabilities", "`CapabilityBoundingSet=`"),
    keep("options", "settings of the machine", other_backends("vagrant")),
)

VAGRANT: Final = ExportFormat(
    "vagrant",
    "a Vagrantfile and scripts for its machines, as `envctl render` writes them",
    "vagrant",
    _RULES,
    write,
    next_commands=("vagrant up   # build and start it, in that folder",),
)
