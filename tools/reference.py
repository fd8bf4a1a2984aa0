"""Write the command reference from what `--help` says: a man page, and Markdown for the web."""

from __future__ import annotations

import itertools
import operator
import re
from typing import TYPE_CHECKING, Any

from machinectl import __version__
from machinectl.cli.catalogue import ABOUT, GROUPS, LOGIN, OPTIONS, SECTIONS, TOPICS, VERBS, section_verbs
from machinectl.cli.help_pages import arguments_of, flags_and_driver, option_rows, usage_lines
from machinectl.cli.parsing.command_line import IN_DRIVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.cli.catalogue import Verb
    from machinectl.machines.flags import Flag

    # What a piece of the reference is ("section", "verb", "option", "text", "example"), and its texts.
    Piece = tuple[str, ...]

ENVIRONMENT = (
    ("MACHINE_STORAGE_PATH", "The store's directory."),
    ("MACHINE_DEBUG", "As --debug."),
    ("MACHINE_DRIVER", "As --driver of create."),
    ("MACHINECTL_SSH_PASSWORD, MACHINECTL_SUDO_PASSWORD", "The passwords to log in with, and for sudo."),
    ("NO_COLOR", "Print no colours."),
)
EXITS = (
    ("0", "Success."),
    ("1", "Failure; stderr says why, and what to type next."),
    ("2", "Wrong use of the command line."),
    ("3", "A check before create failed and nothing was changed, or machinectl has a bug, and says so."),
    ("130", "^C. forward, socket and ls --watch, which run until ^C, exit with 0."),
)
# Those that come with machinectl. Each adds options to create.
DRIVERS = ("generic", "none")


def pieces() -> Iterator[Piece]:
    """The reference as both forms have it, between its head and its end."""
    yield ("section", "Options")
    yield from listed(OPTIONS)
    yield ("section", "SSH options")
    yield ("text", TOPICS["ssh-options"])
    yield from listed(option_rows(LOGIN))
    for section in SECTIONS:
        yield ("section", section)
        for name, _ in section_verbs(section):
            yield from command(name)
    yield ("section", "Environment")
    yield from listed(ENVIRONMENT)
    yield ("section", "Exit status")
    yield from listed(EXITS)


def command(name: str) -> Iterator[Piece]:
    """A verb with its options, or those of its own verbs."""
    declared = VERBS[name]
    if declared.runs and name in GROUPS:
        yield from described(name, declared, declared.flags, declared.examples)
    if name in GROUPS:
        for own, verb in GROUPS[name].items():
            if not verb.hidden:
                yield from described(f"{name} {own}", verb, verb.flags, verb.examples)
    elif name == "create":
        yield from described(name, declared, declared.flags, declared.examples)
        for driver in DRIVERS:
            flags, _ = flags_and_driver(name, [name, f"--driver={driver}"])
            title = f"create -d {driver}"
            yield ("verb", title, f"{title} [OPTIONS] {arguments_of(declared)}")
            yield ("text", f"The options of driver {driver}, beside those of create.")
            yield from listed(option_rows(flag for flag in flags if flag.section.startswith(IN_DRIVER)))
            yield from (("example", example) for example in declared.examples if f"-d {driver} " in example)
    else:
        yield from described(name, declared, declared.flags, declared.examples)


def described(title: str, declared: Verb, flags: Sequence[Flag], examples: Sequence[str]) -> Iterator[Piece]:
    yield ("verb", title, *usage_lines(title, declared))
    own = [flag for flag in flags if flag not in LOGIN]
    takes = "It takes the SSH options, too." if len(own) < len(flags) else ""
    yield ("text", " ".join(filter(None, (declared.summary, declared.more, takes))))
    arguments = [(one.metavar, one.help) for one in declared.arguments if one.help]
    yield from listed([*arguments, *option_rows(own)])
    yield from (("example", example) for example in examples)


def listed(rows: Any) -> Iterator[Piece]:
    yield from (("option", name, " ".join(text.split())) for name, text in rows)


def man_page() -> str:
    """Return a page for man(7)."""
    name = f"machinectl-docker \\- {in_roff(ABOUT[0].lower() + ABOUT[1:].rstrip('.'))}"
    head = (
        f'.TH MACHINECTL-DOCKER 1 "" "machinectl {__version__}" "Docker hosts"',
        *(".SH NAME", name),
        *(".SH SYNOPSIS", ".B machinectl", "[OPTIONS] COMMAND [ARGUMENT]..."),
        *(".SH DESCRIPTION", "The command is machinectl; so is systemd's, whose page is machinectl(1)."),
    )
    end = (".SH SEE ALSO", "docker(1), ssh(1), machinectl(1)")
    return "".join(f"{line}\n" for line in (*head, *(line for piece in pieces() for line in roff(*piece)), *end))


def roff(kind: str, *texts: str) -> tuple[str, ...]:
    first, *rest = (in_roff(text) for text in texts)
    match kind:
        case "section":
            return (f".SH {first.upper()}",)
        case "verb":
            form, *more = rest
            return (f".SS {form}", *(line for other in more for line in (".PP", f".B {other}")))
        case "option":
            return (".TP", f".B {first}", *rest)
        case "example":
            return (".PP", f".B {first}")
    return (".PP", first)


def in_roff(text: str) -> str:
    """A text that roff takes as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def markdown() -> str:
    """Return the same in GitHub's Markdown."""
    blocks = [f"# Command reference\n\n{ABOUT}\n\n`machinectl [OPTIONS] COMMAND [ARGUMENT]...`"]
    for kind, together in itertools.groupby(pieces(), key=operator.itemgetter(0)):
        lines = [marked(*piece) for piece in together]
        blocks.append("\n".join(("```console", *lines, "```")) if kind == "example" else "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def marked(kind: str, first: str, *rest: str) -> str:
    match kind:
        case "section":
            return f"## {first}"
        case "verb":
            return "\n\n".join((f"### {first}", *(f"`machinectl {form}`" for form in rest)))
        case "option":
            return f"- `{first}`: {in_markdown(*rest)}"
        case "example":
            return f"$ {first}"
    return in_markdown(first)


def in_markdown(text: str) -> str:
    """A text of which Markdown takes nothing for its own but what is between backquotes."""
    return re.sub(r"`[^`]*`|[\\*_<]", lambda found: found[0] if found[0].startswith("`") else f"\\{found[0]}", text)
