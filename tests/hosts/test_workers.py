"""Work on many machines at once: order, failures, questions and ^C."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.main import run_command_line
from machinectl.console import confirm
from machinectl.errors import MachineError
from machinectl.hosts.login import Login
from machinectl.hosts.parallel import run_at_once
from machinectl.hosts.workers import work_on_each
from machinectl.machines.record import PROVISION, Machine
from tests.support.puppets import piped
from tests.support.quiet import Quiet
from tests.support.registered import added, register

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store
    from tests.support.sshd import Sshd

FOREVER = 3600.0


class Gates:
    """Work that goes on when the test lets it."""

    def __init__(self) -> None:
        self.gates: dict[str, threading.Event] = defaultdict(threading.Event)

    def open(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()

    def work(self, name: str, console: Console) -> None:
        assert self.gates[name].wait(FOREVER)


def ctrl_c() -> None:
    """Interrupt the main thread, whatever it waits for: a signal goes to the thread that it is sent to."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_machines_start_once_in_natural_order() -> None:
    console = Quiet()
    names = ["m10", "m2", "m1", "m2", "M1", "m01"]
    results = run_at_once(console, names, lambda _, own: own.note("hello"), limit=1)
    expected = ["M1", "m01", "m1", "m2", "m10"]
    assert list(results) == [(name, None) for name in expected]
    assert console.begun == expected
    assert console.notes == [f"{name}: hello" for name in expected]


def test_never_more_than_the_limit_run_at_once() -> None:
    console, gates = Quiet(), Gates()
    results = run_at_once(console, ["m1", "m2", "m3", "m4", "m5"], gates.work, limit=3)
    gates.open("m2")
    assert next(results) == ("m2", None)
    assert console.begun == ["m1", "m2", "m3"]
    gates.open("m4")
    assert next(results) == ("m4", None)
    assert console.begun == ["m1", "m2", "m3", "m4"]
    gates.open("m1", "m3", "m5")
    assert {name for name, _ in results} == {"m1", "m3", "m5"}


def test_a_failure_does_not_stop_the_others() -> None:
    console, error = Quiet(), MachineError("it is down")

    def work(name: str, own: Console) -> None:
        with own.step("one"):
            if name == "m1":
                raise error
        with own.step("two"):
            pass

    results = dict(run_at_once(console, ["m1", "m2", "m3"], work, limit=1))
    assert results == {"m1": error, "m2": None, "m3": None}
    assert console.ended == results
    assert console.steps == ["m1: one", "m2: one", "m2: two", "m3: one", "m3: two"]


def test_a_single_machine_runs_in_the_callers_thread_on_its_console() -> None:
    console = Quiet()
    seen: list[object] = []

    def work(name: str, own: Console) -> None:
        seen.extend([name, own, threading.current_thread()])
        raise MachineError("it is down")

    [(name, error)] = run_at_once(console, ["m1", "m1"], work)
    assert (name, str(error)) == ("m1", "it is down")
    assert seen == ["m1", console, threading.main_thread()]
    assert (console.begun, console.ended) == ([], {})


def test_a_bug_is_raised_when_the_others_have_ended_their_steps() -> None:
    in_its_step, stopped = threading.Event(), threading.Event()
    finished: list[str] = []

    def work(name: str, own: Console) -> None:
        if name == "m1":
            assert in_its_step.wait(FOREVER)
            raise ZeroDivisionError(name)
        if name == "m2":
            with own.step("the step that it is in"):
                in_its_step.set()
                assert stopped.wait(FOREVER)
                finished.append(name)
            return
        try:
            with own.step("something long"):
                own.pause(FOREVER)
        finally:
            stopped.set()

    console = Quiet()
    results = run_at_once(console, ["m1", "m2", "m3", "m4"], work, limit=3)
    assert next(results) == ("m2", None)
    with pytest.raises(ZeroDivisionError, match="m1"):
        next(results)
    assert finished == ["m2"]
    assert console.begun == ["m1", "m2", "m3"]
    assert isinstance(console.ended["m3"], KeyboardInterrupt)


def test_questions_are_asked_one_at_a_time_in_the_callers_thread() -> None:
    both = threading.Barrier(2)
    threads: set[threading.Thread] = set()
    console = Quiet("y", "y")
    console.when("Are you sure", lambda: threads.add(threading.current_thread()))
    answers: dict[str, bool] = {}

    def work(name: str, own: Console) -> None:
        both.wait()
        answers[name] = confirm(own, "Are you sure?")

    assert dict(run_at_once(console, ["m1", "m2"], work)) == {"m1": None, "m2": None}
    assert answers == {"m1": True, "m2": True}
    assert sorted(console.asked) == ["m1: Are you sure?", "m2: Are you sure?"]
    assert threads == {threading.current_thread()}


class Interrupted:
    """m1 to m3 are at work and m4 is to come when m2 presses ^C: m1 is in its last step, m2 in its last but one."""

    def __init__(self) -> None:
        self.console = Quiet("y")
        self.all_there = threading.Barrier(3)
        self.stopped = threading.Event()
        self.steps: list[str] = []

    def work(self, name: str, own: Console) -> None:
        if name == "m3":
            self.wait(own)
        else:
            with own.step("a step"):
                self.all_there.wait()
                if name == "m2":
                    ctrl_c()
                assert self.stopped.wait(FOREVER)
                self.steps.append(name)
            if name == "m2":
                self.go_on(own)

    def wait(self, own: Console) -> None:
        """Pause for ever; tell the others when the end of that has come."""
        self.all_there.wait()
        try:
            own.pause(FOREVER)
        finally:
            self.stopped.set()

    def go_on(self, own: Console) -> None:
        with own.step("another step"):
            self.steps.append("one too many")

    def run(self) -> list[tuple[str, MachineError | None]]:
        """What is yielded before KeyboardInterrupt is raised."""
        results: list[tuple[str, MachineError | None]] = []
        with pytest.raises(KeyboardInterrupt):
            results.extend(run_at_once(self.console, ["m1", "m2", "m3", "m4"], self.work, limit=3))
        return results


