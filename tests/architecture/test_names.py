"""Names are the standard words of the field: a name says what a thing is, or what it does."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.architecture.source import PACKAGE, modules, nodes


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VAGUE = words(
    # Words that say nothing of what they stand for.
    "one found told said given kept there own rest "
    # Words of a private language; what to say instead is in each comment.
    "known_as doubt insist lenient "  # id, unknown_reason, require_…, allow_invalid_spec
    "wanted known_plan asked "  # desired_plan, plan_or_none, probe_states
    "arrange beside provisions hold_to "  # lay_out, extra_builds, builds_in_vm, pin_images
    "recipe made_of made_for on_paper "  # template_digest, source_id, machine_digest, simulated
    "discard dismantle carry_out "  # DELETE_VOLUME, TEAR_DOWN, apply_changes
    "settled copied glimpse near "  # normalize, with_history, peek, suggestion
    "guarded unsaid silent "  # run_guarded, ignore_changes, no_progress
    "atonce taken prose made bounded "  # parallel, port_conflict, comment_text, image_ids, capped
    "keeper refusal room reach workshop errand errands "
    "mend cure spare "  # repair, Remedy, prunable
)
CLASSES = words(
    "Workspace Opened Beside Supplies Errand Inspector Kitchen Vendor Kept Claim Sight Masks Put "
    "Since Told Declared Given Wrong Reads Short Table Items Text Spot Teller World"
)
MODULES = words(
    "words telling left unmet evidence side_by_side atonce taken prose made bounded limits keeper "
    "saved claims refusal frames trace room reach workshop index inside watch errands guest "
    "mend vendoring"
)
NOUNS = frozenset({"quoting"})
"""What ends with -ing and is what documentation calls the thing."""

MIRRORED = re.compile("^(backends/(?!common)[^/]+|cli|verbs|(im|ex)ports/[^/]+(?=/)|exports)/")
"""Each backend and each format has the same rooms, and each verb its command; these may share names of modules."""

SHARED_CLASSES = frozenset[str]()
"""Names of classes that still mean two things."""
SHARED_MODULES = words("base build model names problems progress store")
"""Names of modules that are still in two packages."""


def package(path: Path) -> str:
    """The package that a module belongs to: `cli`, `backends/docker`; "" for the top level."""
    folders = path.relative_to(PACKAGE).parts[:-1]
    return "/".join(folders[:2] if folders[:1] == ("backends",) else folders[:1])


def bindings(module: Iterable[ast.AST]) -> Iterator[str]:
    """Every name that is bound: variables, parameters, attributes, functions, classes, imports."""
    for node in module:
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def is_vague(name: str) -> bool:
    """Whether it is a word of the lists; constants count as variables do."""
    bare = name.strip("_")
    return bare in CLASSES or (bare.lower() in VAGUE and (bare.isupper() or bare.islower()))


def vague_names() -> Counter[str]:
    counts: Counter[str] = Counter()
    for path, module in nodes().items():
        counts[package(path)] += sum(map(is_vague, bindings(module)))
    return +counts


def test_names_say_what_they_stand_for():
    assert vague_names() == {}


def test_modules_are_named_by_what_is_in_them():
    vague = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if path.stem in MODULES or (re.fullmatch("[a-z]+ing", path.stem) and path.stem not in NOUNS)
    }

    assert vague == set()


def test_no_two_public_classes_have_one_name():
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for path, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(path.relative_to(PACKAGE).as_posix())

    assert {name for name, paths in homes.items() if len(paths) > 1} - SHARED_CLASSES == set()


def test_modules_share_a_name_only_where_packages_mirror_each_other():
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for path in modules():
        if not path.stem.startswith("__"):
            homes[path.stem].add(MIRRORED.sub(r"*/", path.relative_to(PACKAGE).as_posix()))

    assert {name for name, paths in homes.items() if len(paths) > 1} - SHARED_MODULES == set()
