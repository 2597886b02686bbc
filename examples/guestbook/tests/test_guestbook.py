from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def texts(client: FlaskClient) -> list[str]:
    return [entry["text"] for entry in client.get("/entries").json]


def test_it_is_healthy_while_the_database_answers(client):
    assert client.get("/healthz").json == {"ok": True}


def test_the_seeded_entries_are_listed(client):
    assert {"Ada was here", "So was Grace", "Grüße aus Köln"} <= set(texts(client))


def test_an_entry_is_listed_first_once_it_was_posted(client):
    answer = client.post("/entries", json={"text": "hello"})
    assert answer.status_code == 201
    assert answer.json["text"] == "hello"
    assert texts(client)[0] == "hello"


@pytest.mark.parametrize("text", ["'; DROP TABLE entries; --", "<b>ü ☃</b>", "%s {{ 1 }} $HOME"])
def test_an_entry_is_kept_as_it_was_written(client, text):
    client.post("/entries", json={"text": text})
    assert texts(client)[0] == text


@pytest.mark.parametrize(
    "body", [None, [], {}, {"text": ""}, {"text": " "}, {"text": 1}, {"text": "x" * 501}]
)
def test_what_is_no_entry_is_refused_with_a_reason(client, body):
    before = texts(client)
    answer = client.post("/entries", json=body)
    assert answer.status_code == 400
    assert "text" in answer.json["error"]
    assert texts(client) == before


def test_a_body_that_is_not_json_is_refused(client):
    assert client.post("/entries", data="{", content_type="text/plain").status_code == 400


def test_the_page_shows_entries_escaped_and_its_form_adds_one(client):
    assert client.post("/", data={"text": "<script>"}).status_code == 303
    page = client.get("/").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_an_empty_form_is_answered_with_the_reason(client):
    answer = client.post("/", data={"text": ""})
    assert answer.status_code == 400
    assert "text is missing" in answer.text
