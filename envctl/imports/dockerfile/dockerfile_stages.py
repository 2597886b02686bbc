"""The stages of a Dockerfile, and the variables before the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from envctl.detect.dockerfile_reader import (
    DockerfileError,
    Instruction,
    ParsedDockerfile,
    parse_dockerfile,
)
from envctl.detect.dockerfile_words import WordError, expand, key_values, raw_words
from envctl.lazy_dataclass import dataclass

MAX_STAGES: Final = 100
MAX_INSTRUCTIONS: Final = 5000


@dataclass(frozen=True, slots=True)
class DockerfileStage:
    """A stage: what it starts from, and its instructions after FROM."""

    index: int
    name: str
    image: str
    """An image or an earlier stage, with variables replaced; empty if a variable has no value."""
    platform: str
    start: Instruction
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class StagedDockerfile:
    """A Dockerfile, stage by stage."""

    parsed: ParsedDockerfile
    arguments: Mapping[str, str]
    """ARG before the first FROM."""
    before: tuple[Instruction, ...]
    stages: tuple[DockerfileStage, ...]

    def parent(self, stage: DockerfileStage) -> DockerfileStage | None:
        """The earlier stage that a stage starts from."""
        return self.stage(stage.image, before=stage.index)

    def stage(self, name: str, *, before: int) -> DockerfileStage | None:
        """An earlier stage, by its name or number."""
        earlier = self.stages[:before]
        by_name = (each for each in reversed(earlier) if each.name == name.lower() and each.name)
        if (stage := next(by_name, None)) is not None:
            return stage
        is_number = name.isascii() and name.isdigit() and len(name) < 4
        return earlier[int(name)] if is_number and int(name) < before else None


def read_stages(text: str) -> StagedDockerfile:
    """The stages of a Dockerfile. DockerfileError if there is none, or a line is not valid."""
    parsed = parse_dockerfile(text)
    instructions = parsed.instructions
    if len(instructions) > MAX_INSTRUCTIONS:
        raise DockerfileError(1, f"it has more than {MAX_INSTRUCTIONS} instructions")
    starts = [index for index, each in enumerate(instructions) if each.name == "FROM"]
    if not starts:
        raise DockerfileError(1, "there is no FROM", expected="FROM IMAGE")
    if len(starts) > MAX_STAGES:
        raise DockerfileError(1, f"it has more than {MAX_STAGES} stages")
    before = instructions[: starts[0]]
    arguments = _arguments(before, parsed.escape)
    stages = tuple(_stages(instructions, starts, arguments, parsed.escape))
    return StagedDockerfile(parsed, arguments, before, stages)


def _arguments(instructions: Sequence[Instruction], escape: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for each in instructions:
        if each.name != "ARG":
            raise DockerfileError(
                each.line, f"{each.name} stands before FROM", expected="ARG or FROM"
            )
        for name, raw in key_values(each.text, escape):
            if raw is not None:
                values[name] = expanded(each, raw, values, escape)
    return values


def expanded(
    instruction: Instruction,
    text: str,
    values: Mapping[str, str],
    escape: str,
    *,
    is_strict: bool = False,
) -> str:
    """A text with its variables replaced. DockerfileError with the line if it cannot be."""
    try:
        return expand(text, values, escape, is_strict=is_strict)
    except WordError as error:
        raise DockerfileError(instruction.line, f"{instruction.name}: {error}") from error


def _stages(
    instructions: Sequence[Instruction],
    starts: Sequence[int],
    arguments: Mapping[str, str],
    escape: str,
) -> Iterator[DockerfileStage]:
    for index, start in enumerate(starts):
        head = instructions[start]
        end = starts[index + 1] if index + 1 < len(starts) else len(instructions)
        words = raw_words(head.text, escape)
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
            raise DockerfileError(
                head.line, "FROM is not understood", expected="FROM IMAGE, or FROM IMAGE AS NAME"
            )
        yield DockerfileStage(
            index,
            words[2].lower() if len(words) == 3 else "",
            expanded(head, words[0], arguments, escape),
            dict(head.flags).get("platform", ""),
            head,
            tuple(instructions[start + 1 : end]),
        )
