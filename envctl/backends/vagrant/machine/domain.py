"""A machine as libvirt describes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from envctl.backends.vagrant.machine import machine_stamp
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

RUNNING: Final = "running"
OFF: Final = "shut off"
CRASHED: Final = "crashed"
ASLEEP: Final = "pmsuspended"
_RUNNING: Final = (RUNNING, "idle", "no state")
_PAUSED: Final = ("paused", ASLEEP)
_DESCRIPTION: Final = re.compile(
    r"(<domain\b.*?</domain>)\s*([a-z ]*[a-z])?(?: \(([^)\n]*)\))?", re.DOTALL
)
"""A domain's XML, followed by its state and the reason in brackets."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A machine in libvirt. `stamp` is what envctl recorded after creating the machine, or None.

    `state` and `reason` are words from `virsh domstate --reason`.
    """

    name: str
    uuid: str
    state: str
    stamp: Mapping[str, Any] | None
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether the machine can run commands."""
        return self.state in _RUNNING

    @property
    def paused(self) -> bool:
        """Whether the machine is suspended in memory and can be resumed."""
        return self.state in _PAUSED

    @property
    def shutting_down(self) -> bool:
        """Whether the machine is still running, but shutting down."""
        return self.running and machine_stamp.SHUTTING_DOWN in (self.stamp or {})

    @property
    def off(self) -> bool:
        """Whether the machine is shut off."""
        return self.state == OFF

    @property
    def units(self) -> Mapping[str, Mapping[str, Any]]:
        """By unit, the note that was recorded when it was set up."""
        units: Mapping[str, Mapping[str, Any]] = (self.stamp or {}).get("units", {})
        return units

    @property
    def one_offs(self) -> Mapping[str, Any]:
        """The one-offs that it was made, started or changed for; {} if there are none."""
        one_offs: Mapping[str, Any] = (self.stamp or {}).get(machine_stamp.ONE_OFFS, {})
        return one_offs

    @property
    def machine_digest(self) -> str:
        """The digest of the planned machine that it was created from."""
        return str((self.stamp or {}).get("made_for", ""))

    @property
    def source_id(self) -> str:
        """The source of its box: an image's id, or the digest of the locked manifest; otherwise ""."""
        return str((self.stamp or {}).get("made_of", ""))

    @property
    def address(self) -> str:
        """Its address at the time when a unit was last set up; "" if unknown."""
        return str((self.stamp or {}).get("address", ""))


def describe_commands(name: str) -> str:
    """The virsh commands that print a domain's XML and its state."""
    return f"dumpxml {name};domstate {name} --reason"


def parse_domains(texts: str) -> dict[str, Domain]:
    """Parse the output of these commands for several domains."""
    from xml.etree import ElementTree as ET

    # Trusted XML: libvirt printed it.
    domains = (
        _domain(ET.fromstring(text), state, reason)  # noqa: S314
        for text, state, reason in _DESCRIPTION.findall(texts)
    )
    return {domain.name: domain for domain in domains}


def _domain(element: ET.Element, state: str, reason: str) -> Domain:
    stamp = element.find(f"./metadata/{{{machine_stamp.NAMESPACE}}}stamp")
    return Domain(
        element.findtext("name", ""),
        element.findtext("uuid", ""),
        # Only a running domain has an id.
        state or (RUNNING if element.get("id") is not None else OFF),
        machine_stamp.unpack(stamp.text or "") if stamp is not None else None,
        reason,
    )
