"""Manifests as YAML that readers of YAML 1.1 and 1.2 understand alike."""

from __future__ import annotations

import re
from typing import Any, Final

_UNLIKE_A_NUMBER: Final = re.compile(r"[A-Za-z/_$*][^\n]*")


def manifest_text(*documents: Any) -> bytes:
    """The documents as one file. Keys stay in their order."""
    import yaml

    class _Writer(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            """Write a value each time that it appears."""
            return data is not None

    def text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        # What only one of the two versions takes for a number or a boolean is quoted.
        style = None if _UNLIKE_A_NUMBER.fullmatch(value) else '"'
        return writer.represent_scalar("tag:yaml.org,2002:str", value, style)

    _Writer.add_representer(str, text)
    written = yaml.dump_all(
        documents, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120
    )
    return str(written).encode("utf-8")
