"""The commands, and the function that runs each."""

from envctl.cli.declare import Group

COMMANDS = Group(
    """One YAML spec for dev, test and prod, on containers or virtual machines.

    A TARGET is an environment (dev) or an environment on a backend (dev@docker).

    Exit codes: 0 success, 1 error, 2 wrong usage, 3 differences found, 130 interrupted.
    """,
    {
        "init": "envctl.cli.init:init",
        "validate": "envctl.cli.spec:validate",
        "config": "envctl.cli.spec:config",
        "schema": "envctl.cli.spec:schema",
        "plan": "envctl.cli.plan:plan",
        "render": "envctl.cli.plan:render",
        "diff": "envctl.cli.diff:diff",
        "facts": "envctl.cli.parity:facts",
        "parity": "envctl.cli.parity:parity",
        "verify": "envctl.cli.verify:verify",
        "lock": "envctl.cli.lock:lock",
        "up": "envctl.cli.up:up",
        "down": "envctl.cli.up:down",
        "adopt": "envctl.cli.adopt:adopt",
        "trust": "envctl.cli.trust:trust",
        "stop": "envctl.cli.up:stop",
        "status": "envctl.cli.status:status",
        "logs": "envctl.cli.logs:logs",
        "exec": "envctl.cli.exec:execute",
        "shell": "envctl.cli.exec:shell",
        "doctor": "envctl.cli.doctor:doctor",
        "base": Group(
            "List, build and inspect the base images that builds start from.",
            {
                "list": "envctl.cli.base:listing",
                "build": "envctl.cli.base:build",
                "inspect": "envctl.cli.base:inspect",
            },
        ),
    },
)
