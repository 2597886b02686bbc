"""Chooses a port of this host for each port that the spec leaves open: the previous one, if it is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from envctl.backends.base import ListsPorts
from envctl.host.port_records import choosing, other_records, write_record
from envctl.host.port_use import is_free
from envctl.plan.host_ports import (
    choose,
    fixed_ports,
    open_ports,
    ports_in_use,
    ports_of_units,
)
from envctl.plan.model import Port
from envctl.progress import Progress, Stage
from envctl.session import Session


def choose_ports(session: Session) -> None:
    """Choose the ports of a session that holds the lock of its target, and record them for this checkout."""
    note_free_ports(session)
    root, plan = session.project.root, session.spec_plan
    ports, fixed = open_ports(plan), fixed_ports(plan)
    if not ports and session.port_record.fixed == fixed:
        return
    with choosing(root):
        chosen = dict(session.port_record.chosen)
        if ports:
            observed = session.backend.observe()
            before = {**chosen, **ports_of_units(observed)}
            others = [other.record for other in other_records(root, session.id)]
            reserved = {number for other in others for number in other.chosen.values()}
            used = _used_on_engine(session)
            chosen |= choose(
                ports,
                seed=f"{session.scope.project_id}/{session.id}",
                before=before,
                held=ports_in_use(observed),
                reserved=reserved | fixed.union(*(other.fixed for other in others)),
                is_free=lambda port, number: number not in used and _is_free(port, number),
            )
            _tell_moved(session, before, chosen)
        record = replace(session.port_record, chosen=chosen, fixed=fixed)
        write_record(root, session.id, record)
    session.use_ports(record)


def note_free_ports(session: Session) -> None:
    """Note that ports of this host differ from the spec, if the user chose free ports."""
    if session.port_record.free_ports:
        text = f"uses free ports in this checkout; `envctl up {session.target} --no-free-ports` returns to the ports of the spec"
        session.project.report(Progress(session.id, Stage.NOTE, text))


def use_free_ports(session: Session, *, enabled: bool) -> None:
    """From now on, take free ports in this checkout despite the spec; or, if not `enabled`, the spec's ports again."""
    session.use_ports(replace(session.port_record, free_ports=enabled))
    write_record(session.project.root, session.id, session.port_record)


def _is_free(port: Port, number: int) -> bool:
    return is_free(port.address, number, port.protocol)


def _used_on_engine(session: Session) -> frozenset[int]:
    """The ports that the engine has published. The engine may be on another host."""
    backend = session.backend
    return backend.published_ports() if isinstance(backend, ListsPorts) else frozenset()


def _tell_moved(session: Session, before: Mapping[str, int], chosen: Mapping[str, int]) -> None:
    """Note which ports have changed because another program uses them."""
    for key, number in chosen.items():
        if key in before and before[key] != number:
            text = f"port {before[key]} of this host is in use or belongs to another checkout; using {number} instead"
            session.project.report(Progress(key.partition(" ")[0], Stage.NOTE, text))
