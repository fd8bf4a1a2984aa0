"""What is said of an engine that does not work as before, at the end of what was done to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from machinectl.provision.facts.host_facts import Client, Facts, ServiceState
from machinectl.provision.steps.restart_risks import engine_problem as problem
from tests.provision.test_steps import host

RAN = {"1" * 64: "11", "2" * 64: "12", "3" * 64: "13"}


def engine(shims: dict[str, str], known: int = 3, **different: Any) -> Facts:
    facts = host("docker-with-a-container")
    return replace(
        facts,
        containers=frozenset(shims),
        shims=shims,
        names=dict(zip(RAN, ("web", "db", "job"), strict=True)),
        info={**facts.info, "ContainersRunning": known},
        **different,
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (engine(RAN), engine(RAN), ""),
        (engine(RAN), engine({**RAN, "4" * 64: "14"}, 4), ""),
        (
            engine(RAN),
            engine({"1" * 64: "11", "2" * 64: "99"}, 2),
            "2 of 3 containers did not keep running on the host: db (restarted), job (stopped)",
        ),
        # It restarted again and again before anybody came.
        (engine(RAN, looping=frozenset({"2" * 64})), engine({**RAN, "2" * 64: "99"}), ""),
        # It has done its work, and another was replaced, such as by a deployment.
        (engine(RAN), engine({"1" * 64: "11", "2" * 64: "12"}, 2, finished=frozenset({"3" * 64})), ""),
        (
            engine(RAN),
            replace(engine({"2" * 64: "12", "3" * 64: "13"}, 2), names={"2" * 64: "db", "3" * 64: "job"}),
            "",
        ),
        (engine(RAN), engine(RAN, 1), "2 of 3 containers did not keep running on the host: 2 forgotten by the engine"),
        (engine(RAN, swarm=True), engine({}, 0), ""),
        (engine(RAN, clients=(Client(7, "run", "web.service"),)), engine({}, 0), ""),
        (engine(RAN), replace(engine(RAN), info={}), "no longer answers on its unix socket"),
        (engine(RAN), engine(RAN, service=ServiceState(loaded=True)), "The engine has stopped since"),
    ],
)
def test_what_is_not_as_before_is_named(before: Facts, after: Facts, said: str) -> None:
    found = problem(before, after)
    assert said in found.cause if said and found else (found, said) == (None, "")


def test_containers_that_the_engine_has_forgotten_are_found_again_by_a_restart() -> None:
    found = problem(engine(RAN), engine(RAN, 1))
    assert found
    assert "make room, then restart the engine, which finds them again: systemctl restart docker" in str(found.hint)
