"""What facts are about: the words that specs, facts and reports share."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """What a fact is about."""

    OS = "os"
    KERNEL = "kernel"
    PACKAGES = "packages"
    PYTHON = "python"
    NPM = "npm"
    USERS = "users"
    GROUPS = "groups"
    FILES = "files"
    PROCESS = "process"
    PROCESSES = "processes"
    ENVIRONMENT = "environment"
    LIMITS = "limits"
    SYSCTLS = "sysctls"
    SOCKETS = "sockets"
    LOCALE = "locale"
    NAMES = "names"
    SECRETS = "secrets"


UNITS: Final = "units"
"""The category of units that only one side has. It has no facts, but counts as a difference."""
COMPARED: Final = (*map(str, Category), UNITS)
"""All categories of differences, in the order of reports."""
