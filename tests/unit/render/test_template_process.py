"""A project's own templates are filled in within limits of time, memory, output and depth."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from envctl.backends.docker.quoting import FUNCTIONS
from envctl.errors import EnvctlError
from envctl.render import safe_template, templates
from envctl.render.template_process import TEMPLATES, Request, TemplateProcess
from envctl.render.templates import Templates, render_text

pytestmark = pytest.mark.slow

TIME = "takes too long to render"
MEMORY = "takes too much memory to render"
DEPTH = "calls or includes itself endlessly"
OUTPUT = "outputs more than 4 MiB"
ENDLESS = [
    ("{{ 9**(9**9) }}", TIME),
    ("{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}", TIME),
    ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", TIME),
    ("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", OUTPUT),
    ("{{ r[0] * 5000000 }}", OUTPUT),
    ("{{ 'x' * 99999999999 }}", MEMORY),
    ("{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}", DEPTH),
    ("{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}", DEPTH),
    ("{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}", MEMORY),
    ("{{ '%999999999d' % 1 }}", MEMORY),
    ("{{ '{:>9999999999}'.format(1) }}", MEMORY),
    ("{{ 'a'.ljust(9999999999) }}", MEMORY),
    ("{{ 'a' | center(9999999999) }}", MEMORY),
    ("{{ ('a' * 99999) | replace('a', 'b' * 99999) }}", MEMORY),
    ("{{ range(99999) | join('x' * 99999) }}", MEMORY),
    ("{{ ('a' * 99999).split('a') * 9999 }}", MEMORY),
]  # fmt: skip


def refusal(text: str) -> str:
    with pytest.raises(EnvctlError) as refused:
        render_text("\n" + text, {"r": ["x"] * 9999}, "web.j2")
    return f"{refused.value.where} {refused.value.brief}"


@pytest.mark.slow
@pytest.mark.parametrize(("text", "why"), ENDLESS)
def test_a_template_without_end_is_refused_at_its_line(text: str, why: str) -> None:
    start = time.monotonic()
    assert refusal(text) == f"web.j2:2:1 the template {why}"
    assert time.monotonic() - start < 15


def test_what_comes_after_a_template_that_was_refused_is_filled_in() -> None:
    assert DEPTH in refusal(ENDLESS[6][0])
    assert render_text("{{ a }}", {"a": 1}, "a.j2") == "1"


def test_a_template_is_not_filled_in_by_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_template, "fill", None)
    assert render_text("{{ a }}", {"a": 1}, "a.j2") == "1"


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{% include 'docker/own.j2' %}" * 2, "{{ 9**(9**9) }}"])
def test_a_backends_template_that_a_project_replaces_has_limits_too(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "_TEMPLATE_SECONDS", 0.5)
    (tmp_path / "templates/docker").mkdir(parents=True)
    (tmp_path / "templates/docker/own.j2").write_text("\n" + text)
    with pytest.raises(EnvctlError, match=f"^templates/docker/own.j2:2:1: .*({DEPTH}|{TIME})"):
        Templates(tmp_path).render("docker/own.j2", dict(FUNCTIONS))


def test_a_process_that_ends_is_reported_and_started_again() -> None:
    process = TemplateProcess()
    try:
        assert process.fill(Request("a.j2", {}, 1.0, "a")) == "a"
        assert process._process is not None
        process._process.kill()
        process._process.wait()
        with pytest.raises(EnvctlError, match=r"^a\.j2:1:1: the process that renders the template"):
            process.fill(Request("a.j2", {}, 1.0, "a"))
        assert process.fill(Request("a.j2", {}, 1.0, "b")) == "b"
    finally:
        process.close()


@pytest.mark.slow
def test_a_process_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envctl.render.template_process.PATIENCE", 0.3)
    process = TemplateProcess()
    try:
        monkeypatch.setattr("envctl.render.template_process._START", "import time; time.sleep(60)")
        with pytest.raises(EnvctlError, match=r"^a\.j2:1:1: .* not rendered within 0\.3 s"):
            process.fill(Request("a.j2", {}, 1.0, "a"))
        assert process._process is None
    finally:
        process.close()


def test_an_interrupt_leaves_no_answer_for_the_next_question() -> None:
    process = TemplateProcess()
    process.fill(Request("a.j2", {}, 1.0, "a"))
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            process.fill(Request("a.j2", {}, 10.0, "{{ 9**(9**9) }}"))
        assert process.fill(Request("a.j2", {}, 1.0, "b")) == "b"
    finally:
        process.close()


def test_values_that_cannot_be_passed_on_are_reported() -> None:
    with pytest.raises(EnvctlError, match="cannot be passed on") as refused:
        TEMPLATES.fill(Request("docker/x.j2", {"f": lambda: 1}, 1.0, root="/"))
    assert "module-level functions" in refused.value.hint


def test_many_threads_take_turns() -> None:
    filled: dict[int, str] = {}

    def fill(number: int) -> None:
        filled[number] = render_text("{{ n }}", {"n": number}, "a.j2")

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled == {number: str(number) for number in range(20)}


@pytest.mark.parametrize(
    "text",
    ["{{ ''.__class__ }}", "{{ a.__init__.__globals__ }}", "{% include '/etc/passwd' %}"],
)
def test_a_template_reaches_nothing_in_the_other_process_either(text: str) -> None:
    with pytest.raises(EnvctlError):
        render_text(text, {"a": "x"}, "a.j2")


def test_a_template_sees_nothing_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "value")
    process = TemplateProcess()
    try:
        process.fill(Request("a.j2", {}, 1.0, "a"))
        assert process._process is not None
        if sys.platform == "linux":
            environ = Path(f"/proc/{process._process.pid}/environ").read_bytes()
            assert b"SECRET" not in environ
    finally:
        process.close()
