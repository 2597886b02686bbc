"""The commands, and the function that runs each."""

from envctl.cli.declare import Group, Section

COMMANDS = Group(
    """One YAML spec for dev, test and prod, on containers or virtual machines.

    A TARGET is an environment (dev) or an environment on a backend (dev@docker).

    Exit codes: 0 success, 1 error, 2 wrong usage, 3 differences found, 130 interrupted.
    """,
    (
        Section(
            "Start",
            {
                "init": "envctl.cli.init:init",
                "import": "envctl.cli.import_command:import_spec",
                "validate": "envctl.cli.spec:validate",
                "catalogue": Group(
                    "Services that a spec can extend: databases, web servers and others.",
                    (
                        Section(
                            "Commands",
                            {
                                "list": "envctl.cli.catalogue_command:listing",
                                "show": "envctl.cli.catalogue_command:show",
                                "eject": "envctl.cli.catalogue_command:eject",
                            },
                            ("envctl catalogue list", "envctl catalogue show postgresql"),
                        ),
                    ),
                ),
                "schema": "envctl.cli.spec:schema",
            },
            ("envctl init my-project", "envctl validate"),
        ),
        Section(
            "Run",
            {
                "up": "envctl.cli.up:up",
                "watch": "envctl.cli.watch_command:watch",
                "restart": "envctl.cli.restart:restart",
                "run": "envctl.cli.run_command:run",
                "build": "envctl.cli.build:build",
                "pull": "envctl.cli.build:pull",
                "stop": "envctl.cli.up:stop",
                "down": "envctl.cli.up:down",
                "adopt": "envctl.cli.adopt:adopt",
            },
            ("envctl up dev", "envctl down dev --volumes"),
        ),
        Section(
            "Look",
            {
                "status": "envctl.cli.status:status",
                "logs": "envctl.cli.logs:logs",
                "exec": "envctl.cli.exec:execute",
                "describe": "envctl.cli.describe:describe",
                "top": "envctl.cli.top:top",
                "events": "envctl.cli.events:events",
                "open": "envctl.cli.open_command:open_service",
                "port": "envctl.cli.port:port",
                "env": "envctl.cli.port:env",
                "list": "envctl.cli.list_command:list_environments",
                "shell": "envctl.cli.exec:shell",
                "ssh-config": "envctl.cli.ssh_config:ssh_config",
                "cp": "envctl.cli.cp:cp",
            },
            ("envctl logs dev web --follow", "envctl exec dev web -- ls -l"),
        ),
        Section(
            "Compare and lock",
            {
                "plan": "envctl.cli.plan:plan",
                "config": "envctl.cli.spec:config",
                "diff": "envctl.cli.diff:diff",
                "verify": "envctl.cli.verify:verify",
                "facts": "envctl.cli.parity:facts",
                "parity": "envctl.cli.parity:parity",
                "lock": "envctl.cli.lock:lock",
                "render": "envctl.cli.plan:render",
                "export": "envctl.cli.export_command:export",
            },
            ("envctl plan dev", "envctl parity dev@docker dev@vagrant"),
        ),
        Section(
            "This machine",
            {
                "doctor": "envctl.cli.doctor:doctor",
                "gc": "envctl.cli.garbage:gc",
                "trust": "envctl.cli.trust:trust",
                "completion": "envctl.cli.completion:completion",
                "version": "envctl.cli.version:version",
                "base": Group(
                    "List, build and inspect the base images that builds start from.",
                    (
                        Section(
                            "Commands",
                            {
                                "list": "envctl.cli.base:listing",
                                "build": "envctl.cli.base:build",
                                "inspect": "envctl.cli.base:inspect",
                            },
                            ("envctl base list", "envctl base build debian:bookworm"),
                        ),
                    ),
                ),
            },
            ("envctl doctor --fix", "envctl base list"),
        ),
    ),
    aliases={"global-status": "list", "halt": "stop", "ls": "list", "ps": "status", "ssh": "shell"},
    foreign={
        "apply": "`envctl up` makes what runs match the spec; `envctl plan` shows what it would change",
        "destroy": "`envctl down` removes an environment and keeps its data; `envctl down --volumes` deletes that, too",
        "kill": "`envctl stop` stops an environment, or the services named after it",
        "provision": "`envctl up` builds again what has changed, and replaces what was made from it",
        "reload": "`envctl up` applies changes of the spec; `envctl restart` restarts services without changing them",
        "rm": "`envctl down` removes an environment, or the services named after it; data stays",
        "start": "`envctl up` starts what is stopped, and creates what does not exist",
    },
)
