"""The program: `envctl`, and `python -m envctl`."""

# The built-in part of `signal`, since the rest of that takes milliseconds to import, and these are to be guarded.
import _signal
import os
import sys

# Until a command runs there is nothing to tidy up: Ctrl-C ends the process, and leaves no traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

if sys.platform == "win32":
    sys.exit(
        "envctl runs on Linux and macOS. On Windows use WSL: https://learn.microsoft.com/windows/wsl/install"
    )

# Python looks for modules in the folder where it is called, and that is a project: a clone may bring a yaml.py.
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 - less to import
    _PACKAGE_FOLDER = os.path.abspath(f"{__file__}/../..")  # noqa: PTH100
    if sys.path[0] != _PACKAGE_FOLDER:
        del sys.path[0]

from envctl.cli import main

if __name__ == "__main__":
    main()
