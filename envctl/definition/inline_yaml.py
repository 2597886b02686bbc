"""Values as YAML on one line, for examples and hints. `config` quotes more (`yaml_writer`): others read that too."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z./_][\w./@+=-]*([: ][\w./@+=-]+)*|\d+(ms|[smhKMGT])", re.ASCII)
_AMBIGUOUS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "null"))


def inline_yaml(value: Any) -> str:
    """Return a value as an author would write it."""
    match value:
        case dict():
            entries = (f"{inline_yaml(key)}: {inline_yaml(item)}" for key, item in value.items())
            return f"{{{', '.join(entries)}}}"
        case list():
            return f"[{', '.join(map(inline_yaml, value))}]"
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _AMBIGUOUS:
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
