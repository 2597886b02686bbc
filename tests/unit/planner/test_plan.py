"""From spec to plan, told in the plan's text form."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.common.step_views import ContextFile, own_dockerfile
from envctl.backends.docker.buildcontext import dockerfile_path
from envctl.definition.keys.service import RUN_PATHS
from envctl.errors import EnvctlError, Place, SpecError
from envctl.plan.image_names import base_image
from envctl.plan.model import Build, CopyFiles, CreateUser, DockerfileBuild, Process, Run, WriteFile
from envctl.plan.scope import make_scope
from envctl.planner.make_plan import dependency_order
from tests.unit.definition.helpers import HEAD
from tests.unit.planner.conftest import Planner, lines

TOP = HEAD + "vars: {port: 8080, level: debug}\nsecrets: {token: {env: TOKEN, generate: 24}}\n"
RICH = """\
  web:
    packages: [python3, curl]
    build:
      - pip: {venv: /opt/web, packages: [flask]}
      - copy: {from: app, to: /srv/web/, owner: web}
      - run: make install
      - npm: {directory: /srv/web, production: true}
      - template: {from: app/web.j2, to: /etc/web.conf, values: {workers: 4}}
    workdir: /srv/web
    env: {LOG_LEVEL: "${level}", EMPTY: ""}
    command: [/opt/web/bin/serve, "two words", -v]
    ports: ["${port}:8000", 9000, {container: 53, protocol: udp, public: true, host: 5353}]
    mounts: {/usr/share: /mnt/share, ./app: {target: /mnt/app, read_only: true}}
    volumes: {data: /var/data, cache: {target: /var/cache/web}}
    secrets: [token]
    healthcheck: {http: "http://127.0.0.1:8000/", interval: 1m, timeout: 500ms}
    depends_on: [db, migrate]
    resources: {cpus: 1.5, memory: 512M}
    restart: on-failure
    checks: {tests: pytest -q}
    hooks: {after_start: [touch /tmp/up], before_stop: [[sync]]}
    capabilities: [net_bind_service]
    options: {memory: {speed: 2}, docker: {shm_size: 64m}}
  migrate:
    kind: task
    extends: web
    command: |
      migrate --all
      echo done
    depends_on: [db]
    ports: null
    healthcheck: null
    restart: null
    hooks: null
    secrets: null
  db:
    image: postgres:16
    healthcheck: {tcp: 5432}
"""
GOLDEN = """\
environment dev of shop on memory
service db: image postgres:16
  health tcp 127.0.0.1 5432 every 5s, timeout 3s, 3 retries after 30s
  restart no
task migrate: build DIGEST from debian:bookworm
  step packages curl python3
  step pip flask → /opt/web
  step user web (38689)
  step copy app → /srv/web/
  step user migrate (47505)
  step run sh: make install
  step npm /srv/web
  step write /etc/web.conf
  step directories /srv/web /var/cache/web /var/data (migrate)
  command sh: migrate --all …
  user migrate
  workdir /srv/web
  env EMPTY=""
  env LOG_LEVEL="debug"
  mount /usr/share → /mnt/share
  mount ROOT/app → /mnt/app (read-only)
  volume cache → /var/cache/web
  volume data → /var/data
  cpus 1.5
  memory 512 MiB
  restart no
  capability NET_BIND_SERVICE
  option speed=2
  after db healthy
  check tests: sh: pytest -q
service web: build DIGEST from debian:bookworm
  step packages curl python3
  step pip flask → /opt/web
  step user web (38689)
  step copy app → /srv/web/
  step run sh: make install
  step npm /srv/web
  step write /etc/web.conf
  step directories /srv/web /var/cache/web /var/data (web)
  command /opt/web/bin/serve "two words" -v
  user web
  workdir /srv/web
  env EMPTY=""
  env LOG_LEVEL="debug"
  port 127.0.0.1:8080 → 8000/tcp
  port 127.0.0.1:(a free port, chosen at up) → 9000/tcp
  port 0.0.0.0:5353 → 53/udp
  mount /usr/share → /mnt/share
  mount ROOT/app → /mnt/app (read-only)
  volume cache → /var/cache/web
  volume data → /var/data
  secret token → /run/secrets/token
  health http http://127.0.0.1:8000/ every 60s, timeout 0.5s, 3 retries after 30s
  cpus 1.5
  memory 512 MiB
  restart on-failure
  capability NET_BIND_SERVICE
  option speed=2
  after db healthy
  after migrate completed
  check tests: sh: pytest -q
  hook after_start sh: touch /tmp/up
  hook before_stop sync
