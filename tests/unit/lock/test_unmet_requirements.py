"""What is asked for by name and not locked so."""

from __future__ import annotations

from envctl.lock.inputs import Input
from envctl.lock.model import Manifest
from envctl.lock.unmet_requirements import contradicted, unmet
from envctl.plan.requirements import Requirement

LOCKED = Manifest(
    pip={"/venv": {"flask": "3.1.3 sha256:aa", "my-lib": "1.0"}},
    npm={"/srv": {"left-pad": "1.3.0 sha512-bb", "My_Lib": "1.0.0"}},
)


def pip(*wanted, folder="/venv"):
    return Input("pip", kind="pip", folder=folder, requirements=wanted)


def npm(*wanted, folder="/srv"):
    return Input("npm", kind="npm", folder=folder, requirements=wanted)


def test_what_is_locked_as_it_is_asked_for_is_not_told():
    assert unmet(pip(Requirement("flask==3.1.3", "flask", "3.1.3"), Requirement("my-lib", "my-lib")), LOCKED) == ()  # fmt: skip
    assert unmet(npm(Requirement("left-pad 1.3.0", "left-pad", "1.3.0")), LOCKED) == ()


def test_another_version_is_reported_without_its_hash():
    asked = pip(Requirement("flask==4", "flask", "4"))
    assert unmet(asked, LOCKED) == ("flask==4: locked 3.1.3",)
    assert unmet(npm(Requirement("left-pad 2.0.0", "left-pad", "2.0.0")), LOCKED) == (
        "left-pad 2.0.0: locked 1.3.0",
    )


def test_what_is_not_locked_at_all_is_reported():
    assert unmet(pip(Requirement("rich", "rich")), LOCKED) == ("rich: not locked",)
    assert unmet(npm(Requirement("x 1", "x", "1"), folder="/other"), LOCKED) == ("x 1: not locked",)


def test_names_of_python_are_the_same_in_all_spellings_and_names_of_npm_are_not():
    assert unmet(pip(Requirement("My_Lib", "My_Lib")), LOCKED) == ()
    assert unmet(npm(Requirement("My_Lib", "My_Lib")), LOCKED) == ()
    assert unmet(npm(Requirement("my-lib", "my-lib")), LOCKED) == ("my-lib: not locked",)


def test_of_an_environment_of_python_that_was_not_found_nothing_is_reported():
    assert unmet(pip(Requirement("rich", "rich"), folder="/other"), LOCKED) == ()


def test_five_are_reported_and_how_many_more_there_are():
    def asked(count):
        return pip(*(Requirement(f"p{number}", f"p{number}") for number in range(count)))

    five = tuple(f"p{number}: not locked" for number in range(5))
    assert unmet(asked(5), LOCKED) == five
    assert unmet(asked(6), LOCKED) == (*five, "and 1 more")
    assert unmet(asked(8), LOCKED) == (*five, "and 3 more")


def test_packages_of_python_in_another_version_contradict_and_others_do_not():
    asked = [
        pip(Requirement("Flask==4", "Flask", "4"), Requirement("rich==1", "rich", "1")),
        npm(Requirement("left-pad 2.0.0", "left-pad", "2.0.0")),
        Input("base x"),
    ]
    assert contradicted(asked, LOCKED) == {"flask"}
