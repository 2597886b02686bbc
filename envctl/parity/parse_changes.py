"""Parses answers that only `verify` needs: change times, changed files and packages. Pure."""

from __future__ import annotations

from envctl.parity.answers import MODE, Values, lines


def parse_times(body: str) -> Values:
    """The change times by path."""
    for line in lines(body):
        times, tab, path = line.partition("\t")
        if tab:
            yield path, times


def parse_changed(body: str) -> Values:
    """Changed files with mode and owner; lines with the names of their packages follow."""
    files: dict[str, str] = {}
    for line in lines(body):
        if match := MODE.fullmatch(line):
            mode, uid, gid, _, path = match.groups()
            files[path] = f"mode {mode}, owner {uid}:{gid}, nobody's"
        elif line.startswith("packaged "):
            # A package may list a file under the old path of a folder that is now a link.
            package, _, path = line.removeprefix("packaged ").partition(".list:")
            path = path if path in files else f"/usr{path}"
            if path in files:
                about = files[path].rpartition(", ")[0]
                files[path] = f"{about}, of {package.partition(':')[0]}"
    yield from files.items()


def parse_provides(body: str) -> Values:
    """The names that installed packages provide."""
    for line in lines(body):
        state, _, provided = line.partition("\t")
        if state == "installed":
            for name in filter(str.strip, provided.split(",")):
                yield name.split()[0].partition(":")[0], ""


def parse_removed(body: str) -> Values:
    """Removed packages, and the time of their removal."""
    for line in lines(body):
        if len(fields := line.split()) > 3:
            day, time, _, package = fields[:4]
            yield package.partition(":")[0], f"{day} {time}"


def parse_words(body: str) -> Values:
    """One fact per line."""
    yield from ((line, "") for line in lines(body))
