"""Machines of a Vagrantfile to services of a spec. Everything that Vagrant knows of them is reported."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, SpecPath
from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside
from envctl.imports.compose.service_import import slug
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import spec_files
from envctl.imports.vagrantfile.ask_vagrant import machines_of
from envctl.lazy_dataclass import dataclass

BOXES: Final[Mapping[str, str]] = {
    r"(debian/|generic/debian|bento/debian-)(bookworm(64)?|12)": "debian:bookworm",
    r"(debian/|generic/debian|bento/debian-)(trixie(64)?|13)": "debian:trixie",
    r"(ubuntu/|generic/ubuntu|bento/ubuntu-)(jammy64|2204|22\.04)": "ubuntu:22.04",
    r"(ubuntu/|generic/ubuntu|bento/ubuntu-)(noble64|2404|24\.04)": "ubuntu:24.04",
}
"""The base of envctl for boxes, by pattern of the box's name."""
_USUAL_BASE: Final = "debian:bookworm"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_DEFAULTS: Final[Mapping[str, int]] = {"memory": 512, "cpus": 1}
"""Of vagrant-libvirt."""
_USUAL: Final[Mapping[str, tuple[str, ...]]] = {"box_version": (">= 0",), "communicator": ("ssh",)}
"""What Vagrant says of a machine whose file sets nothing."""
_ORDER: Final = (
    "base",
    "build",
    "user",
    "command",
    "capabilities",
    "ports",
    "mounts",
    "hooks",
    "options",
)
_SCRIPTS: Final = "/usr/local/share/provision"


