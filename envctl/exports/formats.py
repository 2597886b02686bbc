"""All export formats, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.exports.compose_export import COMPOSE
from envctl.exports.devcontainer.devcontainer_export import DEVCONTAINER
from envctl.exports.env_export import ENV
from envctl.exports.export_format import ExportFormat
from envctl.exports.kubernetes.kustomize_export import KUBERNETES
from envctl.exports.quadlet.quadlet_export import QUADLET
from envctl.exports.systemd.systemd_export import SYSTEMD
from envctl.exports.vagrant_export import VAGRANT

FORMATS: Final[Mapping[str, ExportFormat]] = {
    item.name: item
    for item in (
        COMPOSE,
        VAGRANT,
        ENV,
        QUADLET,
        SYSTEMD,
        KUBERNETES,
        DEVCONTAINER,
    )
}
"""The formats. A new one is a module with an `ExportFormat`, and a line here."""
