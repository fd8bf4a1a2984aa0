"""Answer the verbs of shell start-up, prompts and scripts without Typer.

Typer gets all other command lines and runs the same functions. Import nothing heavy here: tests/cli/test_light_path.py
has the list.
"""

from __future__ import annotations

import gc
import os
import sys

from machinectl.cli.catalogue import find_verb
from machinectl.cli.declarations.declared_verb import RELAYS
from machinectl.cli.invocation import AS_PLUGIN, BY_DOCKER, THIS
from machinectl.cli.options.help_request import help_work
from machinectl.cli.output.exit_status import guarded, program_with
from machinectl.cli.output.stdio import open_streams
from machinectl.cli.parsing.go_flags import canonical, is_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from machinectl.cli.declarations.declared_verb import Verb

STORAGE = "--storage-path="


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
        from machinectl.cli.parsing import docker_plugin_call

        if answer := docker_plugin_call.docker_request(arguments[1:]):
            return guarded(answer)
        arguments = docker_plugin_call.own_command_line(arguments[1:])
    root, work = light_work(arguments)
    return guarded(work, program=program_with(root)) if work else guarded(lambda: run_heavy(arguments))


def run_heavy(arguments: list[str]) -> int:
    if THIS.name == AS_PLUGIN:
        from machinectl.cli.parsing.docker_hangup import end_with_docker

        end_with_docker(os.environ)
    from machinectl.cli.typer_app import run_with_typer

    return run_with_typer(arguments)


def light_work(arguments: Sequence[str]) -> tuple[str, Callable[[], int] | None]:
    """Return the named store, and the work or None if Typer must parse the command line."""
    rest = canonical(arguments)
    typed = list(rest)
    if work := help_work(rest):
        return "", work
    root = take_storage(rest)
    if root is None or not rest:
        return "", None
    verb = rest.pop(0)
    if rest and is_group(verb):
        verb = f"{verb} {rest.pop(0)}"
    declared = find_verb(verb)
    if declared is None or declared.light is None or (declared.output == RELAYS and needs_more()):
        return root, None
    given = take_values(rest, declared)
    if given is None:
        return root, None

    def run() -> int:
        from machinectl.cli.options.run_verb import run_verb
        from machinectl.cli.options.verb_session import Session

        return run_verb(Session(root, typed), declared, given)

    return root, run


def take_storage(words: list[str]) -> str | None:
    """Remove --storage-path from the front; return "" without it, None if another flag comes first."""
    root = ""
    while words and words[0].startswith("-"):
        if not words[0].startswith(STORAGE):
            return None
        root = words.pop(0).removeprefix(STORAGE)
    return root


def needs_more() -> bool:
    """Return whether a relaying verb needs Typer: for passwords, native SSH, --debug or docker's plugin."""
    return THIS.name == AS_PLUGIN or bool(THIS.passwords or any(os.environ.get(name) for name in SLOW_PATH_VARIABLES))


def take_values(words: Sequence[str], declared: Verb) -> dict[str, Any] | None:
    """Return values by parameter, or None if Typer must parse them."""
    given: dict[str, Any] = {flag.parameter: None if flag.many else flag.default for flag in declared.flags}
    quick = {flag.name: flag for flag in declared.light or ()}
    left: list[str] = []
    for at, word in enumerate(words):
        if word == "--" and declared.output == RELAYS:
            # The words after the dashes belong to another program.
            left += words[at + 1 :]
            break
        if not word.startswith("-"):
            left.append(word)
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        flag = quick.get(name)
        if flag is None or bool(flag.metavar) != bool(equals):
            return None
        given[flag.parameter] = value if equals else True
    if declared.light_needs and not given[declared.light_needs.parameter]:
        return None
    for argument in declared.arguments:
        if argument.many:
            given[argument.parameter], left = left, []
        elif left or not argument.required:
            given[argument.parameter] = left.pop(0) if left else ""
        else:
            return None
    return None if left else given


# If one is set, a verb that relays another program's output needs Typer's path.
SLOW_PATH_VARIABLES = ("MACHINE_DEBUG", "MACHINE_NATIVE_SSH")
