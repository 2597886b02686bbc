"""Builds in a machine, without a container engine: the machine's disk becomes the box."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from envctl.backends.base import Context
from envctl.backends.common.build_inputs import BuildInputs, OtherBaseError
from envctl.backends.vagrant import libvirt, vagrant_cli
from envctl.backends.vagrant.box import boot, root_disk
from envctl.backends.vagrant.box.base_boxes import BaseBoxes
from envctl.backends.vagrant.box.box_store import BoxStore, build_note
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.backends.vagrant.layout import DesiredMachine
from envctl.backends.vagrant.machine import vagrantfile
from envctl.backends.vagrant.names import MachineNames, cache_folder
from envctl.backends.vagrant.provision import build_runner, provision_script
from envctl.backends.vagrant.provision.stage_problems import require_one_base
from envctl.backends.vagrant.ssh import ssh_key
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.private_state import private_folder, state_path
from envctl.host.run_lock import exclusive
from envctl.plan.model import Build
from envctl.plan.scope import Scope
from envctl.progress import no_progress

_UNIT: Final = "builder"
_OTHER_BASE: Final = "give both the same base, or start a container engine, which then builds the box (`envctl doctor`)"
_MEMORY: Final = 1024
"""Memory of a build machine, in MiB."""
_ASIDE: Final = """\
usermod --uid 65500 sshd; groupmod --gid 65500 _ssh
ls -A /run > /run/envctl-run
"""
"""Moves the SSH server's user and group out of the way: in an image they get the last free numbers, here the first.
Also lists /run, which is in memory here, so that what the build adds there can be copied to the disk."""
_FINISH: Final = f"""set -e
free() {{ one=100; while getent "$1" $one >/dev/null; do one=$((one + 1)); done; echo $one; }}
usermod --uid "$(free passwd)" sshd
groupmod --gid "$(free group)" _ssh
chgrp _ssh /usr/bin/ssh-agent
chmod 2755 /usr/bin/ssh-agent
{boot.SETTLE}
# What the base's image has of these files is not what an image of this build would have.
cut -f 1,2 /usr/lib/envctl/substrate > /usr/lib/envctl/substrate.new
mv /usr/lib/envctl/substrate.new /usr/lib/envctl/substrate
mkdir /mnt/.disk
mount --bind / /mnt/.disk
ls -A /run | grep -vxF -f /run/envctl-run | grep -v '^envctl-' |
  while read -r one; do cp -a "/run/$one" "/mnt/.disk/run/$one"; done
