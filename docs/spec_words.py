"""What the reference of the spec says besides the declarations: the introduction, the kinds of values, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.definition.form import Form
from envctl.definition.keys.build_source import BASE, COPY, COPY_FROM, STAGE, STEP
from envctl.definition.keys.service import SERVICE
from envctl.definition.keys.service_values import MOUNT, PORT, USER
from envctl.definition.keys.spec_file import ACCEPTANCE, OVERLAY, SECRET
from envctl.plan.platforms import PLATFORMS

VALUES: Final[Mapping[str, str]] = {
    "name": "At most 40 lower-case letters, digits and `-`, a letter first, no `-` last.",
    "stored name": "At most 40 lower-case letters, digits, `-` and `_`, a letter first, a letter or digit last.",
    "service or entry": "The name of a service; or `catalogue/` and the name of an entry of a [catalogue](how-to/catalogue.md).",
    "variable name": "Lower-case letters, digits and `_`, no digit first.",
    "environment variable": "Its name: letters, digits and `_`, no digit first.",
    "text": "Any scalar, exactly as written: `1.10` is the text 1.10.",
    "filled text": "A text that is not blank.",
    "environment text": "A text. An unquoted `yes`, `no`, `on`, `off`, `true`, `false` is refused: quote it.",
    "template": "A text with `${secret.NAME}` in it; variables are replaced as everywhere, and `$$` is a literal `$`.",
    "boolean": "`true` or `false`; also `yes`, `no`, `on`, `off`.",
    "port number": "1 to 65535.",
    "duration": "`5s`, `1m30s`, `500ms`, or a number of seconds; at most a day.",
    "time": "A duration of more than 0.",
    "command": "A list of arguments, run without a shell; or a text, which is a script for `/bin/sh -ec`.",
    "commands": "A list of commands, or one text.",
    "image name": "`debian:bookworm`, optionally with a registry or a digest.",
    "package name": "`python3`, or `name=version`.",
    "mirror": "A dated mirror's address, `http://…` or `https://…`.",
    "project path": "A relative path within the project.",
    "host path": "A path relative to the project, or absolute. `~` is not expanded.",
    "unit path": "An absolute path inside the unit, without `..`.",
    "unit folder": "A unit path; a trailing `/` makes no difference.",
    "stage path": "A unit path other than `/`, without wildcards.",
    "mount path": "A unit path other than `/`.",
    "mode": "Octal digits, `0644`.",
    "owner": "`user` or `user:group`.",
    "platform": f"One of {', '.join(f'`{platform}`' for platform in PLATFORMS)}. `linux/arm64/v8` is `linux/arm64`, `linux/arm` is `linux/arm/v7`.",
    "user name": "A user's name, or a number.",
    "free mapping": "A mapping whose keys the backend or the template knows.",
    "number of cores": "`0.5`, `2`.",
    "size": "`512M`, `1GiB`, or bytes; units are powers of 1024. At least 6M.",
    "requirement": "A package for pip or npm: `flask==3.1`. Options are not allowed.",
    "secret's path": "A mount path. Within `/run/secrets`, `/run/secrets/NAME`, and NAME does not begin with a dot.",
    "capability": "A Linux capability, with or without `CAP_`.",
}
"""What may be written for each kind of scalar, by its title."""

SHORT: Final[Mapping[Form, str]] = {
    STEP: "It has no short form: write `- run: make`, not `- make`. Beside the step, `id` names it for `!remove`.",
    PORT: 'Short forms: `"8080:8000"` is host and container, `"8000"` or `8000` is the container alone, '
    'and each may end in `/udp`. `"127.0.0.1:8080:8000"` is accepted too; for other addresses use `public`.',
    MOUNT: "Short form of `mounts`: a mapping from `source` to `target`, or to the other keys "
    "(`{./app: {target: /srv/web, read_only: true}}`).",
    USER: "Short form: a text or a number is its `name`. A user that the base or a package has already keeps its number.",
}
"""What short forms mean that stand for more than one key."""

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

`envctl.yaml` holds what all environments of a project share. What differs in one of them is in
`environments/NAME.yaml`, or under `environments: {{NAME: …}}` in `envctl.yaml` itself, but not in both. An
environment without differences still needs its file, which may be empty, or its entry.

```yaml
{example}```

Merge rules are [below](#merging); [overlays and variables](how-to/overlays-and-variables.md) shows examples.
For editors, `envctl schema` prints a JSON Schema that is generated from the same declarations.

## How files are read

- Files are YAML, UTF-8, one document each, at most {megabytes} MiB and {depth} levels deep. Nothing is executed.
- With aliases, variables and `extends` expanded, a spec has at most {most_values} values and {characters} MiB of text.
- A key set twice, an unknown key and an unknown tag are errors. `!append`, `!prepend` and `!remove` are the only tags.
- Scalars are read from their source text: `1.10` stays 1.10, and `22:22` stays a text.
- Anchors, aliases and `<<` work within a file. Top-level keys that begin with `x-` are ignored; use them for anchors.
- All mistakes are reported at once, each with its file, line and column.

## Variables

`${{name}}` stands for a variable declared under `vars`, in any value of the spec but `project`. Values are text.
A variable may refer to others. `$$` is a literal `$`; a `$` before any other character is literal too. Nothing
else of the process environment is used. If a variable is set in several places, the first of these wins:

1. `--set NAME=VALUE` on the command line
2. the environment variable `{prefix}NAME`, with the name as declared
3. `vars` of the environment
4. `vars` of `envctl.yaml`

`--set` of a variable that is not declared is an error.

`${{port.web.8000}}` is the host's port that leads to port 8000 of the service web, or of its replica `web-2`. It is known in `env` and
`command` only, since it differs between checkouts: a port without a host side gets a free one at the first `up`, and keeps it.

## Merging

An environment is merged into `envctl.yaml`; then variables are replaced; then each service that `extends` another
is merged into that one by the same rules.

{defaults}

These keys have rules of their own (`*` is any service):

{rules}

## Values

The kinds of values in the tables below:

{values}
"""

