"""RUN becomes packages, the service's user, and steps."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Final

from envctl.definition.keys.scalars import VARIABLE
from envctl.definition.tree import ScalarNode
from envctl.definition.value_readers import InvalidValue
from envctl.detect.dockerfile_reader import Instruction
from envctl.detect.dockerfile_words import exec_form
from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside
from envctl.imports.dockerfile.image_settings import SHELL, UntranslatableError
from envctl.imports.dockerfile.shell_chain import (
    PipCommand,
    UserCommand,
    apt_command,
    npm_command,
    pip_command,
    require_no_user,
    split_chain,
    user_command,
    venv_folder,
)
from envctl.imports.dockerfile.stage_build import StageBuild

_APT: Final = re.compile(r"\bapt\b|apt-|/etc/apt|dpkg|keyrings|gpg")
_STATE: Final = re.compile(r"(cd|export|source|\.|umask|set|alias|pushd|ulimit)\s|[A-Za-z_]\w*=")
_LOCAL: Final = re.compile(r"^\s*(-(?!r\s|-hash)|\.|/|file:)", re.MULTILINE)
_MAX_REQUIREMENTS: Final = 1024 * 1024
RECOMMENDED: Final = "packages are installed without those that they only recommend; remedy: list the recommended ones that are needed"


class RunTranslation:
    """One RUN on its way to steps. `notes` says what it became, `dropped` what it lost."""

    def __init__(self, build: StageBuild, instruction: Instruction, *, is_last: bool) -> None:
        self.build = build
        self.instruction = instruction
        self.is_last = is_last
        self.notes: list[str] = []
        self.dropped: list[str] = []
        self.secrets: tuple[str, ...] = ()
        self.pending: list[str] = []
        """Commands that go into the next step as they are."""

    def apply(self) -> None:
        """Add the steps. UntranslatableError if there are none that do the same."""
        self.secrets = tuple(self._secrets())
        script, listed = self._script(), exec_form(self.instruction.text)
        if listed is not None:
            require_no_user([" ".join(listed)], self.build.user)
            self._add([*listed])
            return
        chain = split_chain(script) if self.build.settings.shell == SHELL else None
        if chain is None:
            require_no_user([script], self.build.user)
            self.build.touches_apt |= bool(_APT.search(script))
            prefix = "apt-get update && " if self._lacks_update(script) else ""
            self._add([*self.build.settings.shell, prefix + script])
            return
        for command in chain:
            self._command(command)
        self._flush()
        if not self.notes:
            self.notes.append("nothing: envctl does this itself")

    def _script(self) -> str:
        heredocs = self.instruction.heredocs
        if not heredocs:
            return self.instruction.text
        if re.fullmatch(r"<<-?\S+", self.instruction.text):
            if heredocs[0].text.startswith("#!"):
                raise UntranslatableError(
                    "a here-document is a program of its own", "COPY it as a file and RUN that"
                )
            return heredocs[0].text
        bodies = "".join(f"{each.text}{each.word}\n" for each in heredocs)
        return f"{self.instruction.text}\n{bodies}"

    def _lacks_update(self, script: str) -> bool:
        installs = re.search(r"\bapt(-get)?\b.*\binstall\b", script)
        has_update = re.search(r"\bapt(-get)?\b.*\bupdate\b", script)
        return bool(self.build.needs_update and installs and not has_update)

    def _secrets(self) -> list[str]:
        """The secrets that the command reads; a cache only makes builds faster."""
        names = []
        for name, value in self.instruction.flags:
            options = dict(part.partition("=")[::2] for part in value.split(","))
            kind = options.get("type", "bind")
            if name == "network" and value == "default":
                continue
            if name != "mount" or kind not in ("secret", "cache", "tmpfs"):
                raise UntranslatableError(
                    f"a step has no --{name}={value[:40]}", "COPY what the command needs"
                )
            if kind == "secret":
                names.append(_secret(options))
            else:
                self.notes.append(f"nothing for --mount=type={kind}")
        return names

    def _command(self, command: str) -> None:
        build = self.build
        is_root, is_plain = not build.user_name, not any(map(_STATE.match, self.pending))
        if re.fullmatch(r"export\s+DEBIAN_FRONTEND=\w+|set\s+-[a-z]+(\s+-o\s+pipefail)?", command):
            return
        if is_root and self._apt(command):
            return
        user = user_command(command)
        if (
            is_root
            and is_plain
            and user is not None
            and user.name == build.user
            and self._user(user)
        ):
            return
        require_no_user([command], build.user)
        if is_root and is_plain and (self._pip(command) or self._npm(command)):
            return
        build.touches_apt |= bool(_APT.search(command))
        self.pending.append(command)

    def _apt(self, command: str) -> bool:
        build = self.build
        apt = apt_command(command)
        if apt is None:
            return False
        if apt.verb == "clean":
            return not build.touches_apt or not self.pending
        if apt.verb == "update" and not build.touches_apt:
            build.needs_update = True
            return True
        if apt.packages is not None and not build.touches_apt and apt.verb == "install":
            build.packages += [name for name in apt.packages if name not in build.packages]
            self.notes.append("packages")
            self.dropped += [RECOMMENDED] if apt.has_recommends else []
            return True
        if apt.verb == "install" and self._lacks_update(" && ".join([*self.pending, command])):
            self.pending.append("apt-get update")
        return False

    def _user(self, command: UserCommand) -> bool:
        """The service's user: envctl creates it, with a group of the same name and number."""
        build, name = self.build, command.name
        number = command.option("group" if command.is_group else "uid")
        group = "" if command.is_group else command.option("group")
        if group not in ("", name, str(build.uid), number):
            return False
        if number:
            if not re.fullmatch(r"[0-9]{1,9}", number) or build.uid not in (None, int(number)):
                raise UntranslatableError(
                    f"the user {name} and its group have different numbers", "the same number"
                )
            build.uid = int(number)
        self.notes.append(f"user: {name}, whom envctl creates")
        if not self.is_last:
            script = f"id -- {name} >/dev/null 2>&1 || useradd"
            uid = f" --uid {build.uid}" if build.uid is not None else ""
            if not command.is_group:
                self.pending.append(f"{script}{uid} --create-home -- {name}")
        self._home(command)
        return True

    def _home(self, command: UserCommand) -> None:
        home, shell = command.option("home"), command.option("shell")
        options = [
            *(["--home", home] if home not in ("", f"/home/{command.name}") else []),
            *(["--shell", shell] if shell else []),
        ]
        if options:
            self._flush()
            self.build.add_run(["usermod", *options, "--", command.name])

    def _pip(self, command: str) -> bool:
        build = self.build
        if folder := venv_folder(command):
            build.venvs.add(folder)
            return False
        pip = pip_command(command)
        venv = self._venv(pip) if pip is not None else ""
        if pip is None or not venv:
            return False
        requirements = posixpath.join(build.settings.workdir, pip.requirements)
        if pip.requirements and not self._means_the_same(requirements):
            return False
        if self.pending and venv_folder(self.pending[-1]) == venv:
            self.pending.pop()  # the step makes it
        self._flush()
        step = {"venv": venv, "requirements": posixpath.normpath(requirements)}
        if not pip.requirements:
            del step["requirements"]
        packages = {"packages": [*pip.packages]} if pip.packages else {}
        _drop_last_venv(build, venv)
        build.steps.append({"pip": {**step, **packages}})
        self.notes.append("a pip step")
        return True

    def _venv(self, pip: PipCommand) -> str:
        """The virtual environment that a command installs into; empty if it is none that this build makes."""
        variables = self.build.settings.variables
        benign = {"PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"}
        if self.secrets or any(
            name.startswith("PIP_") and name not in benign for name in variables
        ):
            return ""
        folder = pip.program or variables.get("PATH", "").partition(":")[0] + "/"
        venv = folder.removesuffix("/").removesuffix("/bin")
        return venv if f"{venv}/bin/" == folder and venv in self.build.venvs else ""

    def _means_the_same(self, path: str) -> bool:
        """Whether requirements name packages only: relative paths depend on the folder that pip runs in."""
        source = self.build.project_path(posixpath.normpath(path))
        try:
            data = (
                read_inside(self.build.root, source, largest=_MAX_REQUIREMENTS) if source else b""
            )
        except (OSError, EnvctlError):
            return False
        text = data.decode("utf-8", "replace")
        return bool(source) and not _LOCAL.search(text) and "-r " not in text

    def _npm(self, command: str) -> bool:
        options = npm_command(command)
        env = self.build.run_env
        production = env.pop("NODE_ENV", "") == "production"
        if options is None or env or self.secrets:
            return False
        self._flush()
        step = {"directory": self.build.settings.workdir}
        self.build.make_workdir()
        is_short = bool(options) or production
        self.build.steps.append({"npm": {**step, **({"production": True} if is_short else {})}})
        self.notes.append("an npm step")
        return True

    def _flush(self) -> None:
        """Add what has been collected as a step."""
        if self.pending:
            self._add(" && ".join(self.pending))
            self.pending = []

    def _add(self, command: str | list[str]) -> None:
        if isinstance(command, list) and not "".join(command[:1]).strip():
            raise UntranslatableError("there is no command")
        self.build.add_run(command, user=self.build.user_name, secrets=self.secrets)
        self.notes.append("a run step")


def _drop_last_venv(build: StageBuild, venv: str) -> None:
    """Remove the step that only makes a virtual environment: the pip step makes it."""
    run = build.steps[-1].get("run") if build.steps else None
    text = run.get("command") if isinstance(run, dict) else run
    if isinstance(text, str) and venv_folder(text) == venv:
        build.steps.pop()


def _secret(options: dict[str, str]) -> str:
    name = options.get("id", "")
    try:
        VARIABLE.parse(ScalarNode(name, ("", 0, 0)))
    except InvalidValue as error:
        raise UntranslatableError(
            f"{name[:40]!r} is not a valid name of a secret", "lower-case letters, digits and _"
        ) from error
    target = options.get("target", options.get("dst", f"/run/secrets/{name}"))
    if target != f"/run/secrets/{name}" or "env" in options:
        raise UntranslatableError(
            "a step reads a secret at /run/secrets/NAME only", f"/run/secrets/{name}"
        )
    return name


def outcome_notes(notes: Sequence[str]) -> str:
    """What a RUN became, in a sentence."""
    counted = [note for note in dict.fromkeys(notes) if not note.startswith("nothing")]
    return " and ".join([*counted, *(n for n in dict.fromkeys(notes) if n.startswith("nothing"))])
