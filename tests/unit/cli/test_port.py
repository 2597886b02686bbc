"""port, env and list: how what is up is found from this host, on the memory backend."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from envctl.cli.port import dotenv_line, shell_line
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow

SPEC = """\
project: shop
base: debian:bookworm
secrets: {token: {generate: 12}}
services:
  db:
    command: [sleep, "1000"]
    ports: ["15432:5432", "15433:5433"]
  api-v2:
    command: [sleep, "1000"]
    ports: ["18080:8000", {host: 10053, container: 53, protocol: udp}]
    healthcheck: {http: "http://127.0.0.1:8000/healthz"}
    secrets: [token]
    env:
      DATABASE_URL: "postgres://app:p@db:5432/app?x=1"
      QUEUE_URL: "amqp://db/"
      DB_HOST: db
      DB_PORT: "5433"
      PEER: "db:5433"
      CLOSED: "db:99"
      NAME: database
      API_KEY: {secret: token}
"""


@pytest.fixture
def up(envctl: Run, shop: Path) -> Run:
    (shop / "envctl.yaml").write_text(SPEC)
    (shop / "environments" / "test.yaml").unlink()
    assert envctl("up", "dev").code == 0
    return envctl


def test_a_port_is_reported_as_an_address_alone(up: Run) -> None:
    assert up("port", "dev", "api-v2", "8000").out == "127.0.0.1:18080\n"
    assert up("port", "api-v2", "53/udp").out == "127.0.0.1:10053\n"


def test_without_a_port_all_are_listed(up: Run) -> None:
    rows = up("port", "--json").json
    assert [(row["unit"], row["port"], row["protocol"], row["address"]) for row in rows] == [
        ("api-v2", 8000, "tcp", "127.0.0.1:18080"),
        ("api-v2", 53, "udp", "127.0.0.1:10053"),
        ("db", 5432, "tcp", "127.0.0.1:15432"),
        ("db", 5433, "tcp", "127.0.0.1:15433"),
    ]


def test_a_port_that_is_not_published_is_reported_with_those_that_are(up: Run) -> None:
    ended = up("port", "db", "80")
    assert (ended.code, "it publishes 5432/tcp, 5433/tcp" in ended.err) == (1, True)
    assert up("port", "db", "http").code == 2


def test_the_variables_of_an_environment_lead_to_its_published_ports(up: Run) -> None:
    assert up("env", "dev", "--format", "json").json == {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "15432",
        "DB_PORT_5432": "15432",
        "DB_PORT_5433": "15433",
        "API_V2_HOST": "127.0.0.1",
        "API_V2_PORT": "18080",
        "API_V2_PORT_8000": "18080",
        "API_V2_URL": "http://127.0.0.1:18080",
    }


def test_a_services_own_variables_name_this_hosts_addresses_and_no_secret(up: Run) -> None:
    done = up("env", "api-v2", "--json")
    variables = done.json
    own = {
        name: variables[name] for name in ("DATABASE_URL", "QUEUE_URL", "PEER", "CLOSED", "NAME")
    }
    assert own == {
        "DATABASE_URL": "postgres://app:p@127.0.0.1:15432/app?x=1",
        "QUEUE_URL": "amqp://127.0.0.1:15432/",
        "PEER": "127.0.0.1:15433",
        "CLOSED": "db:99",
        "NAME": "database",
    }
    assert (variables["DB_HOST"], variables["DB_PORT"]) == ("127.0.0.1", "15433")
    assert not [name for name in variables if "token" in name.lower()]
    assert "API_KEY" not in variables
    assert "api-v2" in done.err
    assert "without API_KEY: made of secrets, which stay inside the environment" in done.err


@pytest.mark.parametrize(
    "value", ["plain-1.2:3/4", "two words", "it's $HOME", 'a "b" \\ `c`', "x\ny"]
)
def test_a_shell_reads_the_value_back(value: str) -> None:
    script = f'{shell_line("NAME", value)}; printf %s "$NAME"'
    assert subprocess.check_output(["sh", "-c", script], text=True) == value


def test_a_dotenv_value_is_quoted_where_it_has_to_be() -> None:
    assert dotenv_line("A", "x:1/y") == "A=x:1/y"
    assert dotenv_line("A", "x $y") == "A='x $y'"
    assert dotenv_line("A", "it's $x\n") == 'A="it\'s \\$x\\n"'


def test_what_is_not_up_has_no_ports(envctl: Run, shop: Path) -> None:
    assert "envctl up" in envctl("port", "dev").err
    assert "envctl up" in envctl("env", "dev").err
    assert envctl("env", "dev", "--format", "yaml").code == 2


def test_list_shows_what_is_up_with_its_id_and_how_much_of_it_runs(up: Run, shop: Path) -> None:
    (row,) = [row for row in up("list", "--json").json if row["folder"] == str(shop)]
    assert (row["environment"], row["backend"], row["exists"]) == ("dev", "memory", True)
    assert row["units"] == row["running"] == ["api-v2", "db"]
    up("stop", "dev")
    assert "0 of 2 running" in up("list").out


def test_what_is_left_of_a_folder_that_is_gone_is_named_with_the_command_that_removes_it(
    up: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.rename(tmp_path / "moved")
    (row,) = [row for row in up("list", "--json").json if row["folder"] == str(shop)]
    assert row["exists"] is False
    ended = up("list")
    assert f"{shop} (gone)" in ended.out
    assert "removes an environment whose folder no longer exists" in ended.err
