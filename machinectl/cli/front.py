"""The front door: the verbs that sit in shell start-up and prompts are answered here without loading Typer.

A command line that is not wholly understood here is left to Typer, which shares the command functions and so prints the
same bytes. Nothing heavy may be imported on this path; tests/cli/test_light_path.py holds the list.
"""

from __future__ import annotations

import os
import sys

from machinectl.cli import answers
from machinectl.cli.exits import guarded, program_with
from machinectl.cli.output import write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.machines.store import Store

    # Flags given (with their values) and names given, to what stdout gets.
    Answer = Callable[[Store, dict[str, str], list[str]], str]

FLAG = "flag"
VALUE = "value"

# Command lines that ask what there is.
HELP: tuple[list[str], ...] = ([], ["-h"], ["--help"], ["help"])
STORAGE = {"-s": "storage", "--storage-path": "storage"}


def main() -> int:
    """Run the command line and return its exit code."""
    open_what_is_closed()
    arguments = sys.argv[1:]
    root, work = light(arguments)
    return guarded(work, program=program_with(root)) if work else guarded(lambda: heavy(arguments))


def heavy(arguments: list[str]) -> int:
    """Leave a command line to Typer."""
    from machinectl.cli.app import run

    return run(arguments)


def open_what_is_closed() -> None:
    """Give a program that was started with closed streams (`>&-`) what it can write to without harm."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (it stays open to the end)


def light(arguments: Sequence[str]) -> tuple[str, Callable[[], int] | None]:
    """The store that a command line names, and its work where it is understood here."""
    rest = list(arguments)
    if rest in HELP:
        return "", help_of_all
    root = take_storage(rest)
    if root is None or not rest:
        return "", None
    verb = rest.pop(0)
    if verb not in VERBS:
        return root, None
    known, most, answer = VERBS[verb]
    read = take_options(rest, known)
    if read is None:
        return root, None
    flags, names = read
    if len(names) > most or (verb == "ls" and "quiet" not in flags):
        return root, None

    def work() -> int:
        from machinectl.machines.store import Store

        write_out(answer(Store(root), flags, names))
        return 0

    return root, work


def help_of_all() -> int:
    from machinectl.cli.overview import overview

    write_out(overview())
    return 0


def take_storage(arguments: list[str]) -> str | None:
    """Take `-s DIR` off the front; "" where it is not given, None where something else stands there."""
    root = ""
    while arguments and arguments[0].startswith("-"):
        option, equals, value = arguments.pop(0).partition("=")
        if option not in STORAGE or (equals and option == "-s") or not (equals or arguments):
            return None
        root = value if equals else arguments.pop(0)
    return root


def take_options(arguments: list[str], known: dict[str, tuple[str, str]]) -> tuple[dict[str, str], list[str]] | None:
    """Split what follows the verb into flags and names; None where anything is not among the known options."""
    flags: dict[str, str] = {}
    names: list[str] = []
    while arguments:
        argument = arguments.pop(0)
        if not argument.startswith("-"):
            names.append(argument)
            continue
        option, equals, value = argument.partition("=")
        name, kind = known.get(option, ("", ""))
        if not name or (kind == FLAG and equals) or (equals and not option.startswith("--")):
            return None
        if kind == VALUE and not equals:
            if not arguments:
                return None
            value = arguments.pop(0)
        flags[name] = value
    return flags, names


# A verb's options here (what Typer knows beside them is left to it), how many names it takes, and what answers it.
VERBS: dict[str, tuple[dict[str, tuple[str, str]], int, Answer]] = {
    "env": (
        {
            "--shell": ("shell", VALUE),
            "-u": ("unset", FLAG),
            "--unset": ("unset", FLAG),
            "--no-proxy": ("no_proxy", FLAG),
            "--swarm": ("swarm", FLAG),
        },
        1,
        answers.env,
    ),
    "active": ({}, 0, answers.active),
    "url": ({}, 1, answers.url),
    "ip": ({}, sys.maxsize, answers.ip),
    "ls": ({"-q": ("quiet", FLAG), "--quiet": ("quiet", FLAG)}, 0, answers.ls),
}
