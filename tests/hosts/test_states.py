"""What machines are doing: their drivers are believed where an engine cannot answer, and cannot hold anything up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import DriverError
from machinectl.hosts.states import state_of, states_of
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support import servers
from tests.support.driver import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine whose engine answers."""
    with servers.serving(servers.engine) as port:
        yield Machine("orion", "fake", url=f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("state", [State.STOPPED, State.PAUSED, State.SAVED])
def test_a_host_that_its_driver_knows_to_be_asleep_is_not_asked(use: Callable[[StandIn], None], state: State) -> None:
    use(StandIn(knows=lambda: state))
    with servers.serving(servers.silent) as port:
        found = state_of(Machine("orion", "fake", url=f"tcp://127.0.0.1:{port}"), timeout=60)
    assert (found.state, found.error) == (state, "")


@pytest.mark.parametrize("state", [None, State.RUNNING, State.STARTING])
def test_of_a_host_that_may_be_up_its_engine_is_asked(
    use: Callable[[StandIn], None], machine: Machine, state: State | None
) -> None:
    use(StandIn(knows=lambda: state))
    found = state_of(machine, timeout=60)
    assert found.state is State.RUNNING
    assert found.version


def test_a_driver_that_fails_leaves_it_to_the_engine(use: Callable[[StandIn], None], machine: Machine) -> None:
    def fail() -> State | None:
        raise DriverError("the cloud is down")

    use(StandIn(knows=fail))
    assert state_of(machine, timeout=60).state is State.RUNNING


def test_a_driver_that_is_not_installed_leaves_it_to_the_engine(machine: Machine) -> None:
    assert state_of(machine, timeout=60).state is State.RUNNING


def test_a_driver_that_never_answers_keeps_no_other_machine_waiting(use: Callable[[StandIn], None]) -> None:
    for_ever = threading.Event()
    held_up = iter([True, False])

    def answer() -> State | None:
        if next(held_up):
            for_ever.wait(60)
        return State.STOPPED

    use(StandIn(knows=answer))
    machines = [Machine("first", "fake", url="tcp://127.0.0.1:1"), Machine("second", "fake", url="tcp://127.0.0.1:1")]
    found = {name: probe.state for name, probe in states_of(machines, timeout=0.5)}
    assert sorted(found.values()) == [State.STOPPED, State.TIMEOUT]
    for_ever.set()
