"""A `.env` that a service can read."""

from __future__ import annotations

import re

from envctl.definition import dotenv
from envctl.definition.problems import Problems
from envctl.detect.folder_view import FolderView


def is_env_file(folder: FolderView) -> bool:
    """Whether the folder has a `.env` that a service can read."""
    problems = Problems()
    values = dotenv.parse(folder.text(".env"), ".env", known=lambda _: None, problems=problems)
    is_valid = all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in values)
    return bool(len(values)) and is_valid and not problems.entries