def import_vagrantfile(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a Vagrantfile. EnvctlError unless the user has agreed that it is executed."""
    if not choices.run_vagrantfile:
        raise EnvctlError(
            f"{root / file} is a program: Vagrant executes it to know its machines, and nothing was executed",
            hint="read it; if you trust it, `envctl import --run-vagrantfile`",
        )
    text = read_inside(root, file).decode("utf-8", "replace")
    machines = machines_of(root, file)
    return imported_machines(VagrantSource(root, file, text, choices), machines)


@dataclass(frozen=True, slots=True)
class VagrantSource:
    """A Vagrantfile, and what the user chose."""

    root: Path
    file: str
    text: str
    choices: ImportChoices


def imported_machines(
    source: VagrantSource, machines: Iterable[Mapping[str, Any]]
) -> ImportedProject:
    """The spec of machines that Vagrant has described."""
    report = ConversionReport()
    services: dict[str, Any] = {}
    for data in machines:
        machine = _Machine(data, source, report)
        services[machine.name] = machine.service()
    project = slug(source.root.resolve().name) or "project"
    base = {"project": project, "default": "dev", "services": services}
    files = spec_files(base, {"dev": {**base, "backend": "vagrant"}})
    return ImportedProject(files, report, (source.file,))


class _Machine:
    """One machine on its way to a service."""

    def __init__(
        self, data: Mapping[str, Any], source: VagrantSource, report: ConversionReport
    ) -> None:
        self.data, self.source, self.report = data, source, report
        self.vagrant_name = str(data.get("name", "default"))
        self.name = slug(self.vagrant_name)
        self.spec: dict[str, Any] = {}
        self.steps: list[dict[str, Any]] = self.spec.setdefault("build", [])
        self.hooks: list[list[str]] = []

    def service(self) -> dict[str, Any]:
        """The service, with everything reported."""
        self._add("", KeyOutcome.TRANSLATED, f"the service {self.name}, a machine of its own", ())
        for rule in RULES:
            rule.apply(self)
        self.spec |= {"user": "root", "command": ["sleep", "infinity"]}
        if not self.source.choices.harden:
            self.spec["capabilities"] = ["ALL"]
        return {key: self.spec[key] for key in _ORDER if self.spec.get(key)}

    # --- what a machine is

    def base(self) -> None:
        """Choose the base that is the box's distribution."""
        box = str(self.data.get("box") or "")
        for pattern, base in BOXES.items():
            if re.fullmatch(pattern, box):
                self._add("vm.box", KeyOutcome.TRANSLATED, f"base: {base}", ("base",), box)
                self.spec["base"] = base
                return
        note = f"no base of envctl is the box {box or '(none)'}; {_USUAL_BASE} is written; remedy: `envctl base list`"
        self._add("vm.box", KeyOutcome.DROPPED, note, (), box)
        self.spec["base"] = _USUAL_BASE

    def ports(self) -> None:
        """Publish forwarded ports."""
        self.spec["ports"] = [*self._ports()]

    def mounts(self) -> None:
        """Mount synced folders."""
        self.spec["mounts"] = [*self._mounts()]

    def _ports(self) -> Iterator[Any]:
        index = 0
        for number, (kind, options) in enumerate(self._list("networks")):
            key = f"vm.network[{number}]"
            if kind == "forwarded_port":
                if options.get("guest") == 22:
                    continue  # Vagrant adds its own SSH port
                port = self._port(options)
                address = options.get("host_ip") or ""
                note = f"the port {options.get('host')} of 127.0.0.1"
                if address and address not in _LOOPBACK:
                    note = f"a port that other machines can reach, on {address}"
                path = ("ports", index)
                self._add(key, KeyOutcome.TRANSLATED, note, path, str(options.get("host")))
                index += 1
                yield port
            elif kind == "private_network":
                note = f"nothing: services reach each other by name: {self.name}"
                self._add(key, KeyOutcome.TRANSLATED, note, (), "private_network")
            else:
                reason = "a machine of envctl is only on the environment's network; remedy: `ports` with public: true"
                self._add(key, KeyOutcome.DROPPED, reason, (), str(kind))

    def _port(self, options: Mapping[str, Any]) -> Any:
        guest, host = int(options["guest"]), int(options["host"])
        if str(options.get("protocol")) == "udp":
            return {"host": host, "container": guest, "protocol": "udp"}
        address = options.get("host_ip") or ""
        if (address and address not in _LOOPBACK) or (
            not address and self.source.choices.keep_exposure
        ):
            return {"host": host, "container": guest, "public": True}
        return f"{host}:{guest}"

    def _mounts(self) -> Iterator[dict[str, Any]]:
        index = 0
        for options in self._list("folders"):
            source, target = str(options.get("hostpath")), str(options.get("guestpath"))
            key = f"vm.synced_folder {target}"
            if options.get("disabled"):
                self._add(key, KeyOutcome.SAME, "not mounted", (), target)
                continue
            note = "a mount" + (
                f"; its type {options['type']} is not kept" if options.get("type") else ""
            )
            self._add(key, KeyOutcome.TRANSLATED, note, ("mounts", index), source)
            index += 1
            inside = posixpath.normpath(source) if not source.startswith("/") else source
            yield {"source": inside, "target": target}

    # --- how it is provisioned

    def provision(self) -> None:
        """Make build steps and hooks of provisioners."""
        for number, item in enumerate(self._list("provisioners")):
            key, options = f"vm.provision[{number}]", item.get("options") or {}
            kind, when = str(item.get("type")), str(item.get("run") or "once")
            if when == "never":
                self._add(
                    key, KeyOutcome.DROPPED, "it never runs by itself; remedy: `envctl exec`", ()
                )
            elif kind == "shell" and (command := self._command(key, options)):
                self._shell(key, options, command, when)
            elif kind == "file":
                path = ("build", len(self.steps))
                self.steps.append(
                    {"copy": {"from": str(options["source"]), "to": str(options["destination"])}}
                )
                self._add(key, KeyOutcome.TRANSLATED, "a copy step", path, str(options["source"]))
            elif kind != "shell":
                reason = f"the provisioner {kind} is not supported; remedy: a `run` step that does the same"
                self._add(key, KeyOutcome.DROPPED, reason, (), kind)
        if self.hooks:
            self.spec["hooks"] = {"after_start": self.hooks}

    def _command(self, key: str, options: Mapping[str, Any]) -> list[str] | None:
        """The command of a shell provisioner, whose file is copied first; None if it is reported as dropped."""
        arguments = options.get("args") or []
        words = (
            shlex.split(arguments)
            if isinstance(arguments, str)
            else [str(arg) for arg in arguments]
        )
        if inline := options.get("inline"):
            return ["/bin/sh", "-ec", str(inline), "provision", *words]
        path = str(options.get("path") or "")
        if (
            not path
            or "://" in path
            or path.startswith("/")
            or not (self.source.root / path).is_file()
        ):
            reason = (
                f"its script {path or '(none)'} is not a file of the project; remedy: copy it there"
            )
            self._add(key, KeyOutcome.DROPPED, reason, (), path)
            return None
        target = f"{_SCRIPTS}/{posixpath.basename(path)}"
        self.steps.append({"copy": {"from": path, "to": target, "mode": "0755"}})
        return [target, *words]

    def _shell(self, key: str, options: Mapping[str, Any], command: list[str], when: str) -> None:
        mark = str(options.get("path") or (options.get("inline") or "").strip().split("\n")[0])
        note = "" if options.get("privileged") else ", as root, since there is no user vagrant"
        env = {str(name): str(value) for name, value in (options.get("env") or {}).items()}
        if when == "always":
            words = ["env", *(f"{name}={value}" for name, value in env.items())] if env else []
            path: SpecPath = ("hooks", "after_start", len(self.hooks))
            self.hooks.append([*words, *command])
            self._add(key, KeyOutcome.TRANSLATED, f"a hook after each start{note}", path, mark)
            return
        path = ("build", len(self.steps))
        self.steps.append({"run": {"command": command, **({"env": env} if env else {})}})
        note = f"a build step{note}: what it starts does not run in the machine"
        self._add(key, KeyOutcome.TRANSLATED, note, path, mark)

    # --- the rest

    def resources(self) -> None:
        """Give the machine its size."""
        options: dict[str, Any] = {}
        providers = self.data.get("providers") or {}
        for provider in ("virtualbox", "libvirt"):
            values = providers.get(provider) or {}
            for name in ("memory", "cpus"):
                value = values.get(name)
                if str(value).isdecimal() and not self._is_default(provider, name, value):
                    options[name] = f"{value}m" if name == "memory" else int(str(value))
                    path = ("options", "vagrant", name)
                    note = f"options.vagrant.{name}: {options[name]}"
                    self._add(f"{provider}.{name}", KeyOutcome.TRANSLATED, note, path, str(value))
            if changes := values.get("customizations"):
                reason = f"{len(changes)} settings of VirtualBox itself: machines run on libvirt"
                self._add(f"{provider}.customize", KeyOutcome.DROPPED, reason, (), "customize")
        if options:
            self.spec["options"] = {"vagrant": options}

    def _is_default(self, provider: str, name: str, value: Any) -> bool:
        """Whether it is what the plugin takes for a machine of which the file says nothing."""
        is_written = re.search(rf"\b{name}\s*=\s*['\"]?{value}\b", self.source.text)
        return provider == "libvirt" and value == _DEFAULTS[name] and not is_written

    def hostname(self) -> None:
        """Report the host's name, which is the service's."""
        hostname = self.data.get("hostname")
        if hostname and hostname != self.name:
            note = f"{self.name}: a service's name is its host name"
            self._add("vm.hostname", KeyOutcome.TRANSLATED, note, (), str(hostname))
        elif hostname:
            self._add("vm.hostname", KeyOutcome.SAME, "", (), str(hostname))

    def drop(self, key: str, reason: str) -> None:
        """Report a value that the Vagrantfile sets as dropped."""
        if self.data.get(key) not in (None, "", 0, *_USUAL.get(key, ())):
            self._add(key, KeyOutcome.DROPPED, reason, (), key)

    def _list(self, key: str) -> list[Any]:
        return [*(self.data.get(key) or [])]

    def _add(
        self, key: str, outcome: KeyOutcome, note: str, path: SpecPath, mark: str = ""
    ) -> None:
        new_path = ("services", self.name, *path) if outcome is not KeyOutcome.DROPPED else ()
        place = (self.source.file, self._line(mark), 1)
        name = f"{self.vagrant_name}.{key}" if key else self.vagrant_name
        self.report.add(place, name, outcome, note, new_path, is_claim=False)

    def _line(self, mark: str) -> int:
        """The first line with a text, after that of the machine if there is one. Vagrant itself knows no lines."""
        lines = self.source.text.splitlines()
        start = self._first(lines, self.vagrant_name, 0) or 1
        return (
            (self._first(lines, mark, start - 1) or self._first(lines, mark, 0) or start)
            if mark
            else start
        )

    @staticmethod
    def _first(lines: list[str], mark: str, start: int) -> int:
        return next(
            (number for number, line in enumerate(lines[start:], start + 1) if mark in line), 0
        )


@dataclass(frozen=True, slots=True)
class MachineRule:
    """What becomes of a part of a machine. `reads` are the keys of Vagrant's answer. The docs are generated from this."""

    key: str
    note: str
    reads: tuple[str, ...]
    apply: Callable[[_Machine], None]


def _dropped(key: str, reason: str) -> MachineRule:
    return MachineRule(
        f"`{key}`", f"dropped: {reason}", (key,), lambda machine: machine.drop(key, reason)
    )


RULES: Final = (
    MachineRule(
        "`vm.box`",
        f"`base`: {', '.join(sorted(set(BOXES.values())))}; another box is reported as dropped",
        ("box",),
        _Machine.base,
    ),
    MachineRule("`vm.hostname`", "the service's name", ("hostname",), _Machine.hostname),
    MachineRule(
        "`vm.network`",
        "`forwarded_port`: `ports` on 127.0.0.1, public with a `host_ip` of another address, or with `--keep-exposure`."
        " `private_network`: nothing, since services reach each other by name. `public_network`: dropped",
        ("networks",),
        _Machine.ports,
    ),
    MachineRule(
        "`vm.synced_folder`", "`mounts`; its type is not kept", ("folders",), _Machine.mounts
    ),
    MachineRule(
        "`vm.provision`",
        '`shell`: build steps, as root; a hook after each start with `run: "always"`. `file`: a `copy` step. Others, and'
        ' `run: "never"`: dropped',
        ("provisioners",),
        _Machine.provision,
    ),
    MachineRule(
        "`memory`, `cpus` of libvirt and VirtualBox",
        "`options.vagrant`; libvirt's come first, other settings of VirtualBox are dropped",
        ("providers",),
        _Machine.resources,
    ),
    _dropped(
        "box_version",
        "a base is built from the distribution's packages; remedy: `snapshot` of a base",
    ),
    _dropped("communicator", "machines are reached by SSH"),
    _dropped("post_up_message", "`up` prints addresses; remedy: write it into the README"),
    _dropped("triggers", "a trigger runs on this host; remedy: `hooks`, which run inside"),
)
"""What is read of a machine, in this order."""

BEGIN: Final = "<!-- the table of machines, made by `python docs/generate.py` -->"
END: Final = "<!-- the end of the table of machines -->"


def machine_table() -> str:
    """The rules as a table for the docs."""
    lines = ["", "| in the Vagrantfile | becomes, or why it is dropped |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {rule.key} | {rule.note} |" for rule in RULES)]) + "\n"
