"""One declaration is enough for a verb or a flag: parsers, completion, help and fleet.yaml are derived from it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from machinectl.cli.catalogue import ALL, ALL_MACHINES, BEFORE_THE_VERB, LOGIN
from machinectl.verbs.shared_flags import NAMES, SELECTOR

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.cli.catalogue import Verb

# The file of the new verb.
FROB = """
from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

LOUD = Flag("-L", "--loud", help="Frob loudly.")
PACE = Flag("--pace", metavar="PACE", value=("fast", "slow"), help="How fast to frob.", default="slow")
QUIET = Flag("--quiet", help="Be quiet.")
VERBS = {
    "frob": Verb(
        "frob", examples=("machinectl frob orionbox",), arguments=(shared.NAMES,), flags=(LOUD, PACE), output=PRINTS
    ),
    "frob ls": Verb("frob_ls", flags=(QUIET,), output=PRINTS),
}

def frob(here, *, names, loud, pace):
    from machinectl.cli.output.stdout import write_out

    write_out(f"{here.store.root} {names} {loud} {pace}\\n")

def frob_ls(here, *, quiet):
    from machinectl.cli.output.stdout import write_out

    write_out(f"list {quiet}\\n")
"""
# Its line, and the declarations of a flag of another verb, and of an engine option.
DECLARED = """
import json, sys
from machinectl import verbs
from machinectl.machines import create_options
from machinectl.machines.flags import Flag

verbs.__path__.append(sys.argv[1])
verbs.SECTIONS["Inspect machines"] |= {"frob": ("frob", "Frob machines."), "frob ls": ("frob", "List them.")}
from machinectl.verbs import status
status.VERBS["status"].flags += (Flag("--frobbed", help="Say whether it was frobbed."),)
create_options.ENGINE_FLAGS += (Flag("--engine-frob", key="frob", metavar="N", help="Frob the engine."),)
"""
SEEN = """
from machinectl.cli.main import light_work, run_command_line
from machinectl.cli.help_pages import all_commands_page, verb_page
from machinectl.cli.parsing.completion import cobra_lines
from machinectl.cli.parsing.go_flags import canonical
from machinectl.cli.typer_app import run_with_typer
from machinectl.fleet.fleet_keys import COMMON

json.dump({
    "overview": all_commands_page(),
    "go": canonical(["frob", "-loud", "-pace=fast", "a"]),
    "verbs": cobra_lines(["fr"]),
    "flags": cobra_lines(["frob", "--"]),
    "values": cobra_lines(["frob", "--pace", ""]),
    "group": cobra_lines(["frob", ""]),
    "own": [cobra_lines(["frob", *before, "--q"]) for before in (["ls"], ["a"], ["a", "ls"])],
    "page": verb_page("frob", []),
    "light": [light_work(words) is not None for words in (["frob", "-L", "--pace", "fast"], ["frob", "--pac", "fast"])],
    "status": cobra_lines(["status", "--fr"]),
    "create": cobra_lines(["create", "--engine-f"]),
    "fleet": COMMON["engine-frob"].help,
}, sys.stderr)
for words in (
    ["-s", "/x", "frob", "-L", "a", "b"], ["-s", "/x", "frob", "a", "-pace", "fast"],
    ["frob", "ls", "-quiet"], ["-s", "/x", "frob", "-L", "ls"],
    ["frob", "--help"], ["frob", "ls", "--help"],
):
    run_command_line(words)
run_with_typer(["frob", "ls", "--quiet"])
run_with_typer(["-s", "/x", "frob", "a"])
"""


def test_a_new_verb_takes_one_file_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "frob.py").write_text(FROB)
    command = [sys.executable, "-c", DECLARED + SEEN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    seen: dict[str, Any] = json.loads(done.stderr)
    assert "Frob machines." in seen["overview"]
    assert seen["go"] == ["frob", "--loud", "--pace=fast", "a"]
    assert seen["verbs"].startswith("frob\tFrob machines.\n")
    assert {"--loud\tFrob loudly.", "--pace\tHow fast to frob."} <= set(seen["flags"].splitlines())
    assert seen["values"].splitlines()[:2] == ["fast", "slow"]
    assert seen["light"] == [True, False]
    assert seen["group"].splitlines() == ["ls\tList them.", ":4"]
    assert [each.splitlines()[0] for each in seen["own"]] == ["--quiet\tBe quiet.", ":4", ":4"]
    assert "Commands:\n  ls  List them.\n" in seen["page"]
    by_light_path, by_typer, of_group, of_all, *shown = done.stdout.splitlines()
    # `ls` is its verb only right after it.
    assert (of_group, of_all) == ("list True", "/x ['ls'] True slow")
    assert shown[-2:] == ["list True", "/x ['a'] False slow"]
    assert by_light_path == "/x ['a', 'b'] True slow"
    assert by_typer == "/x ['a'] False fast"
    assert any("-L, --loud" in line and "Frob loudly." in line for line in shown)
    assert "  machinectl frob orionbox" in shown
    # A flag of a verb, and an option of engines.
    assert seen["status"].startswith("--frobbed\tSay whether it was frobbed.\n")
    assert seen["create"].startswith("--engine-frob\tFrob the engine.\n")
    assert seen["fleet"] == "Frob the engine."


def test_the_function_of_a_verb_takes_what_is_declared() -> None:
    assert [name for name, declared in ALL.items() if declared.runs and not takes_what_is_declared(declared)] == []


def takes_what_is_declared(declared: Verb) -> bool:
    function = inspect.unwrap(getattr(sys.modules[declared.module], declared.runs))
    taken = inspect.signature(function).parameters
    given = {one.parameter for one in declared.arguments} | {flag.parameter for flag in declared.flags}
    if LOGIN[0] in declared.flags:
        given = (given - {flag.parameter for flag in LOGIN}) | {"login"}
    if SELECTOR.parameter in given and not declared.keeps_selector:
        assert NAMES.parameter in given
        given -= {SELECTOR.parameter, *([ALL_MACHINES.parameter] if ALL_MACHINES in declared.flags else [])}
    named = {name for name, each in taken.items() if each.kind is each.KEYWORD_ONLY}
    return named == given or (named <= given and any(each.kind is each.VAR_KEYWORD for each in taken.values()))


def test_no_two_flags_of_a_verb_share_a_name() -> None:
    for flags in (BEFORE_THE_VERB, *(declared.flags for declared in ALL.values())):
        names = [name for flag in flags for name in flag.all_names]
        assert len(names) == len(set(names))
        assert len({flag.parameter for flag in flags}) == len(flags)
