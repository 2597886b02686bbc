"""Files of the project that a key such as `env_file` names: their paths and texts."""

from __future__ import annotations

from collections.abc import Iterator

from envctl.definition.input_files import InputFiles
from envctl.definition.key import INVALID, Cursor, Key, Reading
from envctl.definition.merge import normalize
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, Position
from envctl.host.safe_read import InsideError
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Reads the files that one key names; `path` is that of the mapping around it, () for the top of a file."""

    word: str
    key: Key
    files: InputFiles
    problems: Problems
    path: tuple[str, ...] = ()

    def texts(self, table: MapNode) -> Iterator[tuple[str, str]]:
        """Yield the path and text of each file, in order. What cannot be read is reported."""
        for path, is_required, position in self._named(table):
            text = self._text(path, position, is_required=is_required)
            if text is not None:
                yield path, text

    def _named(self, table: MapNode) -> list[tuple[str, bool, Position]]:
        """Return the files: path, whether it has to exist, and where it is named."""
        reading = Reading(self.problems)
        position = table.positions[self.word]
        cursor = Cursor(reading, ".".join(self.path), position)
        cursor = cursor.enter(self.word, position, (), self.key)
        node = normalize(table[self.word], path=(*self.path, self.word), problems=self.problems)
        files = self.key.kind.read(node, cursor)
        if files is INVALID:
            return []
        return [
            (file["path"], file["required"], reading.origins[(index,)][0])
            for index, file in enumerate(files)
        ]

    def _text(self, path: str, position: Position, *, is_required: bool) -> str | None:
        name = ".".join((*self.path, self.word))
        try:
            data = self.files.read(path)
            if data is not None:
                return data.decode("utf-8-sig")
        except InsideError as error:
            self.problems.add(position, f"{name}: {error.brief}", hint=error.hint)
        except UnicodeDecodeError:
            self.problems.add(
                position, f"{name}: {path} is not UTF-8 text", hint="save it as UTF-8"
            )
        else:
            if is_required:
                self.problems.add(
                    position,
                    f"{name}: {path!r} does not exist",
                    hint=f"if it need not exist, write {{path: {path}, required: false}}",
                )
        return None
