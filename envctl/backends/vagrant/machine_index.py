"""Vagrant's own list of machines, for `vagrant global-status`: what is removed here is taken out of it.

`vagrant destroy` takes 4–9 s, nearly all of it Vagrant's start; libvirt and this list need tenths of one.
Format: https://github.com/hashicorp/vagrant/blob/v2.3.4/lib/vagrant/machine_index.rb, version 1.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.vagrant.names import vagrant_home

_VERSION: Final = 1


def forget(folder: Path) -> None:
    """Take the machines of a Vagrantfile's folder out of the list; one of another format is left alone."""
    index = vagrant_home() / "data" / "machine-index" / "index"
    # An entry that stays says nothing worse than that a folder is gone.
    with suppress(OSError), index.with_name("index.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(index.read_text("utf-8"))
            others = {
                key: entry
                for key, entry in data["machines"].items()
                if entry["vagrantfile_path"] != str(folder)
            }
            if data["version"] == _VERSION and others != data["machines"]:
                partial = index.with_name(f".index.{os.getpid()}")
                partial.write_text(json.dumps({**data, "machines": others}), "utf-8")
                partial.replace(index)
