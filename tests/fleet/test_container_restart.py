"""What ran on an engine before its restart is waited for, and said where it does not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.engine import Probe
from machinectl.errors import MachineError
from machinectl.fleet.rollout import container_restart
from machinectl.fleet.rollout.container_restart import running_containers, stopped_containers, wait_for_containers
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from machinectl.fleet.rollout.container_restart import Ask, Containers
    from tests.support.dockerd import Dockerd

ORION = Machine("orion", "none")


class Impatient(Quiet):
    """Nobody waits between two questions."""

    def pause(self, seconds: float) -> None:
        pass


def answers(*found: Containers) -> Ask:
    left = list(found)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_containers_are_known_by_their_ids_and_what_a_swarm_moves_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        {"Id": "a1", "Names": ["/web"], "State": "running", "Labels": {}},
        {"Id": "a2", "Names": ["/db"], "State": "paused", "Labels": None},
        {"Id": "a3", "Names": ["/loop"], "State": "restarting"},
        {"Id": "a4", "Names": ["/task.1"], "State": "running", "Labels": {"com.docker.swarm.task.id": "x"}},
        {"Id": "a5" * 32, "Names": [], "State": "running"},
        {"Id": "a6", "Names": ["/\x1b[2Jevil\n"], "State": "running"},
        {"Id": "a7", "Names": 7, "State": ["running"], "Labels": 7},
        {"Id": "a8", "Names": [["x"]], "State": "running", "Labels": 7},
        {"Id": "a9", "Names": ["/job"], "State": "exited", "Status": "Exited (0) 2 seconds ago"},
        {"Id": "b1", "Names": ["/killed"], "State": "exited", "Status": "Exited (137) 2 seconds ago"},
        "no container",
    ]
    monkeypatch.setattr(container_restart, "probe_any_set", lambda *_: (Probe(State.RUNNING, told=told), None))
    assert running_containers(ORION) == {
        "a1": "web",
        "a2": "db",
        "a5" * 32: "a5a5a5a5a5a5",
        "a6": "[2Jevil",
        "a8": "['x']",
    }
    assert stopped_containers(ORION) == {"a3": "loop", "a7": "a7", "b1": "killed"}


def test_the_engine_and_all_that_ran_are_waited_for() -> None:
    before = {"a1": "web", "a2": "db"}
    console = Impatient()
    asked = answers(None, {"a1": "web", "a2": "db"}, {"a1": "web"}, {"a9": "old"})
    wait_for_containers(ORION, before, console, ask=asked)
    assert console.steps == ["Waiting for the engine and its containers"]
    # Where nothing is known to have run, the engine must answer all the same.
    wait_for_containers(ORION, None, console, ask=answers(None, {}))


def test_what_does_not_come_back_is_named() -> None:
    asked = answers({"a1": "web", "a2": "db", "a9": "old"})
    with pytest.raises(MachineError) as caught:
        wait_for_containers(ORION, {"a1": "web", "a2": "db"}, Impatient(), ask=asked, within=0)
    assert "do not run again: db, web" in caught.value.cause
    assert caught.value.hint == "See why: machinectl ps -a orion"


def test_a_job_that_ends_meanwhile_is_not_waited_for() -> None:
    wait_for_containers(ORION, {"a1": "job"}, Impatient(), ask=answers({}), within=0)


def test_an_engine_that_goes_away_again_is_told_as_that() -> None:
    with pytest.raises(MachineError, match="does not answer after its restart") as caught:
        wait_for_containers(ORION, {"a1": "web"}, Impatient(), ask=answers(None), within=0)
    assert "machinectl doctor orion" in caught.value.hint


def test_a_real_engine_tells_what_runs_on_it(dockerd: Dockerd) -> None:
    machine = Machine("orion", "none", url=dockerd.url, tls=True, directory=str(dockerd.directory))
    assert running_containers(machine) == {}
    assert stopped_containers(machine) == {}
    machine.url = "tcp://127.0.0.1:1"
    assert running_containers(machine) is None
