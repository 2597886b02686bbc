"""Write down that something has happened, once more."""

import sys

from queue_of import QUEUE, connect

with connect() as store:
    store.hincrby(f"{QUEUE}:marks", sys.argv[1], 1)
