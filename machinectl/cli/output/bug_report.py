"""Report what nobody expected. Loaded only then."""

from __future__ import annotations

import errno
import os
import platform
import traceback

from machinectl import __version__
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import make_directories, replace_file
from machinectl.files.user_directories import check_home_known

# Full disk and exceeded quota.
FULL = {errno.ENOSPC, errno.EDQUOT}


def expected_error(error: Exception) -> MachineError | None:
    """Return the error of a full disk or of a missing package."""
    if isinstance(error, OSError) and error.errno in FULL:
        where = f"{error.filename}: " if error.filename else ""
        return MachineError(f"{where}{error.strerror}", Hint("See which disk is full", "df -h"))
    package = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if package.partition(".")[0] in {"", "machinectl"}:
        return None
    install = Hint("Install machinectl with what it needs", "pipx install machinectl")
    return MachineError(
        f"The Python package {package} is missing: this is not a whole installation",
        install | Hint("in a checkout", "pipx install ."),
    )


def report_of_bug(bug: Exception, *, debug: bool) -> str:
    """Return the traceback if `debug`; else save it, and return where."""
    import platformdirs

    if debug:
        return traceback.format_exc()
    what = f"{type(bug).__name__}: {str(bug).partition(chr(10))[0]}"
    directory = platformdirs.user_log_dir("machinectl", appauthor=False)
    path = os.path.join(directory, "bug.log")
    try:
        check_home_known(directory, Hint("Set HOME"))
        make_directories(directory)
        where = f"machinectl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        replace_file(path, (where + traceback.format_exc()).encode(errors="backslashreplace"))
    except (OSError, MachineError) as exc:
        return f"This is a bug in machinectl: {what}\nIts traceback cannot be kept ({exc}): run it again with --debug"
    return f"This is a bug in machinectl: {what}\nThe traceback is in {path}; please report it."
