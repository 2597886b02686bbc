"""Finds the project files that a command on this host runs or reads, as far as its words show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from envctl.host.links import followed
from envctl.lazy_dataclass import dataclass

_BETWEEN: Final = re.compile(r"(?:[\s;&|<>()`\"'{}=:,@!#]|\$\()+")
"""Characters that separate words in shell code, options and URLs."""
_WRITTEN: Final = re.compile(r"(?<!<)>{1,2}\|?\s*[^\s;&|<>()`\"'$\\]+")
"""Redirections of output. A file that is only written need not be approved again when it changes."""
_SHELLS: Final = frozenset(("sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"))
_COMPUTED: Final = re.compile(r"[$`*?\[~]|(?:^|[\s;&|(])(?:cd|pushd|eval|source|\.)\s")
"""Shell syntax that changes words, or changes the folder in which files are looked up."""
_RUNNERS: Final = frozenset(
    (
        *("make", "gmake", "just", "task", "rake", "ninja", "scons", "bazel", "cmake", "meson"),
        *("npm", "npx", "yarn", "pnpm", "bun", "bunx", "deno", "node", "nodejs", "tsx", "corepack"),
        *("python", "pypy", "pip", "pipx", "uv", "uvx", "poetry", "pipenv", "hatch", "pdm", "tox"),
        *("nox", "invoke", "inv", "fab", "pytest", "ruby", "bundle", "perl", "php", "composer"),
        *("lua", "tclsh", "Rscript", "java", "gradle", "mvn", "ant", "sbt", "lein", "go", "cargo"),
        *("dotnet", "mix", "elixir", "stack", "cabal", "swift", "git"),
        *("direnv", "mise", "asdf", "ansible", "ansible-vault", "ansible-playbook", "terraform"),
        *("tofu", "pulumi", "helm", "docker", "docker-compose", "podman", "vagrant", "envctl"),
    )
)
"""Programs that run files of the current folder: a Makefile, scripts, or programs named in a configuration file."""


@dataclass(frozen=True, slots=True)
class Named:
    """The project files that a command names.

    `files` are the words for regular files; `links` are words for links that lead out of the project, with their
    targets. `may_run_more` means that the command may run or read files that its words do not name.
    """

    files: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    may_run_more: bool


def named(root: Path, argv: Sequence[str]) -> Named:
    """Examine every word of a command that runs in the project's folder, and the parts of each word."""
    home = followed(root)
    files: dict[Path, str] = {}
    links: dict[str, str] = {}
    more = _is_computed(argv)
    for piece in dict.fromkeys(piece for word in argv for piece in _pieces(word)):
        more = more or _is_runner(piece, argv)
        try:
            path = home / piece
            real = followed(path)
            if real.is_relative_to(home):
                if real.is_file():
                    files.setdefault(real, piece)
                    more = more or bool(real.stat().st_mode & 0o111)
                else:
                    more = more or (real.is_dir() and real != home)
            elif path.exists() and _is_below(path, home):
                links[piece] = str(real)
        except (OSError, ValueError):
            # The command could not open a file of this name either.
            continue
    return Named(tuple(files.values()), tuple(links.items()), more)


def _is_runner(piece: str, argv: Sequence[str]) -> bool:
    name = Path(piece).name.rstrip("0123456789.-")
    return name in _RUNNERS or (name in _SHELLS and piece != argv[0])


def _is_below(path: Path, home: Path) -> bool:
    """Whether a path is in the project's folder, wherever its links lead."""
    return ".." not in path.parts and path.is_relative_to(home)


def _pieces(word: str) -> Iterator[str]:
    """A word, the words that a shell would split it into, and the pieces between separators."""
    yield word
    if word.startswith("-"):
        yield word[2:]
    word = _WRITTEN.sub(" ", word)
    try:
        words = shlex.split(word)
    except ValueError:
        words = []
    for part in words:
        yield part
        yield from filter(None, _BETWEEN.split(part))
    yield from filter(None, _BETWEEN.split(word))


def _is_computed(argv: Sequence[str]) -> bool:
    """Whether a shell runs a script file, or code whose words are computed."""
    if Path(argv[0]).name not in _SHELLS:
        return False
    has_text = len(argv) > 1 and re.match(r"-[a-z]*c", argv[1])
    return not has_text or any(_COMPUTED.search(word) for word in argv[2:])
