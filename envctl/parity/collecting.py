"""Facts collected: a round trip or two to each running unit, through whatever backend it is on."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final

from envctl.backends.base import Backend, Execution
from envctl.backends.bounded import Kept
from envctl.errors import EnvctlError
from envctl.parity import reading
from envctl.parity.facts import UNKNOWN, Facts, UnitFacts, fact_id
from envctl.plan.categories import UNITS
from envctl.plan.model import Build, CopyFiles, Kind, NpmInstall, PipInstall, Plan, Unit, WriteFile

TIMEOUT: Final = 300.0
"""Seconds that one unit may take; a machine that is emulated and busy needs most of a minute."""
WORKERS: Final = 4
MOST: Final = 64 * 2**20
"""Bytes that a unit may tell; a large one tells a few MiB."""
_OF_EVERY_UNIT: Final = (
    "os", "kernel", "packages", "users", "groups", "timezone", "locale", "sockets", "substrate",
    "argv", "environ", "status", "limits", "cwd", "cgroup",
)  # fmt: skip
"""What every unit is asked once, as collect.sh calls it."""
_AS_THE_UNIT: Final = frozenset(
    {"name", "given", "argv", "environ", "status", "limits", "cwd", "cgroup", "timezone"}
)
"""What hangs on who asks: root without all its rights cannot look into another's process."""
_NOTHING: Final[Mapping[str, str]] = {}
_FILES: Final = ("/etc", "/opt", "/srv", "/usr/local")
"""Where settings and what is not the distribution's own are; in full, whatever the spec puts there."""
_PYTHON: Final = ("/opt", "/usr/lib", "/usr/local/lib")
_NPM: Final = ("/usr/lib", "/usr/local/lib")


def collect(
    plan: Plan,
    units: Sequence[Unit],
    backend: Backend,
    *,
    key: str,
    mask: Callable[[bytes], bytes],
    idle: Mapping[str, str] = _NOTHING,
) -> Facts:
    """The facts of these units, which run. Of one that cannot be asked nothing is known but why.

    `key` is what digests of secrets are made with, `mask` takes their values out of what is told. `idle` has of
    units that do not run the reason, by name.
    """

    def facts_of(unit: Unit) -> UnitFacts:
        try:
            return ask(plan, unit, backend, key=key, mask=mask)
        except EnvctlError as error:
            return no_facts(mask(error.brief.encode()).decode("utf-8", "replace"))

    with ThreadPoolExecutor(WORKERS) as pool:
        told = dict(zip([unit.name for unit in units], pool.map(facts_of, units), strict=True))
    told |= {name: no_facts(why) for name, why in idle.items()}
    return Facts(plan.scope.project, plan.scope.environment, plan.backend, told)


def no_facts(why: str) -> UnitFacts:
    """The facts of a unit of which nothing is known."""
    return {UNKNOWN: {fact_id(UNITS, ""): why}}


def ask(
    plan: Plan,
    unit: Unit,
    backend: Backend,
    *,
    key: str,
    mask: Callable[[bytes], bytes],
    also: Iterable[tuple[str, str]] = (),
    user: str | None = None,
) -> UnitFacts:
    """The facts of one unit, as `collect` has them; `also` is asked beyond what every one is. EnvctlError if it tells nothing.

    Root is asked, who sees most; what hangs on who one is is asked as the unit's own user, or as `user`.
    """
    asked = [*inquiry(plan, unit), *also]
    by_root = [one for one in asked if one[0] not in _AS_THE_UNIT]
    by_unit = [one for one in asked if one[0] in _AS_THE_UNIT]
    interview = _Interview(unit, backend, key, mask)
    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(interview.told, by_unit, user=user)
        told = interview.told(by_root, everything=True)
    try:
        return _ours(unit, _merged(told, own.result()))
    except EnvctlError as error:
        why = {reading.unknown_without(*one): error.brief for one in by_unit}
        return _ours(unit, _merged(told, {UNKNOWN: why}))


