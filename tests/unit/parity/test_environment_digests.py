"""No value of a variable that is made of secrets is among the facts; its digest is."""

from __future__ import annotations

from envctl.parity import parse_facts
from envctl.parity.environment_digests import digest_variables

OUTPUT = (
    b"m:environ\0A=1\0URL=x=y\nz\0MY_URL=plain\0"
    b"m:exec_environ\0URL=other\0m:argv\0echo\0URL=no variable\0m:end\0"
)
QUESTIONS = [("environ", ""), ("exec_environ", "environment"), ("argv", "")]


def test_equal_values_have_equal_digests_and_others_have_not():
    def variables(output: bytes, key: str = "k") -> str:
        data = digest_variables(output, "m", ["URL"], key=key)
        return parse_facts.facts(data, "m", QUESTIONS)["environment"]["URL"]

    first = variables(OUTPUT)

    assert first.startswith("digest ")
    assert len(first) == len("digest ") + 64
    assert first == variables(OUTPUT)
    assert first != variables(OUTPUT.replace(b"x=y", b"x=z"))
    assert first != variables(OUTPUT, key="another")


def test_only_that_variable_is_replaced_and_only_in_an_environment():
    facts = parse_facts.facts(digest_variables(OUTPUT, "m", ["URL"], key="k"), "m", QUESTIONS)

    assert facts["environment"]["A"] == "1"
    assert facts["environment"]["MY_URL"] == "plain"
    assert facts["exec_environ"]["URL"].startswith("digest ")
    assert "URL=no variable" in facts["process"]["argv"]
    assert "x=y" not in str(facts)
