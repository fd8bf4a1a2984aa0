"""A fleet's file is carried out: what becomes of each machine, in which turns, and what a second run finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError
from machinectl.fleet.fleet_file import FleetId
from machinectl.fleet.host_reader import FleetHost
from machinectl.fleet.rollout import apply as phases
from machinectl.fleet.rollout import machine_changes, restarts
from machinectl.fleet.rollout.apply import apply_lock
from machinectl.fleet.rollout.apply import apply_plan as apply
from machinectl.fleet.rollout.apply_run import ApplyOptions, ApplyRun
from machinectl.fleet.rollout.plan import plan
from machinectl.fleet.rollout.plan_steps import Action, Did, Difference, FleetPlan, PlanStep, Result
from machinectl.hosts import provisioning
from machinectl.hosts.host_plan import HostPlan as SetupPlan
from machinectl.hosts.login import Login, logged_in
from machinectl.hosts.rollout_order import BatchSizes
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import PROVISION, Machine, Phase
from machinectl.machines.spec import MachineSpec
from machinectl.machines.swarm_node import SwarmNode
from machinectl.provision.decision import InUse
from machinectl.provision.host_changes import UnknownChange
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.ssh.ssh_errors import HostKeyRefused, LoginRefused
from machinectl.swarm import swarm_join
from machinectl.swarm.swarm_roles import Roles
from machinectl.swarm_nodes import managers
from machinectl.verbs.apply import flags_to_repeat, report_rollout
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything, killed_at, started
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.sshd import keygen
from tests.support.swarm_engines import engines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from subprocess import CompletedProcess

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

OPTIONS = ApplyOptions("/srv/fleet.yaml", Login(), NOTHING_SPECIAL)
TWO = """
hosts:
  nas: {driver: none, url: "unix:///run/nas.sock", labels: {role: store}}
  orion: {driver: none, url: "unix:///run/orion.sock"}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet's file where it is looked for, of two engines that are registered only."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fleet.yaml"
    path.write_text(TWO)
    return path


def run(store: Store, *words: str, stdin: str = "") -> CompletedProcess[str]:
    return machinectl("apply", *words, store=store.root, stdin=stdin)


