"""What the spec's reference says beyond what the declarations know: its introduction, the kinds of values, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.definition.form import Form
from envctl.definition.keys.build_source import BASE, COPY, STEP
from envctl.definition.keys.runtime import MOUNT, PORT, USER
from envctl.definition.keys.service import SERVICE
from envctl.definition.keys.spec_file import ACCEPTANCE, OVERLAY, SECRET
from envctl.plan.platforms import PLATFORMS

VALUES: Final[Mapping[str, str]] = {
    "name": "At most 40 small letters, digits and `-`, a letter first, no `-` last.",
    "stored name": "At most 40 small letters, digits, `-` and `_`, a letter first, a letter or digit last.",
    "variable name": "Small letters, digits and `_`, no digit first.",
    "environment variable": "Its name: letters, digits and `_`, no digit first.",
    "text": "Any scalar, as it is written: `1.10` is the text 1.10.",
    "filled text": "A text that is not blank.",
    "environment text": "A text. An unquoted `yes`, `no`, `on`, `off`, `true`, `false` is refused: quote it.",
    "boolean": "`true` or `false`; also `yes`, `no`, `on`, `off`.",
    "port number": "1 to 65535.",
    "duration": "`5s`, `1m30s`, `500ms`, or a number of seconds; a day at most.",
    "time": "A duration of more than nothing.",
    "command": "A list of words, run as it is; or a text, which is a script for `/bin/sh -ec`.",
    "commands": "A list of commands, or one text.",
    "image name": "`debian:bookworm`, with a registry's name or a digest if need be.",
    "package name": "`python3`, or `name=version`.",
    "mirror": "A dated mirror's address, `http://…` or `https://…`.",
    "project path": "A relative path that stays within the project.",
    "host path": "A path relative to the project, or absolute. `~` is not expanded.",
    "unit path": "An absolute path inside the unit, without `..`.",
    "unit folder": "A unit path; a `/` at its end means nothing.",
    "mount path": "A unit path other than `/`.",
    "mode": "Octal digits, `0644`.",
    "owner": "`user` or `user:group`.",
    "platform": f"One of {', '.join(f'`{one}`' for one in PLATFORMS)}. `linux/arm64/v8` is `linux/arm64`, `linux/arm` is `linux/arm/v7`.",
    "user name": "A user's name, or a number.",
    "free mapping": "A mapping whose keys are known to whoever reads it.",
    "number of cores": "`0.5`, `2`.",
    "size": "`512M`, `1GiB`, or bytes; units are powers of 1024. 6M at least.",
    "requirement": "What pip or npm installs: `flask==3.1`. No option.",
    "secret's path": "A mount path. Within `/run/secrets`, `/run/secrets/NAME`, no dot first.",
    "capability": "A Linux capability, with or without `CAP_`.",
}
"""The kinds of scalars by their titles: what may be written."""

SHORT: Final[Mapping[Form, str]] = {
    STEP: "There is no short form: `- run: make`, not `- make`.",
    PORT: 'Short forms: `"8080:8000"` is host and container, `"8000"` or `8000` the container\'s alone, '
    'and each may end in `/udp`. `"127.0.0.1:8080:8000"` is read too; other addresses are refused, see `public`.',
    MOUNT: "Short form of `mounts`: a mapping from `source` to `target`, or to the other keys "
    "(`{./app: {target: /srv/web, read_only: true}}`).",
    USER: "Short form: a text or a number is its `name`.",
}
"""What short forms mean where they stand for more than one key."""

EXAMPLE: Final = """\
project: shop
base: debian:bookworm

vars:
  http_port: 8080

secrets:
  db_password: {env: SHOP_DB_PASSWORD, generate: 24}

services:
  web:
    packages: [python3, python3-venv]
    build:
      - copy: {from: app/requirements.txt, to: /srv/web/}
      - pip: {venv: /opt/web, requirements: /srv/web/requirements.txt}
      - copy: {from: app/, to: /srv/web/}
    workdir: /srv/web
    env: {CACHE_HOST: cache, LOG_LEVEL: info}
    command: [/opt/web/bin/gunicorn, -b, "0.0.0.0:8000", "shop:app"]
    ports: ["${http_port}:8000"]
    secrets: [db_password]
    healthcheck: {http: "http://127.0.0.1:8000/healthz"}
    depends_on: [cache, migrate]
  migrate:
    extends: web
    kind: task
    command: [/opt/web/bin/python, migrate.py]
    ports: null
    healthcheck: null
    depends_on: null
  cache:
    image: redis:7
    user: redis
    volumes: {cache: /data}
    healthcheck: {command: [redis-cli, ping]}

