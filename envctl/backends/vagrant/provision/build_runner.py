"""Runs scripts in the machine that a build is done in: the build itself, and what looks into its result."""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from envctl.backends.base import Context
from envctl.backends.common.build_inputs import (
    NO_BUILD_INPUTS,
    BuildInputs,
    ContainerScript,
    secret_values,
)
from envctl.backends.common.build_tar import add_content, add_file, add_text
from envctl.backends.common.capped import MAX_OUTPUT, CappedBuffer
from envctl.backends.common.step_views import context_files
from envctl.backends.vagrant.provision import provision_script
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.errors import EnvctlError
from envctl.host.planned_files import PlannedFiles
from envctl.plan.model import Build
from envctl.plan.text import step_text
from envctl.progress import Progress, Stage

SCRIPT: Final = "/var/tmp/envctl-build.sh"  # noqa: S108 - in the machine, which has no other users
_TIMEOUT: Final = 4 * 3600.0
"""Seconds that a build may take."""
_SEND_TIMEOUT: Final = 600.0
_IN_MEMORY: Final = 32 * 1024 * 1024
_BEGUN: Final = re.compile(rf"{re.escape(provision_script.MARK)}([0-9]{{1,9}})/")
_SHOWN: Final = 30
"""How many lines of a failed step's output an error shows."""
_SHOWN_BYTES: Final = 4096
"""How much of a verifying script's last output an error shows."""
_LONGEST: Final = 16 * 1024
"""Bytes of a line: a longer one is reported in pieces."""
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy")
_LOOPBACK: Final = re.compile(r"//(?:[^@/]*@)?(?:localhost|127\.|\[::1\])")
_APART: Final = """\
unshare --net -- /bin/sh -c '/run/envctl/busybox ip link set lo up; exec "$@"' apart """
"""Runs a command with a loopback network only, as a container engine does for a build without a network."""


class BuildRunner:
    """Runs the script of one build in a machine, reports progress, and keeps the output that explains a failure."""

    def __init__(
        self, build: Build, unit: str, context: Context, build_inputs: BuildInputs = NO_BUILD_INPUTS
    ) -> None:
        self._build = build
        self._unit = unit
        self._context = context
        self._build_inputs = build_inputs
        self._step = 0
        self._lines: deque[str] = deque(maxlen=_SHOWN)
        self._partial = b""

    def run(self, machine: SshMachine) -> None:
        """Send the files and run the script. EnvctlError, with the failed step, if it fails."""
        values = secret_values(self._build, self._context.secret)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as archive:
            self.write(archive)  # type: ignore[arg-type]
            archive.seek(0)
            machine.run(
                f"umask 022; rm -rf {provision_script.FILES}; mkdir {provision_script.FILES}; cd {provision_script.FILES};"
                f" tar -xp --no-same-owner -f -; mv build.sh {SCRIPT}",
                data=archive,  # type: ignore[arg-type]
                timeout=_SEND_TIMEOUT,
            )
        machine.run("umask 077; cat > /run/envctl-build.env", data=_environment().encode())
        try:
            code = machine.stream(
                f". /run/envctl-build.env; exec {_APART if self._build_inputs.offline else ''}"
                f"/bin/sh {SCRIPT} {provision_script.FILES} 2>&1",
                stdin=io.BytesIO(provision_script.secret_input(values)) if values else None,
                stdout=self._take,
                stderr=self._take,
                timeout=_TIMEOUT,
            )
        except TimeoutError as error:
            raise self._failed(f"it did not finish within {_TIMEOUT:g} s") from error
        self._line(self._partial)
        if code:
            raise self._failed(f"exit code {code}")

    def write(self, target: BinaryIO) -> None:
        """Write the script and its files as a tar archive."""
        trust = self._context.trust
        values = provision_script.context(
            self._unit, self._build, trust=trust is not None, build_inputs=self._build_inputs
        )
        with (
            PlannedFiles(Path(self._context.scope.root)) as project,
            tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            add_text(tar, "build.sh", self._context.render(provision_script.TEMPLATE, values))
            for path, file in sorted(context_files(self._build).items()):
                add_file(tar, path, file, project=project)
            if trust is not None:
                add_text(tar, "trust/ca.crt", trust.read_text("utf-8", "replace"))
            for path, content in sorted(self._build_inputs.files.items()):
                if isinstance(content, Path):
                    add_content(tar, f"media/{path}", content)
                else:
                    add_text(tar, f"media/{path}", content)

    def _take(self, data: bytes) -> None:
        *lines, self._partial = re.split(rb"\r\n|\n|\r", self._partial + data)
        for line in lines:
            self._line(line)
        if len(self._partial) > _LONGEST:
            self._line(self._partial)
            self._partial = b""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if begun := _BEGUN.match(text):
            # When a step fails, the script prints its number again: keep the output of that step.
            if int(begun[1]) != self._step:
                self._lines.clear()
            self._step = int(begun[1])
            text = self._step_description()
        elif text and not text.startswith("envctl: "):
            self._lines.append(text)
        if text:
            self._context.report(Progress(f"build {self._unit}", Stage.WORKING, text))

    def _step_description(self) -> str:
        """Return the step that is running, with its number."""
        steps = self._build.all_steps
        if not 1 <= self._step <= len(steps):
            return "preparing"
        return f"step {self._step}/{len(steps)} {step_text(steps[self._step - 1])}"

    def _failed(self, ending: str) -> EnvctlError:
        steps = self._build.all_steps
        where = steps[self._step - 1].where if 1 <= self._step <= len(steps) else None
        return EnvctlError(
            f"cannot build {self._unit}: {self._step_description()} failed ({ending})",
            details="\n".join(f"  {line}" for line in self._lines),
            hint="fix the step and run the same command again",
            where=where or self._build.where,
        )


def _environment(environ: Mapping[str, str] = os.environ) -> str:
    """Return the host's proxy settings as shell commands, without proxies on the host's own loopback."""
    proxies = {name: environ.get(name) or environ.get(name.upper(), "") for name in _PROXIES}
    return "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in proxies.items()
        if value and not _LOOPBACK.search(value)
    )


def run_script(machine: SshMachine, script: ContainerScript) -> bytes:
    """Run a script as root in the machine; its output. EnvctlError if it fails, takes too long or prints too much."""
    stdout, stderr = CappedBuffer(), bytearray()

    def keep_last(data: bytes) -> None:
        stderr.extend(data)
        del stderr[:-_SHOWN_BYTES]

    action = f"inspect the machine of {machine.unit}"
    try:
        code = machine.stream(
            shlex.join(("/bin/sh", "-c", script.script, "envctl-script", *script.arguments)),
            stdin=None,
            stdout=stdout,
            stderr=keep_last,
            timeout=script.timeout,
        )
    except TimeoutError as error:
        raise EnvctlError(
            f"cannot {action}: its script did not finish within {script.timeout:g} s"
        ) from error
    if code:
        raise EnvctlError(
            f"cannot {action}: its script ended with exit code {code}",
            details=stderr.decode("utf-8", "replace"),
        )
    if stdout.too_much:
        most = MAX_OUTPUT // (1 << 20)
        raise EnvctlError(f"cannot {action}: its script printed more than {most} MB")
    return stdout.data
