"""A machine as libvirt describes it. Pure."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

STAMP: Final = "https://envctl.dev/stamp/2"
RUNNING: Final = "running"
OFF: Final = "shut off"
CRASHED: Final = "crashed"
ASLEEP: Final = "pmsuspended"
_RUNNING: Final = (RUNNING, "idle", "no state")
_PAUSED: Final = ("paused", ASLEEP)
_DESCRIPTION: Final = re.compile(
    r"(<domain\b.*?</domain>)\s*([a-z ]*[a-z])?(?: \(([^)\n]*)\))?", re.DOTALL
)
"""A domain's description, and then its state with the reason."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A machine as libvirt knows it; `stamp` is what envctl noted when it was whole, if it was.

    `state` and `reason` are libvirt's own words, as `virsh domstate --reason` has them.
    """

    name: str
    uuid: str
    state: str
    stamp: Mapping[str, Any] | None
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether it can be talked to."""
        return self.state in _RUNNING

    @property
    def paused(self) -> bool:
        """Whether it is there, with all that ran in it, and goes on when it is told to."""
        return self.state in _PAUSED

    @property
    def off(self) -> bool:
        """Whether nothing of it is in memory."""
        return self.state == OFF

    @property
    def units(self) -> Mapping[str, Mapping[str, Any]]:
        """What the units settled in it were made for."""
        units: Mapping[str, Mapping[str, Any]] = (self.stamp or {}).get("units", {})
        return units

    @property
    def machine_digest(self) -> str:
        """The digest of the machine it was made as."""
        return str((self.stamp or {}).get("made_for", ""))

    @property
    def source_id(self) -> str:
        """What its box was made of: an image's id, or what is locked that it was held to; else ""."""
        return str((self.stamp or {}).get("made_of", ""))

    @property
    def address(self) -> str:
        """The address it had when a unit was settled in it last; "" if that is not known."""
        return str((self.stamp or {}).get("address", ""))


def description(name: str) -> str:
    """The commands that describe a domain and tell its state."""
    return f"dumpxml {name};domstate {name} --reason"


def parse_domains(texts: str) -> dict[str, Domain]:
    """Several domains' descriptions and states, one after the other."""
    from xml.etree import ElementTree as ET

    # What libvirt itself printed.
    domains = (
        _domain(ET.fromstring(text), state, reason)  # noqa: S314
        for text, state, reason in _DESCRIPTION.findall(texts)
    )
    return {domain.name: domain for domain in domains}


def _domain(element: ET.Element, state: str, reason: str) -> Domain:
    stamp = element.find(f"./metadata/{{{STAMP}}}stamp")
    return Domain(
        element.findtext("name", ""),
        element.findtext("uuid", ""),
        # Only what is in memory has a number.
        state or (RUNNING if element.get("id") is not None else OFF),
        _unpacked(stamp.text or "") if stamp is not None else None,
        reason,
    )


def _unpacked(text: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(zlib.decompress(base64.b64decode(text)))
    except (ValueError, zlib.error):
        return None
    return data if isinstance(data, dict) else None
