from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.tables.text_table import align, aligned_table


def test_columns_are_at_least_three_blanks_apart() -> None:
    assert (
        aligned_table(["NAME", "URL"], [["orionbox", "tcp://a"], ["m2", ""]])
        == "NAME       URL\norionbox   tcp://a\nm2\n"
    )


def test_a_line_with_fewer_cells_ends_a_column_as_in_gos_tabwriter() -> None:
    assert align(["a\tb", "x", "long cell\tc"]) == ["a    b", "x", "long cell   c"]


def test_no_lines_are_no_lines() -> None:
    assert align([]) == []


@given(st.lists(st.lists(st.text(alphabet="ab é", max_size=8), min_size=1, max_size=4), max_size=5))
def test_what_stands_between_tabs_is_never_changed(rows: list[list[str]]) -> None:
    for row, line in zip(rows, align(["\t".join(row) for row in rows]), strict=True):
        assert line.split() == " ".join(row).split()
        assert line.endswith(row[-1])
