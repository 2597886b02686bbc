"""A guestbook: a page with a form, and the same as JSON, on PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from flask import Flask, Response, jsonify, redirect, render_template_string, request
from psycopg.rows import dict_row

LONGEST = 500
"""Characters in an entry, at most."""

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>body { font: 1.1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }</style>
<h1>Guestbook</h1>
<form method="post">
  <input name="text" maxlength="{{ longest }}" required autofocus aria-label="Your entry">
  <button>Sign</button>
</form>
{% if problem %}<p role="alert">{{ problem }}</p>{% endif %}
<ul>
{% for entry in entries %}  <li>{{ entry.text }}</li>
{% endfor %}</ul>
</html>
"""

app = Flask(__name__)
app.logger.setLevel(os.environ.get("LOG_LEVEL", "info").upper())


def connect() -> psycopg.Connection[dict[str, object]]:
    """A connection to the database, from the environment and the secret's file."""
    secret = os.environ.get("DATABASE_PASSWORD_FILE", "/run/secrets/db_password")
    return psycopg.connect(
        host=os.environ.get("DATABASE_HOST", "db"),
        dbname="guestbook",
        user="guestbook",
        password=Path(secret).read_text(encoding="utf-8").strip(),
        connect_timeout=5,
        row_factory=dict_row,
    )


def entries() -> list[dict[str, object]]:
    """All entries, the newest first."""
    with connect() as db:
        return db.execute("SELECT id, text FROM entries ORDER BY id DESC").fetchall()


def problem_with(text: object) -> str:
    """What is wrong with an entry's text, or ""."""
    if not isinstance(text, str) or not text.strip():
        return "text is missing"
    if len(text) > LONGEST:
        return f"text is longer than {LONGEST} characters"
    return "text has a NUL in it" if "\0" in text else ""


def add(text: str) -> dict[str, object]:
    """Sign the book."""
    with connect() as db:
        added = db.execute("INSERT INTO entries (text) VALUES (%s) RETURNING id, text", [text])
        entry = added.fetchone()
    app.logger.debug("entry added: %s", entry)
    return entry


@app.get("/")
def page(problem: str = "") -> str:
    return render_template_string(PAGE, entries=entries(), problem=problem, longest=LONGEST)


@app.post("/")
def sign() -> Response | tuple[str, int]:
    text = request.form.get("text")
    if problem := problem_with(text):
        return page(problem), 400
    add(text)
    return redirect("/", 303)


@app.get("/entries")
def list_entries() -> Response:
    return jsonify(entries())


@app.post("/entries")
def add_entry() -> tuple[Response, int]:
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    if problem := problem_with(text):
        return jsonify(error=problem), 400
    return jsonify(add(text)), 201


@app.get("/healthz")
def health() -> tuple[Response, int]:
    """Whether the database answers and has its table."""
    try:
        with connect() as db:
            db.execute("SELECT 1 FROM entries LIMIT 1")
    except (OSError, psycopg.Error) as error:
        return jsonify(ok=False, error=str(error)), 503
    return jsonify(ok=True), 200
