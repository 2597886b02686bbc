"""Virtual machines: each unit is a machine, each build a box. Vagrant creates them; libvirt and SSH do everything else.

Where to look:

- here: what a plan means on machines (layout, options, problems, names), the observed state, changes to units
  (observe, lifecycle), and machines that are there for one-offs only (one_off_machines); libvirt and vagrant_cli run
  the two programs, engine_check finds out whether they are installed
- machine/: a machine as a whole: its domain, stamp, Vagrantfile, health, and how it is made and removed
- unit/: a unit in its machine: service, process, container, logs, exit codes, and commands beside it
- ssh/: the way in: the shared connection, forwarded ports, systemd over D-Bus, HTTP probes
- box/: boxes: how each is made, what it boots with, where it is stored, when it is removed
- provision/: builds in a machine, where there is no container engine
- rendered/: the folder that `render` writes
- doctor/: checks and repairs of this host
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from envctl.backends.base import (
    Capabilities,
    Context,
    Execution,
    Garbage,
    LogLine,
    NotRunningError,
    PathKind,
    SshHost,
    TemplateRoles,
    UnitProcess,
)
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.errors import Problem

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from envctl.backends.common.build_inputs import ExtraBuild
    from envctl.backends.common.probe_results import ProbeResults
    from envctl.backends.vagrant.box.box_store import BoxStore
    from envctl.backends.vagrant.box.boxes import Boxes
    from envctl.backends.vagrant.lifecycle import UnitLifecycle
    from envctl.backends.vagrant.machine.domain import Domain
    from envctl.backends.vagrant.unit.unit_files import UnitFiles
    from envctl.doctor.findings import Finding
    from envctl.doctor.host import Host
    from envctl.plan.artifact import Artifact
    from envctl.plan.changes import Change
    from envctl.plan.model import Base, Build, Plan, Source, Unit, Volume
    from envctl.plan.scope import FoundEnvironment
    from envctl.plan.state import Observed

_IN_PLACE: Final = frozenset({"process", "ports", "secrets", "probe", "restart", "aliases", "kind"})

_TEMPLATES: Final = TemplateRoles(
    outside_images=frozenset(
        {
            "README.md.j2",
            "Vagrantfile.j2",
            "rendered.Vagrantfile.j2",
            "envctl.rb.j2",
            "machine.sh.j2",
            "container.sh.j2",
            "start.sh.j2",
        }
    ),
    on_host=("Vagrantfile.j2", "box.Vagrantfile.j2"),
)
"""Vagrant runs both files on this host, because they are Ruby programs."""


class VagrantBackend:
    """One environment in virtual machines."""

    name = "vagrant"
    capabilities = Capabilities(
        reconfigure=_IN_PLACE, installs=True, machines=True, templates=_TEMPLATES
    )

    def __init__(self, context: Context) -> None:
        self.context = context
        self._names = MachineNames(context.scope)
        self._machines = Machines(self._names)

    @cached_property
    def _store(self) -> BoxStore:
        from envctl.backends.vagrant.box.box_store import BoxStore

        return BoxStore(self.context)

    @cached_property
    def _boxes(self) -> Boxes:
        from envctl.backends.vagrant.box.boxes import Boxes

        return Boxes(self.context, self._store)

    @cached_property
    def _answers(self) -> ProbeResults:
        from envctl.backends.common.probe_results import ProbeResults

        return ProbeResults(self.context.scope, self.name)

    @cached_property
    def _lifecycle(self) -> UnitLifecycle:
        from envctl.backends.vagrant.lifecycle import UnitLifecycle

        return UnitLifecycle(self.context, self._names, self._machines, self._boxes)

    @staticmethod
    def host_findings(host: Host, *, images_only: bool = False) -> Sequence[Finding]:
        """The requirements of machines on this host."""
        from envctl.backends.vagrant.doctor import findings

        del images_only  # this backend builds no images
        return findings(host)

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """Keys that machines do not support, and mistakes in `options.vagrant`."""
        from envctl.backends.vagrant.problems import problems

        return problems(plan)

    def lay_out(self, plan: Plan) -> Plan:
        """The plan, with one common build for the units that share a machine."""
        from envctl.backends.vagrant import layout

        return layout.lay_out(plan)

    def extra_builds(self, source: Source | Base) -> Sequence[ExtraBuild]:
        """The kernel, and the machine image: systemd and an SSH server on a build or base, or a Docker engine's image."""
        from envctl.backends.vagrant.box.extra_builds import extra_builds

        return extra_builds(
            source, self.context.images().name_of, template_digest=self.context.template_digest
        )

    def box_checksum(self, base: Base) -> str:
        """The checksum of the disk of the base's box; "" if the box does not exist."""
        return self._boxes.bases.checksum(base)

    def check(self) -> None:
        """Raise EnvctlError unless this host can run machines and all programs are installed."""
        from envctl.backends.vagrant.engine_check import check

        check()

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """A Vagrantfile and the files that its machines are built from; with `trust`, builds trust that CA bundle."""
        from envctl.backends.vagrant.rendered.vagrant_folder import artifacts

        return artifacts(plan, trust=trust)

    def observe(self, plan: Plan | None = None) -> Observed:
        """The observed state; boxes, clocks, names and mounts only if a plan is given."""
        from envctl.backends.vagrant.box import box_files
        from envctl.backends.vagrant.observe import observe

        if plan is not None:
            # Machines will be created from these boxes, so pruning must not remove them before that.
            box_files.mark_used_for(plan.builds())
        return observe(self._names, self._store, self._machines, plan=plan)

    def builds_in_vm(self, build: Build) -> bool:
        """Whether a build runs in a machine: the spec asks for it, or no container engine answers."""
        return self._boxes.builds_in_vm(build)

    def pin_images(self, source_ids: Mapping[str, str]) -> None:
        """From now on, create boxes and machines only from these sources."""
        self._store.pinned = source_ids

    def apply(self, change: Change) -> None:
        """Apply one change."""
        from envctl.plan.changes import Action
        from envctl.plan.model import Build, DockerfileBuild, Unit

        if change.action is not Action.BUILD:
            self._lifecycle.apply(change)
            if isinstance(change.target, Unit):
                self._answers.begin(change.unit)
        elif isinstance(change.target, Build | DockerfileBuild):
            self._boxes.make(change.unit, change.target)

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Run the unit's health check once, as seen from inside the machine. A very recent result is reused."""
        from envctl.backends.vagrant.unit.unit_probe import run_probe

        declared = unit.run.probe
        if declared is None:
            return True, "the unit has no probe"
        ask = partial(run_probe, unit.name, declared, self._machines, execute=self.exec)
        return self._answers.ask(unit.name, declared, ask)

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command in the unit's machine with the unit's user, environment and limits, and return its exit code."""
        from envctl.backends.vagrant.unit import unit_exec

        domain = self._machines.domain_of(unit)
        if domain is None or not domain.running or unit not in domain.units:
            raise self._not_running(unit)
        machine = self._machines.ssh_machine(domain)
        code = unit_exec.run(unit, domain.units[unit], machine, execution)
        if code is None:
            raise self._not_running(unit)
        return code

    def one_off_needs_build(self, unit: Unit) -> bool:
        """Whether the unit has no machine yet."""
        domain = self._machines.domain_of(unit.name)
        return domain is None or unit.name not in domain.units

    def run_one_off(
        self,
        unit: Unit,
        execution: Execution,
        ready: Callable[[], object],
        alone: Callable[[], AbstractContextManager[None]],
    ) -> int:
        """Run a command in the unit's machine, or in a temporary one if the unit is not up, and return its exit code."""
        from envctl.backends.vagrant.one_off_machines import OneOffMachine
        from envctl.backends.vagrant.unit import one_off_commands

        machine = OneOffMachine(unit, self._names, self._machines, self._lifecycle)
        try:
            domain = machine.borrow()
            ready()
            shared = machine.shares(domain)
            connection = self._machines.ssh_machine(domain)
            return one_off_commands.run(unit, connection, execution, shared=shared)
        finally:
            if machine.is_borrowed:
                with alone():
                    machine.give_back()

    def path_kind(self, unit: str, path: str) -> PathKind:
        """What is at a path in a unit whose machine is running."""
        return self._files(unit).path_kind(path)

    def pack(self, unit: str, path: str) -> Iterator[bytes]:
        """A file or folder in a unit whose machine is running, as a tar archive."""
        return self._files(unit).pack(path)

    def unpack(self, unit: str, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder of a unit whose machine is running."""
        self._files(unit).unpack(folder, archive)

    def processes(self, unit: str) -> Sequence[UnitProcess]:
        """The processes of a unit, as its machine lists them."""
        from envctl.backends.vagrant.unit import unit_processes

        domain = self._running_domain(unit)
        machine = self._machines.ssh_machine(domain)
        rows = unit_processes.processes(unit, domain.units[unit], machine)
        if not rows:
            raise self._not_running(unit)
        return rows

    def ssh_hosts(self) -> Sequence[SshHost]:
        """The running machines of the environment."""
        from envctl.backends.vagrant.ssh.machine_hosts import ssh_hosts

        return ssh_hosts(self._names, self._machines)

    def garbage(self, needed: Collection[str]) -> Sequence[Garbage]:
        """The boxes that no machine uses, and kernels of earlier versions."""
        from envctl.backends.vagrant.box.box_garbage import unused

        return unused(needed, self.context.template_digest)

    def remove_garbage(self, garbage: Garbage) -> bool:
        """Remove a box, unless something uses it by now, or a kernel."""
        from envctl.backends.vagrant.box.box_garbage import remove

        return remove(garbage, self.context.report)

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Run a hook in the unit's machine, and record it if it succeeds; its exit code."""
        code = self.exec(unit, execution)
        if code == 0:
            self._lifecycle.note_hook(unit, hook)
        return code

    def environments(self) -> Sequence[str]:
        """The names of the environments that have machines."""
        from envctl.backends.vagrant.observe import environments

        return environments(self._names)

    def logs(
        self,
        units: Sequence[str],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """The log lines of units, merged by time. EnvctlError at the end for those whose machine is not running."""
        from envctl.backends.vagrant.unit.log_scripts import LogRange
        from envctl.backends.vagrant.unit.unit_logs import UnitLogs

        may_run = partial(self._may_log, units)
        logs = UnitLogs(tuple(units), self._machines, self.context, LogRange(tail, since, until))
        yield from logs.follow(may_run) if follow else logs.read()

    def image_volumes(self, plan: Plan) -> Mapping[str, tuple[Volume, ...] | None]:
        """By unit, the volumes that its image declares and the spec does not name; None if the image is not on this host."""
        from envctl.backends.vagrant.machine import anonymous_volumes

        return anonymous_volumes.of_plan(plan, self.context)

    def volume_sizes(self, volumes: Collection[str]) -> Mapping[str, int]:
        """The sizes of the volumes' disks, in bytes."""
        from envctl.backends.vagrant import libvirt

        sizes = {name: libvirt.disk_size(self._names.disk(name)) for name in volumes}
        return {name: size for name, size in sizes.items() if size is not None}

    def everything(self) -> Sequence[FoundEnvironment]:
        """All environments that libvirt knows."""
        from envctl.backends.vagrant.observe import everything

        return everything()

    def moved(self, former: Path) -> None:
        """Write the project's new path into the machines' Vagrantfiles."""
        from envctl.backends.vagrant import vagrant_cli

        for file in self._names.folder.glob("*/Vagrantfile"):
            before = former / file.relative_to(self._names.folder.parents[1])
            text = file.read_text("utf-8")
            file.write_text(text.replace(str(former), str(self._names.folder.parents[1])), "utf-8")
            vagrant_cli.forget(before.parent)

    def close(self) -> None:
        """Do nothing: SSH connections stay open for the next command."""

    # --- parts

    def _running_domain(self, unit: str) -> Domain:
        """The running machine of a unit, even if the unit is stopped. NotRunningError if the machine is not running."""
        domain = self._machines.domain_of(unit)
        if domain is None or not domain.running or unit not in domain.units:
            raise self._not_running(unit)
        return domain

    def _files(self, unit: str) -> UnitFiles:
        from envctl.backends.vagrant.unit.unit_files import UnitFiles

        domain = self._running_domain(unit)
        contained = bool(domain.units[unit].get("contained"))
        return UnitFiles(unit, self._machines.ssh_machine(domain), contained=contained)

    def _may_log(self, units: Sequence[str]) -> bool:
        """Whether any of these units is running or may start soon."""
        if self.context.busy():
            return True
        states = self.observe().units
        return any(not states[unit].status.is_over for unit in units if unit in states)

    def _not_running(self, unit: str) -> NotRunningError:
        return NotRunningError(
            f"{unit} is not running",
            hint=f"start it with `envctl up {self.context.scope.environment}`",
        )
