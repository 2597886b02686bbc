"""Which small faults a module can have: each is one changed place of its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Step: TypeAlias = tuple[str, int | None]
Variant: TypeAlias = tuple[ast.AST | None, str, str]

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SWAPPED: Final = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "split": "rsplit",
    "rsplit": "split",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "find": "rfind",
    "rfind": "find",
    "lower": "upper",
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "sorted": "list",
    "reversed": "list",
    "fullmatch": "match",
    "is_file": "exists",
    "is_dir": "exists",
    "is_symlink": "exists",
}
_DROPPED_KEYWORDS: Final = frozenset(
    {"key", "mode", "default", "cwd", "env", "input", "errors", "maxsplit"}
)
_FORMATS: Final = frozenset(
    {"utf-8", "ascii", "r", "rb", "w", "wb", "replace", "ignore", "strict", "surrogateescape"}
)
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One fault: where it is, and what it reads before and after."""

    path: str
    """Of the module, from the tree's root."""
    function: str
    """The outermost function or method it is in, by its qualified name; the class's name or "" outside of functions."""
    first_line: int
    """Where that function begins, decorators included; 0 outside of functions."""
    lines: tuple[int, int]
    """The statement it is in; of a compound one only the head."""
    before: str
    after: str
    nth: int
    """Which one of those that read the same in this function."""
    steps: tuple[Step, ...]
    variant: int

    @property
    def id(self) -> str:
        """The same as long as the place reads the same, wherever it moves in its function."""
        return f"{self.path}::{self.function}::{self.before} → {self.after}" + (
            f" #{self.nth + 1}" if self.nth else ""
        )

    @property
    def code_is_replaceable(self) -> bool:
        """Whether it is in the body of a function: then nothing needs to be imported anew."""
        return self.first_line > 0


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """All faults of a module, in the order of its lines."""
    seen: dict[tuple[str, str, str], int] = {}
    for place in _places(ast.parse(source)):
        for number, (_, before, after) in enumerate(_variants(place)):
            key = (place.function, before, after)
            nth = seen[key] = seen.get(key, -1) + 1
            yield Mutant(
                path,
                place.function,
                place.first_line,
                place.lines,
                before,
                after,
                nth,
                place.steps,
                number,
            )


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with one fault in it."""
    tree = ast.parse(source)
    place = next(place for place in _places(tree) if place.steps == mutant.steps)
    replacement, _, _ = _variants(place)[mutant.variant]
    name, index = place.steps[-1]
    if index is None:
        setattr(place.parent, name, replacement)
    else:
        items: list[ast.AST] = getattr(place.parent, name)
        items[index : index + 1] = [] if replacement is None else [replacement]
        if isinstance(place.parent, ast.Dict) and replacement is None:
            del place.parent.values[index]
    return ast.fix_missing_locations(tree)


@dataclass(frozen=True)
class _Place:
    node: ast.AST
    parent: ast.AST
    function: str
    first_line: int
    lines: tuple[int, int]
    steps: tuple[Step, ...]


def _places(tree: ast.Module) -> Iterator[_Place]:
    yield from _inside(tree, _Place(tree, tree, "", 0, (0, 0), ()))


def _inside(node: ast.AST, at: _Place) -> Iterator[_Place]:
    for name, index, child in _children(node):
        if _left_alone(node, name, child):
            continue
        function, first_line, lines = at.function, at.first_line, at.lines
        if isinstance(child, ast.stmt):
            lines = _head(child)
        # Defaults and decorators run where the function is made, and so need an import.
        if isinstance(node, _SCOPES) and name == "body" and not at.first_line:
            function = f"{at.function}.{node.name}".lstrip(".")
            first_line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        if isinstance(node, ast.ClassDef) and name == "body" and not at.first_line:
            function = f"{at.function}.{node.name}".lstrip(".")
        place = _Place(child, node, function, first_line, lines, (*at.steps, (name, index)))
        yield place
        yield from _inside(child, place)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield name, None, value
        elif isinstance(value, list):
            yield from (
                (name, index, one) for index, one in enumerate(value) if isinstance(one, ast.AST)
            )


def _left_alone(parent: ast.AST, name: str, child: ast.AST) -> bool:
    """What has no behaviour of its own: types, decorators, docstrings, words for people, imports."""
    if name in ("annotation", "returns", "decorator_list", "bases", "type_comment", "simple"):
        return True
    if isinstance(child, (ast.Import, ast.ImportFrom, ast.JoinedStr, ast.expr_context)):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
        return True
    return _is_type_alias(child) or (isinstance(parent, ast.Call) and _is_typing(parent))


def _is_type_alias(node: ast.AST) -> bool:
    if isinstance(node, ast.AnnAssign):
        return "TypeAlias" in ast.unparse(node.annotation)
    return (
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_typing(node.value)
    )


def _is_typing(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in {
        "TypeVar",
        "NewType",
        "ParamSpec",
        "cast",
    }


def _head(node: ast.stmt) -> tuple[int, int]:
    body = getattr(node, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
    return node.lineno, max(end, node.lineno)


def _variants(place: _Place) -> Sequence[Variant]:
    node = place.node
    made: list[Variant] = []
    if isinstance(node, ast.stmt):
        made += _statements(node)
    elif isinstance(node, ast.expr):
        made += _expressions(node, place)
        made += _conditions(node, place)
        made += _elements(node, place)
    elif isinstance(node, ast.keyword) and node.arg in _DROPPED_KEYWORDS:
        made.append((None, ast.unparse(place.parent), f"without {node.arg}="))
    return made


def _statements(node: ast.stmt) -> Iterator[Variant]:
    text = ast.unparse(node)
    called = isinstance(node, ast.Expr) and isinstance(
        node.value, (ast.Call, ast.Yield, ast.YieldFrom)
    )
    stored = isinstance(node, ast.Assign) and isinstance(
        node.targets[0], (ast.Subscript, ast.Attribute)
    )
    if called or stored or isinstance(node, (ast.Raise, ast.AugAssign, ast.Delete)):
        yield ast.copy_location(ast.Pass(), node), text, "pass"
    elif isinstance(node, ast.Continue):
        yield ast.copy_location(ast.Break(), node), "continue", "break"
    elif isinstance(node, ast.Break):
        yield ast.copy_location(ast.Continue(), node), "break", "continue"
    elif isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        none = ast.copy_location(ast.Return(ast.Constant(None)), node)
        yield none, text, "return None"


def _expressions(node: ast.expr, place: _Place) -> Iterator[Variant]:
    def to(new: ast.expr) -> Variant:
        ast.copy_location(new, node)
        return new, ast.unparse(node), ast.unparse(ast.fix_missing_locations(new))

    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            other = _COMPARED.get(type(operator))
            if other:
                ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                yield to(ast.Compare(node.left, ops, node.comparators))
    elif isinstance(node, ast.BoolOp):
        yield to(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        for index in range(len(node.values)):
            rest = [*node.values[:index], *node.values[index + 1 :]]
            yield to(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield to(node.operand)
    elif isinstance(node, ast.BinOp):
        operator_type = _CALCULATED.get(type(node.op))
        if operator_type and not (_is_text(node.left) or _is_text(node.right)):
            yield to(ast.BinOp(node.left, operator_type(), node.right))
    elif isinstance(node, ast.Constant):
        yield from (to(ast.Constant(value)) for value in _constants(node.value, place))
    elif isinstance(node, ast.Attribute) and _is_called(node, place) and _is_swapped(node, place):
        yield to(ast.Attribute(node.value, _SWAPPED[node.attr], node.ctx))
    elif isinstance(node, ast.Name) and _is_called(node, place) and node.id in _SWAPPED:
        yield to(ast.Name(_SWAPPED[node.id], node.ctx))
    elif isinstance(node, ast.IfExp):
        yield to(ast.IfExp(node.test, node.orelse, node.body))


def _is_swapped(node: ast.Attribute, place: _Place) -> bool:
    """Without a limit it is all the same from which side a text is split."""
    limited = isinstance(place.parent, ast.Call) and (
        len(place.parent.args) > 1 or bool(place.parent.keywords)
    )
    return node.attr in _SWAPPED and (limited or node.attr not in ("split", "rsplit"))


def _is_called(node: ast.expr, place: _Place) -> bool:
    return isinstance(place.parent, ast.Call) and place.parent.func is node


def _constants(value: object, place: _Place) -> Iterator[str | bytes | float]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value + 1.0
    elif isinstance(value, str) and not _is_prose(value) and not _names_a_format(place):
        yield f"~{value}"
    elif isinstance(value, bytes) and value:
        yield b"~" + value


def _is_prose(text: str) -> bool:
    """Words for people hold a blank between letters; what decides anything hardly ever does."""
    return " " in text.strip()


def _names_a_format(place: _Place) -> bool:
    """Encodings and modes of files, where a changed one can only be an error."""
    node = place.node
    return isinstance(node, ast.Constant) and node.value in _FORMATS


def _conditions(node: ast.expr, place: _Place) -> Iterator[Variant]:
    """A condition that is a name or a call, turned round; one of a comprehension left out."""
    parent, name = place.parent, place.steps[-1][0]
    condition = name == "test" and isinstance(parent, (ast.If, ast.While, ast.IfExp, ast.Assert))
    if isinstance(parent, ast.comprehension) and name == "ifs":
        yield None, f"if {ast.unparse(node)}", "no condition"
        condition = True
    if isinstance(parent, ast.BoolOp):
        condition = not isinstance(node, ast.Constant)
    if (
        condition
        and not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp))
        and _decides(parent, place)
    ):
        turned = ast.copy_location(ast.UnaryOp(ast.Not(), node), node)
        yield turned, ast.unparse(node), f"not {ast.unparse(node)}"


def _decides(parent: ast.AST, place: _Place) -> bool:
    """Operands of `and` and `or` are turned round only where nothing but their truth counts."""
    return not isinstance(parent, ast.BoolOp) or isinstance(place.node, ast.Call)


def _elements(node: ast.expr, place: _Place) -> Iterator[Variant]:
    """One thing less in what is listed."""
    parent, (name, index) = place.parent, place.steps[-1]
    if index is None:
        return
    text = ast.unparse(parent)
    starred = isinstance(node, ast.Starred)
    if isinstance(parent, (ast.List, ast.Set)):
        less = not (isinstance(parent, ast.Set) and len(parent.elts) == 1)
    elif isinstance(parent, ast.Tuple):
        less = isinstance(parent.ctx, ast.Load) and (starred or not place.first_line)
    else:
        less = (isinstance(parent, ast.Dict) and name == "keys") or (
            isinstance(parent, ast.Call) and starred
        )
    if less:
        yield None, text, f"without {ast.unparse(node)}"


def _is_nothing(node: ast.expr) -> bool:
    """What counts for as little as None: another constant in its place is a fault of its own."""
    return isinstance(node, ast.Constant) and not node.value


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
