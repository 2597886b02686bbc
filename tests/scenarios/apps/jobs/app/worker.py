"""Does jobs, one after the other: turns texts round."""

import json
import os
import socket
import time
from pathlib import Path

from queue_of import DONE, QUEUE, connect

store = connect()
store.ping()
Path("/tmp/ready").touch()
while True:
    _, given = store.brpop(QUEUE)
    job = json.loads(given)
    time.sleep(float(os.environ["SLOWLY"]))
    store.hset(DONE, job["id"], json.dumps({"text": job["text"][::-1], "by": socket.gethostname()}))
    print(f"job {job['id']} done")
