"""`--selector` on the command line: who is chosen, and what is said where nobody is."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.cli import main, typer_app
from machinectl.cli.catalogue import ALL as VERBS
from machinectl.cli.parsing.command_line import with_dashes
from machinectl.cli.parsing.go_flags import flags_of
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from types import ModuleType

    from machinectl.machines.store import Store

LABELS = {"orionbox": {"role": "web"}, "rigel": {"role": "web", "spare": ""}, "vega": {"role": "db"}, "plain": {}}


@pytest.fixture
def fleet(store: Store) -> Store:
    for name, labels in LABELS.items():
        machine = Machine(name, "none", url="unix:///nowhere.sock", tls=False)
        machine.labels = labels
        added(store, machine)
    return store


def test_the_verbs_that_take_many_names_take_a_selector_where_l_is_not_sshs_or_dockers() -> None:
    taking = {verb: {name for name, (long, _) in flags_of(verb).items() if long == "selector"} for verb in VERBS}
    many = (
        "certs ls,context sync,doctor,info,ip,kill,list,ls,provision,regenerate-certs,restart,rm,ssh-config,start,stop"
    )
    assert {verb for verb, names in taking.items() if names == {"l", "selector"}} >= {*many.split(","), "upgrade"}
    assert taking["ps"] == {"selector"}
    assert not (taking["ssh"] | taking["scp"] | taking["mount"])


def test_globs_and_ranges_stand_for_names(fleet: Store) -> None:
    for number in (1, 2, 3):
        added(fleet, Machine(f"web0{number}", "none", url=f"tcp://web0{number}:2376", tls=True))

    def ips(*patterns: str) -> list[str]:
        return machinectl("ip", *patterns, store=fleet.root).stdout.split()

    assert ips("web*") == ["web01", "web02", "web03"]
    assert ips("web0[13]", "web0?") == ["web01", "web03", "web02"]
    assert ips("web[02:03]") == ["web02", "web03"]
    for pattern, code, said in (
        ("x*", 1, '"x*" matches no machine'),
        ("web[04:05]", 1, 'Docker machine "web04" does not exist'),
        ("web[3:1]", 2, "'web[3:1]': a range begins after its end"),
    ):
        refused = machinectl("rm", "-y", pattern, store=fleet.root)
        assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr
    assert machinectl("ls", "-q", "web*", "r*", store=fleet.root).stdout.split() == ["rigel", "web01", "web02", "web03"]
    one = machinectl("inspect", "web*", store=fleet.root)
    assert (one.returncode, "Expected one machine name" in one.stderr) == (2, True)
    assert machinectl("certs", "ls", "web*", store=fleet.root).returncode == 0
    asked = machinectl("rm", "r*", "pl*", store=fleet.root, stdin="y\n")
    assert "About to remove rigel, plain" in asked.stderr
    assert fleet.names() == ["orionbox", "vega", "web01", "web02", "web03"]


@pytest.mark.parametrize("verb", ["restart", "stop", "kill", "rm"])
def test_what_stops_all_machines_asks_and_is_refused_if_nobody_can_be_asked(fleet: Store, verb: str) -> None:
    unasked = machinectl(verb, "--all", store=fleet.root)
    assert unasked.returncode == 1
    assert re.search(rf"machinectl {verb} (--all )?-y", unasked.stderr)
    asked = machinectl(verb, "-a", store=fleet.root, stdin="n\n")
    assert asked.returncode == 0
    assert all(name in asked.stderr for name in LABELS)
    assert sorted(fleet.names()) == sorted(LABELS)
    done = machinectl(verb, "--all", "-y", store=fleet.root)
    assert sorted(fleet.names()) == ([] if verb == "rm" else sorted(LABELS))
    # Of no machine does the driver know the power switch.
    assert all(name in done.stdout + done.stderr for name in LABELS)


@pytest.mark.parametrize("verb", ["provision", "start", "upgrade", "regenerate-certs", "renew", "rm"])
def test_all_excludes_names_and_a_selector_and_means_all(fleet: Store, verb: str) -> None:
    for others in (["vega"], ["-l", "role=web"]):
        done = machinectl(verb, "--all", *others, store=fleet.root)
        assert (done.returncode, "--all, and names or --selector, exclude each other" in done.stderr) == (2, True)
    planned = machinectl(verb, "--all", "--dry-run", store=fleet.root)
    assert all(name in planned.stdout + planned.stderr for name in LABELS)


@pytest.mark.parametrize("verb", ["ls", "ps", "images", "info", "doctor"])
def test_without_a_name_a_verb_that_looks_is_for_all_machines(fleet: Store, verb: str) -> None:
    done = machinectl(verb, store=fleet.root)
    assert all(name in done.stdout + done.stderr for name in LABELS)
    one = machinectl(verb, "-l" if verb != "ps" else "--selector", "role=db", store=fleet.root)
    assert "vega" in one.stdout + one.stderr
    assert "rigel" not in one.stdout + one.stderr


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("role=web", ["orionbox", "rigel"]),
        ("role=web,!spare", ["orionbox"]),
        ("role!=web", ["plain", "vega"]),
        ("role in (db, web)", ["orionbox", "rigel", "vega"]),
        ("!role", ["plain"]),
    ],
)
def test_those_with_such_labels_are_listed(fleet: Store, selector: str, names: list[str]) -> None:
    assert machinectl("ls", "-q", "-l", selector, store=fleet.root).stdout.split() == names
    listed = machinectl("ls", "--json", f"--selector={selector}", "-t", "0", store=fleet.root).stdout
    assert [row["Name"] for row in json.loads(listed)] == names


@pytest.mark.parametrize("way", [main, typer_app])
def test_for_their_names_records_are_read_once(
    fleet: Store, way: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MACHINE_STORAGE_PATH", fleet.root)
    words, files, opened = ["ls", "-q", "-l", "role=web"], [], os.open

    def noted(path: str, *rest: Any, **more: Any) -> int:
        if str(path).startswith(fleet.machines):
            files.append(os.path.relpath(path, fleet.machines))
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", noted)
    assert (main.run_command_line(words) if way is main else typer_app.run_with_typer(words)) == 0
    assert capsys.readouterr().out == "orionbox\nrigel\n"
    assert files == [f"{name}/machine.json" for name in fleet.names()]


def test_filters_and_a_selector_must_both_let_a_machine_through(fleet: Store) -> None:
    found = machinectl("ls", "-q", "-l", "role=web", "--filter", "name=rig", store=fleet.root)
    assert found.stdout == "rigel\n"


def test_a_verb_works_on_those_that_are_selected_and_a_question_names_them(fleet: Store) -> None:
    asked = machinectl("rm", "-l", "role=web", store=fleet.root)
    assert "About to remove orionbox, rigel:" in asked.stderr
    assert "machinectl rm -y orionbox rigel" in asked.stderr
    assert len(fleet.names()) == len(LABELS)
    done = machinectl("rm", "-y", "-l", "role=web", store=fleet.root)
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["Successfully removed orionbox", "Successfully removed rigel"]
    assert fleet.names() == ["plain", "vega"]


@pytest.mark.parametrize("words", [("ip",), ("push", "web:1.2"), ("rm", "-y"), ("docker",), ("ps",)])
def test_a_machine_that_is_named_is_not_what_a_mistyped_name_means(store: Store, words: tuple[str, ...]) -> None:
    added(store, Machine("orion", "none", url="tcp://127.0.0.1:1", tls=False))
    command = ("--", "ps", "orion") if words == ("docker",) else ()
    alone = machinectl(*words, "oriom", *command, store=store.root)
    assert "Did you mean: machinectl" in alone.stderr
    beside = machinectl(*words, "oriom", "orion", *command, store=store.root)
    assert "Did you mean" not in beside.stderr
    assert 'Use "machinectl ls" to list machines' in beside.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("run vega uname -a", "run vega -- uname -a"),
        ("run --sudo vega rigel ls -l", "run --sudo vega rigel -- ls -l"),
        ("run -t 5 vega 'ls *.txt'", "run -t 5 vega -- 'ls *.txt'"),
        ("run 'r*' --group df", "run 'r*' --group -- df"),
        ("docker vega ps --format x -l a=b", "docker vega -- ps --format x -l a=b"),
        ("docker -l role=web vega ps", "docker -l role=web vega -- ps"),
        ("docker --all ps -a", "docker --all -- ps -a"),
        ("docker vega run -- ls", "docker vega run -- ls"),
        ("docker vega", "docker vega"),
        ("run vega --nonesuch ls", "run vega --nonesuch ls"),
        ("ssh vega uname -a", "ssh vega uname -a"),
    ],
)
def test_the_command_of_run_and_docker_is_what_follows_the_names(fleet: Store, typed: str, meant: str) -> None:
    store = ["-s", fleet.root]
    assert with_dashes([*store, *shlex.split(typed)]) == [*store, *shlex.split(meant)]


def test_a_word_that_may_be_a_machine_or_the_command_is_refused(fleet: Store) -> None:
    for name in ("ps", "docker"):
        added(fleet, Machine(name, "none", url="unix:///nowhere.sock", tls=False))
    for typed, word, line in (
        ("docker vega ps x", "ps", "docker vega … -- ps"),
        ("run vega docker info", "docker", "run vega … -- uptime"),
        ("run vega rgel w", "rgel", "run vega … -- uptime"),
    ):
        done = machinectl(*typed.split(), store=fleet.root)
        assert (done.returncode, done.stderr.splitlines()) == (
            2,
            [
                f"Error: '{word}' may be the command, or a machine",
                f"  Put dashes before the command: machinectl {line}",
            ],
        )


@pytest.mark.parametrize("typed", ["run nope hostname", "docker nope ps", "docker orionbox,rigel ps"])
def test_an_unknown_machine_is_not_taken_for_a_command_to_run_on_another_one(fleet: Store, typed: str) -> None:
    verb, word, *_ = typed.split()
    done = machinectl(*typed.split(), store=fleet.root)
    assert done.returncode == 1
    assert f'"{word}" does not exist' in done.stderr
    assert f"name a machine first: machinectl {verb} <NAME> -- {word}" in done.stderr


def test_a_selector_that_a_script_left_empty_selects_nothing(fleet: Store) -> None:
    for arguments in (["-l", ""], ["--selector="]):
        done = machinectl("rm", "-y", *arguments, store=fleet.root)
        assert done.returncode == 2
        assert "--selector is empty, and would select all machines" in done.stderr
    assert len(fleet.names()) == len(LABELS)


def test_a_machine_whose_labels_cannot_be_read_is_left_out_and_said_to_be(fleet: Store) -> None:
    Path(fleet.directory("rigel"), "machine.json").write_text("{")
    done = machinectl("ls", "-q", "-l", "role!=db", store=fleet.root)
    assert done.stdout.split() == ["orionbox", "plain"]
    assert 'Warning: "rigel" is left out, as its labels cannot be read: ' in done.stderr


def test_a_label_may_hold_anything_and_a_terminal_sees_nothing_of_it(store: Store) -> None:
    machine = Machine("plain", "none", url="unix:///nowhere.sock", tls=False)
    machine.labels = {"role": "\x1b[2J"}
    added(store, machine)
    done = machinectl("ip", "-l", "role=\x1b[1m", store=store.root)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