NOTES: Final[Mapping[Form, str]] = {
    OVERLAY: "The keys of `environments/NAME.yaml`, and of an entry of `environments`. All are optional. "
    "They are those of [envctl.yaml](#envctlyaml) except `project`, `environments`, `default` and `catalogues`, which are only allowed there: "
    "{keys}.",
    SERVICE: "With a base, `command` is required. `packages` and `build` need a base. A service's name is "
    "its host name for the other services.\n\n"
    "`checks` run inside the service's units, as their user, when [`envctl verify`](how-to/verify.md) is called; "
    "one fails if its exit code is not 0.\n\n"
    "Changing one of these keys replaces the service's units: {run_keys}. So does a change of what its image is built from.",
    ACCEPTANCE: "Differences that `envctl parity` accepts; nothing that runs depends on them. "
    "A key copied from the report matches itself, even with brackets in it. "
    "An entry that matches nothing is reported; one for a unit that no environment has is a mistake. See [parity](how-to/parity.md#accept-a-difference).",
    BASE: "Either a `name` or an `image`; a `snapshot` goes with a `name`. `envctl base list` "
    "shows the names. `box` is what a folder rendered for Vagrant starts from.",
    COPY: "The content of a folder is copied into `to`. Not copied are:\n\n"
    "- files that match `exclude`, with the meaning of `.gitignore` in the folder; `.git`, `__pycache__` and `*.pyc` are left "
    "out too, unless an exception such as `!.git` includes them;\n"
    "- files that match the project's `.envctlignore`, or else its `.dockerignore`, with the meaning of `.dockerignore`: paths are "
    "relative to the project's folder. Neither excludes the very file or folder that `from` names;\n"
    "- `.envctl`, and what a mount of the service covers, unless a later step may read it.\n\n"
    "Files that git ignores are copied, since build results are often among them; `plan`, `validate`, `render` and `up` "
    "list them, and patterns that match nothing. Links are copied as links. Execute bits are kept, other "
    "permissions are not. A file's time depends only on its content, and changes with it.",
    COPY_FROM: "The owner is root, or `owner`. Permissions stay: a `run` step of the stage sets them. Of a link, what it leads to is copied. "
    "If the stage has nothing at `from`, the build fails with the place of the step.",
    STAGE: "A stage has the build keys of a service, and may itself copy from other stages, in any order but a circle. Its steps run as root unless "
    "they say otherwise. It is built only for services that copy from it, and none of its packages are in the image, so the lock has only what it is "
    "made from, not which versions it got. On Docker it is a stage of the service's Dockerfile. A machine whose box a container engine builds gets "
    "the same; builds in a machine (`options: {{vagrant: {{build: provision}}}}`, and folders rendered for Vagrant) do not support stages yet.",
    SECRET: "At least one source is required. See [secrets](how-to/secrets.md).",
}
"""Notes on a form besides its keys. Rules across several values are checked in `checks/`."""
