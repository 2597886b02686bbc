"""Docker: a unit is a container, a build an image.

Where to look:

- the engine: endpoint, tunnel, connect, engine_connection, engine_http, engine_requests, engine_api, answer_shapes, engine, engine_errors, engine_check, engine_platforms
- the observed state: observe, inspect_containers, record, records, owned_containers, engine_probe_log, held_secrets
- changes: lifecycle, containers, volumes, network, ports, ownership, names, options, problems
- in a container: streams with stream_frames, exec_errors, logs, container_probe, container_files, container_paths, container_scripts, one_off_containers
- builds: image_builder, build_image, build_watch, buildkit_progress, buildkit_session/, buildcontext, dockerfiles, base_check
- images: images, export_images, image_archive, single_layer_images, pause_image, registries
- secrets: secrets_container, held_secrets
- rendered folders: artifacts, dockerfiles, quoting
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envctl.backends.base import (
    Capabilities,
    Context,
    Execution,
    Garbage,
    LogLine,
    NotRunningError,
    PathKind,
    TemplateRoles,
    UnitProcess,
)
from envctl.backends.common.probe_results import ProbeResults
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_check import check
from envctl.backends.docker.engine_platforms import Platforms
from envctl.backends.docker.images import Images
from envctl.backends.docker.lifecycle import Lifecycle
from envctl.backends.docker.names import Names
from envctl.backends.docker.secrets_container import SecretsContainer
from envctl.backends.docker.volumes import Volumes
from envctl.errors import Problem
from envctl.plan.artifact import Artifact
from envctl.plan.changes import Action, Change
from envctl.plan.image_volumes import unnamed
from envctl.plan.model import (
    Build,
    DockerfileBuild,
    Plan,
    Source,
    Unit,
    Volume,
)
from envctl.plan.scope import FoundEnvironment
from envctl.plan.state import Observed, Status

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from envctl.backends.common.build_inputs import ContainerScript
    from envctl.backends.docker.container_files import ContainerFiles
    from envctl.backends.docker.one_off_containers import OneOffs
    from envctl.doctor.findings import Finding
    from envctl.doctor.host import Host

_TEMPLATES = TemplateRoles(outside_images=frozenset({"README.md.j2", "compose.yaml.j2"}))


class DockerBackend:
    """One environment on a Docker engine."""

    name = "docker"
    capabilities = Capabilities(shares_kernel=True, templates=_TEMPLATES, name_server="127.0.0.11")

    def __init__(self, context: Context) -> None:
        self.context = context
        self._engine = Engine()
        self._names = Names(context.scope)
        self._privileges: bool | None = None
        self.images = Images(self._engine, context.report)
        self._answers = ProbeResults(context.scope, self.name)
        self._secrets_container = SecretsContainer(self._engine, self._names, context.secret)
        self._platforms = Platforms(self._engine, self.images, context.report)

    @staticmethod
    def host_findings(host: Host, *, images_only: bool = False) -> Sequence[Finding]:
        """The requirements of containers on this machine."""
        from envctl.backends.docker.doctor import findings

        return findings(host, images_only=images_only)

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """Mistakes in `options.docker`, and conflicts with the rest of a service."""
        from envctl.backends.docker.problems import problems

        return problems(plan)

    def check(self) -> None:
        """Raise EnvctlError unless an engine answers, is new enough and runs Linux containers."""
        check(self._engine)

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """A Compose file with its Dockerfiles and their contexts. With `trust`, the builds trust that CA bundle."""
        from envctl.backends.docker.artifacts import artifacts

        return artifacts(plan, trust=trust)

    def observe(self, plan: Plan | None = None) -> Observed:
        """The observed state; it includes images of builds only if a plan is given."""
        from envctl.backends.docker.observe import observe

        if plan is not None:
            self._secrets_container.expect(plan)
        observed = observe(self._engine, self._names, plan=plan)
        if not self._lifecycle.resumed:
            return observed
        from envctl.backends.docker.inspect_containers import without_old_health

        return without_old_health(self._engine, observed, self._lifecycle.resumed)

    def apply(self, change: Change) -> None:
        """Apply one change."""
        if change.action is Action.BUILD and isinstance(change.target, Build | DockerfileBuild):
            self._build(change.unit, change.target)
            return
        if change.action is Action.TEAR_DOWN:
            # One-offs are connected to the network.
            self._one_offs.sweep(running=True)
        self._lifecycle.apply(change)

    def image_volumes(self, plan: Plan) -> Mapping[str, tuple[Volume, ...] | None]:
        """By unit, the volumes that its image declares and the spec does not name; None if the engine lacks the image."""
        images = {self._names.image_of(unit) for unit in plan.units}
        declared = {image: self.images.volumes(image) for image in images}
        return {
            unit.name: None
            if (paths := declared[self._names.image_of(unit)]) is None
            else unnamed(unit, paths)
            for unit in plan.units
        }

    def everything(self) -> Sequence[FoundEnvironment]:
        """All environments on the engine."""
        from envctl.backends.docker.observe import everything

        return everything(self._engine)

    def moved(self, former: Path) -> None:
        """Do nothing: Docker resources are not found by the project's private folder."""

    def volume_sizes(self, volumes: Collection[str]) -> Mapping[str, int]:
        """The size of volumes in bytes, if the engine reports it in time."""
        from envctl.backends.docker.observe import volume_sizes

        return volume_sizes(self._engine, self._names, volumes)

    def name_of(self, source: Source) -> str:
        """The name of the image of a unit's source."""
        return self._names.image_of_source(source)

    def have(self, unit: str, build: Build | DockerfileBuild) -> str:
        """The name of a build's image. Builds the image if it does not exist."""
        name = self._names.image(build)
        if self.images.find(name) is None:
            self._build(unit, build)
        return name

    def run_script(self, image: str, container_script: ContainerScript) -> bytes:
        """Run a script in a temporary container of an image, and return its output."""
        from envctl.backends.docker.build_image import proxies
        from envctl.backends.docker.container_scripts import run

        trust = self.context.trust
        return run(self._engine, image, container_script, trust=trust, proxies=proxies())

    def export(self, image: str, folder: Path) -> None:
        """Unpack an image's root filesystem."""
        from envctl.backends.docker.export_images import export

        export(self._engine, image, folder)

    def save(self, image: str, file: Path) -> None:
        """Write an image to a file."""
        from envctl.backends.docker.export_images import save

        save(self._engine, image, file)

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """The result of the engine's last health check. Before the first one, run the check inside the container."""
        from envctl.backends.common.probe import with_secrets
        from envctl.backends.docker.container_probe import ContainerProbe

        declared = with_secrets(unit.run)
        if declared is None:
            return True, "the unit has no probe"
        container = self._container(unit.name)
        return ContainerProbe(self._engine, self._answers, unit.name, container, declared).result()

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command in the unit's container, and return its exit code."""
        from envctl.backends.docker.streams import execute

        container = self._container(unit)
        if execution.everything:
            execution = replace(execution, user="0", everything=self._has_every_right(container))
        else:
            execution = self._with_secrets(unit, container, execution)
        return execute(self._engine, unit, container, execution)

    def _with_secrets(self, unit: str, container: str, execution: Execution) -> Execution:
        """The command with the unit's variables that contain secrets."""
        state = self.observe().units.get(unit)
        if state is None or '"secret_env"' not in state.run:
            return execution
        from envctl.backends.docker.secret_variables import with_variables

        return with_variables(
            self._engine, unit, container, recorded=state.run, execution=execution
        )

    def one_off_needs_build(self, unit: Unit) -> bool:
        """Always: a one-off is a separate container, whether or not the unit exists."""
        del unit
        return True

    def run_one_off(
        self,
        unit: Unit,
        execution: Execution,
        ready: Callable[[], object],
        alone: Callable[[], AbstractContextManager[None]],
    ) -> int:
        """Run a command in a separate container, which is removed afterwards, and return its exit code."""
        del alone  # no other command changes the container
        return self._one_offs.run(unit, execution, ready)

    def archive(self, unit: str, path: str) -> Iterator[bytes]:
        """A file or folder of the unit's container as a tar archive."""
        yield from self._files(unit, self._container(unit)).archive(path)

    def path_kind(self, unit: str, path: str) -> PathKind:
        """What is at a path of the unit's container, which may be stopped."""
        return self._files(unit, self._existing(unit)).path_kind(path)

    def pack(self, unit: str, path: str) -> Iterator[bytes]:
        """A file or folder of the unit's container, which may be stopped, as a tar archive."""
        yield from self._files(unit, self._existing(unit)).pack(path)

    def unpack(self, unit: str, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder of the unit's container, which may be stopped."""
        self._files(unit, self._existing(unit)).unpack(folder, archive)

    def processes(self, unit: str) -> Sequence[UnitProcess]:
        """The processes of the unit's container."""
        from envctl.backends.docker.container_processes import processes

        container = self._container(unit)
        with self._engine.doing(f"list the processes of {unit}") as api:
            return processes(api, container)

    def garbage(self, needed: Collection[str]) -> Sequence[Garbage]:
        """Images of builds, and bootstrapped bases, that no container uses."""
        from envctl.backends.docker.unused_images import unused_images

        return unused_images(self._engine, needed)

    def remove_garbage(self, garbage: Garbage) -> bool:
        """Remove an image, unless a container uses it."""
        from envctl.backends.docker.unused_images import remove_image

        return remove_image(self._engine, garbage)

    def _has_every_right(self, container: str) -> bool:
        """Whether the engine can run a command with all privileges. An engine that is itself confined cannot."""
        if self._privileges is None:
            from envctl.backends.docker.streams import may_do_everything

            self._privileges = may_do_everything(self._engine, container)
        return self._privileges

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Run a hook in the unit's container, and return its exit code."""
        from envctl.backends.docker.records import HOOK
        from envctl.backends.docker.streams import execute

        container = self._container(unit)
        execution = self._with_secrets(unit, container, execution)
        code = execute(self._engine, unit, container, execution)
        if code == 0:
            self._lifecycle.records.write(unit, container, HOOK, hook)
        return code

    def environments(self) -> Sequence[str]:
        """The names of environments that have containers of units."""
        from envctl.backends.docker.observe import environments

        return environments(self._engine, self._names)

    def published_ports(self) -> frozenset[int]:
        """All ports that containers publish on the engine's host."""
        from envctl.backends.docker.ports import published_ports

        with self._engine.doing("list the published ports") as api:
            return published_ports(api)

    def logs(
        self,
        units: Sequence[str],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """The output of the units' processes, merged by time."""
        from envctl.backends.docker import logs

        if follow:
            return logs.follow(
                self._engine, self._names, units, tail=tail, since=since, busy=self.context.busy
            )
        return logs.past(self._engine, self._names, units, tail=tail, since=since, until=until)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._engine.close()

    # --- parts

    @cached_property
    def _lifecycle(self) -> Lifecycle:
        return Lifecycle(
            self._engine,
            self._names,
            self.images,
            self._secrets_container,
            self._volumes,
            answers=self._answers,
            platforms=self._platforms,
        )

    @cached_property
    def _one_offs(self) -> OneOffs:
        from envctl.backends.docker.one_off_containers import OneOffs

        return OneOffs(self._engine, self._names, self._lifecycle, self._secrets_container)

    @cached_property
    def _volumes(self) -> Volumes:
        from envctl.backends.docker.volumes import Volumes

        return Volumes(self._engine, self._names, self.images, self.context.report)

    def _build(self, unit: str, source: Build | DockerfileBuild) -> None:
        from envctl.backends.docker.image_builder import ImageBuilder

        ImageBuilder(self._engine, self._names, self.images, self._platforms, self.context).make(
            unit, source
        )

    def _files(self, unit: str, container: str) -> ContainerFiles:
        from envctl.backends.docker.container_files import ContainerFiles

        return ContainerFiles(self._engine, unit, container)

    def _existing(self, unit: str) -> str:
        """The unit's container, running or not."""
        state = self.observe().units.get(unit)
        return state.id if state is not None else self._container(unit)

    def _container(self, unit: str) -> str:
        """The unit's running container."""
        state = self.observe().units.get(unit)
        if state is None or state.status is not Status.RUNNING:
            stands = "not up" if state is None else f"not running ({state.status})"
            raise NotRunningError(
                f"{unit} is {stands}",
                hint=f"bring it up with `envctl up {self.context.scope.environment}`",
            )
        return state.id
