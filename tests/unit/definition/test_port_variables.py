"""`${port.web.8000}` in a spec: kept until the port is chosen, and only where a port of the host may be known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from envctl import definition
from envctl.definition import config_text
from envctl.definition.differences import differences
from envctl.definition.resolved import Resolved
from envctl.errors import SpecError
from envctl.plan.port_references import as_written, data_as_written, referenced_ports

SPEC = """
project: shop
services:
  web:
    image: x
    ports: ["8000", {host: 9001, container: 9000}]
    replicas: 1
    env: {URL: "http://127.0.0.1:${port.web.8000}/$${HOME}", ADMIN: "${port.web.9000}"}
    command: [serve, "--public=${port.db.5432}"]
  db: {image: x, ports: ["5432"], replicas: 2}
environments: {dev: {}, test: {services: {db: {env: {WEB: "${port.web.8000}", OTHER: "${port.db-2.5432}"}}}}}
"""


def load(root: Path, text: str, environment: str = "dev") -> Resolved:
    (root / "envctl.yaml").write_text(text)
    return definition.load(root, environment, sets={}, environ={}, cache=False)


def test_references_are_kept_and_shown_as_they_are_written(tmp_path: Path) -> None:
    resolved = load(tmp_path, SPEC)
    web = resolved.data["services"]["web"]
    url = str(web["env"]["URL"])
    assert [*referenced_ports(url)] == [("web", 8000)]
    assert as_written(url) == "http://127.0.0.1:${port.web.8000}/${HOME}"
    assert data_as_written(web["command"]) == ["serve", "--public=${port.db.5432}"]
    assert "\ufdd0" not in json.dumps(data_as_written(resolved.data), ensure_ascii=False)


def test_config_prints_a_spec_that_means_the_same(tmp_path: Path) -> None:
    resolved = load(tmp_path, SPEC)
    text = config_text(resolved)
    assert yaml.safe_load(text)["services"]["web"]["env"]["URL"] == (
        "http://127.0.0.1:${port.web.8000}/$${HOME}"
    )
    assert load(tmp_path, text).data == resolved.data


def test_differences_show_references_as_they_are_written(tmp_path: Path) -> None:
    rows = differences(load(tmp_path, SPEC), load(tmp_path, SPEC, "test"))
    assert [row.after for row in rows] == ["${port.web.8000}", "${port.db-2.5432}"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("${port.web.9000}", "${port.web.9999}", "${port.web.9999}: web publishes no port 9999; expected ${port.web.8000} or ${port.web.9000}"),
        ("${port.web.9000}", "${port.wbe.9000}", "${port.wbe.9000}: there is no service 'wbe'"),
        ("${port.web.9000}", "${port.web-2.9000}", "${port.web-2.9000}: there is no service 'web-2'"),
        ("${port.web.9000}", "${port.web}", "'${port.web}' is not a valid port; expected ${port.SERVICE.NUMBER}"),
        ("{image: x, ports", "{image: x, workdir: '/${port.web.8000}', ports", "services.db.workdir: ${port.web.8000} is not known here"),
        ('ADMIN: "${port.web.9000}"', "ADMIN: {template: 'x${port.web.9000}'}", "services.web.env.ADMIN.template: ${port.web.9000} is not known here"),
        ("project: shop", "project: shop\nvars: {url: '${port.web.8000}'}", "vars: ${port.web.8000} is not known here"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert SPEC.count(old) == 1
    with pytest.raises(SpecError) as caught:
        load(tmp_path, SPEC.replace(old, new))
    [problem] = caught.value.problems
    assert message in f"{problem.message}; expected {problem.expected}"
    assert problem.where.file == "envctl.yaml"
