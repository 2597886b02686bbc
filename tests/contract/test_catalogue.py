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
