"""What was said of a driver's options, against what it declares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import DriverError, Option, UsageError
from machinectl.driver.driver_options import absolute_paths, complete_options
from machinectl.errors import Hint

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = (
    Option("cloud-region", "Where.", "eu", choices=("eu", "us")),
    Option("cloud-zone", "Which.", ("a",), choices=("a", "b", "c")),
    Option("cloud-cpus", "How many.", 2),
    Option("cloud-spot", "Cheap.", default=False),
    Option("cloud-token", "A secret.", required=True, secret=True),
)


def test_what_is_not_said_has_its_default() -> None:
    assert complete_options("cloud", OPTIONS, {"cloud-token": "x", "cloud-cpus": 4}) == {
        "cloud-region": "eu",
        "cloud-zone": ("a",),
        "cloud-cpus": 4,
        "cloud-spot": False,
        "cloud-token": "x",
    }


@pytest.mark.parametrize("given", [{"cloud-region": "mars"}, {"cloud-region": ""}, {"cloud-zone": ("a", "mars")}])
def test_what_is_no_choice_is_refused_with_those_that_are(given: dict[str, str | tuple[str, ...]]) -> None:
    with pytest.raises(UsageError) as raised:
        complete_options("cloud", OPTIONS, {"cloud-token": "x", **given})
    assert " takes eu or us, not " in raised.value.cause or " takes a, b or c, not " in raised.value.cause


def refuse_odd(value: object) -> None:
    if int(str(value)) % 2:
        raise UsageError(f"--cloud-cpus {value} is odd", Hint("Give an even number"))


def test_a_value_is_checked_as_its_option_says_and_a_default_needs_no_check() -> None:
    options = [Option("cloud-cpus", "How many.", 1, check=refuse_odd)]
    assert complete_options("cloud", options, {"cloud-cpus": 4}) == {"cloud-cpus": 4}
    assert complete_options("cloud", options, {}) == {"cloud-cpus": 1}
    with pytest.raises(UsageError, match="--cloud-cpus 3 is odd"):
        complete_options("cloud", options, {"cloud-cpus": 3})


def test_a_path_is_kept_as_one_from_wherever_it_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = [Option("key", "A key.", path=True), Option("lists", "", (), path=True), Option("name", "A name.")]
    assert absolute_paths(options, {"key": "id", "lists": ("a", "~/b", "/c"), "name": "id"}) == {
        "key": str(tmp_path / "id"),
        "lists": (str(tmp_path / "a"), os.path.expanduser("~/b"), "/c"),
        "name": "id",
    }
    assert absolute_paths(options, {"key": "", "lists": ()}) == {"key": "", "lists": ()}


@pytest.mark.parametrize("end", [KeyError("x"), SystemExit(0)])
def test_a_drivers_code_that_fails_or_ends_the_program_is_named(end: BaseException) -> None:
    def locates(_: str) -> dict[str, str]:
        raise end

    with pytest.raises(DriverError, match=f'Driver "cloud" fails in its check of --cloud-host: {type(end).__name__}'):
        complete_options("cloud", [Option("cloud-host", "Which.", locates=locates)], {"cloud-host": "x"})
