"""Print `machinectl --help` without loading Typer."""

from __future__ import annotations

import os
import sys
import textwrap

from machinectl.cli.catalogue import ABOUT, OPTIONS, SECTIONS, VERBS, section_verbs
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import as_called

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The widest readable line, and the width if stdout is not a terminal. Columns.
WIDEST, USUAL = 120, 80
# Columns between a name and its text, and before a name.
GAP, INDENT = 2, 2
EXAMPLES = [VERBS["create"].examples[1], *VERBS["env"].examples[:1]]


def overview() -> str:
    return "".join(f"{line}\n" for line in overview_lines(width()))


def width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return min(int(columns), WIDEST)
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns or USUAL, WIDEST)
    except (OSError, ValueError):
        return USUAL


def overview_lines(columns: int) -> Iterator[str]:
    yield from (f"Usage: {THIS.name} [OPTIONS] COMMAND [ARGUMENT]…", "")
    yield from wrapped(ABOUT, columns)
    for title in SECTIONS:
        yield from ("", f"{title}:", *definition_lines(section_verbs(title), columns))
    yield from ("", "Options:", *definition_lines(OPTIONS, columns))
    yield from ("", "Examples:", *(f"{' ' * INDENT}{as_called(example, THIS.name)}" for example in EXAMPLES))
    yield from ("", *wrapped(f"Run {THIS.name} COMMAND --help for more on a command.", columns))


def definition_lines(rows: Iterable[tuple[str, str]], columns: int) -> Iterator[str]:
    rows = list(rows)
    start = max(len(name) for name, _ in rows) + INDENT + GAP
    if columns - start < start:
        for name, text in rows:
            yield " " * INDENT + name
            yield from (" " * (INDENT + GAP) + line for line in wrapped(text, columns - INDENT - GAP))
        return
    for name, text in rows:
        first, *more = wrapped(text, columns - start)
        yield f"{' ' * INDENT}{name}".ljust(start) + first
        yield from (" " * start + line for line in more)


def wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, max(columns, 1), break_long_words=False, break_on_hyphens=False)
