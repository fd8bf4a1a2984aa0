"""Print errors and set exit codes."""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import NAME, THIS, is_on
from machinectl.cli.output.stdio import OutputError
from machinectl.cli.output.style import BOLD, RED, YELLOW, coloured, columns, flowed, harmless, is_drawn_on, wrapped
from machinectl.errors import NO_HINT, Declined, Hint, MachineError
from machinectl.files.atomic import quote_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


BUG = 3
# The shell defines this verb as a function.
USE = "use"
INTERRUPTED = 130
# `machinectl` where a command begins, but not in the words that shlex.quote has quoted, nor as a builder's name.
OURS = r"""'[^']*'|"'"|(?P<before>^|[;&|:(`] ?|sudo (?:-u \S+ )?|exec )(?P<name>machinectl )"""


def guarded(work: Callable[[], int | None], *, program: str = "", failure_status: int = 0) -> int:
    """Run a command, print its error and return the exit code.

    `program` replaces `machinectl` in hints. `failure_status`, if not 0, is the exit code of expected errors.
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
        report(MachineError(str(exc), Hint("Check the file or device that stdout goes to")))
        return 1
    except Exception as exc:  # noqa: BLE001 (the last handler: report a bug as a bug)
        if error := expected_error(exc):
            report(error, program)
            return 1
        print(harmless(report_of_bug(exc)), file=sys.stderr)
        return BUG


def report(error: MachineError, program: str = "") -> None:
    program = program or THIS.name
    at_terminal = is_drawn_on(sys.stderr)
    more = "" if at_terminal else error.more.format(program)
    label = "" if error.for_scripts and not at_terminal else error.label
    first, *others = wrapped(harmless(f"{label}{error.cause}{more}"), sys.stderr).split("\n")
    hint = NO_HINT if more and error.unexplained else error.hint
    if line := THIS.corrected(*error.mistyped) if error.mistyped else "":
        hint = Hint("Did you mean", line)
    colour = "" if isinstance(error, Declined) else RED
    lines = [coloured(first, colour, sys.stderr), *others, *hint_lines(hint, program)]
    sys.stderr.write("".join(f"{line}\n" for line in lines if line))


def hint_lines(hint: Hint, program: str) -> list[str]:
    """Return a hint's lines for stderr, its commands as this program was called: at a terminal, a line for each."""
    parts = called(hint, program)
    if not is_drawn_on(sys.stderr):
        return [f"  {harmless(called_text(hint, program))}"] if parts else []
    return [f"  {line}" for text, command in parts for line in part_lines(harmless(text), harmless(command))]


def part_lines(text: str, command: str) -> Iterator[str]:
    """Wrap the text. The command stays whole: it is pasted."""
    words = f"{text[:1].upper()}{text[1:]}{':' * bool(text and command)}".split()
    *lines, last = flowed([*words, *filter(None, [command])], columns(sys.stderr) - 2)
    yield from map(" ".join, lines)
    yield " ".join([*last[:-1], coloured(command, BOLD, sys.stderr)] if command else last)


def called_text(hint: Hint, program: str) -> str:
    return Hint.of(*((text, command, False) for text, command in called(hint, program)))


def called(hint: Hint, program: str) -> list[tuple[str, str]]:
    """Return the texts and commands of a hint, as this program was called, without verbs that are not there."""
    from machinectl.cli.catalogue import LISTED, NAMED

    program = found_by_shell(program)
    # The verbs of a feature that was taken out (features.py).
    missing = {f"{NAME} {verb}" for verb in NAMED.difference(LISTED)}
    return [
        (text, command if elsewhere else as_called(command, program))
        for text, command, elsewhere in hint.parts
        if elsewhere or " ".join(command.split(" ")[:2]) not in missing
    ]


def report_failures(results: Iterable[object], program: str) -> int:
    """Report the errors among the results; return the exit code."""
    failures = [each for each in results if isinstance(each, MachineError)]
    for failure in failures:
        report(failure, program)
    return int(bool(failures))


def as_called(command: str, program: str) -> str:
    """Replace `machinectl` in a command by how this program was called, with its store; not inside of a quoted word."""
    if program == NAME:
        return command
    begin = f"{NAME} "
    if begin not in command.removeprefix(begin):
        # The light path does without re.
        return called_by(command, program) if command.startswith(begin) else command
    import re

    def as_here(found: re.Match[str]) -> str:
        rest = command[found.end("name") :]
        return f"{found['before']}{called_by(begin + rest, program).removesuffix(rest)}" if found["name"] else found[0]

    return re.sub(OURS, as_here, command)


def called_by(command: str, program: str) -> str:
    """Replace the first word of a command of ours."""
    rest = command.removeprefix(f"{NAME} ")
    if rest.startswith(f"{USE} ") and not program.startswith(NAME):
        # Only the shell function `machinectl` has `use`.
        return command
    # The options before the verb may name a store.
    return f"{found_by_shell(THIS.name) if rest.startswith('-') else program} {rest}"


def found_by_shell(program: str) -> str:
    """Put this program's path in place of its name, if PATH leads to none or to another one, such as systemd's."""
    if not program.startswith(NAME) or os.path.basename(THIS.script) != NAME:
        return program
    from machinectl.shell import shortest

    return quote_word(shortest(THIS.script, os.environ.get("PATH", ""))) + program.removeprefix(NAME)


def warning(text: str) -> str:
    return f"{coloured('Warning:', YELLOW, sys.stderr)} {text}"


def fitted_warning(text: str, program: str, hint: Hint = NO_HINT) -> str:
    """Return a warning, wrapped for a terminal."""
    begin = "Warning:"
    fitted = warning(wrapped(f"{begin} {harmless(text)}", sys.stderr).removeprefix(begin).lstrip(" "))
    return "\n".join([fitted, *hint_lines(hint, program)])


def program_with(root: str) -> str:
    if not root:
        return THIS.name
    if root.endswith("\n"):
        # At the end, the quotes would lose it.
        root += "/"
    return f"{THIS.name} -s {quote_word(root)}"


def debugging() -> bool:
    return is_on(os.environ.get("MACHINE_DEBUG", ""))


def expected_error(error: Exception) -> MachineError | None:
    """Return the error of a full disk or of a missing package."""
    import errno

    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        where = f"{error.filename}: " if error.filename else ""
        return MachineError(f"{where}{error.strerror}", Hint("See which disk is full", "df -h"))
    package = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if package.partition(".")[0] in {"", NAME}:
        return None
    return MachineError(
        f"The Python package {package} is missing: this is not a whole installation",
        Hint("Install machinectl with what it needs", "pipx install machinectl")
        | Hint("in a checkout", "pipx install ."),
    )


def report_of_bug(bug: Exception) -> str:
    """Return the traceback with --debug; else save it, and return where."""
    import platform
    import traceback

    import platformdirs

    from machinectl import __version__
    from machinectl.files.atomic import make_directories, replace_file
    from machinectl.files.user_directories import check_home_known

    if debugging():
        return traceback.format_exc()
    what = f"This is a bug in machinectl: {type(bug).__name__}: {str(bug).partition(chr(10))[0]}"
    directory = platformdirs.user_log_dir(NAME, appauthor=False)
    path = os.path.join(directory, "bug.log")
    versions = f"machinectl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    try:
        check_home_known(directory, Hint("Set HOME"))
        make_directories(directory)
        replace_file(path, (versions + traceback.format_exc()).encode(errors="backslashreplace"))
    except (OSError, MachineError) as exc:
        return f"{what}\nIts traceback cannot be kept ({exc}): run it again with --debug"
    return f"{what}\nThe traceback is in {path}; please report it."
