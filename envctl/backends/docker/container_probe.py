"""Finds out whether a unit is healthy: by the engine's last health check, or before the first one by its own."""

from __future__ import annotations

import time
from typing import Final

from envctl.backends.common import probe
from envctl.backends.common.probe_results import ProbeResults
from envctl.backends.docker import engine_probe_log
from envctl.backends.docker.engine import Engine
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Probe

_GRACE: Final = 2.0
"""How many more seconds than a check's own timeout the engine gets."""


@dataclass(frozen=True, slots=True)
class ContainerProbe:
    """The health check of a unit in its running container."""

    engine: Engine
    results: ProbeResults
    unit: str
    container: str
    probe: Probe

    def result(self) -> tuple[bool, str]:
        """Whether the unit is healthy, and the output of its check."""
        with self.engine.doing(f"look at {self.unit}") as api:
            state = api.inspect_container(self.container)["State"]
            starts_soon = engine_probe_log.knows_start_interval(api.api_version)
        known = self.results.last(self.unit)
        checked = engine_probe_log.last_result(state, after=str(known.get("after", "")))
        if checked is not None:
            return probe.result(self.probe, checked.exit_code, checked.output)

        def ask() -> tuple[bool, str] | None:
            since = known.get("begun") if known.get("after") else None
            seconds = engine_probe_log.seconds_left(
                self.probe, state, since=since, starts_soon=starts_soon, now=time.time()
            )
            return self._ask_inside(seconds) if seconds else None

        return self.results.ask(self.unit, self.probe, ask)

    def _ask_inside(self, seconds: float) -> tuple[bool, str] | None:
        """Run the check inside the container; None if it had to stop because the engine is about to run it."""
        from envctl.backends.docker.streams import execute

        grace = min(self.probe.timeout + _GRACE, seconds) - self.probe.timeout
        try:
            return probe.ask(
                self.probe,
                lambda execution: execute(self.engine, self.unit, self.container, execution),
                grace=grace,
                cut_short=grace < 0,
            )
        except probe.CutShortError:
            return None
