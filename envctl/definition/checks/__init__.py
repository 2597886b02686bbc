"""Checks of several values at once: one source per service, known names, no circles, no clashes.

They run over what is valid by itself. A key with a mistake in it counts as written but unknown, so that the
consequences of a mistake are not reported beside it.
"""

from __future__ import annotations

from envctl.definition.checks.across_services import check_across_services
from envctl.definition.checks.one_service import ServiceCheck
from envctl.definition.checks.spec_to_check import SpecToCheck
from envctl.definition.checks.stages import check_stages
from envctl.definition.memo import memoized

__all__ = ["SpecToCheck", "check"]


def check(spec: SpecToCheck) -> None:
    """Check everything, and report it to the problems of the spec."""
    paths_exist: dict[str, bool] = {}
    for name in spec.data["services"]:
        service = ServiceCheck(spec, name, paths_exist)
        service.check_source()
        if spec.invalid.get(name):
            service.check_alone()
        else:
            # Environments share the services that their overlays do not touch.
            key = ("checked", name, service.service["base"] is None, spec.secrets)
            memoized(service.table, key, service.check_alone, problems=spec.problems)
        check_stages(spec, name)
        service.check_depends_on()
        service.check_paths()
    check_across_services(spec)
