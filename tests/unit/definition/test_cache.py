"""Resolved specs are kept, and never taken for what they are not."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from envctl import definition
from envctl.definition import cache
from envctl.definition.resolved import Resolved
from envctl.errors import SpecError
from envctl.host.private_state import state_path
from tests.unit.definition.helpers import HEAD, write

SPEC = HEAD + "vars: {level: base}\nservices: {web: {command: [serve], env: {L: '${level}'}}}\n"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments that were resolved from their files, one entry each time."""
    from envctl.definition import resolve

    found: list[str] = []
    original: Callable[..., Resolved] = resolve.resolve

    def watched(root: Path, environment: str, **options: object) -> Resolved:
        found.append(environment)
        return original(root, environment, **options)

    monkeypatch.setattr(resolve, "resolve", watched)
    return found


def load(root: Path, environment: str = "dev", **options: dict[str, str]) -> Resolved:
    """Resolve, with the cache."""
    return definition.load(root, environment, **{"environ": {}, **options})  # type: ignore[arg-type]


def test_an_unchanged_spec_is_resolved_once(tmp_path: Path, reads: list[str]) -> None:
    write(tmp_path, SPEC)
    first, second = load(tmp_path), load(tmp_path)
    assert reads == ["dev"]
    assert second.data == first.data
    assert second.files == first.files
    assert second.run_paths == first.run_paths != {}
    assert dict(second.origins) == dict(first.origins)
    assert definition.config_text(second, origins=True) == definition.config_text(
        first, origins=True
    )


def test_all_that_a_spec_is_made_from_counts(tmp_path: Path, reads: list[str]) -> None:
    write(tmp_path, SPEC)
    load(tmp_path)
    load(tmp_path, sets={"level": "x"})
    load(tmp_path, environ={"ENVCTL_VAR_level": "y"})
    (tmp_path / "environments" / "dev.yaml").write_text("vars: {level: z}\n")
    assert load(tmp_path).data["vars"] == {"level": "z"}
    (tmp_path / "envctl.yaml").write_text(SPEC.replace("serve", "other"))
    assert load(tmp_path).data["services"]["web"]["command"] == ["other"]
    (tmp_path / "environments" / "test.yaml").write_text("")
    load(tmp_path)
    assert reads == ["dev"] * 6


def test_the_rest_of_the_process_environment_does_not_count(
    tmp_path: Path, reads: list[str]
) -> None:
    write(tmp_path, SPEC)
    load(tmp_path, environ={"PATH": "a"})
    load(tmp_path, environ={"PATH": "b"})
    assert reads == ["dev"]


def test_each_environment_has_a_cache_of_its_own(tmp_path: Path, reads: list[str]) -> None:
    write(tmp_path, SPEC, test="vars: {level: test}\n")
    for _ in range(2):
        assert load(tmp_path).data["vars"] == {"level": "base"}
        assert load(tmp_path, "test").data["vars"] == {"level": "test"}
    assert reads == ["dev", "test"]


def test_a_spec_with_problems_is_not_kept(tmp_path: Path, reads: list[str]) -> None:
    write(tmp_path, SPEC.replace("command", "comand"))
    for _ in range(2):
        with pytest.raises(SpecError):
            load(tmp_path)
    assert reads == ["dev", "dev"]
    assert not state_path(tmp_path).exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:100],
        lambda data: data.split(b"\n")[0] + b"\n",
        lambda data: data.split(b"\n")[0] + b"\n[]\n[]",
        lambda data: data.split(b"\n")[0] + b'\n{"data": 1}\n[]',
        lambda data: data.split(b"\n")[0] + b"\n" + b"[" * 100_000 + b"\n[]",
        lambda _: b"\xff" * 64 + b"\n{}\n[]",
        lambda _: b"x" * 100_000,
    ],
    ids=["empty", "cut off", "key alone", "a list", "no files", "deep", "no ascii", "one line"],
)
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, reads: list[str], damage: Callable[[bytes], bytes]
) -> None:
    write(tmp_path, SPEC)
    expected = load(tmp_path).data
    file = cache.path(tmp_path, "dev")
    file.write_bytes(damage(file.read_bytes()))
    assert load(tmp_path).data == expected
    assert load(tmp_path).data == expected
    assert reads == ["dev", "dev"]


def test_damaged_origins_are_no_origins(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    load(tmp_path)
    file = cache.path(tmp_path, "dev")
    file.write_bytes(b"\n".join([*file.read_bytes().split(b"\n")[:2], b'[["a"]]']))
    found = load(tmp_path)
    assert len(found.origins) == 0
    assert "serve" in definition.config_text(found, origins=True)


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    load(tmp_path)
    modes = {
        path.relative_to(state_path(tmp_path)).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [state_path(tmp_path), *state_path(tmp_path).rglob("*")]
    }
    assert modes == {
        ".": 0o700,
        "project": 0o600,
        "cache": 0o700,
        "cache/resolved-dev.json": 0o600,
    }


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path, reads: list[str]) -> None:
    write(tmp_path, SPEC)
    state_path(tmp_path).parent.mkdir(parents=True, exist_ok=True)
    state_path(tmp_path).write_text("a file in the way")
    assert load(tmp_path).data == load(tmp_path).data
    assert reads == ["dev", "dev"]


@pytest.mark.parametrize("link", [(), ("cache",)])
def test_nothing_is_kept_through_a_link(
    tmp_path: Path, reads: list[str], link: tuple[str, ...]
) -> None:
    write(tmp_path, SPEC)
    (tmp_path / "elsewhere").mkdir()
    place = state_path(tmp_path, *link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(tmp_path / "elsewhere")
    assert load(tmp_path).data == load(tmp_path).data
    assert reads == ["dev", "dev"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_the_cache_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    definition.load(tmp_path, "dev", environ={}, cache=False)
    assert not state_path(tmp_path).exists()


def test_a_change_of_any_module_of_the_package_counts() -> None:
    package = Path(cache.__file__).parent
    files = [*package.rglob("*.py"), *(package.parent / "catalogue").glob("*.yaml")]
    modules = {f"{file.parent.name}/{file.name}" for file in files}
    assert {name for name, _, _ in cache._program()} == modules
