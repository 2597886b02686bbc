from __future__ import annotations

import os

import psycopg
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(default_response_class=PlainTextResponse)


@app.get("/healthz")
def health() -> str:
    """Answer as soon as the process is up."""
    return "ok"


@app.get("/")
def read() -> str:
    """Ask the database who is connected."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT 'hello from ' || current_user").fetchone()
    return f"{row[0]}\n" if row else ""
