"""The names of what is made in a cluster."""

from __future__ import annotations

import re

from envctl.plan.model import Plan, ReadyImage, Unit

LONGEST = 63


def label_name(text: str) -> str:
    """A name that Kubernetes accepts, as a label of DNS."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST].strip("-") or "x"


def config_name(unit: Unit) -> str:
    """The ConfigMap with a service's variables."""
    return f"{label_name(unit.service)}-env"


def secret_name(plan: Plan) -> str:
    """The Secret that has the values of all secrets; it is made by hand."""
    return f"{label_name(plan.scope.project)}-secrets"


def image_name(plan: Plan, unit: Unit) -> str:
    """A service's image. A built one is named by the build's digest, so that other content is another image."""
    if isinstance(unit.source, ReadyImage):
        return unit.source.image
    return f"{label_name(plan.scope.project)}/{label_name(unit.service)}:{unit.source.digest[:12]}"
