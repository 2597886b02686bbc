"""Commands of one-offs in machines: what is run, and that it is no part of the unit."""

from __future__ import annotations

from envctl.backends.base import Execution
from envctl.backends.common.one_off_units import one_off_unit
from envctl.backends.vagrant.unit.one_off_commands import script
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.model import Process, ReadyImage, Run, Secret, Unit
from tests.support.plans import build

WEB = Unit("web", "web", build(), Run(Process(("sleep", "1"), "web", "/srv", {"A": "1"})))
SECRET = Secret("token", "/run/secrets/token")
IMAGE = Unit("db", "db", ReadyImage("postgres:16"), Run(secrets=(SECRET,)))


def text(unit: Unit, *, shared: bool = False, tty: bool = False, argv: tuple[str, ...] = ()) -> str:
    one_off = one_off_unit(unit, unit.name, Execution(argv, env={"MARK": "m"}, tty=tty))
    return script(one_off, UnitPaths(unit.name, shared), tty=tty)


def test_it_runs_as_the_user_in_the_folder_with_the_environment_and_not_in_the_units_group() -> (
    None
):
    command = text(WEB, argv=("ls", "it's"))
    assert "who=web " in command
    assert "cd -- /srv " in command
    assert "A=1 MARK=m" in command
    assert "--no-new-privs" in command
    assert UnitPaths("web").processes not in command
    assert "unshare" not in command


def test_in_a_shared_machine_it_has_the_units_secrets_in_a_namespace_of_its_own() -> None:
    command = text(WEB, shared=True)
    assert "unshare --mount --propagation=slave" in command
    assert "mount --bind /run/envctl/secrets/web /run/secrets" in command


def test_of_an_image_it_is_a_container_of_its_own_that_goes_with_it() -> None:
    command = text(IMAGE, argv=("psql",), tty=True)
    for word in ("docker", "--rm", "--interactive", "--tty", "--network=host", "psql"):
        assert word in command
    assert "--name" not in command
    assert "/run/secrets/token" in command
    assert "--tty" not in text(IMAGE)
