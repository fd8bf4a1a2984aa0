"""The engine options: declared once, kept in the record, and refused where no engine could have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.machine_options import merge_variables
from machinectl.errors import UsageError
from machinectl.machines.create_options import ENGINE_FLAGS
from machinectl.machines.engine_options import EngineOptions, read_env_file

if TYPE_CHECKING:
    from pathlib import Path

ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=2)


def test_each_option_is_declared_under_one_key_and_one_flag() -> None:
    assert (
        len({option.key for option in ENGINE_FLAGS})
        == len({option.flag for option in ENGINE_FLAGS})
        == len(ENGINE_FLAGS)
    )
    assert all(option.help.strip() and bool(option.metavar) != bool(option.off) for option in ENGINE_FLAGS)


@given(st.dictionaries(st.sampled_from([option.key for option in ENGINE_FLAGS]) | st.text(), ANYTHING, max_size=6))
def test_what_a_record_holds_is_read_as_far_as_it_is_understood_and_nothing_is_lost(data: dict[str, Any]) -> None:
    options = EngineOptions.load(data)
    empty = {key for key, value in data.items() if value in ("", [], False) and key not in options.others}
    assert options.dump() == {key: value for key, value in data.items() if key not in empty}


def test_a_file_of_variables_is_read_as_dockers_own(tmp_path: Path) -> None:
    path = tmp_path / "proxies"
    path.write_bytes(
        b'\xef\xbb\xbfHTTP_PROXY=http://u:p@proxy\r\n# a comment\n\n  A= b=c \nFROM_HERE\nNOT_HERE\nEMPTY=\nQUOTED="x"'
    )
    assert read_env_file(str(path), {"FROM_HERE": "here"}) == [
        "HTTP_PROXY=http://u:p@proxy",
        "A= b=c ",
        "FROM_HERE=here",
        "EMPTY=",
        'QUOTED="x"',
    ]


def test_what_is_typed_wins_over_a_file_and_each_variable_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\n")
    (tmp_path / "two").write_text("B=2\nC=2\n")
    files = [str(tmp_path / name) for name in ("one", "two")]
    assert merge_variables(files, ["C=3", "D=3"]) == ["A=1", "B=2", "C=3", "D=3"]


@pytest.mark.parametrize(
    "text", ["hunter2 =x", "1HUNTER2=x", "=hunter2", "HUNTER2=hunter2\x1b[2J", "OK=1\nhunt er2=\n"]
)
def test_a_line_that_is_no_variable_is_refused_by_its_number_and_never_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "proxies").write_text(text)
    with pytest.raises(UsageError) as raised:
        read_env_file(str(tmp_path / "proxies"), {})
    assert "line" in raised.value.cause
    assert "hunt" not in f"{raised.value.cause} {raised.value.hint}".lower()


@pytest.mark.parametrize(
    "options",
    [
        EngineOptions(install="by-hand"),
        EngineOptions(bind="orion.local"),
        EngineOptions(env=("A=1", "B")),
    ],
)
def test_what_no_engine_could_be_given_is_refused(options: EngineOptions) -> None:
    with pytest.raises(UsageError) as raised:
        options.check()
    assert raised.value.hint