@dataclass(frozen=True, slots=True)
class _Interview:
    """Asks a unit, as whoever is wanted."""

    unit: Unit
    backend: Backend
    key: str
    mask: Callable[[bytes], bytes]

    def told(
        self, asked: Sequence[tuple[str, str]], *, user: str | None = None, everything: bool = False
    ) -> UnitFacts:
        """The answers to these questions. EnvctlError if there are none."""
        mark = secrets.token_hex(16)
        script = (files("envctl.parity") / "collect.sh").read_text("utf-8")
        questions = "".join(f"{kind}\t{value}\n" for kind, value in asked)
        answer = Kept(MOST)
        execution = Execution(
            ("/bin/sh", "-c", script, "facts"),
            # Whoever is in there, too, can read a command line, and so could tell things in our name.
            stdin=io.BytesIO(f"{mark}\n{self.key}\n{questions}".encode()),
            stdout=answer,
            timeout=TIMEOUT,
            user="0" if everything else user,
            everything=everything,
        )
        code = self.backend.exec(self.unit.name, execution)
        try:
            told = self.mask(answer.data)
            if answer.too_much:
                return reading.facts(told, mark, asked, cut=f"it tells more than {MOST >> 20} MiB")
            return reading.facts(told, mark, asked)
        except ValueError as error:
            raise EnvctlError(
                f"{self.unit.name} does not tell what is in it (exit code {code}): {error}",
                hint="facts need a shell inside",
            ) from error


def _merged(*told: UnitFacts) -> UnitFacts:
    """What several voices told of one unit."""
    found: dict[str, dict[str, str]] = {}
    for one in told:
        for category, values in one.items():
            found.setdefault(category, {}).update(values)
    return found


def inquiry(plan: Plan, unit: Unit) -> Iterator[tuple[str, str]]:
    """What a unit is asked beyond what every one is: (kind, value). Paths with a newline are left out."""
    steps = unit.source.steps if isinstance(unit.source, Build) else ()
    made = [step.target for step in steps if isinstance(step, CopyFiles | WriteFile)]
    venvs = [step.venv for step in steps if isinstance(step, PipInstall)]
    npm = [step.directory for step in steps if isinstance(step, NpmInstall) and step.directory]
    asked: dict[str, Sequence[str]] = {
        **dict.fromkeys(_OF_EVERY_UNIT, ("",)),
        "file": _roots([*_FILES, *made]),
        # A task's name means something only while it runs.
        "name": sorted(
            {one for other in plan.units for one in _names(other) if other.kind is Kind.SERVICE}
        ),
        "secret": sorted(secret.target for secret in unit.run.secrets),
        "python": _roots([*_PYTHON, *venvs]),
        "npm": sorted({*_NPM, *npm}),
    }
    for kind, values in asked.items():
        yield from ((kind, value) for value in values if "\n" not in value)


def _names(unit: Unit) -> tuple[str, ...]:
    return (unit.name, unit.service, *unit.run.aliases)


def _roots(paths: Sequence[str]) -> list[str]:
    """The paths, without those that are below another one."""
    found = {str(PurePosixPath("/", path)) for path in paths}
    return sorted(
        path for path in found if not any(str(up) in found for up in PurePosixPath(path).parents)
    )


_DNS: Final = " 127.0.0.11:"
"""Docker's own name server, which is in the network of each container."""
_ENVCTL: Final = ("/etc/envctl/", "/etc/systemd/system/envctl-")
"""Where a machine has what envctl tells it of its units."""
_NEVER: Final = frozenset(
    {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/etc/machine-id"}
)
"""Written by whoever runs a unit, for this one run; what names mean is asked for itself."""


def _ours(unit: Unit, told: UnitFacts) -> UnitFacts:
    """Without what is another's: files of volumes, of mounts, of the engine."""
    kept = {
        path: value
        for path, value in told.get("files", {}).items()
        if path not in _NEVER and not f"{path}/".startswith(_ENVCTL) and not is_covered(unit, path)
    }
    sockets = {key: who for key, who in told.get("sockets", {}).items() if _DNS not in key}
    return {**told, "files": kept, "sockets": sockets}


def is_covered(unit: Unit, path: str) -> bool:
    """Whether what is at a path is a volume's or the host's, and not what the unit was made with."""
    targets = [mount.target for mount in unit.run.mounts]
    targets += [volume.target for volume in unit.run.volumes]
    return any(f"{path}/".startswith(f"{target.rstrip('/')}/") for target in targets)