def state(store: Store) -> dict[str, tuple[int, bytes]]:
    """All of a store, with the times at which it was written."""
    files = (path for path in Path(store.root).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_machines_are_made_and_a_second_run_touches_nothing(file: Path, store: Store) -> None:
    done = run(store)
    assert (done.returncode, done.stdout) == (0, "Apply: 2 created\n"), done.stderr
    assert [(store.read(name).fleet, store.read(name).labels) for name in store.names()] == [
        (str(file), {"role": "store"}),
        (str(file), {}),
    ]
    before = state(store)
    again = run(store)
    assert (again.returncode, again.stdout) == (0, "Apply: 2 unchanged\n")
    assert again.stderr == "All is as the file says: nothing to do\n"
    assert state(store) == before


def test_what_the_file_says_otherwise_is_changed_and_nothing_else(file: Path, store: Store) -> None:
    run(store)
    before = state(store)
    file.write_text(TWO.replace("role: store", "role: db").replace("nas.sock", "big.sock"))
    assert run(store).stdout == "Apply: 1 changed, 1 unchanged\n"
    nas = store.read("nas")
    assert (nas.labels, nas.url, nas.pending) == ({"role": "db"}, "unix:///run/big.sock", "")
    assert {path for path, what in state(store).items() if before.get(path) != what} == {
        f"{store.directory('nas')}/machine.json",
    }
    assert run(store).stdout == "Apply: 2 unchanged\n"


@pytest.mark.usefixtures("file")
def test_only_those_named_or_selected_are_worked_on(store: Store) -> None:
    assert run(store, "-l", "role=store").stdout == "Apply: 1 created\n"
    assert store.names() == ["nas"]
    assert run(store, "orion").stdout == "Apply: 1 created\n"
    missing = run(store, "oreon")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert 'Did you mean "orion"?' in missing.stderr


def test_a_file_that_is_wrong_changes_nothing(file: Path, store: Store) -> None:
    run(store)
    before = state(store)
    file.write_text(TWO.replace("role: store", "role: db") + "  rigel: {driver: none, ulr: x}\n")
    refused = run(store)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "fleet.yaml:5:" in refused.stderr
    assert state(store) == before


def test_a_broken_record_fails_its_own_machine_with_the_cause(file: Path, store: Store) -> None:
    run(store)
    Path(store.directory("nas"), "machine.json").write_text("{")
    file.write_text(TWO.replace("orion.sock", "big.sock"))
    done = run(store)
    assert (done.returncode, done.stdout) == (1, "Apply: 1 changed, 1 failed\n")
    assert 'Error: The machine.json of "nas" is not JSON' in done.stderr
    assert "machinectl rm -f nas" in done.stderr
    assert store.read("orion").url == "unix:///run/big.sock"
    alone = run(store, "orion")
    assert (alone.returncode, alone.stdout) == (0, "Apply: 1 unchanged\n"), alone.stderr


def test_a_machine_that_was_there_before_is_of_the_file_from_then_on(file: Path, store: Store) -> None:
    machinectl("create", "-d", "none", "--url", "unix:///run/orion.sock", "orion", store=store.root)
    assert run(store, "orion").stdout == "Apply: 1 unchanged\n"
    assert store.read("orion").fleet == str(file)
    before = state(store)
    run(store, "orion")
    assert state(store) == before


def test_what_the_file_has_no_more_goes_when_that_is_asked_and_agreed(file: Path, store: Store) -> None:
    run(store)
    added(store, Machine("mine", "none", url="unix:///run/mine.sock"))
    file.write_text(TWO.partition("  orion")[0])
    told = run(store)
    assert told.stdout == "Apply: 1 unchanged, 1 no longer in the file\n"
    assert "No longer in the file: orion\n  Remove them: machinectl apply --prune" in told.stderr
    silent = run(store, "--prune")
    assert (silent.returncode, silent.stdout) == (1, "")
    assert "machinectl apply --prune --yes" in silent.stderr
    assert run(store, "--prune", stdin="n\n").stdout == "Apply: 1 unchanged, 1 no longer in the file\n"
    assert store.names() == ["mine", "nas", "orion"]
    asked = run(store, "--prune", stdin="y\n")
    assert asked.stdout == "Apply: 1 removed, 1 unchanged\n"
    assert "About to remove orion" in asked.stderr
    assert store.names() == ["mine", "nas"]


@pytest.mark.usefixtures("file")
def test_purging_is_for_what_is_pruned(store: Store) -> None:
    refused = run(store, "-f", "fleet.yaml", "--purge")
    assert refused.returncode == 2
    assert "machinectl apply -f fleet.yaml --purge --prune" in refused.stderr


@pytest.mark.usefixtures("file")
def test_another_apply_is_waited_for_and_named(store: Store) -> None:
    with apply_lock(store, Quiet()):
        waiting = started("apply", store=store.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert waiting.stderr
        said = waiting.stderr.readline()
        # What the first one has done in the meantime is not done again.
        nas = Machine("nas", "none", url="unix:///run/nas.sock")
        nas.labels = {"role": "store"}
        added(store, nas)
    stdout, _ = waiting.communicate(timeout=60)
    assert said.decode() == "Waiting for another apply …\n"
    assert stdout == b"Apply: 1 created, 1 unchanged\n"


@pytest.mark.parametrize("moment", [3, 6, 9, 12, 15, 18])
def test_killed_at_any_touch_of_the_store_the_next_run_ends_it(file: Path, store: Store, moment: int) -> None:
    killed = killed_at(moment, store.root, "apply", "-f", file)
    assert killed.returncode == -signal.SIGKILL
    done = run(store)
    assert done.returncode == 0, done.stderr
    assert [(store.read(name).phase, store.read(name).fleet) for name in ("nas", "orion")] == [
        (Phase.READY, str(file))
    ] * 2
    assert run(store).stdout == "Apply: 2 unchanged\n"


def test_a_machine_of_another_fleet_is_taken_over_only_with_the_option_or_a_yes(file: Path, store: Store) -> None:
    run(store)
    other = file.with_name("copy.yaml")
    other.write_text(TWO.replace("role: store", "role: db"))
    planned = machinectl("plan", "-f", other, store=store.root)
    assert planned.stderr.endswith(f"Do it: machinectl apply -f {other} --take-over\n")
    told = planned.stdout
    assert told.startswith(f"~ nas  change:\n      taken over from {file} (with --take-over)\n      labels role=store")
    assert "Plan: 0 to create, 2 to change" in told
    run(store)
    before = state(store)
    for words in (["--yes"], ["--yes", "--force", "--prune"]):
        refused = run(store, "-f", str(other), *words, stdin="y\n")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"Machines of other fleets: nas ({file}), orion ({file})\n" in refused.stderr
        assert f"machinectl apply -f {other} {' '.join(words)} --take-over" in refused.stderr
        lock = f"{store.locks}/.apply"
        assert {**state(store), lock: before[lock]} == before
    found = as_planned(store, other, Quiet(False, True, interactive=True))
    assert [result[:2] for result in found] == [("nas", Did.NOT_BEGUN), ("orion", Did.NOT_BEGUN)]
    assert str(found[0].error) == f'"nas" still belongs to the fleet {file}'
    assert store.read("nas").labels == {"role": "store"}
    taken = as_planned(store, other, Quiet(True, interactive=True))
    assert [result.did for result in taken] == [Did.CHANGED] * 2
    assert {store.read(name).fleet for name in store.names()} == {str(other)}
    assert run(store, "-f", str(other), "--refresh").stdout == "Apply: 2 unchanged\n"
    assert run(store, "--refresh", "--take-over").stdout == "Apply: 2 changed\n"


def as_planned(store: Store, file: Path, console: Console) -> list[Result]:
    """Apply a file as the person at this console does."""

    options = ApplyOptions(str(file), Login(), NOTHING_SPECIAL)
    return list(apply(store, console, lambda: plan(store, str(file), [], None), options))


def test_a_fleet_that_gets_a_name_keeps_its_machines_wherever_its_file_is_from_then_on(
    file: Path, store: Store, tmp_path: Path
) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    run(store, "-f", str(link))
    with store.writing("nas") as held:
        # As earlier versions have it, which did not follow links.
        held.machine.fleet = str(link)
        held.write()
    assert run(store, "-f", str(link)).stdout == "Apply: 2 unchanged\n"
    assert store.read("nas").fleet == str(file)
    file.write_text("fleet: lab" + TWO.partition("  orion")[0])
    assert run(store).stdout == "Apply: 1 unchanged, 1 no longer in the file\n"
    assert {name: store.read(name).fleet for name in store.names()} == {"nas": "lab", "orion": "lab"}
    elsewhere = tmp_path / "clone" / "fleet.yaml"
    elsewhere.parent.mkdir()
    file.rename(elsewhere)
    moved = run(store, "-f", str(elsewhere))
    assert (moved.returncode, moved.stdout) == (0, "Apply: 1 unchanged, 1 no longer in the file\n")
    assert run(store, "-f", str(elsewhere), "--prune", "--yes").stdout == "Apply: 1 removed, 1 unchanged\n"
    file.write_text(TWO)
    unnamed = run(store)
    assert (unnamed.returncode, "Machines of other fleets: nas (lab)\n" in unnamed.stderr) == (1, True)


def test_what_is_another_files_by_the_time_of_the_answer_is_not_removed(store: Store) -> None:
    machine = Machine("web", "none", url="unix:///run/web.sock")
    machine.driver_state, machine.fleet = json.dumps({"URL": machine.url}), "/srv/other.yaml"
    added(store, machine)
    before = Machine("web", "none")
    before.fleet = OPTIONS.path
    planned = FleetPlan([PlanStep("web", Action.REMOVE)], FleetId(OPTIONS.path), {"web": before})
    options = ApplyOptions(OPTIONS.path, Login(), NOTHING_SPECIAL, prune=True, yes=True)
    [found] = apply(store, Quiet(), lambda: planned, options)
    name, did, error, *_ = found
    assert (name, did, store.names()) == ("web", Did.FAILED, ["web"])
    assert "belongs to another fleet now" in str(error)


def test_managers_are_forgotten_with_a_word_and_not_without_a_quorum(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managers, "ELECTION", 0)
    roles = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker"}
    with engines(store, *roles):
        list(Roles(roles).form(store, Quiet(), swarm_join.Joining(Login(), "192.0.2.7")))
        for name in roles:
            with store.writing(name) as held:
                held.machine.driver_state, held.machine.fleet = json.dumps({"URL": held.machine.url}), OPTIONS.path
                held.write()

        def prune(*names: str) -> tuple[dict[str, Did], Quiet, str]:
            planned = FleetPlan(
                [PlanStep(name, Action.REMOVE) for name in names], FleetId(OPTIONS.path), store_of(store)
            )
            console = Quiet()
            found = list(apply(store, console, lambda: planned, replace(OPTIONS, prune=True, yes=True)))
            return (
                {each.name: each.did for each in found},
                console,
                " ".join(each.error.cause + each.error.hint for each in found if each.error),
            )

        did, console, why = prune("m2", "m3")
        assert did == {"m2": Did.FAILED, "m3": Did.FAILED}
        assert "only 1 of the 3 managers" in why
        assert "machinectl swarm leave m2 m3" in why
        did, console, why = prune("m3")
        assert did == {"m3": Did.REMOVED}
        assert '"m3" is a manager of the swarm "m1"' in console.warnings[0]
        # A swarm that goes as a whole goes.
        did, console, why = prune("m1", "m2", "w1")
        assert did == dict.fromkeys(("m1", "m2", "w1"), Did.REMOVED), why


def store_of(store: Store) -> dict[str, Machine]:
    return {name: store.read(name) for name in store.names()}


def ready(*names: str) -> dict[str, Machine]:
    return {name: Machine(name, "none") for name in names}


def step(name: str, action: Action, *, restarts: bool = False, jump: str = "") -> PlanStep:
    differences = (Difference("engine-opt", "", "log-level=warn", restarts),) if action is Action.CHANGE else ()
    return PlanStep(name, action, FleetHost(name, MachineSpec("none", {}, jump=jump)), differences)


def test_a_host_with_another_key_is_accepted_by_the_same_command_for_it(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    password = "--sudo-password-file=pw "
    for path, file in (("/srv/my fleet.yaml", "-f '/srv/my fleet.yaml' "), (os.path.abspath("fleet.yaml"), "")):
        options = replace(OPTIONS, path=path, flags=(password.strip(),))
        for work in (step("orion", Action.RESUME), step("orion", Action.CHANGE), step("orion", Action.LEAVE)):
            run = ApplyRun(store, FleetPlan([work], FleetId(""), {"orion": machine}), options)
            with pytest.raises(HostKeyRefused) as raised, logged_in(machine, Quiet(), run.login("orion")):
                pass
            command = f"machinectl apply {file}{password}orion"
            assert raised.value.hint.endswith(f"{command} --ssh-host-key {sshd.fingerprint()}")


class Scripted(ApplyRun):
    """A run whose machines fail as they are told to, as no real host could be made to."""

    def __init__(
        self,
        store: Store,
        steps: Iterable[PlanStep],
        machines: Mapping[str, Machine],
        failing: str,
        options: ApplyOptions,
    ) -> None:
        super().__init__(store, FleetPlan(list(steps), FleetId(""), machines), options)
        self.failing = failing.split()
        self.begun: list[str] = []
        # Machines whose hosts cannot be reached from the beginning, and those that fail before a change.
        self.off: set[str] = set()
        self.untouched_hosts: set[str] = set()

    def create(self, name: str, console: Console) -> None:
        self.begun.append(name)
        if name not in self.untouched_hosts:
            self.changed_hosts.add(name)
        if name in self.failing:
            raise MachineError(f"{name} does not want to")

    def change(self, name: str, console: Console) -> None:
        self.create(name, console)

    def joined(self, roles: Roles, joining: Sequence[str]) -> Iterator[Result] | None:
        return None

    def carried_out(self) -> Iterator[Result]:
        return phases.carry_out(self, Quiet())

    def all_results(self) -> dict[str, Did]:
        return {result.name: result.did for result in self.carried_out()}


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripted runs do what they are told to instead of work on hosts."""
    reach, joined = restarts.try_login, phases.join_nodes

    def reach_scripted(run: ApplyRun, name: str, console: Console) -> None:
        if not isinstance(run, Scripted):
            reach(run, name, console)
        elif name in run.off:
            raise MachineError(f"{name} is off")

    def joined_scripted(run: ApplyRun, console: Console, roles: Roles, joining: Sequence[str]) -> Iterator[Result]:
        scripted = run.joined(roles, list(joining)) if isinstance(run, Scripted) else None
        return joined(run, console, roles, joining) if scripted is None else scripted

    monkeypatch.setattr(restarts, "try_login", reach_scripted)
    monkeypatch.setattr(phases, "join_nodes", joined_scripted)
    for verb in ("create", "change"):
        real = getattr(machine_changes, f"{verb}_machine")
        monkeypatch.setattr(
            machine_changes,
            f"{verb}_machine",
            lambda run, name, console, real=real, verb=verb: (
                getattr(run, verb)(name, console) if isinstance(run, Scripted) else real(run, name, console)
            ),
        )


def test_a_look_that_finds_all_right_is_on_record_and_removes_the_failure(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What takes a host that was set up: the lab's tests look at real ones.
    monkeypatch.setattr(provisioning, "preview_provisioning", lambda *_: SetupPlan())
    machine = Machine("orion", "none", url="unix:///run/orion.sock")
    machine.changes = [UnknownChange({"kind": "file-made", "path": "/etc/x", "when": "2026-01-02T03:04:05Z"})]
    machine.fleet, machine.failure = OPTIONS.path, {"cause": "no route"}
    added(store, machine)
    before = store.read("orion").last_look
    planned = FleetPlan([step("orion", Action.LEAVE)], FleetId(OPTIONS.path), {"orion": machine})
    [result] = apply(store, Quiet(), lambda: planned, replace(OPTIONS, refresh=True))
    after = store.read("orion")
    assert (before, result.did, result.looked_at) == ("2026-01-02T03:04:05Z", Did.LEFT, after.looked_at)
    assert (after.looked_at > before, after.failure) == (True, {})


def test_the_first_engine_that_fails_ends_the_roll_and_stops_nobody_else(store: Store) -> None:
    steps = [
        *(step(name, Action.CHANGE, restarts=True) for name in ("m1", "m2", "m3")),
        step("m4", Action.CHANGE),
        *(step(name, Action.CREATE) for name in ("new", "bad")),
    ]
    run = Scripted(store, steps, ready("m1", "m2", "m3", "m4"), "m1 bad", OPTIONS)
    assert run.all_results() == {
        "m1": Did.FAILED,
        "m2": Did.NOT_BEGUN,
        "m3": Did.NOT_BEGUN,
        "m4": Did.CHANGED,
        "new": Did.CREATED,
        "bad": Did.FAILED,
    }
    assert not {"m2", "m3"}.intersection(run.begun)


def in_use(*names: str) -> dict[str, Machine]:
    """Machines whose hosts were set up."""
    machines = ready(*names)
    for machine in machines.values():
        machine.changes = [UnknownChange({"kind": "file-made", "path": "/etc/x"})]
    return machines


def test_hosts_that_are_off_or_refuse_us_are_found_before_the_first_restart_and_stop_no_roll(store: Store) -> None:
    steps = [step(name, Action.CHANGE, restarts=True) for name in ("m1", "m2", "m4")]
    steps.append(step("m3", Action.CHANGE, restarts=True, jump="machine:m2"))
    machines = in_use("m1", "m2", "m3", "m4")
    machines["m3"].spec = steps[-1].host.spec if steps[-1].host else machines["m3"].spec
    run = Scripted(store, steps, machines, "m1", OPTIONS)
    run.off, run.untouched_hosts = {"m2"}, {"m1"}
    results = list(run.carried_out())
    assert [(result.name, result.did, result.touched) for result in results] == [
        ("m2", Did.FAILED, False),
        ("m1", Did.FAILED, False),
        ("m4", Did.CHANGED, True),
        ("m3", Did.NOT_BEGUN, False),
    ]
    assert str(results[-1].error) == '"m3" is reached through "m2", which failed'
    assert run.begun == ["m1", "m4"]


def test_a_host_is_logged_in_at_before_a_roll_by_the_way_that_stays(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    machine.changes = [UnknownChange({"kind": "file-made", "path": "/etc/x"})]
    run = ApplyRun(store, FleetPlan([step("orion", Action.CHANGE)], FleetId(""), {"orion": machine}), OPTIONS)
    assert restarts.is_reachable_as_recorded(run, "orion")
    restarts.try_login(run, "orion", Quiet())
    sshd.authorized_keys.write_text("")
    with pytest.raises(LoginRefused) as raised:
        restarts.try_login(run, "orion", Quiet())
    assert store.read("orion").failure["cause"] == raised.value.cause
    moved = (Difference("ip-address", sshd.host, "127.0.0.2", restarts=False),)
    run.steps["orion"] = replace(run.steps["orion"], differences=moved)
    assert not restarts.is_reachable_as_recorded(run, "orion")


def test_the_hint_of_a_roll_that_ended_has_the_flags_that_were_typed() -> None:
    results = [
        Result("m1", Did.FAILED, MachineError("m1 does not want to"), touched=True),
        Result("m2", Did.NOT_BEGUN),
        Result("m3", Did.FAILED, MachineError("m3 is off")),
    ]
    console = Quiet()
    words = ["--debug", "apply", "--file=x", "--batch=2", "--max-failures=0", "m1"]
    again = " ".join(["machinectl apply", *flags_to_repeat(words)])
    assert again == "machinectl apply --batch=2 --max-failures=0"
    assert report_rollout(cast("Session", SimpleNamespace(console=console, program="")), iter(results), again) == 1
    assert "\n".join(console.notes[1:]) == (
        "Some machines are not done\nFix that, then continue: machinectl apply --batch=2 --max-failures=0; "
        "or continue despite 1 failed: machinectl apply --batch=2 --max-failures=1"
    )


def test_failures_come_in_natural_order_and_equal_causes_once(capsys: pytest.CaptureFixture[str]) -> None:
    def full(name: str) -> MachineError:
        return MachineError(
            "no space left", Hint("Free some", "machinectl run", name, "--", "docker", "system", "prune")
        )

    results = [
        Result("m3", Did.FAILED, full("m3")),
        Result("m2", Did.FAILED, MachineError("m2 is off")),
        Result("m1", Did.FAILED, full("m1"), touched=True),
    ]
    here = cast("Session", SimpleNamespace(console=Quiet(), program=""))
    report_rollout(here, iter(results), "machinectl apply")
    assert capsys.readouterr().err == (
        'Error: "m1", "m3": no space left\n  Free some: machinectl run m1 -- docker system prune\n'
        'Error: "m2": m2 is off\n'
    )


NO, WORK_BEGAN = "Nothing was changed", "Apply: 1 failed"


@pytest.mark.parametrize(("answer", "options", "end"), [("n", [], NO), ("y", [], WORK_BEGAN), ("", ["-y"], WORK_BEGAN)])
def test_at_a_terminal_an_engine_restarts_after_a_look_at_the_plan(
    store: Store, tmp_path: Path, answer: str, options: list[str], end: str
) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text('hosts: {web1: {driver: none, url: "tcp://127.0.0.1:1", no-tls: true, engine-opt: [debug=true]}}')
    web1 = Machine("web1", "none", url="tcp://127.0.0.1:1", driver_state='{"URL": "tcp://127.0.0.1:1"}')
    web1.changes = [UnknownChange({"kind": "file-made", "path": "/etc/x"})]
    added(store, web1)
    with at_terminal("apply", "-f", str(file), *options, store=store.root, columns=120) as (_, terminal):
        os.write(terminal, f"{answer}\n".encode())
        said = everything(terminal)
    assert ("Apply it? The engine restarts on web1." in said) == (not options)
    assert ("Plan: 0 to create, 1 to change" in said) == (not options)
    assert end in said


def test_nobody_behind_a_jump_host_that_failed_begins_and_each_is_told_why(store: Store) -> None:
    steps = [step("web", Action.CREATE, jump="machine:gate"), step("gate", Action.CREATE), step("new", Action.CREATE)]
    run = Scripted(store, steps, {}, "gate", OPTIONS)
    results = list(run.carried_out())
    assert [(result.name, result.did) for result in results if result.name != "new"] == [
        ("gate", Did.FAILED),
        ("web", Did.NOT_BEGUN),
    ]
    assert '"web" is reached through "gate", which failed' in [str(result.error) for result in results]
    assert "web" not in run.begun


def test_one_whose_host_was_not_told_all_takes_its_turn_as_well(store: Store) -> None:
    machines = in_use("m1", "m2")
    for machine in machines.values():
        machine.pending = PROVISION
    run = Scripted(store, [step(name, Action.RESUME) for name in machines], machines, "m1", OPTIONS)
    assert run.all_results() == {"m1": Did.FAILED, "m2": Did.NOT_BEGUN}


class Crowded(Scripted):
    """A scripted run whose new hosts b1 to b9 have engines in use, as is seen on the hosts."""

    def create(self, name: str, console: Console) -> None:
        super().create(name, console)
        if name.startswith("b") and name not in self.in_use:
            added(self.store, Machine(name, "none"))
            raise InUse(name, frozenset({"c0ffee"}))


def test_new_hosts_whose_engines_are_in_use_take_turns_after_the_others(store: Store) -> None:
    steps = [
        step("m1", Action.CHANGE, restarts=True),
        *(step(name, Action.CREATE) for name in ("b1", "b2", "b3", "new")),
        step("web", Action.CREATE, jump="machine:b1"),
    ]
    run = Crowded(store, steps, ready("m1"), "", replace(OPTIONS, batch=BatchSizes("1,2")))
    assert run.all_results() == {"m1": Did.CHANGED, **dict.fromkeys(("b1", "b2", "b3", "new", "web"), Did.CREATED)}
    assert sorted(run.begun[:5]) == ["b1", "b2", "b3", "m1", "new"]
    # Two at once, as m1 was the first batch; whoever is behind one comes after it.
    assert (set(run.begun[5:7]), set(run.begun[7:])) == ({"b1", "b2"}, {"b3", "web"})


def test_new_hosts_that_never_have_their_turn_stay_as_they_were(store: Store) -> None:
    steps = [step("m1", Action.CHANGE, restarts=True), *(step(name, Action.CREATE) for name in ("b1", "b2", "new"))]
    assert Crowded(store, steps, ready("m1"), "m1", OPTIONS).all_results() == {
        "m1": Did.FAILED,
        "b1": Did.NOT_BEGUN,
        "b2": Did.NOT_BEGUN,
        "new": Did.CREATED,
    }
    assert store.names() == []


def test_ctrl_c_tells_who_was_not_finished(store: Store) -> None:
    main = threading.get_ident()

    class Interrupted(Scripted):
        def create(self, name: str, console: Console) -> None:
            if name == "m1":
                signal.pthread_kill(main, signal.SIGINT)
                console.pause(3600)

    options = ApplyOptions("/srv/fleet.yaml", Login(), NOTHING_SPECIAL, parallel=1)
    run = Interrupted(store, [step(name, Action.CREATE) for name in ("m1", "m2")], {}, "", options)
    results = run.carried_out()
    told = [next(results), next(results)]
    assert [result[:2] for result in told] == [("m1", Did.UNFINISHED), ("m2", Did.NOT_BEGUN)]
    assert [result.reason for result in told] == ["interrupted"] * 2
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_after_ctrl_c_nothing_is_to_be_mended(capsys: pytest.CaptureFixture[str]) -> None:
    def results() -> Iterator[Result]:
        yield Result("m1", Did.UNFINISHED)
        raise KeyboardInterrupt

    console = Quiet()
    with pytest.raises(KeyboardInterrupt):
        report_rollout(cast("Session", SimpleNamespace(console=console, program="")), results(), "machinectl apply")
    assert (capsys.readouterr().out, console.notes) == (
        "Apply: 1 not finished\n",
        ["Some machines are not done\nContinue: machinectl apply"],
    )


def test_programs_get_what_became_of_each_machine_on_a_line(file: Path, store: Store) -> None:
    run(store, "nas")
    bad = "driver: generic, ip-address: 127.0.0.1"
    file.write_text(f"{TWO}  gate: {{{bad}, ssh-port: 1}}\n  web: {{{bad}, ssh-jump: gate}}\n")
    done = run(store, "--json")
    assert done.returncode == 1
    found = {each["Name"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert {name: each["Result"] for name, each in found.items()} == {
        "nas": "unchanged",
        "orion": "created",
        "gate": "failed",
        "web": "not begun",
    }
    assert found["gate"]["Reason"].startswith("127.0.0.1 port 1 refuses the connection")
    assert found["web"]["Reason"] == '"web" is reached through "gate", which failed'
    assert list(found["gate"]) == ["Name", "Result", "Reason", "Hint", "Seconds", "LookedAt"]
    assert "Apply: 1 created, 1 failed, 1 not begun, 1 unchanged" in done.stderr
    assert "refuses" not in done.stderr


@pytest.mark.usefixtures("file")
def test_a_fleet_comes_from_stdin_under_its_name(store: Store) -> None:
    text = f"fleet: lan\n{TWO.replace('driver: none', 'driver: none, no-context: true')}"
    planned = machinectl("plan", "-f", "-", store=store.root, stdin=text)
    assert "Plan: 2 to create" in planned.stdout
    assert planned.stderr.endswith("Do it: machinectl apply -f -\n")
    assert run(store, "-f", "-", stdin=text).stdout == "Apply: 2 created\n"
    assert {store.read(name).fleet for name in store.names()} == {"lan"}
    assert run(store, "-f", "-", stdin=text).stdout == "Apply: 2 unchanged\n"
    wrong = run(store, "-f", "-", stdin=TWO + "  web: {}\n")
    assert wrong.returncode == 1
    assert "stdin:5:" in wrong.stderr
    assert "stdin:1:1: A fleet from stdin needs a name" in wrong.stderr


@pytest.mark.usefixtures("file")
def test_a_dry_run_makes_nothing_and_names_the_command_that_does_with_its_flags(store: Store) -> None:
    told = run(store, "--dry-run", "--batch", "2", "orion")
    assert (told.returncode, told.stdout.splitlines()[-1]) == (
        0,
        "Plan: 1 to create, 0 to change, 0 to remove, 0 unchanged",
    )
    assert told.stderr.endswith("Do it: machinectl apply --batch=2 orion\n")
    [found] = map(json.loads, run(store, "--dry-run", "--json", "orion").stdout.splitlines())
    assert (found["Name"], found["Result"]) == ("orion", "to create")
    assert state(store) == {}


def of_swarm(name: str, action: Action, role: str) -> PlanStep:
    differences = (Difference("swarm", "", role),) if action is Action.CHANGE else ()
    return PlanStep(name, action, FleetHost(name, MachineSpec("none"), swarm=role), differences)


class Swarming(Scripted):
    """A scripted run whose swarm is formed as it is told to."""

    refusing = ""

    def joined(self, roles: Roles, joining: Sequence[str]) -> Iterator[Result] | None:
        return self._joined(roles, joining)

    def _joined(self, roles: Roles, joining: Sequence[str]) -> Iterator[Result]:
        assert list(roles.roles) == ["m1", "m2", "new"]
        for name in joining:
            error = MachineError("it does not want to") if name == self.refusing else None
            yield Result(name, Did.FAILED if error else Did.CHANGED, error)


SWARM = [
    of_swarm("m1", Action.LEAVE, "manager"),
    of_swarm("m2", Action.CHANGE, "manager"),
    of_swarm("new", Action.CREATE, "worker"),
]


def swarm_of(store: Store, failing: str) -> Swarming:
    machines = ready("m1", "m2")
    machines["m1"].swarm = SwarmNode("m1", "a", "b", "manager").dump()
    for machine in machines.values():
        added(store, machine)
    return Swarming(store, SWARM, machines, failing, OPTIONS)


@pytest.mark.parametrize(
    ("failing", "refusing", "results"),
    [
        pytest.param("", "", {"m2": Did.CHANGED, "new": Did.CREATED}, id="all are ready"),
        pytest.param("new", "", {"new": Did.FAILED, "m2": Did.NOT_BEGUN}, id="one is not ready"),
        pytest.param("", "new", {"m2": Did.CHANGED, "new": Did.FAILED}, id="one was made and cannot join"),
    ],
)
def test_a_swarm_is_formed_when_all_of_its_machines_are_ready(
    store: Store, failing: str, refusing: str, results: dict[str, Did]
) -> None:
    run = swarm_of(store, failing)
    run.refusing = refusing
    assert run.all_results() == results
    # A machine that only gets a role is not changed otherwise.
    assert run.begun == ["new"]


def test_why_no_swarm_can_be_is_told_once(store: Store) -> None:
    machines = ready("m1", "m2")
    for machine in machines.values():
        added(store, machine)
    steps = [of_swarm(name, Action.CHANGE, "worker") for name in machines]
    results = list(Scripted(store, steps, machines, "", OPTIONS).carried_out())
    assert [(result.name, result.did) for result in results] == [("m1", Did.FAILED), ("m2", Did.NOT_BEGUN)]
    assert "A swarm needs a manager" in str(results[0].error)


def test_nodes_that_were_not_chosen_stay_as_they_are_and_one_that_is_down_stops_nobody(
    file: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engines are on loopback, where no other node would reach them.
    monkeypatch.setattr(swarm_join, "address_of", lambda *_: "192.0.2.7")

    def applied(*names: str) -> dict[str, Did]:
        options = replace(OPTIONS, path=str(file))
        results = apply(store, Quiet(), lambda: plan(store, str(file), names, None), options)
        return {result.name: result.did for result in results}

    roles = {"m1": "manager", "m2": "manager", "w1": "worker", "w2": "worker", "w3": "worker"}
    with engines(store, *roles) as swarms:
        hosts = {name: {"url": store.read(name).url, "swarm": role} for name, role in roles.items()}
        file.write_text(json.dumps({"defaults": {"driver": "none", "no-tls": True}, "hosts": hosts}))
        assert applied("m1", "m2", "w1") == dict.fromkeys(("m1", "m2", "w1"), Did.CHANGED)
        swarm_api.leave_swarm(endpoint_of(store.read("w1")), force=True)
        swarms["m1"].answers = False
        others = ("m1", "m2", "w1")
        before = [store.read(name).dump() for name in others]
        for name in others:
            swarms[name].asked.clear()
        assert applied("w2") == {"w2": Did.CHANGED}
        assert swarms["w2"].is_in
        assert [asked for name in others for asked in swarms[name].asked if not asked.startswith("GET")] == []
        assert [store.read(name).dump() for name in others] == before
        # Of those that were chosen, one that is to be in its role again and cannot be has failed.
        swarms["m1"].answers, swarms["w1"].answers = True, False
        left = dict.fromkeys(("m1", "m2", "w2"), Did.LEFT)
        assert applied() == {**left, "w1": Did.FAILED, "w3": Did.CHANGED}


def test_a_loop_of_machines_to_remove_is_an_error_that_names_it(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("hosts: {}\n")
    for name, jump in (("a", "machine:b"), ("b", "machine:a"), ("c", "machine:a")):
        machine = Machine(name, "none", url=f"unix:///run/{name}.sock")
        machine.driver_state = json.dumps({"URL": machine.url})
        machine.jump, machine.fleet = jump, str(file)
        added(store, machine)
    done = machinectl("apply", "--prune", "--yes", "-f", file, store=store.root)
    assert (done.returncode, store.names()) == (1, ["a", "b"]), done.stderr
    assert "jump hosts form a loop: a -> b -> a" in done.stderr
    assert "machinectl set --ssh-jump none a" in done.stderr
    file.write_text("hosts: {a: {driver: generic, ip-address: a.lan, ssh-jump: b}}\n")
    done = machinectl("plan", "-f", file, store=store.root)
    assert (done.returncode, "fleet.yaml:1:9: jump hosts form a loop: a -> b -> a" in done.stderr) == (1, True)


def test_a_machine_that_is_gone_and_its_jump_host_go_in_that_order(store: Store) -> None:
    for name, jump in (("gate", ""), ("web", "machine:gate")):
        machine = Machine(name, "none", url=f"unix:///run/{name}.sock")
        machine.driver_state = json.dumps({"URL": machine.url})
        machine.jump, machine.fleet = jump, OPTIONS.path
        added(store, machine)
    steps = [PlanStep("gate", Action.REMOVE), PlanStep("web", Action.REMOVE)]
    machines = {name: store.read(name) for name in store.names()}
    options = ApplyOptions(OPTIONS.path, Login(), NOTHING_SPECIAL, prune=True, yes=True)
    planned = FleetPlan(steps, FleetId(OPTIONS.path), machines)
    results = list(apply(store, Quiet(), lambda: planned, options))
    assert [result[:2] for result in results] == [("web", Did.REMOVED), ("gate", Did.REMOVED)]
    assert store.names() == []
