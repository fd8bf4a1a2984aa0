"""Lay out `--help`, from the declarations: the first page, groups, verbs and topics. Light path."""

from __future__ import annotations

import sys

from machinectl.cli import catalogue
from machinectl.cli.catalogue import (
    ABOUT,
    COMMON,
    LOGIN,
    OPTIONS,
    SECTIONS,
    TOPICS,
    examples_of,
    find_verb,
    section_verbs,
)
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import as_called
from machinectl.cli.output.stdout import draw
from machinectl.cli.output.style import BOLD, MORE, coloured, columns, flowed, harmless, printed_sign
from machinectl.cli.parsing.command_line import IN_DRIVER, with_note
from machinectl.cli.parsing.go_flags import WITH_DRIVER_OPTIONS, is_group, named_driver
from machinectl.machines.flags import IN_CERTIFICATES, IN_ENGINE, IN_SSH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from machinectl.cli.catalogue import Verb
    from machinectl.machines.flags import Flag

    Rows = Sequence[tuple[str, str]]


def usage_lines(name: str, declared: Verb) -> list[str]:
    """Return each form of a verb's command line, without the program's name."""
    if not declared.runs:
        return [f"{name} COMMAND"]
    start = f"{name} [OPTIONS]" if any(not flag.hidden for flag in declared.flags) else name
    return [f"{start} {form}".rstrip() for form in declared.forms or [arguments_of(declared)]]


def arguments_of(declared: Verb) -> str:
    return " ".join(argument.metavar for argument in declared.arguments)


def option_rows(flags: Iterable[Flag]) -> list[tuple[str, str]]:
    """Return the names of each shown option with its help."""
    return [
        (f"{', '.join(flag.all_names)} {flag.metavar}".rstrip(), option_help(flag)) for flag in flags if not flag.hidden
    ]


def option_help(flag: Flag) -> str:
    notes = [note for note, is_so in (("required", flag.required), ("repeatable", flag.many)) if is_so]
    if flag.secret and flag.variable:
        notes.append(f"else ${flag.variable}, else you are asked")
    if flag.show_default and flag.metavar and flag.default:
        default: Any = flag.default
        shown = ",".join(default) if flag.many else f"{default:g}" if flag.kind is float else str(default)
        notes.append(f"default {shown}")
    text = with_note(flag.help, ", ".join(notes))
    # A secret's variable holds the secret, not a file name.
    return f"{text} [${flag.variable}]" if flag.variable and not flag.secret else text


def print_help(name: str, words: Sequence[str] = ()) -> int:
    """Print the help of a verb, a group or a topic, "" for the first page. `words` may name a driver or a machine."""
    draw(PAGES[name]() if name in PAGES else verb_page(name, *flags_and_driver(name, words)))
    return 0


def flags_and_driver(name: str, words: Sequence[str]) -> tuple[Sequence[Flag], str]:
    """Return a verb's flags with those of the named driver, or of the named machine's, and the named driver."""
    declared = find_verb(name)
    if declared is None:
        return (), ""
    if name not in WITH_DRIVER_OPTIONS:
        return declared.flags, ""
    driver = named_driver(words)
    if name == "create" and not driver:
        return declared.flags, ""
    from machinectl.cli.parsing.command_line import command_flags

    return command_flags(name, declared, words), driver


# The widest readable line. Columns.
WIDEST = 120
# The longest name with its text beside it. Columns.
LONGEST = 32
# Columns before a name, and between a name and its text.
INDENT, GAP = 2, 2
# Room for `-x, ` before a long name.
LETTER = "    "
COMMON_OPTIONS = "Options"
HELP_ROW = ("-h, --help", "Show this help.")
# These sections come last, in this order.
LAST = (IN_CERTIFICATES, IN_ENGINE, IN_SSH)


def first_page() -> str:
    """Return what people type, on 24 lines of 80 columns with the next prompt."""
    return joined(
        [
            *usage([f"{THIS.name} [OPTIONS] COMMAND [ARGUMENT]…"]),
            "",
            *wrapped(ABOUT),
            *section(COMMON, list(section_verbs(COMMON))),
            "",
            *wrapped(as_called(f"Begin with: {examples_of('create')[0]}", THIS.name)),
            *wrapped(f"All commands: {THIS.name} help all. One: {THIS.name} COMMAND --help."),
        ]
    )


def all_commands_page() -> str:
    return joined(
        [
            *usage([f"{THIS.name} [OPTIONS] COMMAND [ARGUMENT]…"]),
            "",
            *wrapped(ABOUT),
            *(line for title in SECTIONS for line in section(title, list(section_verbs(title)))),
            *section(COMMON_OPTIONS, OPTIONS),
            *examples([examples_of("create")[0], examples_of("env")[0]]),
            *section(
                "More help",
                [
                    (f"{THIS.name} COMMAND --help", "A command, its options and examples."),
                    *((f"{THIS.name} help {topic}", about) for topic, about in TOPICS.items() if topic != "all"),
                ],
            ),
        ]
    )


