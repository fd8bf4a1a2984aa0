"""Write the shells' completions: the scripts in completion/, with a table of verbs and flags from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machinectl.cli.catalogue import GROUPS, VERBS, group_verbs
from machinectl.cli.option_help import option_help
from machinectl.cli.parsing import completion_candidates
from machinectl.cli.parsing.shell_snippets import ENDINGS, QUOTED
from machinectl.machines.flags import SHELL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEMPLATES = Path(__file__).parent / "completion"
# The line of a template that the table replaces.
TABLE = "# TABLE\n"


class Entry(NamedTuple):
    """One place of a command line: which verbs may follow, which flags, each with what it is for, and arguments.

    Where both verbs and arguments may follow, another word than a verb is an argument.

    A flag is NAME, or NAME=VALUE where it takes one: a kind (`FILE`), or `a|b` for one of these words. An argument that
    may be repeated ends with `...`.
    """

    path: str
    verbs: Mapping[str, str]
    flags: Mapping[str, str]
    arguments: tuple[str, ...]


def entries() -> Iterator[Entry]:
    yield Entry("", {**completion_candidates.verb_summaries(), "help": "Show what a command is for."}, flags(""), ())
    for path in ("help", *VERBS, *(" ".join(words) for words in group_verbs())):
        own = completion_candidates.verb_summaries(path) if path in GROUPS else {}
        if path == "help":
            own = completion_candidates.helped()
        words, many = completion_candidates.argument_kinds(path)
        kinds = [value(word) for word in words]
        yield Entry(path, own, flags(path), (*kinds[:-1], f"{kinds[-1]}...") if many else tuple(kinds))


def flags(path: str) -> dict[str, str]:
    return {
        name + (f"={value(flag.offers)}" if flag.offers else ""): option_help(flag)
        for flag in completion_candidates.flags_for(path)
        for name in flag.all_names
    }


def value(kind: str | tuple[str, ...]) -> str:
    if kind == SHELL:
        kind = completion_candidates.SHELLS
    return kind.upper() if isinstance(kind, str) else "|".join(kind)


def in_bash(found: Iterable[Entry]) -> str:
    lines = ["__machinectl_table() {\n", '    case "$1" in\n']
    for entry in found:
        lines += [
            f"        {quoted('bash', entry.path)})\n",
            f"            verbs={quoted('bash', ' '.join(entry.verbs))}\n",
            f"            flags={quoted('bash', ' '.join(entry.flags))}\n",
            f"            arguments={quoted('bash', ' '.join(entry.arguments))}\n",
            "            ;;\n",
        ]
    return "".join([*lines, "        *) \\return 1 ;;\n", "    esac\n", "}\n"])


def in_zsh(found: Iterable[Entry]) -> str:
    """The same with what each is for, parted by a tab."""
    lines = ["__machinectl_table() {\n", '    case "$1" in\n']
    for entry in found:
        lines += [
            f"        ({quoted('zsh', entry.path)})\n",
            *listed("            verbs=(", "zsh", entry.verbs, ")\n"),
            *listed("            flags=(", "zsh", entry.flags, ")\n"),
            f"            arguments=({' '.join(quoted('zsh', each) for each in entry.arguments)})\n",
            "            ;;\n",
        ]
    return "".join([*lines, "        (*) \\return 1 ;;\n", "    esac\n", "}\n"])


def in_fish(found: Iterable[Entry]) -> str:
    lines = ["function __machinectl_table\n", '    switch "$argv[1]"\n']
    for entry in found:
        lines += [
            f"        case {quoted('fish', entry.path)}\n",
            *listed("            set -g __machinectl_verbs", "fish", entry.verbs, "\n"),
            *listed("            set -g __machinectl_flags", "fish", entry.flags, "\n"),
            "            set -g __machinectl_arguments",
            *(f" {quoted('fish', each)}" for each in entry.arguments),
            "\n",
        ]
    # `set` leaves the status that was there.
    return "".join([*lines, "        case '*'\n", "            return 1\n", "    end\n", "    return 0\n", "end\n"])


def in_powershell(found: Iterable[Entry]) -> str:
    lines = ["$__machinectl_table = @{\n"]
    for entry in found:
        texts = (", ".join(quoted("powershell", each) for each in part) for part in (*entry[1:3], entry.arguments))
        lines.append(f"    {quoted('powershell', entry.path)} = {', '.join(f'@({text})' for text in texts)}\n")
    return "".join([*lines, "}\n"])


def listed(before: str, shell: str, rows: Mapping[str, str], after: str) -> Iterator[str]:
    yield before
    continued = " \\\n" if shell == "fish" else "\n"
    for name, about in rows.items():
        row = f"{name}\t{about}"
        yield f"{continued}                {quoted(shell, row)}"
    yield after


def quoted(shell: str, text: str) -> str:
    return QUOTED[shell](text)


TABLES = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish, "powershell": in_powershell}


def completion(shell: str) -> str:
    return (TEMPLATES / file_name(shell)).read_text().replace(TABLE, TABLES[shell](entries()))


def file_name(shell: str) -> str:
    return f"completion.{ENDINGS[shell]}"
