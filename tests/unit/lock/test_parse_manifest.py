"""What a root filesystem told, as a manifest."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from importlib.resources import files
from textwrap import dedent

import pytest

from envctl.lock.model import Manifest
from envctl.lock.parse_manifest import parse_manifest, record_digest
from envctl.parity.parse_facts import facts

RECORD = """\
flask/__init__.py,sha256:aaa,10
flask/speed.so,sha256:bbb,20
flask-3.1.dist-info/METADATA,sha256:ccc,30
flask-3.1.dist-info/INSTALLER,sha256:ddd,4
../../../bin/flask,sha256:eee,200
flask/__pycache__/__init__.cpython-311.pyc,,
"""


def told(**sections: str) -> bytes:
    parts = [f"M:{name.rstrip('_')}\0{body}" for name, body in sections.items()]
    return "".join([*parts, "M:end\0"]).encode()


def test_packages_are_reported_by_name_and_foreign_ones_by_architecture_too():
    body = (
        "libc6\tamd64\t2.36\tinstalled\nlibc6\ti386\t2.36\tinstalled\ntzdata\tall\t2025b\tinstalled\n"
        "gone\tamd64\t1\tconfig-files\nhalf\tamd64\t1\thalf-configured\n"
    )

    architecture, found = parse_manifest(told(architecture="amd64\n", packages=body), "M")

    assert architecture == "amd64"
    assert found.packages == {
        "libc6": "2.36",
        "libc6:i386": "2.36",
        "tzdata": "2025b",
        "half": "1 half-configured",
    }


@pytest.mark.parametrize(
    "sections",
    [
        {"packages": "-oDir=/x\tamd64\t1\tinstalled\n"},
        {"packages": "a\tamd64\t1 2 3\tinstalled\n"},
        {"python": "/opt/lib/python3.11/site-packages/demo-1 @ file:x.dist-info\n\n"},
        {"npm": '/srv\n{"packages": {"node_modules/-x y": {"version": "1"}}}'},
    ],
)
def test_an_image_that_tells_what_no_package_is_called_is_refused(sections):
    with pytest.raises(ValueError, match=r"is not a valid (package name|version)"):
        parse_manifest(told(architecture="amd64", **sections), "M")


def test_facts_and_locks_ask_for_packages_in_the_same_words_and_know_the_same_ones():
    """Each script is whole, to be read and run by itself; that is why the words stand in both."""

    def asking(package, name):
        script = dedent((files(package) / name).read_text("utf-8")).replace("\n        ", "\n")
        return script.partition("if has dpkg-query; then\n")[2].partition("apk info -v\n")[0]

    assert asking("envctl.lock", "manifest.sh") == asking("envctl.parity", "collect.sh")
    assert "rpm -qa" in asking("envctl.lock", "manifest.sh")
    body = (
        "bash\tamd64\t5.2-1\tinstalled\nold\tall\t1\tconfig-files\n"
        "half\tall\t2\tunpacked\nmusl-utils-1.2.4-r2\n"
    )
    _, locked = parse_manifest(told(architecture="amd64\n", packages=body), "M")
    assert (
        locked.packages.keys()
        == facts(told(packages=body), "M", [("packages", "")])["packages"].keys()
    )


def test_what_pip_left_behind_is_not_a_package():
    body = "/opt/lib/python3.11/site-packages/~lask-3.1.dist-info\n\n"

    _, found = parse_manifest(told(architecture="amd64", python=body), "M")

    assert found == Manifest()


def test_alpines_packages_are_reported_too():
    _, found = parse_manifest(told(architecture="x86_64\n", packages="musl-utils-1.2.5-r9\n"), "M")

    assert found.packages == {"musl-utils": "1.2.5-r9"}


def test_pythons_packages_are_reported_by_environment_whatever_way_their_names_are_written():
    head = (
        "/opt/web/lib/python3.11/site-packages/Typing_Extensions-4.1.dist-info\nTag: py3-none-any\n"
    )

    _, found = parse_manifest(told(architecture="amd64", python=f"{head}\n{RECORD}"), "M")

    assert found.pip == {"/opt/web": {"typing-extensions": f"4.1 sha256:{record_digest(RECORD)}"}}


def test_the_hash_is_of_the_packages_own_files_and_of_nothing_that_installing_makes():
    def changed(old: str, new: str) -> bool:
        return record_digest(RECORD.replace(old, new)) != record_digest(RECORD)

    assert changed("aaa", "xxx")
    assert changed("bbb", "xxx")
    assert not changed("ccc", "xxx")
    assert not changed("eee", "xxx")
    assert not changed("cpython-311", "cpython-312")
    made = [record_digest(text, built_here=True) for text in (RECORD, RECORD.replace("bbb", "x"))]
    assert made[0] == made[1]


def test_npms_packages_have_the_hash_that_npm_wrote_down():
    lock = {
        "packages": {
            "node_modules/a": {"version": "1.0", "integrity": "sha512-x"},
            "node_modules/a/node_modules/b": {"version": "2.0"},
            "": {"version": "9"},
        }
    }

    _, found = parse_manifest(told(architecture="a", npm=f"/srv/web\n{json.dumps(lock)}"), "M")

    assert found.npm == {"/srv/web": {"a": "1.0 sha512-x", "a/node_modules/b": "2.0"}}


def test_a_package_of_npm_under_another_name_is_reported_by_its_own():
    lock = {
        "packages": {
            "node_modules/a-cjs": {"name": "@x/a", "version": "1.0", "integrity": "sha512-x"},
            "node_modules/b": {"name": "b", "version": "2.0"},
            "packages/c": {"name": "@x/c", "version": "3.0"},
        }
    }

    _, found = parse_manifest(told(architecture="a", npm=f"/srv/web\n{json.dumps(lock)}"), "M")

    assert found.npm == {
        "/srv/web": {"a-cjs": "npm:@x/a@1.0 sha512-x", "b": "2.0", "packages/c": "3.0"}
    }


def test_globally_installed_packages_of_npm_are_reported_without_a_hash():
    file = "/usr/lib/node_modules/@x/cli/package.json"
    # A file on one line may have versions of other things behind its own.
    body = f'/usr/lib\n{file}:"version": "3.1"\n{file}:"version":"9"\n'

    _, found = parse_manifest(told(architecture="a", npm=body), "M")

    assert found.npm == {"/usr/lib": {"@x/cli": "3.1"}}


def test_the_version_of_a_package_is_found_however_its_file_is_written(tmp_path):
    """By the very command of the script."""
    script = (files("envctl.lock") / "manifest.sh").read_text("utf-8")
    grep = next(line.strip() for line in script.splitlines() if "grep -H -o -m 1" in line)
    for name, text in (
        ("one-line", '{"name":"x","version":"1.2"}'),
        ("spaced", '{\n "version" : "3"\n}\n'),
    ):
        (tmp_path / "node_modules" / name).mkdir(parents=True)
        (tmp_path / "node_modules" / name / "package.json").write_text(text)

    lines = subprocess.run(
        ["sh", "-c", f"folder=$1; {grep}", "sh", tmp_path / "node_modules"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    _, found = parse_manifest(told(architecture="a", npm=f"{tmp_path}\n{lines}"), "M")

    assert found.npm == {str(tmp_path): {"one-line": "1.2", "spaced": "3"}}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"M:architecture\0amd64",
        b"other:end\0",
        b"amd64\nM:packages\0M:end\0",
        b"M:packages\0M:end\0",
    ],
)
def test_what_was_cut_off_is_not_a_manifest(text):
    with pytest.raises(ValueError, match="truncated"):
        parse_manifest(text, "M")


def test_the_script_is_of_a_posix_shell_and_runs_where_there_is_next_to_nothing(tmp_path):
    script = (files("envctl.lock") / "manifest.sh").read_text()
    for name in ("sh", "uname"):
        (tmp_path / name).symlink_to(f"/bin/{name}")

    done = subprocess.run(
        ["/bin/sh", "-c", script, "x", "M"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        check=True,
    )

    architecture, found = parse_manifest(done.stdout, "M")
    assert architecture
    assert not list(found.items())


@pytest.mark.parametrize("name", ["manifest.sh", "fetch.sh"])
def test_shellcheck_has_nothing_to_say(name):
    path = str(files("envctl.lock") / name)

    done = subprocess.run(
        ["shellcheck", "--shell=sh", path], capture_output=True, text=True, check=False
    )

    assert not done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "/node_modules/a" * 40_000,
        "/node_modules/a/package.json:" * 40_000,
        '/node_modules/a/package.json:"version":' + " " * 400_000,
        '/x/node_modules/a/package.json:"version":"' * 20_000,
        "/lib/python3" * 40_000,
    ],
)
def test_no_line_of_an_image_takes_long(line):
    start = time.process_time()

    with contextlib.suppress(ValueError):
        parse_manifest(told(architecture="a", npm=f"/srv\n{line}\n", python=f"{line}\n\n"), "M")

    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("text", ["[]", "null", "1", "{}", "[" * 200_000, '{"packages":' * 100_000])
def test_what_is_not_a_lock_of_npm_tells_nothing(text):
    _, found = parse_manifest(told(architecture="a", npm=f"/srv\n{text}"), "M")

    assert found == Manifest()


@pytest.mark.parametrize("packages", ["[]", "null", "1", '"x"'])
def test_a_lock_of_npm_without_packages_by_their_paths_is_refused(packages):
    with pytest.raises(ValueError, match="has no packages by their paths"):
        parse_manifest(told(architecture="a", npm=f'/srv\n{{"packages": {packages}}}'), "M")


def test_a_link_and_what_has_no_version_is_not_a_package():
    packages = {
        "node_modules/a": {"link": True, "resolved": "packages/a"},
        "packages/a": {"version": "1"},
        "node_modules/b": {"version": ["1"]},
        "node_modules/c": {"version": "1", "integrity": {}},
        "node_modules/d": "1",
    }

    _, found = parse_manifest(
        told(architecture="a", npm=f"/srv\n{json.dumps({'packages': packages})}"), "M"
    )

    assert found.npm == {"/srv": {"packages/a": "1"}}


@pytest.mark.parametrize("folder", ["srv", "../srv", "/srv\x01", "/srv\u2028x", "/srv\x7f"])
def test_a_folder_that_is_no_path_from_the_root_in_one_line_is_refused(folder):
    body = f'{folder}\n{{"packages": {{"node_modules/demo": {{"version": "1"}}}}}}'
    with pytest.raises(ValueError, match="is not a folder"):
        parse_manifest(told(architecture="amd64", npm=body), "M")