environments:
  dev:
    services:
      web:
        env: {LOG_LEVEL: debug}
        mounts: {./app: /srv/web}
"""
"""The page's example; a test resolves it."""

ABOUT: Final = """\
# The spec

<!-- Made by `python docs/generate.py` from envctl/definition/keys/; changes belong there. -->

`envctl.yaml` holds what all environments of a project share. What differs in one of them stands in
`environments/NAME.yaml`, or under `environments: {{NAME: …}}` in `envctl.yaml` itself, not in both. An
environment that differs in nothing still needs its file, which may be empty, or its entry.

```yaml
{example}```

How overlays are merged is told [below](#merging); [overlays and variables](how-to/overlays-and-variables.md)
shows it. For editors, `envctl schema` prints a JSON Schema made from the same declarations.

## How files are read

- Files are YAML, UTF-8, one document each, at most {megabytes} MiB and {depth} levels deep. Nothing is executed.
- With aliases, variables and `extends` carried out, a spec comes to at most {most_values} values and {characters} MiB of text.
- A key set twice, an unknown key and an unknown tag are errors. `!append` and `!prepend` are the only tags.
- Scalars are read from their source text: `1.10` stays 1.10, and `22:22` is no number of minutes.
- Anchors, aliases and `<<` work within a file. Top-level keys that begin with `x-` are left alone, for anchors.
- All mistakes are told at once, each with its file, line and column.

## Variables

`${{name}}` stands for a variable declared under `vars`, in any value of the spec but `project`. Values are text.
A variable may be made of others. `$$` is a literal `$`; a `$` before anything else stands for itself. Nothing
else of the process environment comes in. Where a variable is set in several places, the first of these counts:

1. `--set NAME=VALUE` on the command line
2. the environment variable `{prefix}NAME`, the name as it is declared
3. `vars` of the environment
4. `vars` of `envctl.yaml`

A `--set` of a name that is not declared is an error.

## Merging

An environment is merged into `envctl.yaml`, then variables are filled in, then each service that `extends` another
is merged into that one by the same rules.

{defaults}

At some places something else holds (`*` is any service):

{rules}

## Values

What the tables below call a value:

{values}
"""

NOTES: Final[Mapping[Form, str]] = {
    OVERLAY: "The keys of `environments/NAME.yaml`, and of an entry of `environments`. All may be left out. "
    "They are those of [envctl.yaml](#envctlyaml) but for `project` and `environments`, which stand there only: "
    "{keys}.",
    SERVICE: "With a base, `command` is required. `packages` and `build` need a base. The name of a "
    "service is its host name for the others.\n\n"
    "`checks` run inside the service's units, as their user, when [`envctl verify`](how-to/verify.md) is called; "
    "one fails if its exit code is not 0.\n\n"
    "Changing one of these keys replaces the service's units: {run_keys}. So does a change of what its image is built from.",
    ACCEPTANCE: "What `envctl parity` may find without calling it a difference; nothing that runs depends on it. "
    "A key that stands here as it is in the report matches itself, also one with brackets in it. "
    "An entry that matches nothing is reported; one for a unit that no environment has is a mistake. [Parity](how-to/parity.md#accept-a-difference) tells more.",
    BASE: "Either a `name` or an `image`; a `snapshot` goes with a `name`. Which names there are says "
    "`envctl base list`. `box` is what a folder rendered for Vagrant starts from.",
    COPY: "A folder's content goes into `to`. What is left out:\n\n"
    "- what `exclude` names, with the meaning of `.gitignore` in the folder; `.git`, `__pycache__` and `*.pyc` are left "
    "out too, unless an exception such as `!.git` brings them back;\n"
    "- what the project's `.envctlignore` names, or else its `.dockerignore`, with the meaning of `.dockerignore`: paths are "
    "from the project's folder on. Neither leaves out the very file or folder that `from` names;\n"
    "- `.envctl`, always, and what a mount of the service covers, unless a later step may read it.\n\n"
    "Files that git ignores are copied, since what was built is often among them; `plan`, `validate`, `render` and `up` "
    "say which, and name patterns that match nothing. Links are copied as links. Execute bits are kept, other "
    "permissions are not; a file's time depends on its content alone, and is another one when that changes.",
    SECRET: "At least one source. [Secrets](how-to/secrets.md) tells more.",
}
"""What is said of a form beyond its fields. What spans several values is checked in `check`."""
