"""The front door: the verbs that sit in shell start-up and prompts are answered here without loading Typer.

A command line that is not wholly understood here is left to Typer, which shares the command functions and so prints the
same bytes. Nothing heavy may be imported on this path; tests/test_light_path.py holds the list.
"""

from __future__ import annotations

import sys

from machinectl.cli import answers
from machinectl.cli.exits import guarded
from machinectl.cli.output import write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.store import Store

    # Flags given (with their values) and names given, to what stdout gets.
    Answer = Callable[[Store, dict[str, str], list[str]], str]

FLAG = "flag"
VALUE = "value"

STORAGE = {"-s": "storage", "--storage-path": "storage"}


def main() -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:]
    work = light(arguments)
    if work is not None:
        return guarded(work)
    from machinectl.cli.app import run

    return run(arguments)


def light(arguments: Sequence[str]) -> Callable[[], int] | None:
    """The work of a command line that is understood here, else None."""
    rest = list(arguments)
    root = take_storage(rest)
    if root is None or not rest:
        return None
    verb = rest.pop(0)
    if verb not in VERBS:
        return None
    known, most, answer = VERBS[verb]
    read = take_options(rest, known)
    if read is None:
        return None
    flags, names = read
    if len(names) > most or (verb == "ls" and "quiet" not in flags):
        return None

    def work() -> int:
        from machinectl.store import Store

        write_out(answer(Store(root), flags, names))
        return 0

    return work


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
