"""Run a command line: read it from the declarations, and call the verb.

Typer gets the command lines that the small parser does not read, and runs the same functions. Import nothing heavy
here: tests/cli/test_light_path.py has the list.
"""

from __future__ import annotations

import gc
import os
import sys

from machinectl.cli.catalogue import BEFORE_THE_VERB, find_verb
from machinectl.cli.invocation import BY_DOCKER, THIS, own_version
from machinectl.cli.output.exit_status import guarded
from machinectl.cli.output.stdio import open_streams
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.command_line import NotReadError, read_values, with_dashes
from machinectl.cli.parsing.go_flags import (
    HELP_OPTION,
    HELP_VERBS,
    WITH_DRIVER_OPTIONS,
    canonical,
    helped_verb,
    is_before_the_verb,
    split_at_verb,
    take_flags,
    take_verb,
)
from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


# Collect garbage only after this many new objects: more than importing one verb makes.
MANY_OBJECTS = 100_000


def main() -> int:
    open_streams()
    # Modules live until the process ends: collecting them takes a fifth of a short verb's time.
    gc.set_threshold(MANY_OBJECTS)
    try:
        code = run_command_line(sys.argv[1:])
    finally:
        gc.freeze()
    leave_threads(code)
    return code


def leave_threads(code: int) -> None:
    """Exit now if only daemon threads still run, such as those that query silent hosts.

    In OpenSSL, which the interpreter unloads at exit, they crash about once in a hundred runs.
    """
    threading = sys.modules.get("threading")
    others = [each for each in threading.enumerate() if each is not threading.main_thread()] if threading else []
    if not others or not all(each.daemon for each in others):
        return
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 (the interpreter calls it at exit; there is no public name)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_command_line(arguments: list[str]) -> int:
    THIS.take_passwords()
    if arguments[:1] == [BY_DOCKER]:
        from machinectl.cli.parsing.docker_plugin_call import COMPLETE, GLOBAL, own_command_line

        if arguments[1:2] == [COMPLETE]:
            from machinectl.cli.parsing.completion import cobra_lines

            rest = arguments[2:]
            take_flags(rest, "", GLOBAL)
            return guarded(lambda: write_out(cobra_lines(rest[1:])))
        arguments = own_command_line(arguments[1:])
    THIS.typed = arguments
    if work := light_work(arguments):
        return guarded(work)

    def run() -> int:
        from machinectl.cli.typer_app import run_with_typer

        return run_with_typer(arguments)

    return guarded(run)


def light_work(arguments: Sequence[str]) -> Callable[[], int] | None:
    """Return the work of a command line, or None if Typer must read it."""
    try:
        THIS.typed = arguments = with_dashes(arguments)
        words = canonical(arguments)
        return help_work(words) or read_work(arguments, words)
    except (NotReadError, MachineError):
        # Typer's way raises it again.
        return None


def help_work(words: Sequence[str]) -> Callable[[], int] | None:
    """Return the work of a canonical command line that asks for help, else None."""
    before, rest = split_at_verb(words)
    asks = HELP_OPTION in before
    while rest and rest[0] in HELP_VERBS:
        asks, rest = True, canonical(rest[1:])
    if not rest and not asks and not all(map(is_before_the_verb, before)):
        return None
    name = helped_verb(rest, asks=asks) if rest else ""
    if name is None:
        return None

    def show() -> int:
        from machinectl.cli.help_pages import print_help

        return print_help(name, [*before, *rest])

    return show


def read_work(arguments: Sequence[str], words: list[str]) -> Callable[[], int]:
    """Raises NotReadError."""
    before, rest = split_at_verb(words)
    options = read_values(before, BEFORE_THE_VERB)
    if options["show_version"] and not rest:
        return version_of_all
    name, rest = take_verb(rest)
    declared = find_verb(name)
    if declared is None or not declared.runs or options["show_version"]:
        raise NotReadError
    flags = declared.flags
    if name in WITH_DRIVER_OPTIONS:
        from machinectl.cli.parsing.command_line import command_flags
        from machinectl.cli.parsing.create_forms import canonical_with_driver

        words = canonical_with_driver(arguments)
        _, rest = take_verb(split_at_verb(words)[1])
        flags = command_flags(name, declared, words)
    given = read_values(rest, flags, declared.arguments, passes_on=declared.passes_on)

    def run() -> int:
        from machinectl.cli.run_verb import run_verb
        from machinectl.cli.verb_session import session_of

        return run_verb(session_of(options, words), declared, given)

    return run


def version_of_all() -> int:
    write_out(f"{own_version()}\n")
    return 0
