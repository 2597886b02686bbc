"""The page to keep: it tells all there is, and whatever the facts say, it is text and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from envctl.errors import Place
from envctl.parity.accepted import Acceptance
from envctl.parity.compare_facts import compare
from envctl.parity.fact_format import Facts
from envctl.parity.report import declared, folded, to_html
from envctl.parity.result import Parity, Side, compare_sides
from tests.unit.parity.test_formats import parity

AT = datetime(2026, 8, 1, 12, 30, tzinfo=UTC)
EVIL = "</script></style><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"
NEVER = {"script", "img", "iframe", "link", "object", "embed", "form", "base", "svg", "a"}


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.text = ""
        self.open = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data


def page(found):
    """The page of a comparison; each of its elements is closed."""
    shown = Page(to_html(found, at=AT, version="1.2.3"))
    assert shown.open == []
    return shown


def sides(one, other, *accept):
    facts = Facts("shop", "dev", "docker", {"web": one})
    return compare_sides(
        Side(facts, accept), Side(replace(facts, backend="vagrant", units={"web": other}))
    )


def entry(category="packages", key="*", reason="because"):
    return Acceptance("*", category, key, reason, Place("envctl.yaml", 7, 5))


def test_it_says_what_was_compared_when_and_with_which_version() -> None:
    text = page(sides({"os": {"id": "a"}}, {"os": {"id": "a"}})).text
    assert "Parity of dev@docker with dev@vagrant" in text
    assert "shop · 2026-08-01 12:30 UTC · envctl 1.2.3" in text


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ("1", "No difference without a reason"),
        ("2", "1 difference without a reason"),
    ],
)
def test_the_verdict_is_at_the_top(other: str, verdict: str) -> None:
    text = page(sides({"packages": {"bash": "1"}}, {"packages": {"bash": other}})).text
    assert -1 < text.find(verdict) < text.find("dev@docker compared with dev@vagrant")


def test_it_has_both_values_reasons_with_their_places_and_stale_entries() -> None:
    one = {"packages": {"bash": "5.1", "vim": "9"}, "environment": {"A": ""}}
    other = {"packages": {"bash": "5.2"}}
    accept = entry(key="bash", reason="dev is newer"), entry("npm", "left-pad", "long gone")
    text = page(sides(one, other, accept[0], replace(accept[1], where=Place("x.yaml", 9, 1)))).text
    assert "2 differences" in text
    for said in ("vim", "9", "absent", "empty", "dev is newer", "envctl.yaml:7:5"):
        assert said in text
    assert "Accepted, but not different" in text
    assert "* npm left-pad" in text
    assert "x.yaml:9:1" in text


def test_substrate_is_folded_up() -> None:
    shown = page(parity())
    assert "web, packages: 1 fact" in shown.text
    assert "details" in shown.tags
    assert "open" not in dict(shown.attributes)


def test_what_is_unknown_has_a_table_of_its_own_and_spoils_the_verdict() -> None:
    side = {
        "unknown": {"files\t/etc/app.key": "cannot be read", "packages\t": "dpkg-query is missing"}
    }
    text = page(sides(side, {})).text
    assert "2 unknown facts without a reason" in text
    for said in ("/etc/app.keycannot be read (dev@docker)", "all the othersdpkg-query is missing"):
        assert said in text


def everywhere(word: str) -> Parity:
    """A comparison with the word wherever there can be one."""
    one = {word: {"packages": {word: word, "b": word, "vim": "1"}, "files": {word: word}}}
    other = {word: {"packages": {word: "2", "b": "1"}, "files": {}}, f"{word}-2": {}}
    accept = [entry(key=word, reason=word), entry("npm", word, word)]
    return compare_sides(
        Side(Facts(word, word, word, one), accept, word),
        Side(Facts(word, word, word, other), (), word),
    )


def test_nothing_that_facts_say_becomes_markup() -> None:
    shown, harmless = page(everywhere(EVIL)), page(everywhere("word"))

    assert shown.tags == harmless.tags
    assert [name for name, _ in shown.attributes] == [name for name, _ in harmless.attributes]
    assert shown.text == harmless.text.replace("word", EVIL)
    assert not NEVER & set(shown.tags)


def test_nothing_hides_in_a_value() -> None:
    other = {"environment": {"A": "a\u202eb\x1b[31mc\n\udc80\u200b"}}
    html = to_html(sides({}, other), at=AT, version="1")
    assert r"a\u202eb\x1b[31mc\n\udc80\u200b" in html
    assert html.encode()


def test_nothing_is_fetched_and_nothing_runs() -> None:
    shown = page(parity())
    policy = dict(shown.attributes)["content"]
    html = to_html(parity(), at=AT, version="1")
    assert not NEVER & set(shown.tags)
    assert not {"src", "href", "srcset"} & {name for name, _ in shown.attributes}
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert "url(" not in html
    assert "@import" not in html
    assert policy


def test_files_of_a_folder_that_one_side_lacks_are_reported_with_it() -> None:
    folder = {f"/srv/web{name}": "x" for name in ("", "-old", "/a", "/b", "/b/c")}
    facts = Facts("shop", "dev", "docker", {"web": {"files": folder | {"/etc/x": "1"}}})
    other = replace(facts, units={"web": {"files": {"/etc/x": "2", "/srv/web/b": "y"}}})
    told = folded(compare(facts, other).undeclared)
    assert [(one.top.key, [below.key for below in one.below]) for one in told] == [
        ("/etc/x", []),
        ("/srv/web", ["/srv/web/a", "/srv/web/b/c"]),
        ("/srv/web-old", []),
        ("/srv/web/b", []),
    ]


def test_what_one_entry_declares_is_reported_together() -> None:
    (pair,) = sides({"packages": {"a": "1", "b": "1"}}, {}, entry()).pairs
    (one,) = declared(pair.comparison)
    assert (one.unit, one.category, one.keys) == ("web", "packages", ["a", "b"])
