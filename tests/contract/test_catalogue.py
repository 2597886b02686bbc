"""Entries of the catalogue, on every backend: initialised, killed meanwhile, restarted; their data stays."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.project import Project

pytestmark = [pytest.mark.executes, pytest.mark.slow]

TOP = """\
options: {vagrant: {layout: single}}
secrets: {password: {generate: 24}}
"""
"""On machines all units are in one."""
DATABASES = """\
db:
  extends: catalogue/postgresql
  with: {password: password, database: shop, user: keeper, init: db/*.sql, conf: db/more.conf}
store:
  extends: catalogue/redis
  with: {password: password, memory: 32M}
"""
PSQL = ("psql", "-AtXc")
REDIS = 'REDISCLI_AUTH=$(cat /run/secrets/password) redis-cli "$@"'


@pytest.fixture
def databases(project: Project) -> Iterator[Project]:
    project.spec(DATABASES, top=TOP)
    project.write(
        "db/1-fruit.sql", "CREATE TABLE fruit (name text); INSERT INTO fruit VALUES ('fig');"
    )
    # Long enough to be killed in.
    project.write("db/2-wait.sql", "SELECT pg_sleep(5);")
    project.write("db/not.txt", "this is no SQL")
    project.write("db/more.conf", "max_connections = 42\n")
    yield project
    project.down(volumes=True)


def test_a_database_survives_being_killed_while_it_is_made_and_keeps_its_data(
    databases: Project,
) -> None:
    kill_during(databases, "db", "test -e /var/lib/postgresql/data.new/postmaster.pid", "postgres")

    assert databases.states() == {"db": "running", "store": "running"}
    assert out(databases, "db", *PSQL, "SELECT * FROM fruit; SHOW max_connections") == "fig\n42\n"
    assert out(databases, "db", *PSQL, "INSERT INTO fruit VALUES ('pear')") == "INSERT 0 1\n"
    assert redis(databases, "SET", "colour", "blue") == "OK\n"
    over_the_network = (
        "PGPASSWORD=$(cat /run/secrets/password) psql -h 127.0.0.1 -AtXc 'SELECT current_user' && "
        "! PGPASSWORD=wrong psql -h 127.0.0.1 -AtXc 'SELECT 1' 2>/dev/null"
    )
    assert out(databases, "db", "sh", "-c", over_the_network) == "keeper\n"
    assert databases.up() == []

    databases.workspace().restart(databases.target, services=())

    assert out(databases, "db", *PSQL, "SELECT count(*) FROM fruit") == "2\n"
    assert redis(databases, "GET", "colour") == "blue\n"
    log = databases.cli("logs", "dev", "db").stdout
    assert "received fast shutdown request" in log
    assert "automatic recovery" not in log.rpartition("received fast shutdown request")[2]


def kill_during(project: Project, unit: str, condition: str, user: str) -> None:
    """Bring the project up, and kill all processes of a unit's user once a condition is true inside."""
    with project.start("up", "dev") as process:
        deadline = time.monotonic() + 600
        while project.cli("exec", unit, "--", "sh", "-c", condition).returncode != 0:
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline
        project.cli("exec", "--user", user, unit, "--", "sh", "-c", "kill -9 -1")
        output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def out(project: Project, unit: str, *argv: str) -> str:
    """What a command prints in a unit; it has to succeed."""
    code, text, error = project.run(unit, *argv)
    assert code == 0, error
    return text


def redis(project: Project, *argv: str) -> str:
    """What Redis answers."""
    return out(project, "store", "sh", "-c", REDIS, "redis-cli", *argv)


# --- the other entries: on machines all in one, which is left to `make test-machines`

OTHERS = """\
maria:
  extends: catalogue/mariadb
  with: {password: password, database: shop, user: keeper, init: db/*.sql, conf: db/more.cnf}
memory:
  extends: catalogue/memcached
front:
  extends: catalogue/nginx
  with: {root: public, upstream: "mails:1080", conf: front.conf}
  depends_on: [mails]
broker:
  extends: catalogue/rabbitmq
  with: {password: password, conf: rabbit.conf}
other-front:
  extends: catalogue/caddy
  with: {root: public, fallback: /index.html, port: 8081}
mails:
  extends: catalogue/mail
clock:
  extends: catalogue/cron
  with: {jobs: jobs.yaml}
"""
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
SEND = "import smtplib; s = smtplib.SMTP('127.0.0.1', 1025); s.sendmail('a@b.example', ['c@d.example'], 'Subject: hi\\n\\nho'); s.quit()"
PYTHON = "/opt/sendria/bin/python"
FILES = {
    "db/1-fruit.sql": "CREATE TABLE fruit (name text); INSERT INTO fruit VALUES ('fig');",
    "db/2-wait.sql": "SELECT SLEEP(5);",
    "db/more.cnf": "[mariadbd]\nmax-connections = 42\n",
    "public/index.html": "the front page",
    "front.conf": "location = /more { return 200 'more'; }\n",
    "rabbit.conf": "heartbeat = 42\n",
    "jobs.yaml": 'jobs:\n  - name: tick\n    command: echo tick\n    schedule: "@reboot"\n',
}


@pytest.fixture
def others(project: Project) -> Iterator[Project]:
    project.spec(OTHERS, top=TOP)
    for path, text in FILES.items():
        project.write(path, text)
    yield project
    project.down(volumes=True)


@pytest.mark.long
def test_every_other_entry_does_what_it_is_for_and_keeps_its_data(others: Project) -> None:
    kill_during(others, "maria", "test -e /var/lib/mysql/data.new/first.sock", "mysql")

    assert set(others.states().values()) == {"running"}
    assert (
        out(
            others,
            "maria",
            "mariadb",
            "-Ne",
            "SELECT * FROM fruit UNION SELECT @@max_connections",
            "shop",
        )
        == "fig\n42\n"
    )
    as_keeper = "mariadb -h 127.0.0.1 -u keeper -p$(cat /run/secrets/password) -Ne 'INSERT INTO fruit VALUES (1)' shop"
    assert out(others, "maria", "sh", "-c", as_keeper) == ""
    assert "the front page" in get(others, "http://front:8080/")
    assert get(others, "http://front:8080/more").strip() == "more"
    assert "the front page" in get(others, "http://other-front:8081/some/page")
    assert out(others, "mails", PYTHON, "-c", SEND) == ""
    assert '"subject": "hi"' in get(others, "http://front:8080/api/messages/")
    ctl = ("rabbitmqctl", "-n", "rabbit@localhost")
    log_in = f"{' '.join(ctl)} authenticate_user app $(cat /run/secrets/password)"
    assert "Success" in out(others, "broker", "sh", "-c", log_in)
    assert "42" in out(others, "broker", *ctl, "eval", "application:get_env(rabbit, heartbeat).")
    assert "tick" in others.cli("logs", "dev", "clock").stdout
    assert others.up() == []

    others.workspace().restart(others.target, services=())

    assert out(others, "maria", "mariadb", "-Ne", "SELECT count(*) FROM fruit", "shop") == "2\n"
    assert '"subject": "hi"' in get(others, "http://mails:1080/api/messages/")
    assert "Success" in out(others, "broker", "sh", "-c", log_in)


def get(project: Project, address: str) -> str:
    """What is answered at an address, as another unit sees it."""
    return out(project, "mails", PYTHON, "-c", GET, address)
