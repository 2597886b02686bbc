"""Made-up folders with the ignore files that go with them, the same for the same seed."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

NAMES: Final = (
    "a",
    "b",
    "node_modules",
    "x.log",
    ".env",
    "keep.txt",
    "a b",
    "ü",
    "b.txt",
    "secrets",
    "[z]",
    "A",
)
_FILE_MODES: Final = (0o644, 0o600, 0o755, 0o664, 0o400, 0o711)
_FOLDER_MODES: Final = (0o755, 0o700, 0o775)


class Tree:
    """One folder with its patterns."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.patterns = [self._pattern() for _ in range(self._random.randint(0, 5))]
        self.has_exceptions = any(one.startswith("!") for one in self.patterns)

    def make(self, folder: Path) -> None:
        """Make it at a place that is still empty."""
        folder.mkdir(parents=True)
        self._fill(folder, 0)

    def prefixed(self, folder: str) -> list[str]:
        """The patterns as they are for a folder of that name in a context."""
        found = []
        for one in self.patterns:
            negated = "!" if one.startswith("!") else ""
            found.append(f"{negated}{folder}/{one.removeprefix('!').lstrip('/')}")
        return found

    def _fill(self, folder: Path, depth: int) -> None:
        pick = self._random
        for name in pick.sample(NAMES, pick.randint(0 if depth else 1, 5)):
            path, kind = folder / name, pick.random()
            if kind < 0.4 and depth < 4:
                path.mkdir()
                self._fill(path, depth + 1)
                path.chmod(0o755 if self.has_exceptions else pick.choice(_FOLDER_MODES))
            elif kind < 0.5:
                path.symlink_to(pick.choice(["a", "../b", "/srv/current", "me@host.1:2", "."]))
            else:
                path.write_text("".join(pick.choices("xyz\n", k=pick.randint(0, 20))))
                path.chmod(pick.choice(_FILE_MODES))
                time = pick.randint(1_000_000_000, 1_700_000_000)
                os.utime(path, (time, time))

    def _pattern(self) -> str:
        pick = self._random
        negated = pick.random() < 0.25
        parts = [self._part(plain=negated) for _ in range(pick.choice([1, 1, 2, 3]))]
        # What an exception with wildcards brings back from a folder that is left out, builders do not agree on.
        text = "/".join(parts)
        text = pick.choice(["", "", "", "/", "./" if not negated else ""]) + text
        return ("!" if negated else "") + text + pick.choice(["", "", "/"])

    def _part(self, *, plain: bool) -> str:
        pick = self._random
        name = pick.choice([one for one in NAMES if one != "[z]"])
        if plain:
            return name
        wild = (
            "*",
            "**",
            "*.log",
            "?",
            "[ab]*",
            "*o*",
            f"{name[0]}*",
            "\\[z\\]",
            "[!a]",
            "[^a]*",
            "**o*",
        )
        return pick.choice([name, name, pick.choice(wild)])
