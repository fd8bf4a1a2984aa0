"""Write declared options and arguments as `--help`, the man page and the reference show them. Light path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from machinectl.cli.declared_verb import Verb
    from machinectl.machines.flags import Flag


def usage_lines(name: str, declared: Verb) -> list[str]:
    """Return each form of a verb's command line, without the program's name."""
    if not declared.runs:
        return [f"{name} COMMAND"]
    start = f"{name} [OPTIONS]" if any(not flag.hidden for flag in declared.flags) else name
    return [f"{start} {form}".rstrip() for form in declared.forms or [arguments_of(declared)]]


def arguments_of(declared: Verb) -> str:
    return " ".join(argument.metavar for argument in declared.arguments)


def examples_with(declared: Verb, driver: str) -> list[str]:
    return [example for example in declared.examples if f"-d {driver} " in example]


def option_rows(flags: Iterable[Flag]) -> list[tuple[str, str]]:
    """Return the names of each shown option with its help."""
    return [(option_names(flag), option_help(flag)) for flag in flags if not flag.hidden]


def option_names(flag: Flag) -> str:
    return f"{', '.join(flag.all_names)} {flag.metavar}".rstrip()


def option_help(flag: Flag) -> str:
    notes = [note for note, is_so in (("required", flag.required), ("repeatable", flag.many)) if is_so]
    if flag.secret and flag.variable:
        notes.append(f"else ${flag.variable}, else you are asked")
    if flag.show_default and flag.metavar and flag.default:
        notes.append(f"default {shown_default(flag)}")
    text = with_note(flag.help, ", ".join(notes))
    # A secret's variable holds the secret, not a file name.
    return f"{text} [${flag.variable}]" if flag.variable and not flag.secret else text


def shown_default(flag: Flag) -> str:
    default: Any = flag.default
    return ",".join(default) if flag.many else f"{default:g}" if flag.kind is float else str(default)


def with_note(text: str, note: str) -> str:
    """Add a note in brackets to a sentence, before its period."""
    return f"{text.removesuffix('.')} ({note})." if note else text
