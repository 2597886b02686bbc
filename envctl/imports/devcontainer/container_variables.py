"""The variables of a dev container, such as `${localEnv:NAME}`. No value of the host is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from envctl.definition.interpolate import escape
from envctl.definition.tree import ScalarNode
from envctl.imports.compose.filled_text import FilledText, spec_text, variables_of
from envctl.imports.compose.substitute import MAX_CHARACTERS, Variables

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z]+)(?::([^{}:]*))?(?::([^{}]*))?\}")
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HOME: Final = ("HOME", "USERPROFILE")


class UnknownVariable(Exception):  # noqa: N818 — control flow of an import
    """The value of a variable is known only on a machine, or only in a container; with the reason and a remedy."""


class ContainerVariables:
    """Fills in texts. `folder` is what the project's folder is called where a text is used; None if it has no name."""

    def __init__(
        self,
        variables: Variables,
        known: Mapping[str, str],
        container_env: Mapping[str, ScalarNode],
    ) -> None:
        self.variables = variables
        self._known = known
        self._container_env = container_env

    def fill(
        self, node: ScalarNode, *, folder: str | None = None, in_shell: bool = False
    ) -> ScalarNode:
        """The text with its variables replaced. UnknownVariable if one of them cannot be."""
        values: list[str] = []
        specs: list[str] = []
        names: list[str] = []
        end = 0
        for match in _REFERENCE.finditer(node):
            part = self._part(match, node, folder, in_shell=in_shell)
            self.variables.characters_left -= len(part)
            if self.variables.characters_left < 0:
                raise UnknownVariable(
                    f"variables expand to more than {MAX_CHARACTERS:,} characters"
                )
            between = node[end : match.start()]
            values += (between, part)
            specs += (escape(between), spec_text(part))
            names += variables_of(part)
            end = match.end()
        if not end:
            return node
        return FilledText.of(
            "".join([*values, node[end:]]),
            "".join([*specs, escape(node[end:])]),
            node.position,
            plain=node.plain,
            names=names,
        )

    def _part(
        self, match: re.Match[str], node: ScalarNode, folder: str | None, *, in_shell: bool
    ) -> ScalarNode:
        kind, name, default = match[1], match[2] or "", match[3]
        if kind in ("localEnv", "env"):
            return self._local(name, default, node)
        if kind == "containerEnv":
            return self._inside(name, default, node, in_shell=in_shell)
        if kind == "localWorkspaceFolder":
            if folder is None:
                raise UnknownVariable(
                    "the project's folder has another path on each machine;"
                    " remedy: use ${containerWorkspaceFolder}"
                )
            return ScalarNode(folder, node.position)
        return ScalarNode(self._known.get(kind, match[0]), node.position)

    def _local(self, name: str, default: str | None, node: ScalarNode) -> ScalarNode:
        """A variable of the host becomes one of the spec, with the same default."""
        if not _ENV_NAME.match(name):
            raise UnknownVariable(
                f"{name!r} is not the name of a variable of the spec; remedy: write its value"
            )
        if name in _HOME:
            raise UnknownVariable(
                "the home folder is another one for everybody; remedy: write an absolute path,"
                " or put the file into the project"
            )
        text = name if default is None else f"{name}:-{default.replace('$', '$$')}"
        filled = self.variables.fill(ScalarNode(f"${{{text}}}", node.position))
        assert isinstance(filled, ScalarNode)
        return filled

    def _inside(
        self, name: str, default: str | None, node: ScalarNode, *, in_shell: bool
    ) -> ScalarNode:
        """A variable of the container: one that the file sets itself, or one that a shell looks up."""
        if name in self._container_env:
            return self._container_env[name]
        if in_shell and _ENV_NAME.match(name):
            text = f"${{{name}}}" if default is None else f"${{{name}:-{default}}}"
            return ScalarNode(text, node.position)
        raise UnknownVariable(
            f"only the running container knows its variable {name}; remedy: set it with ENV in a Dockerfile"
        )
