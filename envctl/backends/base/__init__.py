"""The protocol of backends. A backend observes, and applies one change at a time; it decides nothing."""

from __future__ import annotations

from envctl.backends.base.context import (
    Context,
    no_build_inputs,
)
from envctl.backends.base.optional_protocols import (
    CollectsGarbage,
    CopiesFiles,
    FindsEnvironments,
    Garbage,
    HostChecks,
    ImageEngine,
    KeepsImages,
    KeepsVolumes,
    LaysOutPlans,
    ListsPorts,
    ListsProcesses,
    MachineBuilds,
    PathKind,
    ReachedBySsh,
    ReadsFiles,
    RecordsHooks,
    RunsOneOffs,
    SshHost,
    UnitProcess,
)
from envctl.backends.base.protocol import (
    Backend,
    Capabilities,
    Execution,
    LogLine,
    NoEngineError,
    NotRunningError,
    TemplateRoles,
)

__all__ = [
    "Backend",
    "Capabilities",
    "CollectsGarbage",
    "Context",
    "CopiesFiles",
    "Execution",
    "FindsEnvironments",
    "Garbage",
    "HostChecks",
    "ImageEngine",
    "KeepsImages",
    "KeepsVolumes",
    "LaysOutPlans",
    "ListsPorts",
    "ListsProcesses",
    "LogLine",
    "MachineBuilds",
    "NoEngineError",
    "NotRunningError",
    "PathKind",
    "ReachedBySsh",
    "ReadsFiles",
    "RecordsHooks",
    "RunsOneOffs",
    "SshHost",
    "TemplateRoles",
    "UnitProcess",
    "no_build_inputs",
]
