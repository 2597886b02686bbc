"""Put the entries in that tests count on, unless they are there."""

from __future__ import annotations

from guestbook import app, connect

ENTRIES = ("Ada was here", "So was Grace", "Grüße aus Köln")


def seed() -> None:
    with connect() as db:
        for text in ENTRIES:
            db.execute(
                "INSERT INTO entries (text)"
                " SELECT %(text)s WHERE NOT EXISTS (SELECT FROM entries WHERE text = %(text)s)",
                {"text": text},
            )
    app.logger.info("%d entries are there", len(ENTRIES))


if __name__ == "__main__":
    seed()