def ssh_options_page() -> str:
    verbs = ", ".join(name for name, declared in catalogue.ALL.items() if LOGIN[0] in declared.flags)
    return joined(
        [
            heading("SSH options"),
            "",
            *wrapped(f"Commands that log in to hosts take these options: {verbs}."),
            *section(COMMON_OPTIONS, option_rows(LOGIN)),
            *examples(["machinectl provision --sudo-password-file sudo.txt orionbox"]),
        ]
    )


def verb_page(name: str, flags: Sequence[Flag], driver: str = "") -> str:
    """Return the page of a verb with `flags`, those of a named driver included."""
    declared = catalogue.ALL[name]
    if driver:
        forms = [f"{name} -d {driver} [OPTIONS] {arguments_of(declared)}"]
        about = f"Create a machine with the driver {driver}."
        commands = [example for example in declared.examples if f"-d {driver} " in example]
    else:
        forms, commands = usage_lines(name, declared), list(declared.examples)
        about = f"{declared.summary} {declared.more}"
    arguments = [(argument.metavar, argument.help) for argument in declared.arguments if argument.help]
    verbs = catalogue.GROUPS.get(name, {}).items()
    own = [(verb, of_group.summary) for verb, of_group in verbs if not of_group.hidden]
    shown: Iterable[tuple[str, Rows]] = flag_sections(flags)
    more = ["", f"{heading('SSH options')} {THIS.name} help ssh-options"] if set(LOGIN).intersection(flags) else []
    if is_group(name):
        more = ["", *wrapped(f"Run {THIS.name} {name} COMMAND --help for more on a command.")]
    elif declared.typed and not driver:
        shown = [(COMMON_OPTIONS, [*declared.typed, HELP_ROW])]
        more = ["", *wrapped(as_called(declared.all_options, THIS.name)), *more[1:]]
    return joined(
        [
            *usage([f"{THIS.name} {form}" for form in forms]),
            "",
            *wrapped(as_called(about, THIS.name)),
            *section("Arguments", arguments),
            *section("Commands", own),
            *(line for title, rows in shown for line in section(title, rows)),
            *more,
            *examples(commands),
        ]
    )


def flag_sections(flags: Sequence[Flag]) -> Iterator[tuple[str, Rows]]:
    """Return the sections in order, without the options of the topic."""
    found: dict[str, list[Flag]] = {}
    for flag in flags:
        if flag not in LOGIN and not flag.hidden:
            found.setdefault(flag.section or COMMON_OPTIONS, []).append(flag)
    found.setdefault(COMMON_OPTIONS, [])
    # A driver's options first.
    order = {title: at for at, title in enumerate(LAST, start=2)}
    for title in sorted(found, key=lambda title: 0 if title.startswith(IN_DRIVER) else order.get(title, 1)):
        yield title, [*option_rows(found[title]), *([HELP_ROW] if title == COMMON_OPTIONS else [])]


def joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines).replace(MORE, printed_sign(MORE, sys.stdout))


def heading(title: str) -> str:
    return coloured(f"{title}:", BOLD, sys.stdout)


def usage(lines: Sequence[str]) -> Iterator[str]:
    title = "Usage:"
    for number, line in enumerate(lines):
        first, *more = wrapped(line, len(title) + 3)
        yield (coloured(title, BOLD, sys.stdout) if number == 0 else " " * len(title)) + f" {first}"
        yield from (" " * (len(title) + 3) + rest for rest in more)


def section(title: str, rows: Rows) -> list[str]:
    return ["", heading(title), *definition_lines(rows)] if rows else []


def examples(commands: Sequence[str]) -> list[str]:
    """Return commands without line breaks, so that users can copy them."""
    if not commands:
        return []
    return ["", heading("Examples"), *(f"{' ' * INDENT}{as_called(command, THIS.name)}" for command in commands)]


def definition_lines(rows: Rows) -> Iterator[str]:
    """Return names with their texts beside them, or below a name that is long for the terminal."""
    # Drivers declare options, too.
    rows = [(harmless(name), harmless(text)) for name, text in rows]
    if any(name.startswith("-") and not name.startswith("--") for name, _ in rows):
        rows = [(f"{LETTER}{name}" if name.startswith("--") else name, text) for name, text in rows]
    longest = min(width() * 2 // 5, LONGEST)
    start = INDENT + GAP + max((len(name) for name, _ in rows if len(name) <= longest), default=len(LETTER))
    for name, text in rows:
        lines = wrapped(text, start)
        beside = len(name) <= longest
        yield f"{' ' * INDENT}{name}".ljust(start if beside else 0) + (lines.pop(0) if beside and lines else "")
        yield from (" " * start + line for line in lines)


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Break a text into lines that fit beside the indent. Longer words stay whole."""
    return list(map(" ".join, flowed(text.split(), width() - indent))) if text.strip() else []


def width() -> int:
    return min(columns(sys.stdout), WIDEST)


# Pages of `machinectl help TOPIC`.
PAGES = {"": first_page, "all": all_commands_page, "ssh-options": ssh_options_page}
