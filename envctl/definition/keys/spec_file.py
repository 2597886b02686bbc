"""The keys of `envctl.yaml`, and of an environment's overlay."""

from typing import Annotated, Any, Final, TypedDict

from envctl.definition.form import Form
from envctl.definition.key import Key
from envctl.definition.keys.build_source import BASE, STAGE
from envctl.definition.keys.scalars import (
    COMMAND,
    ENV_NAME,
    FILLED,
    LINE,
    NAME,
    OPTIONS,
    PROJECT_PATH,
    TEXT,
    VARIABLE,
    whole_number,
    words,
)
from envctl.definition.keys.service import SERVICE, ServiceData
from envctl.definition.keys.service_values import ENV_FILE
from envctl.definition.kinds import ListOf, MapOf, ScalarOr
from envctl.plan.categories import COMPARED
from envctl.plan.target import DEFAULT_BACKEND


class SecretData(TypedDict):
    """Where a secret's value comes from: tried in the order env, file, command, generate."""

    env: Annotated[
        str | None,
        Key(ENV_NAME, "An environment variable of the envctl process.", "APP_TOKEN", None),
    ]
    file: Annotated[str | None, Key(FILLED, "A file of the host.", "secrets/token", None)]
    command: Annotated[
        list[str] | None,
        Key(COMMAND, "A command on the host that prints it.", "pass show app/token", None),
    ]
    generate: Annotated[
        int | None,
        Key(
            whole_number(8, 256),
            "Generate a random value of this many characters once, and keep it.",
            24,
            None,
        ),
    ]


SECRET: Final = Form(SecretData, title="Secret's source")


class AcceptanceData(TypedDict):
    """Differences that `parity` may find, and why they are accepted."""

    unit: Annotated[
        str, Key(FILLED, "Names of units; `*`, `?` and `[…]` are wildcards.", "web*", "*")
    ]
    category: Annotated[str, Key(words(*COMPARED), "The category of the facts.", "packages")]
    key: Annotated[
        str,
        Key(
            FILLED,
            "Keys of the facts; `*`, `?` and `[…]` are wildcards.",
            "/etc/ssl/*",
            "*",
        ),
    ]
    reason: Annotated[
        str,
        Key(
            LINE,
            "Why they may differ there; shown in the report.",
            "dev has tools for debugging",
        ),
    ]


ACCEPTANCE: Final = Form(AcceptanceData, title="Accepted difference")


class SpecData(TypedDict):
    """`envctl.yaml`: what all environments share."""

    project: Annotated[
        str,
        Key(
            NAME,
            "The project's name.",
            "guestbook",
            fixed="all environments share one project",
        ),
    ]
    # The name of the environment that this was resolved for.
    environment: str
    backend: Annotated[
        str,
        Key(
            NAME,
            "The backend that it runs on unless the target names another.",
            DEFAULT_BACKEND,
            DEFAULT_BACKEND,
        ),
    ]
    vars: Annotated[
        dict[str, str],
        Key(MapOf(VARIABLE, TEXT), "Variables, used as ${name}.", {"http_port": 8080}, {}),
    ]
    secrets: Annotated[
        dict[str, SecretData],
        Key(
            MapOf(VARIABLE, SECRET),
            "Secrets, by name.",
            {"db_password": {"generate": 24}},
            {},
        ),
    ]
    services: Annotated[
        dict[str, ServiceData],
        Key(MapOf(NAME, SERVICE), "Services, by name.", {"web": {"image": "redis:7"}}, {}),
    ]
    accept: Annotated[
        list[AcceptanceData],
        Key(
            ListOf(ACCEPTANCE),
            "Differences that `parity` accepts.",
            [{"category": "packages", "key": "strace", "reason": "for debugging in dev"}],
            [],
        ),
    ]


class OverlayData(TypedDict):
    """`environments/NAME.yaml`, or an entry of `environments`: what differs in one environment."""


_EXTRA_KEYS: Final = {
    "vars_file": Key(
        ListOf(ENV_FILE, items_name="files", takes_one=True),
        "Files of the project with variables, a later one wins; `vars` beside it wins over them. A name counts in lower case.",
        [".env", ".env.dev"],
        None,
    ),
    "base": Key(
        BASE,
        "What builds start from, unless a service has its own base.",
        "debian:bookworm",
        None,
        replaces="image and box belong together",
    ),
    "options": Key(
        OPTIONS,
        "Settings of one backend, by its name, for every service that does not set them itself.",
        {"vagrant": {"layout": "single"}},
        {},
    ),
}
_WITHOUT_ENVIRONMENTS: Final = Form(SpecData, extra_keys=_EXTRA_KEYS)
OVERLAY: Final = Form(
    OverlayData,
    title="An environment",
    extra_keys={
        word: field.key for word, field in _WITHOUT_ENVIRONMENTS.fields.items() if word != "project"
    },
)
SPEC: Final = Form(
    SpecData,
    title="envctl.yaml",
    extra_keys={
        **_EXTRA_KEYS,
        "environments": Key(
            MapOf(NAME, OVERLAY),
            "Overlays in this file instead of files of their own.",
            {"dev": {"backend": DEFAULT_BACKEND}},
            {},
            fixed="environments cannot be nested",
        ),
        "include": Key(
            ListOf(PROJECT_PATH, items_name="paths", takes_one=True),
            "Other spec files of the project. Each is merged into the one before it, and `envctl.yaml` into the last.",
            ["specs/db.yaml"],
            None,
            fixed="all environments include the same files",
        ),
        "catalogues": Key(
            ListOf(PROJECT_PATH, items_name="paths"),
            "Folders of the project with entries of its own, NAME.yaml. They come before those of envctl.",
            ["catalogue"],
            [],
            fixed="all environments share the catalogues",
        ),
        "default": Key(
            NAME,
            "The environment that commands without a TARGET mean.",
            "dev",
            None,
            fixed="all environments share one default",
        ),
    },
)


def merge_rules(form: Form, path: str = "") -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Return the exceptions from the defaults of merging: path, strategy, reason, and the choices of a form."""
    rules: list[tuple[str, str, str, tuple[str, ...]]] = []
    for word, field in form.fields.items():
        here = f"{path}.{word}" if path else word
        if field.key.fixed:
            rules.append((here, "fixed", field.key.fixed, ()))
        if field.key.replaces:
            rules.append((here, "replace", field.key.replaces, ()))
        kind: Any = field.key.kind
        if isinstance(kind, MapOf) and kind.value is SERVICE:
            here, kind = f"{here}.*", SERVICE
        if isinstance(kind, MapOf) and kind.value is STAGE:
            rules += merge_rules(STAGE, f"{here}.*")
        if isinstance(kind, MapOf) and isinstance(kind.value, ScalarOr):
            rules.append((f"{here}.*", "replace", "a variable has one source", ()))
        if isinstance(kind, Form) and kind.choice_reason:
            rules.append((here, "choice", kind.choice_reason, kind.choices))
            rules += merge_rules(kind, here)
    return rules
