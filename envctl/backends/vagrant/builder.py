"""A build done in a machine: for those without a container engine. The machine's disk becomes the box."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import tarfile
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envctl.backends.base import Context
from envctl.backends.packing import add_file, add_text
from envctl.backends.staging import context_files
from envctl.backends.vagrant import boot, disks, index, libvirt, provision, ssh, vagrantfile
from envctl.backends.vagrant.layout import Machine
from envctl.backends.vagrant.names import Names, cache
from envctl.backends.vagrant.runner import Vagrant
from envctl.backends.vagrant.workshop import workshop
from envctl.errors import EnvctlError
from envctl.exclusive import exclusive
from envctl.plan.model import Build, Scope
from envctl.plan.progress import Progress, Stage, silent
from envctl.plan.text import step_text

if TYPE_CHECKING:
    from envctl.backends.vagrant.boxes import Boxes

_UNIT: Final = "builder"
_MEMORY: Final = 1024
"""MiB of the machine that builds."""
_TIMEOUT: Final = 4 * 3600.0
"""Seconds a build may take."""
_SEND_TIMEOUT: Final = 600.0
_BEGUN: Final = re.compile(rf"{re.escape(provision.MARK)}(\d+)/")
_SHOWN: Final = 30
"""How much of a failed step's output an error shows."""
_SCRIPT: Final = "/var/tmp/envctl-build.sh"  # noqa: S108 - in the machine, where nobody else is
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy")
_LOOPBACK: Final = re.compile(r"//(?:[^@/]*@)?(?:localhost|127\.|\[::1\])")
_ASIDE: Final = """\
usermod --uid 65500 sshd; groupmod --gid 65500 _ssh
ls -A /run > /run/envctl-run
"""
"""The SSH server's user and group have the first numbers here and the last in images: out of the way, then.
What a build puts into /run, which is in memory here, is told from what was there before."""
_FINISH: Final = f"""set -e
free() {{ one=100; while getent "$1" $one >/dev/null; do one=$((one + 1)); done; echo $one; }}
usermod --uid "$(free passwd)" sshd
groupmod --gid "$(free group)" _ssh
chgrp _ssh /usr/bin/ssh-agent
chmod 2755 /usr/bin/ssh-agent
{boot.SETTLE}
mkdir /mnt/.disk
mount --bind / /mnt/.disk
ls -A /run | grep -vxF -f /run/envctl-run | grep -v '^envctl-' |
  while read -r one; do cp -a "/run/$one" "/mnt/.disk/run/$one"; done
umount /mnt/.disk
rmdir /mnt/.disk
rm -rf {provision.FILES} {_SCRIPT} /run/envctl-build.env /root/.ssh/* /root/.cache
ln -sfn /proc/mounts /etc/mtab
journalctl --quiet --relinquish-var
rm -rf /var/log/journal/*
for file in /etc/hostname /etc/hosts /etc/resolv.conf; do : > $file; done
sync
systemctl poweroff --no-block
"""
"""What leaves the disk as if nothing had ever run from it."""


class Builder:
    """Makes boxes in machines of its own, one a build, that are gone afterwards."""

    def __init__(self, context: Context, boxes: Boxes) -> None:
        self._context = context
        self._boxes = boxes

    def make(self, unit: str, build: Build) -> None:
        """Have the box of a build. EnvctlError names the failing step, its output and its place."""
        from envctl.backends.vagrant.boxes import note_of

        with exclusive(_locks(), _lock(build.digest), self._context.report):
            self._sweep()
            name = self._boxes.name(build)
            if self._boxes.is_here(name):
                return
            base = self._boxes.base(unit, build.base)
            names = _names(build.digest)
            _remove(names)
            try:
                machine = self._boot(unit, build, base, names=names)
                Watch(build, unit, self._context).run(machine)
                with workshop() as folder:
                    self._say(unit, "making the disk")
                    disks.from_machine(_finish(machine, names), folder)
                    self._boxes.add(unit, name, folder, note_of(build))
            finally:
                _remove(names)

    def _boot(self, unit: str, build: Build, base: str, *, names: Names) -> ssh.Machine:
        self._say(unit, "starting a machine to build in")
        folder = names.machine(_UNIT)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = names.folder / "key"
        public_key = ssh.make_key(key)
        libvirt.have_pool()
        libvirt.have_network(names.network, names.addresses)
        self._boxes.stock(base)
        machine = Machine(_UNIT, build, 1, _MEMORY, "1G", (), (), (), "")
        values = vagrantfile.context(
            names, {_UNIT: machine}, {_UNIT: base}, key=str(key), public_key=public_key
        )
        text = self._context.render("vagrant/Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")
        Vagrant(folder).up()
        address = libvirt.address(names.domain(_UNIT))
        return ssh.Machine(_UNIT, key, folder / "known_hosts", address)

    def _sweep(self) -> None:
        """Remove the builders of runs that were killed: nobody holds their locks any more."""
        for domain in libvirt.domains(f"{_owned()}-"):
            match = re.fullmatch(rf"{_owned()}-([0-9a-f]+)-build_{_UNIT}", domain)
            if match is None:
                continue
            with (
                suppress(EnvctlError),
                exclusive(_locks(), _lock(match[1]), silent, patience=0),
            ):
                _remove(_names(match[1]))

    def _say(self, unit: str, text: str) -> None:
        self._context.report(Progress(f"build {unit}", Stage.WORKING, text))


