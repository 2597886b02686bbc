"""What a build in a machine says, told as progress and, if it fails, as an error with its place."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from envctl.backends.base import Context
from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.vagrant.provision import provision_script
from envctl.backends.vagrant.provision.build_runner import BuildRunner
from envctl.errors import EnvctlError, Place
from envctl.plan.model import BuildSecret, CopyFromStage, NpmInstall, RunCommand, Step
from envctl.progress import Progress
from envctl.render.templates import Templates
from tests.support.plans import SCOPE, build, packages, script

pytestmark = pytest.mark.slow


@dataclass
class Machine:
    """Plays a machine in which the script says and ends as it is told."""

    says: bytes
    code: int
    sent: list[str] = field(default_factory=list)
    told: bytes = b""

    def run(self, command: str, **_given: object) -> str:
        self.sent.append(command)
        return ""

    def stream(self, command: str, *, stdout, stdin, **_given: object) -> int:
        self.sent.append(command)
        self.told = stdin.read() if stdin else b""
        for start in range(0, len(self.says), 7):
            stdout(self.says[start : start + 7])
        return self.code


def given(
    build_inputs: BuildInputs = NO_BUILD_INPUTS, trust: Path | None = None, *more: Step
) -> dict[str, str]:
    """The files that a build is sent with, as texts."""
    context = Context(SCOPE, render=Templates(None).render, trust=trust)
    steps = packages("curl"), NpmInstall("/srv", ()), *more
    archive = io.BytesIO()
    BuildRunner(build(*steps), "web", context, build_inputs).write(archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        files = {one.name: tar.extractfile(one) for one in tar}
        return {path: file.read().decode() for path, file in files.items() if file}


def watched(machine: Machine) -> tuple[list[str], EnvctlError | None]:
    """The progress of a build of two steps, and the error it ends with."""
    said: list[Progress] = []
    context = Context(SCOPE, report=said.append, render=Templates(None).render)
    watch = BuildRunner(build(packages("curl"), script("make")), "web", context)
    try:
        watch.run(machine)  # type: ignore[arg-type]
    except EnvctlError as error:
        return [one.text for one in said], error
    return [one.text for one in said], None


def test_steps_and_what_they_print_are_reported_as_they_come():
    said, error = watched(Machine(b"envctl: step 1/2 x\nhello\nenvctl: step 2/2 y\nmade\nlast", 0))

    assert error is None
    assert said == ["step 1/2 packages curl", "hello", "step 2/2 run sh: make", "made", "last"]


@pytest.mark.parametrize("ending", [b"\nenvctl: step 2/2 y failed (exit code 3)\n", b""])
def test_a_step_that_fails_is_reported_with_its_output_and_its_place(ending):
    says = b"envctl: step 1/2 x\nof before\nenvctl: step 2/2 y\nabout to fail" + ending
    _, error = watched(Machine(says, 3))

    assert error is not None
    assert error.brief == "cannot build web: step 2/2 run sh: make failed (exit code 3)"
    assert error.details.strip() == "about to fail"
    assert error.where == Place("envctl.yaml", 7, 9)


def test_a_step_of_a_stage_that_fails_is_reported_with_its_place():
    stage = build(script("make"))
    copy = CopyFromStage("/out", "/srv/", stage.digest, "compile", stage)
    context = Context(SCOPE, render=Templates(None).render)
    machine = Machine(b"envctl: step 1/3 x\nno rule", 2)

    with pytest.raises(EnvctlError, match="step 1/3 run sh: make failed") as caught:
        BuildRunner(build(packages("curl"), copy), "web", context).run(machine)

    assert caught.value.where == Place("envctl.yaml", 7, 9)


@pytest.mark.parametrize("number", ["9" * 5000, "0", "99", "\u0662", "x"])
def test_what_a_step_prints_is_no_word_of_the_script(number):
    says = f"envctl: step 1/2 x\nenvctl: step {number}/2 y\nlast".encode()
    _, error = watched(Machine(says, 3))

    assert error is not None
    assert error.details.strip() == "last"


def test_a_build_that_cannot_begin_is_reported_too():
    _, error = watched(Machine(b"sh: not found\n", 127))

    assert error is not None
    assert "preparing failed (exit code 127)" in error.brief
    assert "not found" in error.details


def test_a_step_that_never_ends_its_line_is_reported_in_parts_and_only_its_end_is_kept():
    said, error = watched(Machine(b"envctl: step 1/2 x\n" + b"x" * 200_000 + b"the end", 3))

    assert error is not None
    assert max(map(len, said)) < 20_000
    assert error.details.endswith("the end")
    assert len(error.details) < 600_000


PINS = BuildInputs({"apt.conf": "x;\n"}, {"APT_CONFIG": "/media/apt.conf", "ODD": "it's $x"})


def test_what_a_build_is_given_is_mounted_while_its_script_runs(tmp_path):
    kept = tmp_path / "a.deb"
    kept.write_text("a package")
    build_inputs = BuildInputs({**PINS.files, "debs/a.deb": kept}, PINS.env)

    files = given(build_inputs)

    assert files["media/apt.conf"] == "x;\n"
    assert files["media/debs/a.deb"] == "a package"
    assert 'mount --bind -- "$files/media" /media' in files["build.sh"]
    assert "export APT_CONFIG=/media/apt.conf" in files["build.sh"]
    assert "export 'ODD=it'\"'\"'s $x'" in files["build.sh"]
    assert files["build.sh"].index("umount --lazy /media") < files["build.sh"].index('rm -rf /run/envctl-enabled')  # fmt: skip


def test_a_build_that_is_given_nothing_has_nothing_mounted():
    assert "/media" not in given()["build.sh"]


COMPILE = build(RunCommand(("make",), secrets=(BuildSecret("token", "TOKEN"),)))
FROM_STAGE = CopyFromStage("/out/it's $x", "/srv/", COMPILE.digest, "compile", COMPILE)


def test_a_build_without_stages_does_nothing_about_them():
    assert "stage" not in given()["build.sh"]


@pytest.mark.parametrize("more", [(), (FROM_STAGE,)])
@pytest.mark.parametrize("trusts", [False, True])
def test_shellcheck_has_nothing_to_say_against_the_script(tmp_path, trusts, more):
    trust = tmp_path / "ca.crt"
    trust.write_text("certificates")
    script = tmp_path / "build.sh"
    script.write_text(given(PINS, trust if trusts else None, *more)["build.sh"])

    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert ('>>"$files/media/apt.conf"' in script.read_text()) == trusts


@pytest.mark.parametrize("offline", [False, True])
def test_a_build_of_what_is_kept_has_no_network(offline):
    machine = Machine(b"", 0)
    context = Context(SCOPE, render=Templates(None).render)

    BuildRunner(build(), "web", context, BuildInputs(offline=offline)).run(machine)

    assert ("unshare --net" in machine.sent[-1]) == offline


LENT = (BuildSecret("token", "TOKEN"), BuildSecret("key"))


def lending(secret=lambda name: f"value of {name}\n\0it's $x".encode()) -> BuildRunner:
    steps = (
        script('test ! -e /run/secrets; test -z "$(env | grep -a value)"'),
        RunCommand(
            ("/bin/sh", "-ec", "sha256sum /run/secrets/*; ls -ld /run/secrets/*"), secrets=LENT
        ),
        script("test ! -e /run/secrets"),
        RunCommand(
            ("/bin/sh", "-ec", "id -u; sha256sum /run/secrets/key"), "nobody", secrets=LENT[1:]
        ),
        script("test ! -e /run/secrets; echo fine; test ! -e /fail"),
        RunCommand(("/bin/sh", "-ec", "rm -f /fails/x; false"), secrets=LENT),
    )
    context = Context(SCOPE, render=Templates(None).render, secret=secret)
    return BuildRunner(build(*steps), "web", context)


def test_the_values_of_secrets_come_on_standard_input_and_are_in_no_file_that_is_sent():
    machine = Machine(b"", 0)
    lending().run(machine)

    sent = io.BytesIO()
    lending().write(sent)
    value = base64.b64encode(b"value of token\n\0it's $x")
    assert machine.told.splitlines()[0] == value
    assert len(machine.told.splitlines()) == len(LENT)
    for text in (sent.getvalue(), "".join(machine.sent).encode()):
        assert value not in text
        assert b"value of" not in text


def test_a_secret_without_a_value_fails_the_build_before_anything_is_sent():
    def nothing(name: str) -> bytes:
        raise EnvctlError(f"secret {name} has no value")

    machine = Machine(b"", 0)
    with pytest.raises(EnvctlError, match="secret token has no value") as caught:
        lending(nothing).run(machine)
    assert machine.sent == []
    assert caught.value.where == Place("envctl.yaml", 3, 5)


@pytest.mark.engine
def test_the_script_lends_each_step_its_secrets_in_memory_and_takes_them_back(engine, tmp_path):
    values = {name: f"value of {name}\n\0it's $x".encode() for name in ("token", "key")}
    (tmp_path / "told").write_bytes(provision_script.secret_input(values))
    with (tmp_path / "sent.tar").open("wb") as file:
        lending().write(file)
    does = "mkdir /tmp/f; cd /tmp/f; tar -xf /given/sent.tar; sh build.sh /tmp/f </given/told; echo end $?; ls -d /run/secrets"
    said = engine.containers.run(
        "debian:bookworm",
        ["sh", "-c", f"({does}) 2>&1; true"],
        network_mode="none",
        remove=True,
        tmpfs={"/run": ""},
        volumes={str(tmp_path): {"bind": "/given", "mode": "ro"}},
    ).decode()

    for name, count in (("token", 1), ("key", 2)):
        assert said.count(hashlib.sha256(values[name]).hexdigest()) == count, said
    assert "-r-------- 1 root root" in said
    assert "65534" in said
    assert "fine" in said
    # The last step fails: what it was lent is taken back nevertheless.
    assert "step 6/6" in said
    assert said.splitlines()[-2:] == [
        "end 1",
        "ls: cannot access '/run/secrets': No such file or directory",
    ]
