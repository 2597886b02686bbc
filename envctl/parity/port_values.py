"""Replaces the host ports of a checkout in facts with the references that the spec has in their place. Pure.

Otherwise two targets, or two checkouts of one project, would always differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from envctl.parity.fact_format import Category, Facts, UnitFacts
from envctl.plan.model import Plan, Process, Unit
from envctl.plan.port_references import as_written, referenced_ports


def with_port_references(facts: Facts, plan: Plan, spec_plan: Plan) -> Facts:
    """The facts of a plan's units. In `spec_plan`, values still refer to ports."""
    planned = {unit.name: unit for unit in plan.units}
    spec = {unit.name: unit for unit in spec_plan.units if _refers(unit.run.process)}
    units = {
        name: _rewritten(values, planned[name], spec[name], plan) if name in spec else values
        for name, values in facts.units.items()
    }
    return replace(facts, units=units)


def _refers(process: Process) -> bool:
    values = (*process.env.values(), *(process.argv or ()))
    return any(any(referenced_ports(value)) for value in values)


def _rewritten(facts: UnitFacts, unit: Unit, spec: Unit, plan: Plan) -> UnitFacts:
    words = _words(unit.run.process, spec.run.process)
    words |= _chosen_numbers(spec.run.process, plan)
    in_json = {_inner_json(value): _inner_json(written) for value, written in words.items()}
    env, spec_env = unit.run.process.env, spec.run.process.env
    return {
        **facts,
        Category.ENVIRONMENT: {
            name: as_written(spec_env[name]) if value == env.get(name) else value
            for name, value in facts.get(Category.ENVIRONMENT, {}).items()
        },
        Category.PROCESS: {
            key: _replaced(value, in_json) if key == "argv" else value
            for key, value in facts.get(Category.PROCESS, {}).items()
        },
        Category.PROCESSES: {
            _replaced(key, words): value for key, value in facts.get(Category.PROCESSES, {}).items()
        },
    }


def _words(process: Process, spec: Process) -> dict[str, str]:
    """By the command's word that refers to a port, the word in the spec."""
    pairs = zip(process.argv or (), spec.argv or (), strict=True)
    return {word: as_written(written) for word, written in pairs if any(referenced_ports(written))}


def _chosen_numbers(spec: Process, plan: Plan) -> dict[str, str]:
    """By port number, the reference in the spec. A shell may have put the numbers into other commands."""
    numbers: dict[tuple[str, int], int] = {}
    for unit in plan.units:
        for port in unit.run.ports:
            numbers.setdefault((unit.name, port.container), port.host)
    references = dict.fromkeys(
        reference for word in spec.argv or () for reference in referenced_ports(word)
    )
    return {
        str(numbers[unit, port]): f"${{port.{unit}.{port}}}"
        for unit, port in references
        if numbers.get((unit, port))
    }


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word, written in words.items():
        # Skip matches inside longer numbers or names.
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", written.replace("\\", r"\\"), text)
    return text


def _inner_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
