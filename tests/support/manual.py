"""The man page, written from what `--help` says (`make man`). It is named so because machinectl(1) is systemd's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer.main

from machinectl import __version__
from machinectl.cli.app import build
from machinectl.cli.catalogue import ABOUT, GROUPS, OPTIONS, SECTIONS, VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = (
    ("MACHINE_STORAGE_PATH", "Where machines are kept."),
    ("MACHINE_DEBUG", "As --debug."),
    ("MACHINE_DRIVER", "As --driver of create."),
    ("MACHINECTL_SSH_PASSWORD, MACHINECTL_SUDO_PASSWORD", "The passwords to log in with, and for sudo."),
    ("NO_COLOR", "Colour nothing."),
)
EXITS = (
    ("0", "It is done."),
    ("1", "It could not be done; stderr says why, and what to type next."),
    ("2", "The command line cannot be understood."),
    ("3", "A check before create failed and nothing was changed, or there is a bug, which is told as one."),
    ("130", "^C."),
)
# Beside what is the same for all, the help of create is a driver's.
DRIVERS = ("generic", "none")


def page() -> str:
    """The whole page, in man(7)."""
    return "".join(f"{line}\n" for line in lines())


def lines() -> Iterator[str]:
    yield f'.TH MACHINECTL-DOCKER 1 "" "machinectl {__version__}" "Docker hosts"'
    yield from (".SH NAME", f"machinectl-docker \\- {plain(ABOUT[0].lower() + ABOUT[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B machinectl", "[OPTIONS] COMMAND [ARGUMENT]...")
    yield from (".SH DESCRIPTION", "The command is machinectl; so is systemd's, whose page is machinectl(1).")
    yield from (".SH OPTIONS", *listed(OPTIONS))
    for section in SECTIONS:
        yield f".SH {section.upper()}"
        for name, verb in VERBS.items():
            if verb.section == section:
                yield from command(name)
    yield from (".SH ENVIRONMENT", *listed(ENVIRONMENT), ".SH EXIT STATUS", *listed(EXITS))
    yield from (".SH SEE ALSO", "docker(1), ssh(1), machinectl(1)")


def command(name: str) -> Iterator[str]:
    """A verb with its options, or those of its own verbs."""
    if name in GROUPS:
        for own, verb in GROUPS[name].items():
            yield from described(f"{name} {own}", verb.examples, [name, own])
    elif name == "create":
        for driver in DRIVERS:
            examples = tuple(each for each in VERBS[name].examples if f"-d {driver} " in each)
            yield from described(f"create \\-d {driver}", examples, [name, f"--driver={driver}"])
    else:
        yield from described(name, VERBS[name].examples, [name])


def described(title: str, examples: tuple[str, ...], words: list[str]) -> Iterator[str]:
    found: Any = typer.main.get_command(build(words))
    for word in words:
        found = found.commands[word] if not word.startswith("-") else found
    context = typer.Context(found)
    usage = " ".join(piece for each in found.params for piece in each.get_usage_pieces(context))
    yield from (f".SS {title} {plain(usage)}".rstrip(), plain(found.help or ""))
    yield from listed(record for each in found.params if (record := each.get_help_record(context)) and record[1])
    for example in examples:
        yield from (".PP", f".B {plain(example)}")


def listed(rows: Any) -> Iterator[str]:
    for name, text in rows:
        yield from (".TP", f".B {plain(name)}", plain(" ".join(text.split())))


def plain(text: str) -> str:
    """A text that roff takes as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
