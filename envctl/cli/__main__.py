"""`python -m envctl.cli`."""

from envctl.cli import main

main()