umount /mnt/.disk
rmdir /mnt/.disk
rm -rf {provision_script.FILES} {build_runner.SCRIPT} /run/envctl-build.env /root/.ssh/* /root/.cache
ln -sfn /proc/mounts /etc/mtab
journalctl --quiet --relinquish-var
rm -rf /var/log/journal/*
for file in /etc/hostname /etc/hosts /etc/resolv.conf; do : > $file; done
sync
systemctl poweroff --no-block
"""
"""Leaves the disk as if nothing had ever run from it, and powers off."""


class MachineBuilder:
    """Makes boxes in machines, one for each build, that are removed afterwards."""

    def __init__(self, context: Context, store: BoxStore, bases: BaseBoxes) -> None:
        self._context = context
        self._store = store
        self._bases = bases

    def make(self, unit: str, build: Build) -> None:
        """Make the box of a build. EnvctlError with the failing step and its output, or with what differs from the lock."""
        require_one_base(unit, build, hint=_OTHER_BASE)
        with exclusive(_locks(), _lock(build.digest), self._context.report):
            self._sweep()
            if self._store.is_current(build):
                return
            build_inputs = self._context.build_inputs(build)
            try:
                self._make(unit, build, build_inputs, base=self._bases.ensure(unit, build.base))
            except OtherBaseError:
                self._store.say(
                    unit, "the box of the base does not match the lock; making it again"
                )
                base = self._bases.ensure(unit, build.base, renew=True)
                self._make(unit, build, build_inputs, base=base)

    def _make(self, unit: str, build: Build, build_inputs: BuildInputs, *, base: str) -> None:
        verifier = build_inputs.verifier
        names = _names(build.digest)
        _remove(names)
        try:
            machine = self._boot(unit, build, base, names=names)
            look = partial(build_runner.run_script, machine)
            if verifier:
                self._store.say(unit, "comparing the base with the lock")
                verifier.before(look)
            machine.run(_ASIDE)
            build_runner.BuildRunner(build, unit, self._context, build_inputs).run(machine)
            if verifier:
                self._store.say(unit, "comparing the result with the lock")
                verifier.after(look)
            note = build_note(build, verifier.source_id if verifier else "")
            with build_dir() as folder:
                self._store.say(unit, "making the disk")
                root_disk.from_machine(_finish(machine, names), folder)
                self._store.add(unit, self._store.name(build), folder, note)
        finally:
            _remove(names)

    def _boot(self, unit: str, build: Build, base: str, *, names: MachineNames) -> SshMachine:
        self._store.say(unit, "starting a machine to build in")
        folder = private_folder(Path(names.scope.root), "vagrant", names.scope.environment, _UNIT)
        key = names.folder / "key"
        public_key = ssh_key.make_key(key)
        libvirt.ensure_pool()
        libvirt.ensure_network(names.network, names.addresses)
        self._store.stock(base)
        machine = DesiredMachine(_UNIT, build, 1, _MEMORY, "1G", (), (), (), "")
        values = vagrantfile.context(
            names, {_UNIT: machine}, {_UNIT: base}, key=str(key), public_key=public_key
        )
        text = self._context.render("vagrant/Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")
        Vagrant(folder).up()
        address = libvirt.address(names.domain(_UNIT))
        booted = SshMachine(_UNIT, key, folder / "known_hosts", address)
        booted.wait_for_boot()
        return booted

    def _sweep(self) -> None:
        """Remove the build machines of killed runs: nobody holds their locks any more."""
        for domain in libvirt.domains(f"{_owned()}-"):
            match = re.fullmatch(rf"{_owned()}-([0-9a-f]+)-build_{_UNIT}", domain)
            if match is None:
                continue
            with (
                suppress(EnvctlError),
                exclusive(_locks(), _lock(match[1]), no_progress, patience=0),
            ):
                _remove(_names(match[1]))


def _finish(machine: SshMachine, names: MachineNames) -> Path:
    """Remove traces of the build, shut the machine down; the path of its disk."""
    domain = names.domain(_UNIT)
    with suppress(EnvctlError):
        # The connection may break before the command returns.
        machine.run(_FINISH)
    machine.disconnect()
    libvirt.wait_until_off(domain)
    return Path(libvirt.virsh("vol-path", f"{domain}.img", "--pool", libvirt.POOL).strip())


def _owned() -> str:
    """Return the prefix of this user's build machines. Other users' are left alone: their locks are elsewhere."""
    owner = sha256(f"{os.getuid()} {cache_folder()}".encode()).hexdigest()[:12]
    return f"envctl-builder-{owner}"


def _names(digest: str) -> MachineNames:
    """Return the names of a build's machine: the same for all projects of a user."""
    name = _owned()
    return MachineNames(
        Scope(name, digest, "build", str(cache_folder() / "builders" / digest / name))
    )


def _remove(names: MachineNames) -> None:
    """Remove a build machine, running or not, with its network and folder."""
    folder = names.machine(_UNIT)
    vagrant_cli.forget(folder)
    SshMachine(_UNIT, names.folder / "key", folder / "known_hosts", "").disconnect()
    libvirt.undefine(names.domain(_UNIT))
    libvirt.remove_network(names.network)
    shutil.rmtree(state_path(Path(names.scope.root)), ignore_errors=True)


def _lock(digest: str) -> str:
    return f"build-{digest}"


def _locks() -> Path:
    return cache_folder() / "locks"
