"""Bring what is stored to this version: done twice, it changes nothing."""

from queue_of import SCHEMA, connect

with connect() as store:
    store.set(SCHEMA, 3)
print("schema 3")