def test_ctrl_c_finishes_steps_starts_none_and_is_noted_once() -> None:
    interrupted = Interrupted()
    assert interrupted.run() == [("m1", None)]
    assert sorted(interrupted.steps) == ["m1", "m2"]
    console = interrupted.console
    assert console.begun == ["m1", "m2", "m3"]
    assert console.ended["m1"] is None
    assert isinstance(console.ended["m2"], KeyboardInterrupt)
    assert isinstance(console.ended["m3"], KeyboardInterrupt)
    assert console.notes == ["Finishing the steps under way; no other step begins. ^C again abandons them"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_question_is_asked_after_ctrl_c() -> None:
    class Asking(Interrupted):
        def go_on(self, own: Console) -> None:
            confirm(own, "Are you sure?")

    interrupted = Asking()
    assert interrupted.run() == [("m1", None)]
    assert interrupted.console.asked == []
    assert isinstance(interrupted.console.ended["m2"], KeyboardInterrupt)


def test_a_second_ctrl_c_raises_at_once() -> None:
    end_of_test = threading.Event()

    class Impatient(Interrupted):
        def wait(self, own: Console) -> None:
            self.all_there.wait()
            try:
                own.pause(FOREVER)
            finally:
                ctrl_c()
                assert end_of_test.wait(FOREVER)

    interrupted = Impatient()
    assert interrupted.run() == []
    assert interrupted.console.ended == {}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interrupted.stopped.set()
    end_of_test.set()


def test_work_that_may_be_abandoned_ends_at_the_first_ctrl_c() -> None:
    end_of_test = threading.Event()
    both = threading.Barrier(2)

    def work(name: str, _: Console) -> None:
        both.wait()
        if name == "m2":
            ctrl_c()
        assert end_of_test.wait(FOREVER)

    console = Quiet()
    with pytest.raises(KeyboardInterrupt):
        list(run_at_once(console, ["m1", "m2"], work, abandons=True))
    assert console.notes == []
    end_of_test.set()


def test_ctrl_c_is_not_lost_while_the_caller_has_a_result() -> None:
    gates = Gates()
    results = run_at_once(Quiet(), ["m1", "m2", "m3"], gates.work, limit=2)
    gates.open("m1")
    assert next(results) == ("m1", None)
    ctrl_c()
    gates.open("m2")
    assert next(results) == ("m2", None)
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_a_caller_that_leaves_early_waits_for_the_steps_under_way() -> None:
    interrupted = Interrupted()

    def work(name: str, own: Console) -> None:
        if name != "m0":
            interrupted.work("m1" if name == "m2" else name, own)

    results = run_at_once(interrupted.console, ["m0", "m1", "m2", "m3"], work)
    assert next(results) == ("m0", None)
    assert interrupted.steps == []
    results.close()
    assert interrupted.steps == ["m1", "m1"]
    assert len(interrupted.console.notes) == 1


def test_an_ignored_sigint_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert len(list(run_at_once(Quiet(), ["m1", "m2"], lambda _, __: ctrl_c()))) == 2
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_abandoned_threads_end_with_the_process() -> None:
    with piped("m1", "m2") as machines:
        for name in ("m1", "m2"):
            machines.did(name, "step", "a long step")
        machines.process.send_signal(signal.SIGINT)
        assert b"Finishing the steps" in machines.read()
        machines.process.send_signal(signal.SIGINT)
        out, err = machines.end()
        assert machines.process.returncode == 130
        assert err.splitlines() == [f"{name}: abandoned in this step: a long step" for name in ("m1", "m2")]
        assert "exit code 130" in out


def test_a_success_removes_the_failure_from_the_record_unless_something_is_still_to_be_done(store: Store) -> None:
    for name in ("m1", "m2"):
        added(store, Machine(name, "none", url="unix:///x.sock"))

    def fail(held: Held, *_: object) -> None:
        held.machine.pending = PROVISION if held.name == "m2" else ""
        held.write()
        raise MachineError("it is down")

    assert all(error for _, error in work_on_each(store, Quiet(), ["m1", "m2"], Login(), fail))
    assert [store.read(name).failure["cause"] for name in ("m1", "m2")] == ["it is down"] * 2
    assert not any(error for _, error in work_on_each(store, Quiet(), ["m1", "m2"], Login(), lambda *_: None))
    assert [store.read(name).why for name in ("m1", "m2")] == ["", "it is down"]


def test_a_dry_run_takes_no_lock(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    added(store, Machine("local", "none", url="unix:///x.sock"))
    shutil.rmtree(store.locks)
    for verb in ("start", "stop", "restart", "kill", "provision", "upgrade", "regenerate-certs"):
        run_command_line(["-s", store.root, verb, "--dry-run", "orion", "local"])
        assert not os.path.exists(store.locks), verb
