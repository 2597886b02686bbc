from __future__ import annotations

import os

import redis
from flask import Flask

app = Flask(__name__)
store = redis.Redis.from_url(os.environ["REDIS_URL"])


@app.route("/")
def page() -> str:
    """Count the visits."""
    return f"visits: {store.incr('visits')}\n"
