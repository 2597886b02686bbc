"""What Vagrant makes of a Vagrantfile. It is a program, which Vagrant runs: only after the user has agreed to that."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from envctl.errors import EnvctlError

TIMEOUT: Final = 120
"""Seconds that Vagrant may take."""
_LARGEST: Final = 4 * 1024 * 1024
_SHOWN: Final = 20
_LIMITED: Final = ("/bin/sh", "-c", f'ulimit -f {_LARGEST // 512}; exec "$@"', "sh")
"""Runs a command that cannot write files larger than what is read."""
_SCRIPT: Final = """\
require "json"
project = ENV.fetch("ENVCTL_PROJECT")
class EnvctlMachines < Vagrant.plugin("2", :command)
  def execute
    machines = @env.machine_names.map { |name| machine(name) }
    File.write(ENV.fetch("ENVCTL_ANSWER"), JSON.generate(machines))
    0
  end

  def machine(name)
    config = @env.vagrantfile.machine_config(name, :libvirt, nil, nil, false)[:config]
    vm = config.vm
    {
      name: name, box: plain(vm.box), box_version: plain(vm.box_version), hostname: plain(vm.hostname),
      communicator: plain(vm.communicator), post_up_message: plain(vm.post_up_message),
      networks: vm.networks.map { |kind, options| [kind, plain(options)] },
      folders: vm.synced_folders.map { |_, options| plain(options) },
      providers: %i[libvirt virtualbox].map { |provider| [provider, provider(vm, provider)] }.to_h,
      provisioners: vm.provisioners.map { |item| {type: item.type, run: item.run, options: options(item.config)} },
      triggers: config.trigger.before_triggers.length + config.trigger.after_triggers.length,
    }
  end

  def provider(vm, name)
    options(vm.get_provider_config(name)).select { |key, _| %w[memory cpus customizations].include?(key) }
  rescue StandardError
    {}
  end

  def options(config)
    return plain(config) if config.is_a?(Hash)
    config.instance_variables.map { |name| [name.to_s.sub("@", ""), plain(config.instance_variable_get(name))] }.to_h
  end

  def plain(value)
    case value
    when Hash then value.map { |key, item| [key.to_s, plain(item)] }.to_h
    when Array then value.map { |item| plain(item) }
    when Symbol, Pathname then value.to_s
    when String then value.scrub
    when Numeric, true, false, nil then value
    end
  end
end
class EnvctlPlugin < Vagrant.plugin("2")
  name "envctl import"
  command("envctl-machines", primary: false) { EnvctlMachines }
end
Dir.chdir(project)
load File.join(project, ENV.fetch("ENVCTL_VAGRANTFILE"))
"""


def machines_of(root: Path, file: str) -> list[Mapping[str, Any]]:
    """The machines that a Vagrantfile describes. EnvctlError with Vagrant's own words if it describes none."""
    program = shutil.which("vagrant")
    if program is None:
        raise EnvctlError(
            f"{root / file} can only be read by Vagrant, which is not installed",
            hint="`envctl doctor --backend vagrant` shows how to install it",
        )
    with tempfile.TemporaryDirectory(prefix="envctl-import-") as folder:
        answer = Path(folder) / "answer.json"
        (Path(folder) / "Vagrantfile").write_text(_SCRIPT, encoding="utf-8")
        environ = {
            **os.environ,
            "VAGRANT_CWD": folder,
            "VAGRANT_DOTFILE_PATH": f"{folder}/state",
            "VAGRANT_VAGRANTFILE": "Vagrantfile",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "ENVCTL_PROJECT": str(root.resolve()),
            "ENVCTL_VAGRANTFILE": file,
            "ENVCTL_ANSWER": str(answer),
        }
        output = _run(
            [*_LIMITED, program, "envctl-machines"], environ, Path(folder), f"{root / file}"
        )
        return _answer(answer, f"{root / file}", output)


def _run(argv: list[str], environ: Mapping[str, str], folder: Path, name: str) -> str:
    """Run Vagrant, which cannot print more than is kept. Returns the end of its output."""
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise EnvctlError(
                f"{name}: Vagrant did not finish reading it within {TIMEOUT} s",
                hint="see what it waits for: `vagrant validate`",
            ) from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        text = output.read(_LARGEST).decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-_SHOWN:])


def _answer(file: Path, name: str, output: str) -> list[Mapping[str, Any]]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise EnvctlError(
            f"{name}: Vagrant cannot read it", details=output, hint="`vagrant validate` shows why"
        ) from error
    return [machine for machine in data if isinstance(machine, dict)]
