"""Mistakes that people make, and what they are told: the place, and the words that help."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.definition.helpers import HEAD, WEB, problems


class Mistake(NamedTuple):
    """A spec text with a mistake, the place that must be named, and a part of the message."""

    name: str
    text: str
    where: str
    says: str
    overlay: str = ""


def web(lines: str) -> str:
    """A service `web` with one more line (the sixth of the file)."""
    return WEB + "".join(f"    {line}\n" for line in lines.split("\n"))


def top(lines: str) -> str:
    """A valid file with more lines at the top level (from the third on)."""
    return HEAD + lines + "\nservices: {web: {command: [serve]}}\n"


MISTAKES = [
    # --- secrets of builds
    Mistake("a build secret that is not declared", web("build: [{run: {command: make, secrets: [token]}}]"), "6:45", "the secret 'token' is not declared"),
    Mistake("a build secret misspelt", web("build: [{run: {command: make, secrets: [tokne]}}]") + "secrets: {token: {env: T}}\n", "6:45", "did you mean 'token'?"),
    Mistake("a build secret twice", web("build: [{run: {command: make, secrets: [token, token]}}]") + "secrets: {token: {env: T}}\n", "6:52", "the step lists the secret 'token' twice"),
    Mistake("secrets of another build step", web("build: [{npm: {directory: /srv, secrets: [token]}}]") + "secrets: {token: {env: T}}\n", "6:37", "has no key 'secrets'"),
    # --- YAML itself
    Mistake("a tab for indentation", "project: shop\nservices:\n\tweb: {}\n", "3:1", "spaces"),
    Mistake("an unquoted colon", web("workdir: a: b"), "6:15", "quote"),
    Mistake("an unquoted at-sign", web("user: @web"), "6:11", "quote a value that begins with '@'"),
    Mistake("a quote that is not closed", web("user: 'web"), "6:11", "this quote is never closed"),
    Mistake("a bracket that is not closed", web("ports: ['80:80'"), "6:12", "put ']' where the list ends"),
    Mistake("a file that ends within a list", "project: [\n", "1:10", "put ']' where the list ends"),
    Mistake("a key set twice", web("user: a\nuser: b"), "7:5", "'user' is set twice"),
    Mistake("a service set twice", WEB + "  web: {}\n", "6:3", "'web' is set twice"),
    Mistake("two documents", WEB + "---\na: 1\n", "6:1", "a second document"),
    Mistake("a list as the file", "- a\n- b\n", "1:1", "expected a mapping, got a list"),
    Mistake("a text as the file", "hello\n", "1:1", "expected a mapping, got 'hello'"),
    Mistake("an empty file", "", "1:1", "expected: for example project: guestbook"),
    Mistake("a Python object", web("user: !!python/name:os.system x"), "6:11", "unknown tag"),
    Mistake("an unknown tag", web("packages: !extend [a1]"), "6:15", "unknown tag !extend"),
    Mistake("an append of a scalar", web("user: !append web"), "6:11", "!append is only allowed before a list"),
    Mistake("an unknown anchor", web("env: *common"), "6:10", "no anchor &common"),
    Mistake("Jinja braces in a value", web("user: {{ user }}"), "6:12", "cannot be a key"),
    Mistake("a control character", web("user: we\x07b"), "6:13", "U+0007"),
    Mistake("an escaped NUL", web('env: {A: "x\\0"}'), "6:14", "NUL"),
    # --- keys
    Mistake("a misspelt key", web("packges: [curl]"), "6:5", "did you mean 'packages'?"),
    Mistake("Compose's environment", web("environment: {A: b}"), "6:5", "go under env"),
    Mistake("Compose's working_dir", web("working_dir: /srv"), "6:5", "workdir"),
    Mistake("Compose's networks", web("networks: [front]"), "6:5", "reach each other by name"),
    Mistake("a misspelt top key", top("sevices: {}"), "3:1", "did you mean 'services'?"),
    Mistake("a misspelt nested key", web("healthcheck: {htpp: x}"), "6:19", "did you mean 'http'?"),
    Mistake("a key without a value", web("packages:"), "6:5", "services.web.packages has no value"),
    Mistake("no project", "services: {web: {image: a}}\n", "1:1", "lacks 'project'"),
    Mistake("no services", HEAD, "1:1", "there are no services"),
    Mistake("a project name with a capital", "project: Shop\nservices: {web: {image: a}}\n", "1:10", "lower-case letters"),
    Mistake("a service name with an underscore", HEAD + "services: {my_web: {}}\n", "3:12", "not a valid name for a service"),
    # --- types
    Mistake("a text for a list", web("packages: curl"), "6:15", "expected a list of texts, got 'curl'"),
    Mistake("a list for a mapping", web("env:\n  - A=b"), "6:5", "env: expected a mapping, got a list"),
    Mistake("a boolean for a text", web("env: {DEBUG: true}"), "6:18", 'quote it: "true"'),
    Mistake("Norway", web("env: {COUNTRY: no}"), "6:20", 'quote it: "no"'),
    Mistake("a mapping in a command", web("command: [a]\nbuild:\n  - run: [echo, b: c]"), "6:5", "set twice"),
    Mistake("an unquoted colon in a list", web("checks:\n  t:\n    - echo\n    - a: b"), "7:7", "it contains a mapping"),
    Mistake("a service named like a system user", HEAD + "services: {backup: {command: [a]}}\n", "3:12", "set `user` explicitly"),
    Mistake("a service named like a system group", HEAD + "services: {video: {command: [a]}}\n", "3:12", "system group"),
    Mistake("a service name too long for a user", HEAD + "services: {" + 33 * "a" + ": {command: [a]}}\n", "3:12", "set `user` explicitly"),
    Mistake("text for a number", web("replicas: two"), "6:15", "expected a whole number, got 'two'"),
    Mistake("a number too high", web("ports: [{container: 80000}]"), "6:25", "80000 is out of range"),
    Mistake("a bad duration", web("healthcheck: {tcp: 80, interval: 5 seconds}"), "6:38", "expected a duration"),
    Mistake("a bad size", web("resources: {memory: lots}"), "6:25", "expected a size"),
    Mistake("memory in bytes by mistake", web("resources: {memory: 512}"), "6:25", "too little"),
    Mistake("a service that is a text", HEAD + "services: {web: nginx}\n", "3:17", "services.web: expected a mapping"),
    Mistake("an unknown restart policy", web("restart: allways"), "6:14", "did you mean 'always'?"),
    Mistake("an unknown kind", web("kind: job"), "6:11", "service or task"),
    Mistake("an unknown capability", web("capabilities: [NET_ADMN]"), "6:20", "did you mean 'NET_ADMIN'?"),
    # --- ports
    Mistake("an address before a port", web('ports: ["0.0.0.0:80:8000"]'), "6:13", "public: true"),
    Mistake("a port range", web('ports: ["3000-3005:3000"]'), "6:13", "one by one"),
    Mistake("a word for a port", web('ports: ["http:80"]'), "6:13", "is not a valid port"),
    Mistake("a port taken by another service", web('ports: ["80:80"]') + '  b:\n    command: [b]\n    ports: ["80:81"]\n', "9:13", "already used by services.web"),
    Mistake("a fixed port with replicas", web('ports: ["80:80"]\nreplicas: 2'), "6:13", "2 replicas cannot share"),
    # --- paths
    Mistake("a relative workdir", web("workdir: srv"), "6:14", "is not an absolute path"),
    Mistake("a relative mount target", web("mounts: {./src: srv}"), "6:21", "is not an absolute path"),
    Mistake("Compose's read-only suffix", web("mounts: {./src: /srv:ro}"), "6:21", "read_only: true"),
    Mistake("two mounts at one place", web("mounts: {./a: /srv}\nvolumes: {v: /srv}"), "7:15", "both appear at /srv"),
    Mistake("a copy from outside", web("build: [{copy: {from: ../x, to: /x}}]"), "6:27", "leads outside the project"),
    Mistake("a copy of what is not there", web("build: [{copy: {from: apq, to: /x}}]"), "6:27", "did you mean 'app'?"),
    Mistake("a Dockerfile that is not there", "project: p\nservices: {web: {dockerfile: Dockerfile}}\n", "2:30", "does not exist"),
    # --- build steps
    Mistake("a bare command as a step", web("build: [make]"), "6:13", "write {run: make}"),
    Mistake("two kinds in one step", web("build: [{run: a, copy: {from: app, to: /b}}]"), "6:13", "exactly one kind"),
    Mistake("an unknown kind of step", web("build: [{apt: [a]}]"), "6:14", "packages"),
    Mistake("a copy without a target", web("build: [{copy: {from: app}}]"), "6:14", "lacks 'to'"),
    Mistake("an option for a package", web("build: [{pip: {venv: /v, packages: [--user]}}]"), "6:41", "is not a valid package"),
    Mistake("a package with a space", web("packages: [curl wget]"), "6:16", "a package name"),
    # --- what is made from what
    Mistake("an image and a base", web("image: redis\nbase: debian:bookworm"), "6:5", "both base and image"),
    Mistake("packages in an image", HEAD + "services: {a: {image: redis, packages: [curl]}}\n", "3:30", "needs a base"),
    Mistake("nothing to be made from", "project: p\nservices: {web: {command: [a]}}\n", "2:12", "has no base, image or dockerfile"),
    Mistake("no command on a base", HEAD + "services: {web: {packages: [curl]}}\n", "3:12", "has no command"),
    Mistake("a date in place of a dated mirror", web("base: {name: debian:bookworm, snapshot: 20260801T000000Z}"), "6:45", "is not a valid mirror address"),
    Mistake("a password in a mirror's address", web("base: {name: debian:bookworm, snapshot: 'http://a:b@m.example/20260801T000000Z'}"), "6:45", "a user name or a password"),
    Mistake("a dated mirror for an image", web("base: {image: mine, snapshot: 'http://m.example/x'}"), "6:11", "needs a base with a name"),
    # --- references
    Mistake("an unknown dependency", web("depends_on: [wed]") + "  wet: {command: [a]}\n", "6:18", "did you mean 'wet'?"),
    Mistake("a circle of dependencies", web("depends_on: [b]") + "  b: {command: [a], depends_on: [web]}\n", "7:34", "web → b → web"),
    Mistake("a dependency on itself", web("depends_on: [web]"), "6:18", "web → web"),
    Mistake("waiting for health that nobody asks for", web("depends_on: {b: healthy}") + "  b: {command: [a]}\n", "6:18", "no healthcheck"),
    Mistake("Compose's long condition", web("depends_on: {b: {condition: service_healthy}}") + "  b: {command: [a]}\n", "6:21", "write it directly: healthy"),
    Mistake("an undeclared secret", top("secrets: {token: {env: T}}").replace("[serve]", "[a], secrets: [tokn]"), "4:42", "did you mean 'token'?"),
    Mistake("a service whose name ends with a dash", WEB + "  web-: {command: [a]}\n", "6:3", "no - last"),
    Mistake("a volume whose name ends with a dash", web("volumes: {data-: /d}"), "6:15", "no - or _ last"),
    Mistake("a secret below a folder of secrets", web("secrets: [{name: a, target: /run/secrets/b/c}]"), "6:33", "expected: /run/secrets/NAME"),
    Mistake("a hidden secret", web("secrets: [{name: a, target: /run/secrets/.a}]"), "6:33", "does not begin with a dot"),
    Mistake("a secret over all secrets", web("secrets: [{name: a, target: /run/secrets/}]"), "6:33", "is not a valid path for a secret"),
    Mistake("a secret in /run by its other name", web("secrets: [{name: a, target: /var/run/secrets/a}]"), "6:33", "expected: /run/secrets/NAME"),
    Mistake("two secrets in one file", top("secrets: {a: {env: A}, b: {env: B}}").replace("[serve]", "[a], secrets: [{name: a, target: /run/secrets/b}, b]"), "4:77", "both appear at /run/secrets/b"),
    Mistake("a secret without a source", top("secrets: {token: {}}"), "3:11", "has no source"),
    Mistake("a task with replicas", web("kind: task\nreplicas: 2"), "7:5", "a task runs once"),
    Mistake("an unknown service to extend", web("extends: wbe"), "6:14", "no such service"),
    Mistake("services that extend each other", web("extends: b") + "  b: {extends: web}\n", "7:16", "web → b → web"),
    Mistake("two probes", web("healthcheck: {tcp: 80, command: a}"), "6:28", "tcp and command"),
    # --- what parity accepts
    Mistake("an unknown category", top("accept: [{category: package, reason: a}]"), "3:21", "did you mean 'packages'?"),
    Mistake("an accepted difference without a category", top("accept: [{reason: a}]"), "3:10", "accept.0 lacks 'category'"),
    Mistake("an accepted difference without a reason", top("accept:\n  - {category: os}"), "4:5", "for example reason: dev has tools"),
    Mistake("an accepted difference with a blank reason", top('accept: [{category: os, reason: " "}]'), "3:33", "accept.0.reason: it is empty"),
    Mistake("an unknown key of an accepted difference", top("accept: [{category: os, reson: a, reason: b}]"), "3:25", "did you mean 'reason'?"),
    Mistake("a list for a pattern", top("accept: [{category: os, key: [id], reason: b}]"), "3:30", "expected a text, got a list"),
    Mistake("one accepted difference without a list", top("accept: {category: os, reason: b}"), "3:9", "expected a list"),
    Mistake("an accepted difference that is a text", top("accept: [packages]"), "3:10", "expected a mapping"),
    Mistake("an accepted difference in an overlay, misspelt", WEB, "dev:1:31", "did you mean 'files'?", "accept: !append [ { category: fils, reason: a } ]\n"),
    # --- variables
    Mistake("an undeclared variable", web('ports: ["${prt}:80"]'), "6:13", "'prt' is not declared"),
    Mistake("a misspelt variable", top("vars: {http_port: 1}").replace("[serve]", "['${http_prt}']"), "4:28", "did you mean 'http_port'?"),
    Mistake("a shell variable in braces", web("command: [a]\nenv: {A: '${HOME}'}"), "6:5", "set twice"),
    Mistake("a shell default", web("env: {A: '${HOME:-x}'}"), "6:14", "$${"),
    Mistake("a brace that is not closed", web("env: {A: 'x${y'}"), "6:14", "is not a valid variable"),
    Mistake("variables in a circle", top("vars: {a: '${b}', b: '${a}'}"), "3:11", "a → b → a"),
    Mistake("an unquoted variable in braces", web("env: {A: ${port}}"), "6:15", 'quote it: "${port}"'),
    Mistake("an unquoted variable in brackets", web("ports: ['1:1', ${port}:80]"), "6:21", 'quote it: "${port}:80"'),
    Mistake("an unquoted variable in an address", web("env: {A: http://${h}-${i}/, B: c}"), "6:22", 'quote it: "http://${h}-${i}/"'),
    Mistake("a list as a variable", top("vars: {a: [1]}"), "3:8", "expected a text or a number"),
    Mistake("a variable that is not a valid port", top("vars: {p: http}").replace("[serve]", "[a], ports: ['${p}:80']"), "4:40", "p is 'http'"),
    # --- overlays
    Mistake("another project in an overlay", WEB, "dev:1:10", "cannot be changed", "project: other\n"),
    Mistake("a removal of nothing", WEB, "dev:1:18", "services.web.pots has no value", "services: {web: {pots: null}}\n"),
    Mistake("an append to a mapping", web("env: {A: b}"), "dev:1:23", "only a list can be extended", "services: {web: {env: !append [a]}}\n"),
    Mistake("a misspelt key in an overlay", WEB, "dev:3:5", "did you mean 'env'?", "services:\n  web:\n    envv: {A: b}\n"),
    Mistake("an environment in two places", WEB + "environments: {dev: {}}\n", "6:16", "is declared here and in"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake_is_reported_with_its_place_and_what_helps(
    mistake: Mistake, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    found = problems(tmp_path, mistake.text, dev=mistake.overlay)
    file, _, where = mistake.where.rpartition(":")
    if mistake.where.startswith("dev:"):
        expected = f"environments/{mistake.where.replace('dev:', 'dev.yaml:')}"
    else:
        expected = f"envctl.yaml:{mistake.where}"
    told = "\n".join(map(str, found))
    assert expected in {str(problem.where) for problem in found}, told or (file, where)
    assert mistake.says in told
    assert "pydantic" not in told


def test_the_table_holds_sixty_mistakes_and_more() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 60


@pytest.mark.parametrize("made", ["command: [a], user: web", "image: redis"])
@pytest.mark.parametrize("name", ["backup", "video", 40 * "a"])
def test_any_name_is_fine_for_a_service_that_makes_no_user_of_it(
    tmp_path: Path, name: str, made: str
) -> None:
    head = "project: shop\n" if "image" in made else HEAD
    assert problems(tmp_path, f"{head}services: {{{name}: {{{made}}}}}\n") == ()


def test_a_name_of_32_letters_is_fine_for_a_user(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{HEAD}services: {{{32 * 'a'}: {{command: [a]}}}}\n") == ()


def test_a_volume_belongs_to_one_and_both_places_are_reported(tmp_path):
    text = (
        HEAD + "services:\n"
        "  web: {command: [x], volumes: {data: {target: /data, owner: web}}}\n"
        "  db: {command: [x], volumes: {data: {target: /srv, owner: 33:33}}}\n"
    )

    (problem,) = problems(tmp_path, text)

    assert str(problem.where) == "envctl.yaml:5:60"
    assert problem.message == (
        "services.db: the volume data cannot have the owner 33:33: services.web sets web"
    )
    assert problem.hint == "see envctl.yaml:4:62; write `owner` once"
    assert not problems(tmp_path, text.replace("33:33", "web"))
    assert not problems(
        tmp_path, text.replace("owner: web", "owner: 1000").replace("33:33", "1000")
    )


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "'': 3\nservices: {web: {command: [serve]}}\n",
        web("'': 4"),
        web("env: {'': x}"),
        WEB + "  '': {command: [serve]}\n",
    ],
)
def test_a_missing_key_is_reported_once(tmp_path, text):
    assert [one.message for one in problems(tmp_path, text)] == ["a key is missing"]
