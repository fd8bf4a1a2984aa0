"""Align columns like docker-machine, at least three blanks apart."""

from __future__ import annotations

from functools import partial
from itertools import groupby

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# docker-machine's: tabwriter.NewWriter(os.Stdout, 5, 1, 3, ' ', 0)
NARROWEST = 5
# docker's: tabwriter.NewWriter(c.Output, 10, 1, 3, ' ', 0)
DOCKERS_NARROWEST = 10
PADDING = 3


def align(
    lines: Sequence[str], *, narrowest: int = NARROWEST, padding: int = PADDING, measure: Callable[[str], int] = len
) -> list[str]:
    """Replace tabs by blanks, as Go's tabwriter does. `measure` returns a text's width."""
    rows = [line.split("\t") for line in lines]
    for column in range(max(map(len, rows), default=1) - 1):
        # A column's width holds for adjacent lines that have it.
        for has_it, block in groupby(rows, partial(has_column, column)):
            if has_it:
                cells = list(block)
                width = max(narrowest, *(measure(row[column]) + padding for row in cells))
                for row in cells:
                    row[column] += " " * (width - measure(row[column]))
    return ["".join(row) for row in rows]


def has_column(column: int, row: Sequence[str]) -> bool:
    return len(row) - 1 > column


def text_width(text: str) -> int:
    """Return docker's width of a text: wide characters 2, combining ones 0."""
    return len(text) if text.isascii() else sum(map(letter_width, text))


def letter_width(letter: str) -> int:
    import unicodedata

    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def aligned_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["\t".join(headings), *("\t".join(str(cell) for cell in row) for row in rows)]
    return "".join(f"{line.rstrip()}\n" for line in align(lines))
