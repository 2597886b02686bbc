"""The queue, and who asks for it."""

import os
from pathlib import Path

import redis

QUEUE = os.environ["QUEUE"]
DONE = f"{QUEUE}:done"
SCHEMA = f"{QUEUE}:schema"


def connect() -> redis.Redis:
    password = Path("/run/secrets/redis_password").read_text()
    return redis.Redis("redis", password=password, decode_responses=True)
