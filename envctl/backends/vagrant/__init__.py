"""Virtual machines: a unit is a machine, a build a box. Vagrant makes them; libvirt and SSH are asked directly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from envctl.backends import probe
from envctl.backends.base import Capabilities, Context, Execution, LogLine
from envctl.backends.vagrant import options
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.lifecycle import Lifecycle
from envctl.backends.vagrant.names import Names
from envctl.errors import EnvctlError, Place, Problem
from envctl.plan.artifact import Artifact
from envctl.plan.changes import Action, Change
from envctl.plan.model import Build, Plan, Process, Unit
from envctl.plan.state import Observed, Status

_PROBE_GRACE: Final = 5.0
"""Seconds a machine gets beyond a probe's own time-out."""
_IN_PLACE: Final = frozenset({"process", "ports", "secrets", "probe", "restart", "aliases", "kind"})
_START: Final = Place("envctl.yaml", 1, 1)


class VagrantBackend:
    """One environment in virtual machines."""

    name = "vagrant"
    capabilities = Capabilities(reconfigure=_IN_PLACE)

    def __init__(self, context: Context) -> None:
        self.context = context
        self._names = Names(context.scope)
        self._boxes = Boxes(context)
        self._lifecycle = Lifecycle(context, self._names, self._boxes)

    @cached_property
    def images(self) -> Any:
        """The images of the engine that boxes are made with: where bases are kept."""
        return self.context.images().images

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """What machines cannot do, and what is wrong in `options.vagrant`."""
        found: dict[Problem, None] = {}
        users: dict[str, str] = {}
        for unit in plan.units:
            where = unit.where or _START
            if not isinstance(unit.source, Build):
                place = unit.source.where or where
                hint = "give it a base, or leave this environment on docker"
                found[
                    Problem(place, f"{unit.service}: a machine is made from a base", hint=hint)
                ] = None
            for port in unit.run.ports:
                if port.protocol != "tcp":
                    place = unit.origins.get("ports") or where
                    found[
                        Problem(place, f"{unit.service}: only TCP ports of machines can be reached")
                    ] = None
            for mount in unit.run.mounts:
                if not Path(mount.source).is_dir():
                    place = unit.origins.get("mounts") or where
                    found[
                        Problem(place, f"{unit.service}: only folders can be mounted in a machine")
                    ] = None
            for volume in unit.run.volumes:
                owner = users.setdefault(volume.name, unit.name)
                if owner != unit.name:
                    message = f"the volume {volume.name} is a disk, which {owner} has already"
                    place = unit.origins.get(f"volumes.{volume.name}") or where
                    found[Problem(place, message)] = None
            for name, message, expected, hint in options.problems(unit.run.options):
                place = unit.origins.get(f"options.{name}") or where
                found[Problem(place, message, expected, hint)] = None
        return tuple(found)

    def check(self) -> None:
        """Raise EnvctlError unless libvirt answers and Vagrant is there."""
        import shutil

        from envctl.backends.vagrant import libvirt

        libvirt.virsh("version")
        for program in ("vagrant", "ssh"):
            if shutil.which(program) is None:
                raise EnvctlError(
                    f"{program} is not installed",
                    hint="`envctl doctor --backend vagrant --fix` installs it",
                )

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """Not made yet."""
        del plan, trust
        raise EnvctlError(
            "machines cannot be rendered yet", hint="render the environment for docker: ENV@docker"
        )

    def observe(self, plan: Plan | None = None) -> Observed:
        """What is there; which boxes are at hand only if a plan is given."""
        from envctl.backends.vagrant.observe import observe

        return observe(self._names, self._boxes, self._lifecycle, images=plan is not None)

    def apply(self, change: Change) -> None:
        """Do one change."""
        if change.action is Action.BUILD and isinstance(change.target, Build):
            self._boxes.make(change.unit, change.target)
        else:
            self._lifecycle.apply(change)

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Ask once, inside the machine."""
        wanted = unit.run.probe
        if wanted is None:
            return True, "it has no probe"
        return probe.ask(
            wanted,
            lambda execution: self._run(unit.name, unit.run.process, execution),
            grace=_PROBE_GRACE,
        )

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command in the unit's machine, as the unit's process runs; its exit code."""
        return self._run(unit, self._process(unit), execution)

    def logs(
        self, units: Sequence[str], *, follow: bool = False, tail: int | None = None
    ) -> Iterator[LogLine]:
        """What the units' processes wrote, merged by time."""
        from envctl.backends.vagrant import journal

        machines = {unit: self._lifecycle.machine(unit) for unit in units}
        there = {unit: machine for unit, machine in machines.items() if machine.address}
        return (journal.follow if follow else journal.past)(there, tail)

    def close(self) -> None:
        """Nothing is open: connections are shared with the next command."""

    # --- parts

    def _run(self, unit: str, process: Process, execution: Execution) -> int:
        from envctl.backends.vagrant import guest

        script = guest.command(
            execution.argv,
            process,
            user=execution.user,
            workdir=execution.workdir,
            env=execution.env,
            timeout=execution.timeout,
        )
        machine = self._lifecycle.machine(unit)
        if execution.tty:
            return machine.terminal(script)
        try:
            return machine.stream(
                script,
                stdin=execution.stdin,
                stdout=execution.stdout,
                stderr=execution.stderr,
                timeout=execution.timeout,
            )
        except TimeoutError as error:
            raise EnvctlError(
                f"{unit}: `{' '.join(execution.argv)}` did not end within {execution.timeout:g} s",
                hint="it was ended; give it more time, or look at what it waits for",
            ) from error

    def _process(self, unit: str) -> Process:
        """The process a unit's machine was made for."""
        from envctl.backends.vagrant import libvirt

        name = self._names.domain(unit)
        domain = libvirt.domains(name).get(name)
        if domain is None or not domain.running or domain.stamp is None:
            raise EnvctlError(
                f"{unit} is not running ({Status.MISSING if domain is None else Status.EXITED})",
                hint=f"bring it up with `envctl up {self.context.scope.environment}`",
            )
        made: Mapping[str, Any] = {}
        with suppress(ValueError):
            made = json.loads(str(domain.stamp["run"]))["process"]
        return Process(
            tuple(made.get("argv") or ()),
            made.get("user"),
            made.get("workdir"),
            made.get("env", {}),
            tuple(made.get("capabilities", ())),
        )
