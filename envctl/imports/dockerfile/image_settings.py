"""What instructions set in an image besides its files: variables, user, folder, ports, command, health check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, Final

from envctl.definition.path_readers import mount_target, unit_folder
from envctl.definition.value_readers import InvalidValue, duration
from envctl.detect.dockerfile_reader import Instruction
from envctl.detect.dockerfile_words import WordError, exec_form, expand, key_values, raw_words
from envctl.lazy_dataclass import dataclass

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in the images of Debian and Ubuntu."""
SHELL: Final = ("/bin/sh", "-c")
MAX_PORTS: Final = 100
_TIMES: Final = {"interval": "30s", "timeout": "30s", "start_period": "0s", "start_interval": "5s"}
"""Docker's defaults, which are not envctl's."""
_GO_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
AUTOMATIC: Final = frozenset(
    f"{side}{what}"
    for side in ("TARGET", "BUILD")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
"""Variables whose values depend on the machine that builds."""


class UntranslatableError(Exception):
    """Why an instruction cannot be expressed, and what to do about it."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}; remedy: {remedy}" if remedy else reason)


@dataclass(slots=True)
class ImageSettings:
    """The settings after some instructions of a stage."""

    escape: str
    is_strict: bool
    """Whether variables of the base are not known, so that one without a value is an error."""
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    shell: tuple[str, ...] = SHELL
    user: str = ""
    workdir: str = "/"
    ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    is_shell_entrypoint: bool = False
    healthcheck: Mapping[str, Any] | None = None
    stop_signal: str = ""

    def copy(self) -> ImageSettings:
        """Settings that can be changed on their own. Build arguments end with a stage."""
        ports, volumes = [*self.ports], [*self.volumes]
        return replace(self, env=dict(self.env), args={}, ports=ports, volumes=volumes, shell=SHELL)

    @property
    def variables(self) -> Mapping[str, str]:
        """All variables; one of the image wins over a build argument."""
        return {**self.args, **self.env}

    def text(self, raw: str) -> str:
        """A text of an instruction with its variables replaced."""
        try:
            return expand(raw, self.variables, self.escape, is_strict=self.is_strict)
        except WordError as error:
            raise UntranslatableError(str(error), "write the value itself") from error

    def words(self, text: str) -> list[str]:
        """The words of an instruction, or of a list."""
        listed = exec_form(text)
        raw = listed if listed is not None else raw_words(text, self.escape)
        return [self.text(word) for word in raw]

    def argv(self, text: str) -> tuple[str, ...]:
        """A command; a text is one for the shell."""
        listed = exec_form(text)
        return tuple(listed) if listed is not None else (*self.shell, text)

    @property
    def process(self) -> tuple[str, ...]:
        """What a container runs."""
        return self.entrypoint if self.is_shell_entrypoint else (*self.entrypoint, *self.command)


def _env(settings: ImageSettings, instruction: Instruction) -> None:
    # All values of one instruction see the variables before it.
    pairs = key_values(instruction.text, settings.escape)
    values = {name: settings.text(raw or "") for name, raw in pairs}
    for name in values:
        _check_name(name)
    settings.env.update(values)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name):
        raise UntranslatableError(f"{name[:40]!r} is not a valid variable name in a spec")


def add_arguments(
    settings: ImageSettings, instruction: Instruction, arguments: Mapping[str, str]
) -> None:
    """ARG: its own value, or that of ARG before FROM."""
    for name, raw in key_values(instruction.text, settings.escape):
        if name in AUTOMATIC:
            raise UntranslatableError(
                f"{name} depends on the machine that builds", "`dpkg --print-architecture` in RUN"
            )
        _check_name(name)
        if raw is not None:
            settings.args[name] = settings.text(raw)
        elif name in arguments:
            settings.args[name] = arguments[name]


def _workdir(settings: ImageSettings, instruction: Instruction) -> None:
    path = settings.text(instruction.text)
    joined = path if path.startswith("/") else f"{settings.workdir.rstrip('/')}/{path}"
    settings.workdir = _read(unit_folder, joined)


def _read(reader: Callable[[Any], str], text: str) -> str:
    try:
        return reader(text)
    except InvalidValue as error:
        raise UntranslatableError(error.message) from error


def _user(settings: ImageSettings, instruction: Instruction) -> None:
    settings.user = settings.text(instruction.text)


def _shell(settings: ImageSettings, instruction: Instruction) -> None:
    words = exec_form(instruction.text)
    if not words:
        raise UntranslatableError("SHELL needs a JSON list", 'SHELL ["/bin/bash", "-c"]')
    settings.shell = tuple(words)


def _expose(settings: ImageSettings, instruction: Instruction) -> None:
    for word in settings.words(instruction.text):
        for port in _port_range(word):
            if port not in settings.ports:
                settings.ports.append(port)


def _port_range(word: str) -> Iterator[str]:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", word, re.IGNORECASE | re.ASCII)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if match is None or not 0 < low <= high < 65536 or high - low >= MAX_PORTS:
        raise UntranslatableError(
            f"{word[:40]!r} is not a port, or is a range of more than {MAX_PORTS}",
            "list them in `ports`",
        )
    for port in range(low, high + 1):
        yield f"{port}/udp" if (match[3] or "").lower() == "udp" else str(port)


def _volume(settings: ImageSettings, instruction: Instruction) -> None:
    for word in settings.words(instruction.text):
        target = _read(mount_target, word)
        if target not in settings.volumes:
            settings.volumes.append(target)


def _cmd(settings: ImageSettings, instruction: Instruction) -> None:
    settings.command = settings.argv(instruction.text)


def _entrypoint(settings: ImageSettings, instruction: Instruction) -> None:
    settings.entrypoint = settings.argv(instruction.text)
    settings.is_shell_entrypoint = exec_form(instruction.text) is None


def _stop_signal(settings: ImageSettings, instruction: Instruction) -> None:
    settings.stop_signal = settings.text(instruction.text)


def _healthcheck(settings: ImageSettings, instruction: Instruction) -> None:
    word, _, command_text = instruction.text.partition(" ")
    if word.upper() == "NONE":
        settings.healthcheck = None
        return
    if word.upper() != "CMD" or not command_text.strip():
        raise UntranslatableError("it is neither CMD nor NONE", "HEALTHCHECK CMD COMMAND")
    flags = {name.replace("-", "_"): settings.text(raw) for name, raw in instruction.flags}
    retries = flags.pop("retries", "") or "3"
    if unknown := flags.keys() - _TIMES.keys():
        raise UntranslatableError(f"--{min(unknown)} is not an option of HEALTHCHECK")
    times = {name: _time(name, flags.get(name) or usual) for name, usual in _TIMES.items()}
    if not re.fullmatch(r"[0-9]{1,3}", retries) or not int(retries) <= 100:
        raise UntranslatableError(f"{retries[:20]!r} retries are not between 1 and 100")
    command = [*settings.argv(command_text.strip())]
    if not command or not command[0].strip():
        raise UntranslatableError("it has no command")
    settings.healthcheck = {"command": command, **times, "retries": int(retries) or 3}


def _time(name: str, text: str) -> str:
    """A time of Docker, such as 1m30s, in seconds. 0 means the default there."""
    match = _GO_DURATION.fullmatch(text)
    if not text or match is None:
        raise UntranslatableError(f"{text[:40]!r} is no time", "a time such as 30s")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    written = f"{total:g}s" if total or name == "start_period" else _TIMES[name]
    try:
        duration(written)
    except InvalidValue as error:
        raise UntranslatableError(error.message) from error
    return written


SETTERS: Final[Mapping[str, Callable[[ImageSettings, Instruction], None]]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
