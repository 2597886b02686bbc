"""The program: `envctl`, and `python -m envctl`."""

# The built-in part of `signal`. Importing the rest takes milliseconds, in which an interrupt would print a traceback.
import _signal
import os
import sys

# Until a command runs, nothing needs cleaning up, so Ctrl-C ends the process without a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

if sys.platform == "win32":
    sys.exit(
        "envctl runs on Linux and macOS. On Windows use WSL: https://learn.microsoft.com/windows/wsl/install"
    )

# Python looks for modules in the current folder, which may be a project: a clone may contain a yaml.py.
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 - less to import
    _PACKAGE_FOLDER = os.path.abspath(f"{__file__}/../..")  # noqa: PTH100
    if sys.path[0] != _PACKAGE_FOLDER:
        del sys.path[0]

from envctl.cli import main

if __name__ == "__main__":
    main()
