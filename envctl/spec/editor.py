"""The JSON Schema for editors, from the same models that validate."""

from __future__ import annotations

from typing import Any, Literal

from envctl.spec.schema import OverlayForm, SpecForm


def json_schema(which: Literal["envctl", "environment"]) -> dict[str, Any]:
    """The schema of `envctl.yaml`, or of an overlay, where null removes and nothing is required."""
    model = SpecForm if which == "envctl" else OverlayForm
    schema = model.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "envctl.yaml" if which == "envctl" else "environments/NAME.yaml"
    return schema
