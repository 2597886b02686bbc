"""`python -m envctl`."""

import os
import sys

# Python looks for modules in the folder where it is called, and that is a project: a clone may bring a yaml.py.
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 - less to import
    _OWN = os.path.abspath(f"{__file__}/../..")  # noqa: PTH100
    if sys.path[0] != _OWN:
        del sys.path[0]

from envctl.cli import main

main()