"""


def test_a_rich_spec_becomes_this_plan(planned: Planner, app: Path) -> None:
    text = "\n".join(lines(planned(RICH, top=TOP))) + "\n"
    assert re.sub("build [0-9a-f]{24}", "build DIGEST", text) == GOLDEN


def test_the_same_spec_gives_the_same_plan(planned: Planner, app: Path) -> None:
    assert planned(RICH, top=TOP) == planned(RICH, top=TOP)


# --- defaults -------------------------------------------------------------------------------


def test_a_built_service_runs_as_a_user_of_its_name_in_the_root_folder(planned: Planner) -> None:
    found = lines(planned("  web: {command: [serve]}\n"), "web")
    assert found[1:] == [
        "  step user web (38689)",
        "  command serve",
        "  user web",
        "  workdir /",
        "  restart no",
    ]


def test_a_ready_image_keeps_its_own_user_command_and_folder(planned: Planner) -> None:
    assert lines(planned("  db: {image: 'pg:16'}\n"), "db") == [
        "service db: image pg:16",
        "  restart no",
    ]


def test_root_and_numbers_are_no_users_to_make(planned: Planner) -> None:
    for user in ("root", "1000"):
        found = lines(planned(f"  web: {{command: [a], user: '{user}', workdir: /srv}}\n"), "web")
        assert [line for line in found if "step" in line] == [f"  step directories /srv ({user})"]


def test_replicas_have_names_aliases_and_numbers_of_their_own(planned: Planner) -> None:
    plan = planned("  web: {command: [a], replicas: 3, ports: [80]}\n")
    assert [(unit.name, unit.replica, unit.run.aliases) for unit in plan.units] == [
        ("web", 1, ("web",)),
        ("web-2", 2, ("web", "web-2")),
        ("web-3", 3, ("web", "web-3")),
    ]
    assert len(plan.builds()) == 1


def test_services_come_after_what_they_depend_on_otherwise_as_written(planned: Planner) -> None:
    text = "  a: {image: x, depends_on: [c]}\n  b: {image: x}\n  c: {image: x, depends_on: [d]}\n  d: {image: x}\n"
    assert [unit.name for unit in planned(text).units] == ["d", "c", "a", "b"]


def test_a_chain_of_dependencies_may_be_as_long_as_it_likes() -> None:
    names = [f"s{number}" for number in range(5000)]
    needed: dict[str, list[str]] = {name: [after] for name, after in pairwise(names)}

    assert dependency_order({**needed, names[-1]: []}) == names[::-1]


@given(st.data())
def test_each_service_comes_after_what_it_depends_on(data: st.DataObject) -> None:
    names = data.draw(st.permutations("abcdef"))
    needed = {
        name: data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }
    order = dependency_order({name: needed[name] for name in data.draw(st.permutations(names))})

    assert sorted(order) == sorted(names)
    for name in names:
        assert all(order.index(other) < order.index(name) for other in needed[name])


def test_a_unit_has_the_options_of_the_chosen_backend_only(planned: Planner) -> None:
    text = "  web: {image: x, options: {docker: {init: true}, memory: {speed: 1}}}\n"
    assert planned(text, backend="docker").unit("web").run.options == {"init": True}
    assert planned(text, backend="memory").unit("web").run.options == {"speed": 1}
    assert planned(text, backend="other").unit("web").run.options == {}


def test_a_secret_is_known_by_its_digest_and_its_variable(planned: Planner) -> None:
    plan = planned("  web: {image: x, secrets: [token]}\n", top=TOP, digests={"token": "d1"})
    (secret,) = plan.unit("web").run.secrets
    assert (secret.target, secret.digest, secret.env) == ("/run/secrets/token", "d1", "TOKEN")


def test_every_value_of_a_run_knows_its_place(planned: Planner) -> None:
    unit = planned(
        "  web: {image: x, env: {A: one}, ports: [80]}\n",
        dev="services: {web: {env: {A: two}}}\n",
    ).unit("web")
    assert unit.origins["process.env.A"] == Place("environments/dev.yaml", 1, 27)
    assert unit.origins["ports"] == Place("envctl.yaml", 4, 34)
    assert unit.where == Place("envctl.yaml", 4, 3)


def test_every_part_of_the_run_identity_is_declared_with_a_key() -> None:
    declared = {path.partition(".")[0] for path in RUN_PATHS.values()}
    process = {path for path in RUN_PATHS.values() if path.startswith("process.")}

    # No key sets the network names of a unit: they follow from its name. `env` has the variables made of secrets, too.
    assert declared == {field.name for field in fields(Run)} - {"aliases"}
    assert process == {f"process.{field.name}" for field in fields(Process)} - {
        "process.secret_env"
    }


# --- users ----------------------------------------------------------------------------------


def steps(planned: Planner, service: str) -> list[str]:
    """The steps of a service `web`."""
    found = lines(planned(f"  web: {service}\n"), "web")
    return [line.removeprefix("  step ") for line in found if line.startswith("  step ")]


def test_a_user_is_made_before_the_first_step_that_may_refer_to_it(
    planned: Planner, app: Path
) -> None:
    copy, mine = "{copy: {from: app, to: /a}}", "{copy: {from: app, to: /b, owner: web}}"
    group = "{copy: {from: app, to: /b, owner: 'root:web'}}"
    user, run = "user web (38689)", "run sh: make"
    assert steps(planned, f"{{command: [a], build: [{copy}, {mine}, {{run: make}}]}}") == [
        "copy app → /a", user, "copy app → /b", run,
    ]  # fmt: skip
    assert steps(planned, f"{{command: [a], build: [{copy}, {{run: make}}]}}") == [
        "copy app → /a",
        user,
        run,
    ]
    assert steps(planned, f"{{command: [a], build: [{copy}]}}") == ["copy app → /a", user]
    assert steps(planned, f"{{command: [a], build: [{group}]}}") == [user, "copy app → /b"]


def test_a_user_has_one_number_wherever_it_is_made_unless_the_spec_says(planned: Planner) -> None:
    plan = planned(
        "  one: {command: [a], user: app}\n"
        "  two: {command: [b], user: app, packages: [curl]}\n"
        "  three: {command: [c], user: {name: app, uid: 777}}\n"
    )
    numbers = {
        unit.name: [step.uid for step in unit.source.steps if isinstance(step, CreateUser)]
        for unit in plan.units
        if isinstance(unit.source, Build)
    }
    assert numbers["one"] == numbers["two"]
    assert 20_000 <= numbers["one"][0] < 50_000
    assert numbers["three"] == [777]


# --- files ----------------------------------------------------------------------------------


def told(error: SpecError) -> list[str]:
    """Places and messages."""
    return [f"{one.where}: {one.message}" for one in error.problems]


def test_a_missing_mount_is_reported_at_its_place(planned: Planner) -> None:
    text = "  web:\n    image: x\n    mounts:\n      ./src: /srv\n      ./lib: /lib\n"
    with pytest.raises(SpecError) as caught:
        planned(text + "  api: {image: x, mounts: {./api: /srv}}\n")
    assert told(caught.value) == [
        "envctl.yaml:7:7: cannot mount 'src': it does not exist",
        "envctl.yaml:8:7: cannot mount 'lib': it does not exist",
        "envctl.yaml:9:28: cannot mount 'api': it does not exist",
    ]


def test_a_copy_that_leads_outside_is_reported_at_its_step(
    planned: Planner, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(SpecError) as caught:
        planned("  web: {command: [a], build: [{copy: {from: link, to: /x}}]}\n")
    assert told(caught.value) == [
        "envctl.yaml:4:31: 'link' leads outside the project: it is a link to /etc/hostname"
    ]


def test_a_template_is_filled_in_with_variables_and_values(planned: Planner, app: Path) -> None:
    source = planned(RICH, top=TOP).unit("web").source
    assert isinstance(source, Build)
    (written,) = [step for step in source.steps if isinstance(step, WriteFile)]
    assert (written.text, written.mode, written.owner) == ("4 on 8080\n", "0644", "")


def test_a_template_that_names_what_does_not_exist_is_reported_with_its_line(
    planned: Planner, app: Path
) -> None:
    (app / "web.j2").write_text("fine\n{{ nothing }}\n")
    with pytest.raises(EnvctlError) as caught:
        planned(RICH, top=TOP)
    assert str(caught.value.where) == "app/web.j2:2:1"
    assert "'nothing' is undefined" in caught.value.brief


def test_a_dockerfile_is_a_build_of_all_that_is_in_its_context(planned: Planner, app: Path) -> None:
    (app / "Dockerfile").write_text("FROM scratch\n")
    text = "  web: {dockerfile: {file: app/Dockerfile, target: run, args: {V: 1}}}\n"
    first = planned(text)
    (build,) = first.builds().values()
    assert lines(first, "web")[0] == f"service web: build {build.digest} from app/Dockerfile"
    assert isinstance(build, DockerfileBuild)
    assert [entry.path for entry in build.tree.entries] == ["Dockerfile", "main.py", "web.j2"]
    (app / "main.py").write_text("changed\n")
    assert list(planned(text).builds()) != list(first.builds())


def test_a_changed_file_is_another_build_and_another_place_is_not(
    planned: Planner, app: Path
) -> None:
    text = "  web: {command: [a], build: [{copy: {from: app, to: /x}}]}\n"
    (first,) = planned(text).builds()
    (moved,) = planned(f"\n\n  # moved\n{text}").builds()
    (app / "main.py").write_text("changed\n")
    (changed,) = planned(text).builds()
    assert first == moved
    assert first != changed


def test_excluded_files_are_neither_copied_nor_counted(planned: Planner, app: Path) -> None:
    text = "  web: {command: [a], build: [{copy: {from: app, to: /x, exclude: ['*.j2']}}]}\n"
    first = planned(text)
    source = first.unit("web").source
    assert isinstance(source, Build)
    (copy,) = [step for step in source.steps if isinstance(step, CopyFiles)]
    assert [entry.path for entry in copy.tree.entries] == ["main.py"]
    (app / "web.j2").write_text("changed\n")
    assert list(planned(text).builds()) == list(first.builds())


# --- bases ----------------------------------------------------------------------------------


def test_a_base_from_a_dated_mirror_has_an_image_of_its_own(planned: Planner) -> None:
    address = "http://snapshots.example/archive/debian/20260801T000000Z"
    base = f"{{name: debian:bookworm, snapshot: '{address}/'}}"
    plan = planned(
        f"  old: {{command: [a], user: root, base: {base}}}\n  new: {{command: [a], user: root}}\n"
    )
    sources = {unit.name: unit.source for unit in plan.units}
    assert isinstance(old := sources["old"], Build)
    assert isinstance(new := sources["new"], Build)
    assert (old.base.name, old.base.snapshot) == ("debian:bookworm", address)
    assert old.base.image == base_image("debian:bookworm", address) != new.base.image
    assert new.base.image == "debian:bookworm"
    assert old.digest != new.digest


def test_packages_on_a_dated_base_share_layers_among_themselves(planned: Planner) -> None:
    base = "base: {name: debian:bookworm, snapshot: 'http://snapshots.example/20260801T000000Z'}"
    plan = planned(
        f"  a: {{command: [a], {base}, packages: [curl, git]}}\n"
        f"  b: {{command: [b], {base}, packages: [curl, vim]}}\n"
        "  c: {command: [c], packages: [curl, jq]}\n"
    )
    packages = {
        name: [line.strip() for line in lines(plan, name) if "step packages" in line]
        for name in "abc"
    }
    assert packages["a"] == ["step packages curl", "step packages git"]
    assert packages["b"] == ["step packages curl", "step packages vim"]
    assert packages["c"] == ["step packages curl jq"]


def test_environments_share_what_their_services_have_in_common(planned: Planner) -> None:
    text = "  web: {command: [a], packages: [python3, curl]}\n"
    more = {"test": "services: {web: {packages: !append [git]}}\n"}
    dev, test = planned(text, **more), planned(text, environment="test", **more)
    assert [line for line in lines(dev) if "packages" in line] == ["  step packages curl python3"]
    assert [line for line in lines(test) if "packages" in line] == [
        "  step packages curl python3",
        "  step packages git",
    ]


def test_the_layout_of_packages_is_no_part_of_a_builds_identity(planned: Planner) -> None:
    in_one_file = "  web: {command: [a], packages: [curl, git]}\n"
    in_two = "  web: {command: [a], packages: [curl]}\n"
    one = planned(in_one_file)
    two = planned(in_two, dev="services: {web: {packages: !append [git]}}\n")
    assert lines(one) != lines(two)
    assert list(one.builds()) == list(two.builds())


# --- scopes ---------------------------------------------------------------------------------


def test_two_checkouts_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    one, two = (make_scope("shop", "dev", tmp_path / name) for name in ("one", "two"))
    assert one.project_id != two.project_id
    assert make_scope("shop", "dev", tmp_path / "two" / ".." / "one") == one


def test_an_inline_dockerfile_is_built_in_the_folder_of_the_project(
    planned: Planner, app: Path
) -> None:
    service = "  web: {dockerfile: {inline: %r, target: last, args: {A: '1'}}}\n"
    source = planned(service % "FROM x AS last").unit("web").source
    other = planned(service % "FROM y AS last").unit("web").source

    assert isinstance(source, DockerfileBuild)
    assert isinstance(other, DockerfileBuild)
    assert (source.text, source.context, source.target) == ("FROM x AS last", ".", "last")
    assert source.digest != other.digest
    assert own_dockerfile(source) == ContextFile(text="FROM x AS last")
    assert dockerfile_path(source) == ".envctl.Dockerfile"
