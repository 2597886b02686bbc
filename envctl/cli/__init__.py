"""The command line: the only part of envctl that prints or exits."""

from __future__ import annotations


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    from envctl.cli.app import run

    run()
