"""What is said of a wrong value or a missing word: for every verb and flag that is declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.catalogue import ALL
from machinectl.cli.main import run_command_line
from machinectl.cli.parsing.command_line import UNITS, driver_flag
from machinectl.driver.installed_drivers import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.flags import Flag
    from machinectl.machines.store import Store

VERBS = {name: verb for name, verb in ALL.items() if verb.runs}
GENERIC = [driver_flag("generic", option) for option in load("generic").options()]


def flags_to_try() -> Iterator[tuple[str, Flag]]:
    """Each flag that takes a value, once, with the words that stand before it."""
    declared = {id(flag): (name, flag) for name, verb in VERBS.items() if not verb.passes_on for flag in verb.flags}
    yield from ((name, flag) for name, flag in declared.values() if flag.metavar)
    yield from (("create -d generic", flag) for flag in GENERIC if flag.metavar)


NUMBERS = [(words, flag) for words, flag in flags_to_try() if flag.kind in {int, float}]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """Return the error and the hint of a command line that is wrong."""
    assert run_command_line(list(words)) == 2, words
    cause, hint = capsys.readouterr().err.splitlines()
    return cause, hint.strip()


@pytest.mark.parametrize(("words", "flag"), NUMBERS, ids=lambda each: getattr(each, "flag", each))
def test_a_wrong_number_names_the_flag_and_what_it_takes(
    words: str, flag: Flag, capsys: pytest.CaptureFixture[str]
) -> None:
    low, high = flag.limits
    unit = UNITS.get(flag.metavar, "a whole number")
    limits = "" if low is None else f", {low} or more" if high is None else f" from {low} to {high}"
    beyond = [str(bound + step) for bound, step in ((low, -1), (high, 1)) if bound is not None]
    for value in ("x", "", "nan", "inf", "1.5.2", *beyond):
        cause, hint = refused(capsys, *words.split(), f"{flag.flag}={value}")
        assert cause == f"Error: {flag.flag} takes {unit}{limits}, not {value!r}"
        assert hint == f"machinectl {words} --help"


SCRIPTED = {"access grant", "access issue", "access renew", "certs create", "certs issue", "export", "import", "renew"}
TEXTS = [
    (name, flag)
    for name, verb in VERBS.items()
    if verb.refuses_empty
    for flag in verb.flags
    if flag.metavar and flag.kind is str
]


@pytest.mark.parametrize(("name", "flag"), TEXTS, ids=lambda each: getattr(each, "flag", each))
def test_an_empty_value_as_of_an_unset_variable_is_refused_not_taken_for_a_flag_that_was_left_out(
    name: str, flag: Flag, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = VERBS[name]
    needed = [f"{each.flag}=x" for each in verb.flags if each.required and each is not flag]
    words = [*needed, *(argument.parameter for argument in verb.arguments if argument.required)]
    for typed in ((f"{flag.flag}=",), (flag.names[0], "")):
        cause, hint = refused(capsys, "-s", store.root, *name.split(), *typed, *words)
        assert cause == f"Error: {flag.flag} is empty: is a variable not set?"
        assert re.fullmatch(rf"Pass {flag.flag} <\S+>{'' if flag.required else ', or leave it out'}", hint)


def test_an_empty_value_is_refused_where_scripts_make_access() -> None:
    assert {name for name, _ in TEXTS} >= SCRIPTED


def test_a_wrong_variable_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENERIC_SSH_PORT", "x")
    cause, _ = refused(capsys, "create", "-d", "generic", "--ip-address", "192.168.0.29", "web1")
    assert cause == "Error: GENERIC_SSH_PORT takes a port number, not 'x'"


def test_a_script_that_cannot_be_downloaded_is_refused_at_once_by_the_name_that_was_typed(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ("-s", store.root, "create", "-d", "generic", "--ip-address", "192.0.2.1")
    wrong = "takes an http or https URL, not 'file:///srv/install.sh'"
    example = "For example: https://get.docker.com"
    monkeypatch.setenv("MACHINE_DOCKER_INSTALL_URL", "file:///srv/install.sh")
    assert refused(capsys, *create, "web1") == (f"Error: MACHINE_DOCKER_INSTALL_URL {wrong}", example)
    monkeypatch.delenv("MACHINE_DOCKER_INSTALL_URL")
    typed = ("--engine-install-url", "file:///srv/install.sh")
    assert refused(capsys, *create, *typed, "web1") == (f"Error: --engine-install-url {wrong}", example)
    assert refused(capsys, "-s", store.root, "set", *typed, "web1") == (f"Error: --engine-install-url {wrong}", example)
    assert store.names() == []
