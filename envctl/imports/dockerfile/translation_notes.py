"""What each instruction becomes: the lines of the report, and the table of the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome, SpecPath
from envctl.detect.dockerfile_reader import Instruction
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InstructionLine:
    """What became of an instruction. `path` is the place in the service, or in the stage of the spec."""

    instruction: Instruction
    outcome: KeyOutcome
    note: str
    stage: int = -1
    path: SpecPath = ()


NOTES: Final[Mapping[str, str]] = {
    "ARG": "variables of the commands that follow, with its value here",
    "CMD": "command",
    "ENTRYPOINT": "the beginning of command",
    "ENV": "env, and variables of the commands that follow",
    "EXPOSE": "ports, on 127.0.0.1",
    "HEALTHCHECK": "healthcheck, with Docker's times",
    "SHELL": "the shell of the commands that follow",
    "STOPSIGNAL": "options.docker.stop_signal and options.vagrant.stop_signal",
    "USER": "user, and that of the commands that follow",
    "VOLUME": "volumes",
    "WORKDIR": "workdir, and that of the commands that follow",
}
"""What instructions become that set something."""

_READ: Final = "stays in the image, and "
STAYS: Final[Mapping[str, str]] = {
    "EXPOSE": f"{_READ}`ports`, on 127.0.0.1",
    "HEALTHCHECK": f"{_READ}`healthcheck`, with Docker's times",
    "RUN": "stays in the image; `--mount=type=secret` and `ssh` are dropped",
    "USER": f"{_READ}if it is root, `capabilities`",
    "VOLUME": f"{_READ}`volumes`, so that its data outlives a replaced container",
    "ARG": "stays in the image; `dockerfile: {args: …}` sets it",
}
"""What is said about instructions without `--translate`; all others stay in the image."""

_TRANSLATED: Final[Mapping[str, str]] = {
    "ADD": "`copy`; keeps `dockerfile` for addresses and archives",
    "ARG": "`env` of the `run` steps, or `build_args` if all have the same; keeps `dockerfile` for TARGETARCH and the like",
    "CMD": "`command`, after ENTRYPOINT",
    "COPY": "`copy` with `owner`, `mode` and `exclude`; with `--from` `copy_from`; a here-document is a `run` step that writes it."
    " Keeps `dockerfile` for files of other images, `--parents`, and wildcards in folders' names",
    "ENTRYPOINT": "the beginning of `command`",
    "ENV": "`env`, and as ARG",
    "EXPOSE": "`ports`, on 127.0.0.1",
    "FROM": "`base`, if the catalogue has it; an earlier stage is written out; keeps `dockerfile` for all others",
    "HEALTHCHECK": "`healthcheck`, with Docker's times",
    "LABEL": "dropped: envctl owns the labels of what it makes",
    "MAINTAINER": "dropped, likewise",
    "ONBUILD": "dropped: it is for images that are built on this one",
    "RUN": "`packages` for `apt-get install`, `user` for `useradd` of the service's user, `pip` and `npm` steps where they mean the same,"
    " `run` steps for the rest; `--mount=type=secret` is `secrets`, caches are left out. Keeps `dockerfile` for other mounts",
    "SHELL": "the shell of the `run` steps",
    "STOPSIGNAL": "`options.docker.stop_signal` and `options.vagrant.stop_signal`",
    "USER": "`user`, without a group, and `user` of the `run` steps",
    "VOLUME": "`volumes`",
    "WORKDIR": "`workdir`, and that of the `run` steps",
}
BEGIN: Final = "<!-- the table of instructions, made by `python docs/generate.py` -->"
END: Final = "<!-- the end of the table of instructions -->"


def instructions_table() -> str:
    """The rules as a table for the docs."""
    lines = ["", "| instruction | as it is | with `--translate` |", "| --- | --- | --- |"]
    lines += [
        f"| `{name}` | {STAYS.get(name, 'stays in the image')} | {note} |"
        for name, note in _TRANSLATED.items()
    ]
    return "\n".join(lines) + "\n"
