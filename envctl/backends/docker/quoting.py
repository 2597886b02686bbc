"""How a value is written in a Dockerfile and in a Compose file, so that it is read back as it was.

Templates may put out only what a function of this module returned (a `Quoted`), so forgetting one
is an error and not a hole. Where a format has no safe way to write a value, the function refuses it.
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
    """A RUN command that no shell and no variable expansion touches: a JSON list.

    Backslashes and "<<" are written by number: a backslash before a quote confuses linters, and
    "<<" could be taken for the start of a here-document.
    """
    text = json.dumps(list(argv)).replace("\\\\", "\\u005c")
    return Quoted(text.replace("<<", "<\\u003c"))


def arguments(words: Sequence[str]) -> Quoted:
    """The last words of such a list, without its brackets."""
    return Quoted(exec_form(words)[1:-1])


def copy_form(source: str, target: str) -> Quoted:
    """The two paths of a COPY, as a JSON list. The builder expands variables in these all the same.

    All that is unusual in a path is written by number: linters split such lists at spaces.
    """
    return Quoted(f"[{_path(source)}, {_path(target)}]")


def _path(text: str) -> str:
    units = expanded(text).encode("utf-16-be", "surrogatepass")
    codes = [high << 8 | low for high, low in zip(units[::2], units[1::2], strict=True)]
    return '"' + "".join(chr(c) if _PLAIN.match(chr(c)) else f"\\u{c:04x}" for c in codes) + '"'


def expanded(text: str) -> str:
    """Text that is itself again after the builder's variable expansion and unquoting."""
    return _EXPANDED.sub(r"\\\g<0>", text)


def word(text: str) -> Quoted:
    """An image reference, a user or a group: put in as it is, refused if that were not safe."""
    if not _WORD.fullmatch(text):
        raise EnvctlError(
            f"{json.dumps(text)} cannot be written in a Dockerfile here",
            hint="an image, user or group is made of letters, digits and . _ - : / @ +",
        )
    return Quoted(text)


def setting(name: str, value: str) -> Quoted:
    """NAME=value for ARG: a path or a word, refused if it is neither."""
    if not _SETTING.fullmatch(value):
        raise EnvctlError(f"{json.dumps(value)} cannot be written in a Dockerfile here")
    return Quoted(f"{word(name)}={value}")


def compose(text: str) -> Quoted:
    """A string value of a Compose file: double-quoted YAML with `$` doubled."""
    return yaml_string(text.replace("$", "$$"))


def bind_source(source: str, root: str) -> Quoted:
    """A mounted path: within the project it starts with a variable, so that a project can move."""
    inside = source == root or source.startswith(root.rstrip("/") + "/")
    if not inside or set(root) & set("${}"):
        return compose(source)
    return yaml_string(f"${{PROJECT_DIR:-{root}}}" + source[len(root) :].replace("$", "$$"))


def yaml_string(text: str) -> Quoted:
    """A double-quoted YAML string; what is not printable is escaped (YAML knows no surrogate pairs)."""
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
    """Any value of a Compose file: texts, numbers, lists and mappings of them."""
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
    """A number without needless digits, never in exponent notation."""
    return Quoted(f"{value:.9f}".rstrip("0").rstrip("."))


def raw(text: str) -> Quoted:
    """The whole of a file that has no syntax of ours: a project's text, a certificate bundle."""
    return Quoted(text)


FUNCTIONS: Final[Mapping[str, Callable[..., Quoted]]] = {
    "exec_form": exec_form,
    "arguments": arguments,
    "copy_form": copy_form,
    "word": word,
    "setting": setting,
    "comment": comment,
    "compose": compose,
    "compose_list": compose_list,
    "compose_value": compose_value,
    "yaml_string": yaml_string,
    "number": number,
    "markdown": markdown,
    "code": code,
    "bind_source": bind_source,
    "raw": raw,
}
"""What every template of this backend is given."""
