"""Bring the database's tables up to date. Running it again changes nothing."""

from __future__ import annotations

from guestbook import app, connect

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS entries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        text text NOT NULL
    )
    """,
    "ALTER TABLE entries ADD COLUMN IF NOT EXISTS made timestamptz NOT NULL DEFAULT now()",
)


def migrate() -> None:
    with connect() as db:
        for statement in STATEMENTS:
            db.execute(statement)
    app.logger.info("the tables are up to date")


if __name__ == "__main__":
    migrate()
