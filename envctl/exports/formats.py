"""All export formats, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.exports.compose_export import COMPOSE
from envctl.exports.export_format import ExportFormat

FORMATS: Final[Mapping[str, ExportFormat]] = {item.name: item for item in (COMPOSE,)}
"""The formats. A new one is a module with an `ExportFormat`, and a line here."""
