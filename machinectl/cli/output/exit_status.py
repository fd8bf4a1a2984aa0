"""How a command ends: what is printed where it fails, and the exit code."""

from __future__ import annotations

import errno
import os
import sys

from machinectl.cli.invocation import AS_PLUGIN, NAME, THIS, is_true
from machinectl.cli.output.colours import coloured, is_drawn_on
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdio import OutputError
from machinectl.errors import MachineError
from machinectl.files.atomic import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUG = 3
# ECMA-48's SGR.
RED, BOLD = "31", "1"
# The verb that is a function of the shell's.
USE = "use"
# What is an error's beginning as it is, or no error: the help of a command line that says nothing.
BEGUN = ("Error", "Usage:")
# The lines that docker-machine's scripts look for; the others of those begin with Error.
DOCKER_MACHINES = ('Docker machine "', 'Driver "', "Invalid command line. ", "No active host found")
# What ends a command within a hint.
ENDS = ("; ", ", or", " (", ")")
INTERRUPTED = 130
# The system's errors for a full disk and for a used-up quota.
FULL = {errno.ENOSPC, errno.EDQUOT}


def guarded(work: Callable[[], int | None], *, program: str = "", failure_status: int = 0) -> int:
    """Run a command and return its exit code, whatever happens in it; a bug's traceback is shown with --debug.

    `program` is how this program was called, with its store: it stands in the commands that hints suggest.
    `failure_status` is the exit code of every expected error, 0 for the error's own.
    """
    try:
        return work() or 0
    except MachineError as exc:
        report(exc, program)
        return failure_status or exc.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputError as exc:
        if exc.reader_is_gone:
            return 0
        report(MachineError(str(exc), "Check the file or device that stdout goes to"))
        return 1
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] in {"", "machinectl"}:
            print(harmless(report_of_bug(exc)), file=sys.stderr)
            return BUG
        report(missing(exc.name or ""), program)
        return 1
    except Exception as exc:  # noqa: BLE001 (the last line of defence: a bug is told as one)
        if isinstance(exc, OSError) and exc.errno in FULL:
            where = f"{exc.filename}: " if exc.filename else ""
            report(MachineError(f"{where}{exc.strerror}", "See which disk is full: df -h"))
            return 1
        print(harmless(report_of_bug(exc)), file=sys.stderr)
        return BUG


def missing(package: str) -> MachineError:
    """What to do about a package that is not there."""
    return MachineError(
        f"The Python package {package} is missing: this is not a whole installation",
        "Install machinectl with what it needs: pipx install machinectl; in a checkout: pipx install .",
    )


def report(error: MachineError, program: str = "") -> None:
    """Print what was found, and beneath it, set apart, what to do next, on stderr.

    On a terminal the one is red, and the commands in the other are bold.
    """
    program = program or THIS.name
    first, *more = begun(error.cause, at_terminal=is_drawn_on(sys.stderr)).split("\n")
    hints = [f"  {emphasised(harmless(line), program)}" for line in as_called(error.hint, program).split("\n") if line]
    lines = [coloured(harmless(first), RED, sys.stderr), *map(harmless, more), *hints]
    sys.stderr.write("".join(f"{line}\n" for line in lines if line))


def begun(cause: str, *, at_terminal: bool) -> str:
    """A cause as every error begins; docker-machine's lines stay its own where a program may look for them."""
    if cause.startswith(BEGUN) or (cause.startswith(DOCKER_MACHINES) and not at_terminal):
        return cause
    return f"Error: {cause}"


def emphasised(hint: str, program: str) -> str:
    """A hint's commands in bold on a terminal: each goes on to the end of its clause."""
    before, command, after = hint.partition(f"{program} ")
    if not command:
        return hint
    ends = [at for end in ENDS if (at := after.find(end)) >= 0]
    end = min(ends, default=len(after))
    return before + coloured(command + after[:end], BOLD, sys.stderr) + emphasised(after[end:], program)


def as_called(text: str, program: str) -> str:
    """A text whose commands work as this one was called: with the store that it was told to use."""
    if program == NAME:
        return text
    from machinectl.cli.catalogue import VERBS

    found, *rest = text.split("machinectl ")
    for part in rest:
        verb = first_word(part)
        # In a sentence it is but a name, and at the end of a path a directory.
        is_command = verb in VERBS and not found.endswith("/")
        # docker does not run the functions of a shell.
        is_function = verb == USE and program.startswith(AS_PLUGIN)
        found += f"{program if is_command and not is_function else NAME} {part}"
    return found


def first_word(text: str) -> str:
    """What a verb may be of a text, without the sentence's own signs behind it."""
    end = next((at for at, letter in enumerate(text) if not (letter.isalpha() or letter == "-")), len(text))
    return text[:end]


def program_with(root: str) -> str:
    """How this program is called for a store that was named on the command line; "" is none."""
    if not root:
        return THIS.name
    import shlex

    return f"{THIS.name} -s {shlex.quote(root)}"


def debugging() -> bool:
    """Whether --debug was given, or $MACHINE_DEBUG asks for the same."""
    return is_true(os.environ.get("MACHINE_DEBUG", ""))


def report_of_bug(bug: Exception) -> str:
    """Show a traceback with --debug; else keep it where it can be sent from, and say so."""
    import platform
    import traceback

    import platformdirs

    from machinectl import __version__

    if debugging():
        return traceback.format_exc()
    what = f"{type(bug).__name__}: {str(bug).partition(chr(10))[0]}"
    directory = platformdirs.user_log_dir("machinectl", appauthor=False)
    path = os.path.join(directory, "bug.log")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        where = f"machinectl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        replace_file(path, (where + traceback.format_exc()).encode(errors="backslashreplace"))
    except (OSError, MachineError) as exc:
        return f"This is a bug in machinectl: {what}\nIts traceback cannot be kept ({exc}): run it again with --debug"
    return f"This is a bug in machinectl: {what}\nThe traceback is in {path}; please report it."
