"""What of a project a command of the host runs or reads, as far as its words tell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from envctl.host.links import followed
from envctl.lazy_dataclass import dataclass

_BETWEEN: Final = re.compile(r"(?:[\s;&|<>()`\"'{}=:,@!#]|\$\()+")
"""What stands between words in a shell's text, in options and in addresses."""
_WRITTEN: Final = re.compile(r"(?<!<)>{1,2}\|?\s*[^\s;&|<>()`\"'$\\]+")
"""Where a shell's output goes: what is only written there need not be allowed anew."""
_SHELLS: Final = frozenset(("sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"))
_COMPUTED: Final = re.compile(r"[$`*?\[~]|(?:^|[\s;&|(])(?:cd|pushd|eval|source|\.)\s")
"""What makes the words of a shell's text other ones than it has, or looks for files elsewhere."""
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
"""Programs that run what they find in the folder: a Makefile, scripts, a configuration that names programs."""


@dataclass(frozen=True, slots=True)
class Named:
    """What of the project a command names.

    `files` are regular files by their words; `links` lead out of it, as word and place. With `may_run_more` it may
    run or read what its words do not tell.
    """

    files: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    may_run_more: bool


def named(root: Path, argv: Sequence[str]) -> Named:
    """Look at every word of a command that is run in the project's folder, and at the parts of each."""
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
            # Nothing that a command could open by that name.
            continue
    return Named(tuple(files.values()), tuple(links.items()), more)


def _is_runner(piece: str, argv: Sequence[str]) -> bool:
    name = Path(piece).name.rstrip("0123456789.-")
    return name in _RUNNERS or (name in _SHELLS and piece != argv[0])


def _is_below(path: Path, home: Path) -> bool:
    """Whether a path is of the project, wherever its links lead."""
    return ".." not in path.parts and path.is_relative_to(home)


def _pieces(word: str) -> Iterator[str]:
    """A word, the words that a shell makes of it, and what stands between signs in it."""
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
    """Whether a shell runs a file, or a text whose words are not what it says."""
    if Path(argv[0]).name not in _SHELLS:
        return False
    has_text = len(argv) > 1 and re.match(r"-[a-z]*c", argv[1])
    return not has_text or any(_COMPUTED.search(word) for word in argv[2:])
