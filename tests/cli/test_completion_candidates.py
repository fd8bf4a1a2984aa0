"""What completion offers is what the command line takes: all that --help shows, and nothing that it hides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from machinectl.cli.catalogue import GROUPS, VERBS, flags_of_verb, group_verbs
from machinectl.cli.parsing import completion_candidates
from machinectl.cli.typer_app import build
from machinectl.machines.flags import FILE, TEXT

if TYPE_CHECKING:
    from machinectl.machines.store import Store

VERBS_OF_ALL = [*(name for name in VERBS if name not in GROUPS), *(" ".join(words) for words in group_verbs())]
# Once with what each driver adds: some of create's flags are shown for hosts alone.
DRIVERS = {"create": "generic"}


def parameters(verb: str) -> list[Any]:
    words = verb.split()
    found: Any = typer.main.get_command(build([*words, *(f"--driver={DRIVERS[verb]}" for _ in range(verb in DRIVERS))]))
    for word in words:
        found = found.commands[word]
    return list(found.params)


HELP = {"-h": False, "--help": False}


@pytest.mark.parametrize("verb", ["", *VERBS_OF_ALL])
def test_what_is_offered_for_a_verb_is_what_its_help_shows_and_it_takes(verb: str) -> None:
    found = parameters(verb)
    hidden = {name for flag in flags_of_verb(verb) if flag.hidden for name in flag.all_names}
    shown = {
        name: not each.is_flag
        for each in found
        if each.param_type_name == "option"
        for name in (*each.opts, *each.secondary_opts)
        if name not in hidden
    }
    of_driver = {name for each in completion_candidates.driver_flags(DRIVERS.get(verb, "")) for name in each.all_names}
    offered = {name: bool(each.offers) for each in completion_candidates.flags_for(verb) for name in each.all_names}
    assert offered == {**{name: takes for name, takes in shown.items() if name not in of_driver}, **HELP}
    if not verb:
        return
    taken = [each for each in found if each.param_type_name == "argument"]
    arguments, many = completion_candidates.argument_kinds(verb)
    assert bool(taken) == bool(arguments)
    repeated = {
        "[NAME]…",
        "[NAME]… [--] COMMAND…",
        "[LOCAL:]NAME…",
        "[NAME]… [--] ARGUMENT…",
        "NAME|FILE…",
        "NETWORK…",
        "BUILDER…",
        "[[LOCAL:]PORT|CONTAINER]…",
        "[[USER@]NAME:]PATH… [[USER@]NAME:]PATH",
    }
    assert many == any(each.metavar in repeated for each in taken)


def test_a_drivers_flags_are_its_options_with_what_they_are_for() -> None:
    (url,) = completion_candidates.driver_flags("none")
    assert (url.names, url.offers) == (("--url",), TEXT)
    found = {each.flag: each.offers for each in completion_candidates.driver_flags("generic")}
    assert found["--ssh-key"] == FILE
    assert found["--copy-key"] == ""
    assert {"none", "generic"} <= set(completion_candidates.driver_names())


def test_what_is_not_there_offers_nothing(store: Store) -> None:
    assert completion_candidates.driver_flags("nonesuch") == []
    assert completion_candidates.stored_machines(store.root) == []
    assert "list" not in completion_candidates.verb_summaries()
    assert set(completion_candidates.verb_summaries("certs")) == {"create", "import", "issue", "ls"}
