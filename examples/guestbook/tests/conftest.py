from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

sys.path.insert(0, str(Path(__file__).parents[1]))

import guestbook


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """The application on the environment's own database; what a test adds is taken out again."""
    with guestbook.connect() as db:
        last = db.execute("SELECT coalesce(max(id), 0) AS id FROM entries").fetchone()["id"]
    yield guestbook.app.test_client()
    with guestbook.connect() as db:
        db.execute("DELETE FROM entries WHERE id > %s", [last])
