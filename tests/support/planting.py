"""Plants planted in a unit that runs in a container, in a machine, or in both; and what parity makes of them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from envctl.parity.accepted import matches
from envctl.parity.compare_facts import FactDifference, Verdict, compare
from envctl.parity.fact_format import Facts
from envctl.plan.target import Target
from envctl.verbs.facts import facts
from tests.support.inside import as_root, beside
from tests.support.plants import BESIDE, FIND_MAIN, OBEY, PRELUDE, Plant
from tests.support.project import Project, ProjectMaker

WEB: Mapping[str, object] = {
    "build": [
        {"copy": {"from": "debs/", "to": "/opt/debs/"}},
        {"copy": {"from": "settings.ini", "to": "/srv/web/"}},
        {"copy": {"from": "settings.ini", "to": "/etc/app.key", "mode": "0600"}},
        {"copy": {"from": "settings.ini", "to": "/srv/vault/inner", "mode": "0600"}},
        {
            "run": "dpkg -i /opt/debs/plant_1_all.deb /opt/debs/other_1_all.deb && chmod 700 /srv/vault"
            " && ln -s settings.ini /srv/web/current"
        },
    ],
    "user": "app",
    "workdir": "/srv/web",
    "env": {"LOG_LEVEL": "info", "LANG": "C.UTF-8"},
    "secrets": ["token"],
    "volumes": {"data": "/data"},
    "command": ["perl", "-e", OBEY.replace("PORT", "8000")],
}
DEBS = (("plant", 1), ("plant", 2), ("extra", 1), ("other", 1))


def specify(project: Project, **web: object) -> None:
    """Write the spec, with this of `web` changed."""
    spec = {
        "project": project.name,
        "base": "debian:bookworm",
        "secrets": {"token": {"env": "TOKEN"}},
        "services": {"web": WEB, "other": {"command": ["sleep", "infinity"]}},
    }
    project.write("envctl.yaml", yaml.safe_dump(spec, sort_keys=False))
    overlay = {"backend": project.backend, "services": {"web": web}}
    project.write("environments/dev.yaml", yaml.safe_dump(overlay))


def prepare(project: Project) -> None:
    """Write all that the spec needs."""
    project.environ = {**project.environ, "TOKEN": "the token"}
    (project.root / "debs").mkdir()
    for name, version in DEBS:
        _package(project.root, name, version)
    project.write("settings.ini", "a=1")
    specify(project)


def _package(folder: Path, name: str, version: int) -> None:
    """Make a Debian package with nothing in it."""
    control = folder / "making" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True, exist_ok=True)
    control.write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        "Description: a test\n"
    )
    target = folder / "debs" / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-b", control.parents[1], target], check=True, capture_output=True)


def planted_project(make_project: ProjectMaker, backend: str) -> Planting:
    """A project that is up, in a container or in a container and a machine, and looked at."""
    project = make_project(backend=backend)
    prepare(project)
    backends = ["docker"] if backend == "docker" else ["docker", "vagrant"]
    for name in backends:
        done = project.cli("up", f"dev@{name}")
        assert done.returncode == 0, done.stderr
    planting = Planting(project)
    planting.start(*backends)
    return planting


@dataclass
class Planting:
    """Targets that are up, what was true in them untouched, and what was missed or called wrongly."""

    project: Project
    before: dict[str, Facts] = field(default_factory=dict)
    """By backend."""
    wrong: dict[str, Sequence[str]] = field(default_factory=dict)
    planted: int = 0

    def start(self, *backends: str) -> None:
        """Look at the targets of these backends, which are up, before anything is planted."""
        for backend in backends:
            as_root(self.project, "web", FIND_MAIN, backend=backend)
            self.before[backend] = self.facts(backend)

    def facts(self, backend: str) -> Facts:
        """What is true there now."""
        return facts(self.project.workspace().project, Target("dev", backend))

    def differences(self, now: Facts) -> list[tuple[str, list[FactDifference]]]:
        """What needs a reason, against what was before there and in each other target."""
        return [(name, needing(facts, now)) for name, facts in self.before.items()]

    def plant(self, backend: str, plants: Sequence[Plant]) -> None:
        """Plant all of these at once, see what is found, and undo them."""
        plants = [one for one in plants if one.on(backend)]
        for one in plants:
            self._do(backend, one, undo=False)
        self.judge(plants, backend)
        self.planted += len(plants)
        for one in reversed(plants):
            self._do(backend, one, undo=True)

    def judge(self, plants: Sequence[Plant], backend: str) -> None:
        """See whether these, and nothing else, are found in what is true there now."""
        for name, found in self.differences(self.facts(backend)):
            self._judge(
                [one for one in plants if name == backend or not one.alike],
                found,
                f"{backend} against {name}",
            )

    def untouched(self, backend: str) -> None:
        """Nothing is planted, and nothing must be found."""
        for name, found in self.differences(self.facts(backend)):
            if found:
                self.wrong[f"untouched {backend} against {name}"] = [*map(_told, found)]

    def _do(self, backend: str, plant: Plant, *, undo: bool) -> None:
        at = 1 if undo else 0
        script = plant.undo if undo else plant.script
        if backend == "docker" and plant.container:
            beside(self.project, "web", BESIDE + plant.container[at])
            return
        if backend == "vagrant" and plant.machine:
            script = plant.machine[at]
        as_root(self.project, "web", PRELUDE + script, backend=backend)

    def _judge(self, plants: Sequence[Plant], found: Sequence[FactDifference], where: str) -> None:
        keys = [f"{one.category} {one.key}" for one in found]
        for one in plants:
            if missed := [key for key in one.found if not any(matches(key, has) for has in keys)]:
                self.wrong[f"missed, {where}: {one.name}"] = missed
        expected = [key for one in plants for key in (*one.found, *one.also)]
        extra = [
            _told(one)
            for one, key in zip(found, keys, strict=True)
            if not any(matches(pattern, key) for pattern in expected)
        ]
        if extra:
            self.wrong[f"more, {where}: {', '.join(one.name for one in plants[:3])} …"] = extra


def needing(before: Facts, after: Facts) -> list[FactDifference]:
    """The findings that are neither equal nor what a machine brings along."""
    return [one for one in compare(before, after).findings if one.verdict != Verdict.SUBSTRATE]


def _told(one: FactDifference) -> str:
    return f"{one.unit} {one.category} {one.key!r}: {one.before} | {one.after}"
