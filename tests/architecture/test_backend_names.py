"""Nothing but a backend's own folder names it: what others know of it, it says itself.

Identifiers and texts of the program count; docstrings and comments do not, nor do `Dockerfile` and `.dockerignore`, which
are words of the spec.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.architecture.source import PACKAGE, nodes

OWN = ("backends/docker/", "backends/vagrant/")
NAMES = re.compile(r"docker(?!_?file|_?ignore)|vagrant|libvirt", re.IGNORECASE)
FIELDS = frozenset({"id", "attr", "arg", "name", "module", "asname"})
"""Of nodes: where they have a name."""

REASONS: dict[str, tuple[int, str]] = {
    "bases/rootfs.py": (7, "the files of apt in the official images have these names"),
    "cli/commands.py": (3, "examples of targets, in the help"),
    "imports/compose/compose_files.py": (
        3,
        "the names that Compose files have",
    ),
    "conversion/conversion_report.py": (
        3,
        "an outcome of a key: kept among that backend's options",
    ),
    "imports/compose/limit_rules.py": (
        8,
        "where a key of Compose is kept: options of the backend that runs such files",
    ),
    "imports/compose/network_rules.py": (
        7,
        "where a key of Compose is kept: options of the backend that runs such files",
    ),
    "imports/compose/process_rules.py": (
        3,
        "where a key of Compose is kept: options of the backend that runs such files",
    ),
    "imports/compose/rule_table.py": (
        1,
        "where a key of Compose is kept: options of the backend that runs such files",
    ),
    "imports/compose/service_import.py": (
        3,
        "a key is kept among these options only if their backend accepts the value",
    ),
    "imports/compose/storage_rules.py": (
        8,
        "where a key of Compose is kept: options of the backend that runs such files",
    ),
    "cli/import_command.py": (5, "the option that lets Vagrant read a file of its own"),
    "imports/devcontainer/container_import.py": (1, "a key of a dev container has this name"),
    "imports/devcontainer/import_devcontainer.py": (8, "keys of a dev container have these names"),
    "imports/devcontainer/process_rules.py": (
        8,
        "names of features, and where a key is kept: options of the backend that runs such files",
    ),
    "imports/devcontainer/source_rules.py": (4, "keys of a dev container have these names"),
    "imports/devcontainer/storage_rules.py": (
        1,
        "where a key is kept: options of the backend that runs such files",
    ),
    "imports/imported_project.py": (1, "the option that lets Vagrant read a file of its own"),
    "imports/vagrantfile/ask_vagrant.py": (23, "Vagrant reads its own files"),
    "imports/vagrantfile/machine_import.py": (
        27,
        "files of Vagrant become machines of its backend",
    ),
    "imports/dockerfile/import_project.py": (
        3,
        "the options of each backend that have a stop signal, and a note on capabilities",
    ),
    "imports/dockerfile/stage_build.py": (1, "the registry of images, in their full names"),
    "imports/dockerfile/translation_notes.py": (7, "where instructions of a Dockerfile are kept"),
    "verbs/import_spec.py": (
        6,
        "files of other tools, which cannot be imported yet",
    ),
    "exports/kubernetes/key_rules.py": (1, "the options that pods have counterparts of"),
    "exports/kubernetes/kustomize_export.py": (
        3,
        "images are built as this backend does; commands that build and push them",
    ),
    "exports/compose_export.py": (
        4,
        "the backend whose rendered folder has a Compose file; commands of the tool that reads it",
    ),
    "exports/devcontainer/devcontainer_export.py": (
        5,
        "the backend whose rendered folder has a Compose file, and its options",
    ),
    "exports/formats.py": (3, "a format has the name of the tool that reads it"),
    "exports/quadlet/quadlet_export.py": (
        3,
        "the backend whose rendered folder has Dockerfiles, and whose options are those of containers",
    ),
    "exports/quadlet/readme.py": (1, "the registry of short names of images"),
    "exports/quadlet/unit_names.py": (1, "the registry of short names of images"),
    "exports/systemd/systemd_export.py": (
        6,
        "a host does the steps of builds with the script of a machine that builds itself; options of containers",
    ),
    "exports/vagrant_export.py": (
        12,
        "the backend whose rendered folder has a Vagrantfile; commands of the tool that reads it",
    ),
    "definition/hints.py": (
        1,
        "where Compose's key tmpfs is written here: options of the default backend",
    ),
    "definition/keys/service.py": (3, "examples in the JSON Schema"),
    "definition/keys/spec_file.py": (1, "an example in the JSON Schema"),
    "definition/keys/build_source.py": (
        2,
        "`box` of a base is what Vagrant calls its images; an example of a path",
    ),
    "detect/dockerfile.py": (1, "a folder in which projects keep their Dockerfile"),
    "files/hash_tree.py": (
        1,
        "`docker build` is what a Dockerfile's context is compared with",
    ),
    "files/ignore_files.py": (1, "the pages that say what a .dockerignore file means"),
    "host/architectures.py": (1, "containers run where machines do not: a hint"),
    "host/ca_bundle.py": (
        2,
        "variables of the environment that programs of all backends are given",
    ),
    "host/private_state.py": (1, "a folder of .envctl whose content nobody can make anew"),
    "lock/messages.py": (1, "the command that removes an image, in a hint"),
    "parity/drift/built_files.py": (
        1,
        "the file by which an engine marks each container tells when it was made",
    ),
    "parity/drift/package_files.py": (1, "a folder that a package leaves to its daemon"),
    "parity/processes.py": (1, "an init process, beside tini and others"),
    "plan/port_and_mount_differences.py": (
        2,
        "sockets of engines that a mount may show, beside podman's and others",
    ),
    "plan/target.py": (1, "the default backend"),
    "plan/volatile_places.py": (3, "files that an engine brings to each container"),
    "reconcile/plan_problems.py": (1, "an example of options, in a hint"),
    "trust/command_files.py": (3, "programs that run other files, beside podman, helm and others"),
}
"""By module, how many there are, and why."""


def mentions(module: Sequence[ast.AST]) -> Iterator[str]:
    """Where a module names a backend: in a name that is bound or read, or in a text."""
    docstrings = {
        id(text) for node in module if "body" in node._fields for text in _docstring(node)
    }
    for node in module:
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if id(node) not in docstrings:
                yield from NAMES.findall(text)
        for field in FIELDS.intersection(node._fields):
            name = getattr(node, field)
            if isinstance(name, str):
                yield from NAMES.findall(name)


def _docstring(node: ast.AST) -> Iterator[ast.Constant]:
    """Texts that stand by themselves: what they describe is in front of them."""
    for statement in (
        getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ()
    ):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            yield statement.value


def counts() -> Counter[str]:
    found: Counter[str] = Counter()
    for path, in_it in nodes().items():
        module = path.relative_to(PACKAGE).as_posix()
        if not module.startswith(OWN):
            found[module] += len(list(mentions(in_it)))
    return +found


def test_a_backend_is_named_outside_its_folder_only_for_these_reasons():
    assert counts() == {module: count for module, (count, _) in REASONS.items()}


def test_every_reason_is_given():
    assert all(len(reason) > 10 for _, reason in REASONS.values())
