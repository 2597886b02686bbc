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
"""The category of units that are there, or not: no facts of theirs, but a difference all the same."""
COMPARED: Final = (*map(str, Category), UNITS)
"""All that differences are of, in the order in which they are told."""