class Watch:
    """Runs the script of one build in a machine: tells its progress, keeps what explains a failure."""

    def __init__(self, build: Build, unit: str, context: Context) -> None:
        self._build = build
        self._unit = unit
        self._context = context
        self._step = 0
        self._lines: deque[str] = deque(maxlen=_SHOWN)
        self._partial = b""

    def run(self, machine: ssh.Machine) -> None:
        """Send the files and run the script. EnvctlError if it fails."""
        machine.run(
            f"umask 022; rm -rf {provision.FILES}; mkdir {provision.FILES}; cd {provision.FILES};"
            f" tar -xp --no-same-owner -f -; mv build.sh {_SCRIPT}",
            data=self.archive(),
            timeout=_SEND_TIMEOUT,
        )
        machine.run(_ASIDE)
        machine.run("umask 077; cat > /run/envctl-build.env", data=_environment().encode())
        try:
            code = machine.stream(
                f". /run/envctl-build.env; exec /bin/sh {_SCRIPT} {provision.FILES} 2>&1",
                stdin=None,
                stdout=self._take,
                stderr=self._take,
                timeout=_TIMEOUT,
            )
        except TimeoutError as error:
            raise self._failed(f"it did not end within {_TIMEOUT:g} s") from error
        self._line(self._partial)
        if code:
            raise self._failed(f"exit code {code}")

    def archive(self) -> bytes:
        """The script and its files, as a tar."""
        trust = self._context.trust
        values = provision.context(self._unit, self._build, trust=trust is not None)
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
            add_text(tar, "build.sh", self._context.render(provision.TEMPLATE, values))
            for path, file in sorted(context_files(self._build).items()):
                add_file(tar, path, file, root=Path(self._context.scope.root))
            if trust is not None:
                add_text(tar, "trust/ca.crt", trust.read_text("utf-8", "replace"))
        return target.getvalue()

    def _take(self, data: bytes) -> None:
        *lines, self._partial = re.split(rb"\r\n|\n|\r", self._partial + data)
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if begun := _BEGUN.match(text):
            # The script names a step again when it has failed: what that step printed is kept.
            if int(begun[1]) != self._step:
                self._lines.clear()
            self._step = int(begun[1])
            text = self._told()
        elif text and not text.startswith("envctl: "):
            self._lines.append(text)
        if text:
            self._context.report(Progress(f"build {self._unit}", Stage.WORKING, text))

    def _told(self) -> str:
        """Which of the spec's steps is being done, in words."""
        steps = self._build.steps
        if not 1 <= self._step <= len(steps):
            return "preparing"
        return f"step {self._step}/{len(steps)} {step_text(steps[self._step - 1])}"

    def _failed(self, ending: str) -> EnvctlError:
        steps = self._build.steps
        where = steps[self._step - 1].where if 1 <= self._step <= len(steps) else None
        return EnvctlError(
            f"cannot build {self._unit}: {self._told()} failed ({ending})",
            details="\n".join(f"  {line}" for line in self._lines),
            hint="mend the step and run the same command again",
            where=where or self._build.where,
        )


def _finish(machine: ssh.Machine, names: Names) -> Path:
    """Shut the machine down, with nothing left of the build but what it made; its disk."""
    domain = names.domain(_UNIT)
    with suppress(EnvctlError):
        # The connection may end before the command does.
        machine.run(_FINISH)
    machine.disconnect()
    libvirt.wait_until_off(domain)
    return Path(libvirt.virsh("vol-path", f"{domain}.img", "--pool", libvirt.POOL).strip())


def _environment(environ: Mapping[str, str] = os.environ) -> str:
    """The host's proxies, as shell commands; not those only the host reaches."""
    found = {name: environ.get(name) or environ.get(name.upper(), "") for name in _PROXIES}
    return "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in found.items()
        if value and not _LOOPBACK.search(value)
    )


def _owned() -> str:
    """What the names of this user's builders begin with: those of others, whose locks are elsewhere, are theirs."""
    owner = sha256(f"{os.getuid()} {cache()}".encode()).hexdigest()[:12]
    return f"envctl-builder-{owner}"


def _names(digest: str) -> Names:
    """The names of the builder of a build: the same for all projects of a user."""
    name = _owned()
    return Names(Scope(name, digest, "build", str(cache() / "builders" / digest / name)))


def _remove(names: Names) -> None:
    """Remove a builder, running or not, and all that was its own."""
    folder = names.machine(_UNIT)
    index.forget(folder)
    ssh.Machine(_UNIT, names.folder / "key", folder / "known_hosts", "").disconnect()
    libvirt.undefine(names.domain(_UNIT))
    libvirt.remove_network(names.network)
    shutil.rmtree(Path(names.scope.root).parent, ignore_errors=True)


def _lock(digest: str) -> str:
    return f"build-{digest}"


def _locks() -> Path:
    return cache() / "locks"
