"""The small parser: what it reads, Typer reads alike, for every declared verb."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli import main, typer_app
from machinectl.cli.catalogue import ALL, BEFORE_THE_VERB
from machinectl.cli.main import help_work
from machinectl.cli.parsing.command_line import NotReadError, read_values
from machinectl.cli.parsing.go_flags import canonical
from machinectl.errors import MachineError
from machinectl.machines.flags import DRIVER, Flag
from tests.support.program import machinectl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.cli.catalogue import Verb
    from machinectl.cli.verb_session import Session

RUNNING = [name for name, declared in ALL.items() if declared.runs]
DRIVERS = ("create", "-d", "generic"), ("create", "-d", "none"), ("create",)
NUMBERS = st.sampled_from(["1", "0", "-1", "2.5", "1e3", "nan", "inf", " 7 ", "1_0", "", "x"])
TEXTS = st.one_of(NUMBERS, st.text("ab,=- ", max_size=4))
WORDS = st.one_of(st.sampled_from(["box", "-", "--", "a=b", "POST", "", "--help", "--bogus"]), TEXTS)
VARIABLES = sorted({flag.variable for one in ALL.values() for flag in one.flags if flag.variable and not flag.secret})

Call = tuple[dict[str, Any], dict[str, Any]]


def called_by(work: Callable[[], int]) -> Call | None:
    """Return the session's options and the values that a command line calls its verb with."""
    calls: list[Call] = []

    def record(here: Session, declared: Verb, given: dict[str, Any]) -> int:
        lists = [one.parameter for one in declared.arguments if one.many]
        lists += [one.parameter for one in declared.flags if one.many]
        values = {**given, **{name: given[name] or [] for name in lists}}
        options = {"store": here.store.root, "native": here.native_ssh, "arguments": here.arguments, **vars(here.tls)}
        calls.append((options, {name: (type(value), copy.copy(value)) for name, value in values.items()}))
        return 0

    with (
        patch("machinectl.cli.run_verb.run_verb", record),
        patch("machinectl.cli.typer_app.run_verb", record),
        patch.dict(os.environ),
    ):
        try:
            work()
        except MachineError:
            return None
    return calls[0] if calls else None


def check_both(words: Sequence[str]) -> bool:
    """Check that both parsers read a command line alike, and return whether the small one does."""
    work = main.light_work(words)
    if work is None or help_work(canonical(words)):
        return False
    by_small = called_by(work)
    assert by_small is not None
    assert by_small == called_by(lambda: typer_app.dispatch(list(words)))
    return True


def typed(flag: Flag, name: str, value: str) -> list[str]:
    return [name, value] if flag.metavar else [name]


def fitting(flag: Flag) -> str:
    if flag.value == DRIVER:
        return "none"
    return "x" if flag.kind not in {int, float} else str(flag.limits[0] if flag.limits[0] is not None else 3)


def required(name: str) -> list[str]:
    flags = [word for flag in ALL[name].flags if flag.required for word in typed(flag, flag.flag, "x")]
    return [*flags, *("box" for one in ALL[name].arguments if one.required)]


@pytest.mark.parametrize("name", RUNNING)
def test_each_flag_of_a_verb_is_read_without_typer(name: str) -> None:
    flags = ALL[name].flags
    assert check_both([*name.split(), *required(name)])
    # All of them at once, then by their other names, then twice.
    for number in range(max((len(flag.all_names) for flag in flags), default=0)):
        named = [(flag, flag.all_names[number]) for flag in flags if number < len(flag.all_names)]
        words = [word for flag, spelling in named for word in typed(flag, spelling, fitting(flag))]
        assert check_both([*name.split(), *words, *required(name)])
        assert check_both([*name.split(), *words, *words, *required(name)])


def test_the_flags_before_the_verb_are_read_without_typer() -> None:
    for flag in BEFORE_THE_VERB:
        if flag.name != "version":
            for spelling in flag.all_names:
                assert check_both([*typed(flag, spelling, "x"), "url", "box"])


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(RUNNING))
    start: Sequence[str] = draw(st.sampled_from(DRIVERS)) if name == "create" else name.split()
    words = [*start, *draw(st.sampled_from([required(name), []]))]
    flags = ALL[name].flags
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()) and flags:
            flag = draw(st.sampled_from(flags))
            text = draw(st.one_of(st.just(fitting(flag)), TEXTS))
            words += typed(flag, draw(st.sampled_from(flag.all_names)), text)
        else:
            words.append(draw(WORDS))
    before = draw(st.sampled_from([[], ["-D"], ["-s", "/x"], ["--native-ssh"], ["--tls-ca-key=k"], ["--bogus"]]))
    return [*before, *words]


@given(command_lines(), st.dictionaries(st.sampled_from(VARIABLES), TEXTS.filter(lambda text: "\0" not in text)))
def test_what_the_small_parser_reads_typer_reads_alike(words: list[str], variables: dict[str, str]) -> None:
    with patch.dict(os.environ, variables):
        check_both(words)


@pytest.mark.parametrize(
    "words",
    [
        ("ls", "-t", "x"),
        ("ls", "-t", "nan"),
        ("ls", "-t", "86401"),
        ("ls", "-t"),
        ("ls", "-q=maybe"),
        ("ls", "--bogus"),
        ("status", "-x"),
        ("rename", "box"),
        ("rename", "box", "other", "third"),
        ("certs", "issue", "box"),
        ("certs", "bogus"),
        ("bogus",),
        ("create", "-d", "bogus", "box"),
        ("create", "-d", "none", "--ip-address", "x", "box"),
        ("--bogus", "ls"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_left_to_typer(words: tuple[str, ...]) -> None:
    assert main.light_work(words) is None


def test_a_drivers_options_are_read_without_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    create = ["create", "-d", "generic", "-generic-ip-address=192.0.2.1"]
    assert check_both([*create, "--ssh-port", "2222", "--copy-key", "box"])
    assert not check_both([*create, "--ssh-port", "x", "box"])
    monkeypatch.setenv("GENERIC_SSH_PORT", "2200")
    assert check_both([*create, "box"])


def test_a_switch_that_a_variable_sets_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Flag("--loud", variable="LOUD")
    assert read_values([], [switch]) == {"loud": False}
    monkeypatch.setenv("LOUD", "yes")
    with pytest.raises(NotReadError):
        read_values([], [switch])


def test_the_version_alone_is_printed() -> None:
    for words in (("--version",), ("-v",), ("-s", "/x", "-version")):
        assert machinectl(*words).stdout.startswith("machinectl version ")
