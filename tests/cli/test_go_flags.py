"""Flags as Go takes them: each of every verb in all its spellings, and that nothing else is taken for one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.catalogue import ALL
from machinectl.cli.invocation import is_on
from machinectl.cli.parsing.go_flags import canonical, flags_of, is_group
from machinectl.cli.typer_app import build
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

VERBS = ["", *ALL]
WORDS = st.text(st.sampled_from("-=fqsty1 xdnoae"), max_size=8)
SWITCHES = ("tls", "context", "ssh-only")
OPPOSITES = {name: ["--no-" + name] for name in SWITCHES} | {"no-" + name: ["--" + name] for name in SWITCHES}


@pytest.mark.parametrize("verb", VERBS)
def test_the_flags_of_a_verb_are_those_that_it_takes_and_may_be_written_as_in_go(verb: str) -> None:
    command = typer.main.get_command(build(verb, verb.split(), lambda _: None))
    taken = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            names = [name.lstrip("-") for name in (*parameter.opts, *parameter.secondary_opts)]
            taken.update(dict.fromkeys(names, not parameter.is_flag))  # type: ignore[attr-defined]
    known = {name: takes_value for name, (long, takes_value) in flags_of(verb).items() if long != "help"}
    assert known == taken
    for spelling, (name, takes_value) in flags_of(verb).items():
        if name != "help":
            assert_written_as_in_go(verb, spelling, name, takes_value)


def assert_written_as_in_go(verb: str, spelling: str, name: str, takes_value: bool) -> None:
    rest = [] if is_group(verb) else ["orionbox"]

    def words(*flag: str) -> list[str]:
        return canonical([*verb.split(), *flag, *rest])

    for dashes in ("-", "--"):
        flag = dashes + spelling
        if takes_value:
            for value in ("x", "-y", "--force", "a=b", ""):
                expected = [*verb.split(), f"--{name}={value}", *rest]
                assert words(f"{flag}={value}") == words(flag, value) == expected
        else:
            on = [*verb.split(), f"--{name}", *rest]
            assert words(flag) == words(f"{flag}=true") == words(f"{flag}=T") == words(f"{flag}=1") == on
            opposite = OPPOSITES.get(name, []) if verb == "set" or name.endswith("ssh-only") else []
            off = [*verb.split(), *opposite, *rest]
            assert words(f"{flag}=false") == words(flag, f"{flag}=0") == words(f"{flag}=F") == off
            assert words(f"{flag}=false", flag) == [*verb.split(), *opposite, f"--{name}", *rest]
            assert words(f"{flag}=maybe") == [*verb.split(), f"--{name}=maybe", *rest]


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("-s=DIR ls -q", "--storage-path=DIR ls --quiet"),
        ("-sDIR -Dv", "--storage-path=DIR --debug --version"),
        ("-Ds DIR ls", "--debug --storage-path=DIR ls"),
        ("rm a -fy", "rm a --force --yes"),
        ("ls -t10 -qf=x", "ls --timeout=10 --quiet --format=x"),
        ("ls -quite", "ls --quite"),
        ("url -1", "url -1"),
        ("url -", "url -"),
        ("url ---x", "url ---x"),
        ("rm -y -- -f", "rm --yes -- -f"),
        ("ssh -ssh-strict box -f -vv=true -- -q", "ssh --ssh-strict box -f -vv=true -- -q"),
        ("ssh -vv box", "ssh -vv box"),
        ("certs -h", "certs --help"),
        ("certs ls -json", "certs ls --json"),
        ("certs create -out=x -f", "certs create --out=x --force"),
        ("create -dnone -url=x a", "create --driver=none --url=x a"),
        ("create -digitalocean-token=x -d digitalocean a", "create --digitalocean-token=x --driver=digitalocean a"),
        ("help -x", "help -x"),
        ("-- ls -q", "-- ls -q"),
        ("ls -t", "ls --timeout"),
        ("-s", "--storage-path"),
    ],
)
def test_a_command_line_is_understood(typed: str, understood: str) -> None:
    assert canonical(typed.split()) == understood.split()


def test_a_drivers_flags_are_known_once_it_is() -> None:
    typed = ["create", "-token", "-f", "-cheap=false", "-dear=true", "a"]
    assert canonical(typed, {name: (name, name == "token") for name in ("token", "cheap", "dear")}) == [
        "create",
        "--token=-f",
        "--dear",
        "a",
    ]


@given(st.sampled_from(list(VERBS)), st.lists(WORDS))
def test_what_is_understood_stays_so(verb: str, words: list[str]) -> None:
    once = canonical([*verb.split(), *words])
    assert canonical(once) == once


@given(st.lists(WORDS))
def test_what_is_sshs_is_never_touched(words: list[str]) -> None:
    assert canonical(["ssh", "box", *words]) == ["ssh", "box", *words]


@given(st.lists(WORDS.filter(lambda word: not word.startswith("-"))), st.lists(WORDS))
def test_names_and_what_follows_two_dashes_are_never_touched(names: list[str], words: list[str]) -> None:
    assert canonical(["rm", *names, "--", *words]) == ["rm", *names, "--", *words]


@pytest.mark.parametrize(("text", "on"), [("", False), ("0", False), ("false", False), ("1", True), ("true", True)])
def test_a_variable_switches_on_what_go_takes_for_true(text: str, on: bool) -> None:
    assert is_on(text) is on


def test_the_flags_of_a_machines_own_driver_may_be_written_so_too(store: Store) -> None:
    machine = Machine("box", "generic", url="tcp://127.0.0.1:1", tls=True)
    state = {"IPAddress": "127.0.0.1", "SSHHost": "127.0.0.1", "SSHUser": "ops", "SSHPort": 22, "EnginePort": 1}
    machine.driver_state = json.dumps(state)
    added(store, machine)
    done = machinectl("set", "-generic-ssh-port=2222", "-generic-copy-key=true", "box", store=store.root)
    assert done.returncode == 0, done.stderr
    changed = json.loads(store.read("box").driver_state)
    assert (changed["SSHPort"], changed["CopyKey"]) == (2222, True)
    machinectl("set", "box", "--ssh-port", "2200", "--copy-key=0", store=store.root)
    assert json.loads(store.read("box").driver_state)["SSHPort"] == 2200
