"""Quotes values in Dockerfiles and Compose files, so that they are read back unchanged.

Templates may only output values that a function of this module returned (`Quoted`). So a forgotten function is an error
instead of an injection. A value that a format cannot represent safely is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from envctl.backends.common.comment_text import code, comment, markdown
from envctl.errors import EnvctlError
from envctl.plan.artifact import Quoted

_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]*")
_SETTING: Final = re.compile(r"[A-Za-z0-9_./:@+-]+")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+@-]")
_EXPANDED: Final = re.compile(r"""[\\$"']""")


def exec_form(argv: Sequence[str]) -> Quoted:
    """A RUN command as a JSON list, which neither a shell nor variable expansion changes.

    Backslashes and "<<" are escaped: linters misread a backslash before a quote, and "<<" could start a here-document.
    """
    text = json.dumps(list(argv)).replace("\\\\", "\\u005c")
    return Quoted(text.replace("<<", "<\\u003c"))


def arguments(words: Sequence[str]) -> Quoted:
    """Arguments at the end of such a list, without its brackets."""
    return Quoted(exec_form(words)[1:-1])


def copy_form(source: str, target: str) -> Quoted:
    """The two paths of a COPY, as a JSON list, in which the builder still expands variables.

    Everything unusual in a path is escaped, because linters split such lists at spaces.
    """
    return Quoted(f"[{_path(source)}, {_path(target)}]")


def _path(text: str) -> str:
    return '"' + "".join(map(_path_char, expanded(text))) + '"'


def _path_char(char: str) -> str:
    if _PLAIN.match(char):
        return char
    return f"\\u{ord(char):04x}" if char.isascii() else json.dumps(char)[1:-1]


def expanded(text: str) -> str:
    """Text that survives the builder's variable expansion and unquoting unchanged."""
    return _EXPANDED.sub(r"\\\g<0>", text)


def word(text: str) -> Quoted:
    """An unquoted image, user or group; refused if that is not safe."""
    if not _WORD.fullmatch(text):
        raise EnvctlError(
            f"{json.dumps(text)} cannot be written in a Dockerfile here",
            hint="an image, user or group is made of letters, digits and . _ - : / @ +",
        )
    return Quoted(text)


def setting(name: str, value: str) -> Quoted:
    """NAME=value for ARG: a path or a word; refused if it is neither."""
    if not _SETTING.fullmatch(value):
        raise EnvctlError(f"{json.dumps(value)} cannot be written in a Dockerfile here")
    return Quoted(f"{word(name)}={value}")


def compose(text: str) -> Quoted:
    """A string value of a Compose file: double-quoted YAML with `$` doubled."""
    return yaml_string(text.replace("$", "$$"))


def compose_host_variables(parts: Sequence[tuple[str, str]]) -> Quoted:
    """A string of texts and host variables that must be set; each part is one or the other."""
    return yaml_string(
        "".join(f"${{{name}:?}}" if name else text.replace("$", "$$") for text, name in parts)
    )


def bind_source(source: str, root: str) -> Quoted:
    """A mounted path. Within the project it starts with a variable, so that the project can be moved."""
    inside = source == root or source.startswith(root.rstrip("/") + "/")
    if not inside or set(root) & set("${}"):
        return compose(source)
    return yaml_string(f"${{PROJECT_DIR:-{root}}}" + source[len(root) :].replace("$", "$$"))


def yaml_string(text: str) -> Quoted:
    """A double-quoted YAML string with unprintable characters escaped. YAML has no surrogate pairs."""
    return Quoted('"' + "".join(_yaml_char(char) for char in text) + '"')


def _yaml_char(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def compose_list(values: Sequence[str]) -> Quoted:
    """A list of strings in a Compose file."""
    return Quoted("[" + ", ".join(compose(value) for value in values) + "]")


def compose_value(value: Any) -> Quoted:
    """Any value of a Compose file: strings, numbers, lists and mappings."""
    match value:
        case str():
            return compose(value)
        case bool():
            return Quoted("true" if value else "false")
        case int() | float():
            return number(value)
        case Mapping():
            pairs = (f"{yaml_string(key)}: {compose_value(item)}" for key, item in value.items())
            return Quoted("{" + ", ".join(pairs) + "}")
        case _:
            return Quoted("[" + ", ".join(map(compose_value, value)) + "]")


def number(value: float) -> Quoted:
    """A number without trailing zeros and without an exponent."""
    return Quoted(f"{value:.9f}".rstrip("0").rstrip("."))


def raw(text: str) -> Quoted:
    """A whole file whose syntax envctl does not know: a text of the project, a certificate bundle."""
    return Quoted(text)


FUNCTIONS: Final[Mapping[str, Callable[..., Quoted]]] = {
    "exec_form": exec_form,
    "arguments": arguments,
    "copy_form": copy_form,
    "word": word,
    "setting": setting,
    "comment": comment,
    "compose": compose,
    "compose_host_variables": compose_host_variables,
    "compose_list": compose_list,
    "compose_value": compose_value,
    "yaml_string": yaml_string,
    "number": number,
    "markdown": markdown,
    "code": code,
    "bind_source": bind_source,
    "raw": raw,
}
"""The functions that every template of this backend gets."""
