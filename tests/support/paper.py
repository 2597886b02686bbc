"""An engine on paper: what a lock asks of one, with no engine there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from envctl.backends.common.build_inputs import ContainerScript
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import ReadyImage
from envctl.plan.platforms import image_name
from envctl.session import Session

BASE = {"libc6": "1"}


@dataclass
class PaperEngine:
    """Builds images by writing down what a mirror has now; `images` is itself."""

    mirror: dict[str, str] = field(default_factory=lambda: {"hello": "1.0"})
    there: dict[str, dict[str, str]] = field(default_factory=lambda: {"debian:bookworm": BASE})
    made: list[str] = field(default_factory=list)
    session: Any = None
    answers: bool = True
    ids: dict[str, str] = field(default_factory=dict)
    restored: dict[str, str] = field(default_factory=dict)
    venv: dict[str, str] = field(default_factory=dict)
    """What is installed at /opt/web in images of builds."""
    constraints: str = ""
    """What pip was held to in the last build."""
    architecture: str = "amd64"
    """What images say they are for; "" for images that do not say."""
    fails: str = ""
    """What is wrong with every build."""

    @property
    def images(self) -> PaperEngine:
        return self

    def forget(self) -> None:
        """Let the images of builds go, as a prune does."""
        self.there = {name: one for name, one in self.there.items() if not name.startswith("p:")}

    def check(self) -> None:
        if not self.answers:
            raise EnvctlError("no engine")

    def name_of(self, source: Any) -> str:
        if isinstance(source, ReadyImage):
            return image_name(source.image, source.platform)
        return f"p:{source.digest}"

    def find(self, name: str) -> str | None:
        return self.ids.get(name, f"id of {name}") if name in self.there else None

    def at_hand(self, name: str) -> str | None:
        return self.find(name)

    def content(self, name: str) -> str:
        return self.find(name) or ""

    def info(self, name: str) -> dict[str, Any]:
        return {"id": self.ids.get(name, f"id of {name} {self.there[name]}"), "labels": {}}

    def volumes(self, name: str) -> tuple[str, ...] | None:
        return () if name in self.there else None

    def restore(self, _file: Any, *, name: str, identity: str) -> None:
        self.there[name] = dict(BASE)
        self.restored[name] = identity

    def pull(self, name: str) -> None:
        self.there[name] = dict(self.mirror)

    def apply(self, change: Any) -> None:
        if self.fails:
            raise EnvctlError(self.fails, hint="mend it", where=change.where)
        self.made.append(change.unit)
        given = self.session.builds.inputs(change.target).files
        self.constraints, wanted = given.get("constraints.txt", ""), given.get("preferences", "")
        asked = {name for step in change.target.steps for name in getattr(step, "names", ())}
        kept = {name for name in asked if f"Package: {name}\nPin: version old-" in wanted}
        packages = {name: "old-1" if name in kept else self.mirror[name] for name in asked}
        self.there[self.name_of(change.target)] = {
            **self.there[change.target.base.image],
            **packages,
        }

    def have(self, unit: str, build: Any) -> str:
        name = self.name_of(build)
        if name not in self.there:
            self.apply(Change(Action.BUILD, unit, because("for the test"), build))
        return name

    def save(self, name: str, file: Path) -> None:
        file.write_text(name)

    def read_file(self, _name: str, _path: str) -> bytes:
        return b""

    def _leave(self, words: tuple[str, ...], folder: Path) -> None:
        for word in words:
            name, _, version = word.partition("=")
            control = f"Package: {name}\nVersion: {version or '1'}\nArchitecture: all\n"
            (folder / f"{name}.deb").write_text(word)
            (folder / f"{name}.deb.control").write_text(control)

    def run_script(self, image: str, container_script: ContainerScript) -> bytes:
        if container_script.bring is not None:
            self._leave(container_script.arguments[1:], container_script.bring)
        return told_of(
            self.there[image],
            container_script,
            venv=self.venv if image.startswith("p:") else {},
            architecture=self.architecture,
        )


def told_of(
    packages: Mapping[str, str],
    container_script: ContainerScript,
    *,
    venv: Mapping[str, str] = MappingProxyType({}),
    architecture: str = "amd64",
) -> bytes:
    """What the script says where these packages are installed."""
    mark, site = container_script.arguments[0], "/opt/web/lib/python3.11/site-packages"
    body = "".join(f"{name}\t{architecture}\t{one}\tinstalled\n" for name, one in packages.items())
    body += "".join(
        f"{mark}:python\0{site}/{name}-{one}.dist-info\n\n" for name, one in venv.items()
    )
    return f"{mark}:architecture\0{architecture}\n{mark}:packages\0{body}{mark}:end\0".encode()


def opened_with(monkeypatch: Any) -> PaperEngine:
    """Such an engine, which all that is opened has from now on."""
    made = PaperEngine()

    def given(self: Session) -> PaperEngine:
        made.session = self
        return made

    monkeypatch.setattr(Session, "engine", property(given))
    return made
