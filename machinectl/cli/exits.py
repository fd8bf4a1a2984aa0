"""How a command ends: what is printed where it fails, and the exit code."""

from __future__ import annotations

import os
import sys

from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUG = 3
INTERRUPTED = 130


def guarded(work: Callable[[], int | None], *, debug: bool = False) -> int:
    """Run a command and return its exit code, whatever happens in it. Never lets a traceback out unless `debug`."""
    try:
        return work() or 0
    except MachineError as exc:
        report(exc)
        return exc.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (`machinectl ls | head -1`); what is still buffered goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        if debug:
            raise
        print(report_of_bug(), file=sys.stderr)
        return BUG


def report(error: MachineError) -> None:
    """Print what was found and what to do next, on stderr."""
    lines = [line for line in (error.cause, error.hint) if line]
    sys.stderr.write("".join(line.encode(errors="replace").decode() + "\n" for line in lines))


def report_of_bug() -> str:
    """Keep the traceback of the exception being handled where it can be sent from, and say so in one line."""
    import platform
    import traceback

    import platformdirs

    from machinectl import __version__

    what = traceback.format_exc().rstrip().rpartition("\n")[2]
    directory = platformdirs.user_log_dir("machinectl", appauthor=False)
    path = os.path.join(directory, "bug.log")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f"machinectl {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
            file.write(traceback.format_exc())
    except OSError as exc:
        path = f"nowhere: {exc}; run it again with --debug"
    return f"This is a bug in machinectl: {what}\nThe traceback is in {path}; please report it."
