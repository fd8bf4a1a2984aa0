"""A fleet's file is carried out: what becomes of each machine, in which turns, and what a second run finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.fleet import apply as phases
from machinectl.fleet import machine_changes
from machinectl.fleet.apply import apply_lock
from machinectl.fleet.apply import apply_plan as apply
from machinectl.fleet.apply_run import ApplyOptions, ApplyRun
from machinectl.fleet.fleet_file import FleetId
from machinectl.fleet.host_reader import FleetHost
from machinectl.fleet.plan import plan
from machinectl.fleet.plan_steps import Action, Did, Difference, FleetPlan, PlanStep, Result
from machinectl.hosts import provisioning
from machinectl.hosts.host_plan import HostPlan as SetupPlan
from machinectl.hosts.login import Login
from machinectl.hosts.rollout_order import BatchSizes
from machinectl.machines.record import PROVISION, Machine, Phase
from machinectl.machines.spec import MachineSpec
from machinectl.machines.swarm_node import SwarmNode
from machinectl.provision.decision import InUse
from machinectl.provision.host_changes import UnknownChange
from machinectl.provision.target import NOTHING_SPECIAL
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything, killed_at, started
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from subprocess import CompletedProcess

    from machinectl.console import Console
    from machinectl.machines.store import Store
    from machinectl.swarm.swarm_members import Roles

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


@pytest.mark.parametrize("moment", [4, 8, 12, 16])
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


def ready(*names: str) -> dict[str, Machine]:
    return {name: Machine(name, "none") for name in names}


def step(name: str, action: Action, *, restarts: bool = False, jump: str = "") -> PlanStep:
    differences = (Difference("engine-opt", "", "log-level=warn", restarts),) if action is Action.CHANGE else ()
    return PlanStep(name, action, FleetHost(name, MachineSpec("none", {}, jump=jump)), differences)


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
        # Those that fail before a change.
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
    joined = phases.join_nodes

    def joined_scripted(run: ApplyRun, console: Console, roles: Roles, joining: Sequence[str]) -> Iterator[Result]:
        scripted = run.joined(roles, list(joining)) if isinstance(run, Scripted) else None
        return joined(run, console, roles, joining) if scripted is None else scripted

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


def test_hosts_that_are_off_or_refuse_us_stop_no_roll(store: Store) -> None:
    steps = [step(name, Action.CHANGE, restarts=True) for name in ("m1", "m2", "m4")]
    steps.append(step("m3", Action.CHANGE, restarts=True, jump="machine:m2"))
    machines = in_use("m1", "m2", "m3", "m4")
    machines["m3"].spec = steps[-1].host.spec if steps[-1].host else machines["m3"].spec
    run = Scripted(store, steps, machines, "m1 m2", OPTIONS)
    run.untouched_hosts = {"m1", "m2"}
    results = list(run.carried_out())
    assert [(result.name, result.did, result.touched) for result in results] == [
        ("m1", Did.FAILED, False),
        ("m2", Did.FAILED, False),
        ("m4", Did.CHANGED, True),
        ("m3", Did.NOT_BEGUN, False),
    ]
    assert str(results[-1].error) == '"m3" is reached through "m2", which failed'
    assert run.begun == ["m1", "m2", "m4"]


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
