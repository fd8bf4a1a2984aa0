"""`swarm …` on the command line, and what else knows of swarms: ls, env, config, docker's contexts, rm."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.docker_cli import context_sync
from machinectl.docker_cli.contexts import Context, Contexts
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.machines.swarm_node import node_of
from machinectl.swarm.swarm_join import Joining
from machinectl.swarm.swarm_members import Roles
from machinectl.swarm_nodes import managers
from machinectl.swarm_nodes.membership import save_node
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.swarm_engines import Swarms, engines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.dockerd import Dockerd

ROLES = {"m1": "manager", "m2": "manager", "w1": "worker"}


@pytest.fixture(autouse=True)
def elections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A swarm that has no leader gets none: nothing is waited for."""
    monkeypatch.setattr(managers, "ELECTION", 0)


@pytest.fixture
def swarms(store: Store) -> Iterator[Swarms]:
    """Two managers and a worker, and a machine that is in no swarm."""
    with engines(store, *ROLES, "alone") as found:
        list(Roles(ROLES).form(store, Quiet(), Joining(Login(), "192.0.2.7")))
        yield found


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contexts:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return Contexts()


def run(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    return machinectl(*words, store=store.root)


def succeeds(store: Store, *words: str) -> str:
    done = run(store, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def url(store: Store, name: str) -> str:
    return store.read(name).url


def test_ls_tells_of_swarms_and_asks_nobody_for_that(store: Store, swarms: Swarms) -> None:
    # Of the managers that were asked at once, the first answer counted: the others may still be asked.
    for thread in threading.enumerate():
        if thread.name == "asking":
            thread.join()
    for engine in swarms.engines.values():
        engine.asked.clear()
    rows = [line.split("  ")[0].strip() and line.split() for line in succeeds(store, "ls").splitlines()[1:]]
    assert [" ".join(row[5:-1]) for row in rows] == ["", "m1 (manager)", "m1 (manager)", "m1"]
    assert {tuple(engine.asked) for engine in swarms.engines.values()} == {("GET /_ping", "GET /version")}
    assert succeeds(store, "ls", "-q", "--filter", "swarm=m1").split() == ["m1", "m2", "w1"]
    assert succeeds(store, "ls", "-q", "--filter", "swarm=").split() == ["alone"]


def test_ls_believes_an_engine_that_is_in_no_swarm_and_nothing_else_of_itself(store: Store, swarms: Swarms) -> None:
    swarms["w1"].cluster = ""
    with store.writing("m2") as held:
        save_node(held, None)
    swarms["m1"].answers = False
    told = {row["Name"]: row["Swarm"] for row in json.loads(succeeds(store, "ls", "-t", "2", "--json"))}
    assert told == {"alone": "", "m1": "m1 (manager)", "m2": "(not on record)", "w1": ""}


def test_env_and_config_point_at_a_manager_that_answers(store: Store, swarms: Swarms) -> None:
    assert f'DOCKER_HOST="{url(store, "m1")}"' in succeeds(store, "env", "--swarm", "w1")
    assert f'DOCKER_HOST="{url(store, "w1")}"' in succeeds(store, "env", "w1")
    swarms["m1"].answers = False
    found = succeeds(store, "env", "--shell", "fish", "--swarm", "m1")
    assert f'DOCKER_HOST "{url(store, "m2")}"' in found
    assert 'DOCKER_MACHINE_NAME "m2"' in found
    assert succeeds(store, "config", "--swarm", "m1") == f"-H={url(store, 'm2')}\n"
    swarms["m2"].answers = False
    failed = run(store, "env", "--swarm", "m1")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "No manager" in failed.stderr


def test_a_swarm_has_a_context_that_moves_to_a_manager_that_answers(
    store: Store, swarms: Swarms, contexts: Contexts
) -> None:
    succeeds(store, "context", "sync")
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == url(store, "m1")
    assert "m1-swarm" in succeeds(store, "context", "ls")
    swarms["m1"].answers = False
    assert 'points at "m2"' in run(store, "swarm", "status", "-t", "1").stderr
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == url(store, "m2")
    # It stays there: who comes back gets it again only when that one is gone.
    swarms["m1"].answers = True
    assert "m1-swarm" not in run(store, "context", "sync").stdout
    # While nobody answers it stays, and one that is made then says so.
    swarms.without_leader.add("cluster-m1")
    assert "m1-swarm" not in run(store, "context", "sync").stdout
    with contexts.writing():
        contexts.remove("m1-swarm")
    assert "no manager of the swarm answers" in run(store, "context", "sync").stdout


def test_the_context_goes_with_the_last_manager_and_follows_without_anybody_being_asked(
    store: Store, swarms: Swarms, contexts: Contexts
) -> None:
    succeeds(store, "context", "sync")
    succeeds(store, "set", "--url", "tcp://192.0.2.1:2375", "m1")
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == "tcp://192.0.2.1:2375"
    succeeds(store, "rm", "-y", "m1")
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == url(store, "m2")
    succeeds(store, "rm", "-y", "m2")
    assert "m1-swarm" not in contexts.names()
    assert swarms["m2"].is_in


def test_the_context_of_a_swarm_that_is_gone_meanwhile_does_not_come_back(
    store: Store, swarms: Swarms, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Contexts.writing

    @contextmanager
    def waiting(self: Contexts) -> Iterator[None]:
        # Both managers leave, by another process, while this one waits to write.
        for name in ("m1", "m2"):
            with Store(store.root).writing(name) as held:
                save_node(held, None)
        with really(self):
            yield

    monkeypatch.setattr(Contexts, "writing", waiting)
    context_sync.point_swarm_context(contexts, store, "cluster-m1", "m1")
    assert contexts.names() == []
    assert swarms["m1"].is_in


def test_no_verb_leads_to_a_worker_that_calls_itself_a_manager(
    store: Store, swarms: Swarms, contexts: Contexts
) -> None:
    swarms["w1"].lies = True
    told = run(store, "swarm", "status")
    assert told.returncode == 0
    assert '"w1" calls itself a manager' in told.stderr
    assert "Swarm m1: 2 managers, 1 worker" in told.stdout
    assert f'DOCKER_HOST="{url(store, "m1")}"' in succeeds(store, "env", "--swarm", "w1")
    assert succeeds(store, "config", "--swarm", "w1") == f"-H={url(store, 'm1')}\n"
    assert [row["Swarm"] for row in json.loads(succeeds(store, "ls", "--json"))][-1] == "m1"
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == url(store, "m1")
    failed = run(store, "swarm", "join", "--advertise-addr", "192.0.2.8", "w1", "alone")
    assert failed.returncode == 1
    assert "machinectl swarm join m1 alone" in failed.stderr
    assert not swarms["alone"].is_in


def test_the_context_of_a_swarm_never_gets_damaged_certificates(
    store: Store, swarms: Swarms, contexts: Contexts
) -> None:
    succeeds(store, "context", "sync")
    before = contexts.read("m1-swarm")
    with store.writing("m1") as held:
        held.machine.tls = True
        held.write()
        held.write_files({"ca.pem": b"no CA", "cert.pem": b"none", "key.pem": b"none"})
    swarms["m2"].answers = False
    refused = run(store, "context", "sync")
    assert (refused.returncode, contexts.read("m1-swarm")) == (1, before)
    assert "its certificates cannot be used: ca.pem is not a PEM certificate" in refused.stderr


def test_a_context_of_somebody_elses_stays(store: Store, swarms: Swarms, contexts: Contexts) -> None:
    with contexts.writing():
        contexts.put(Context("m1-swarm", {"Name": "m1-swarm", "Endpoints": {"docker": {"Host": "tcp://their:1"}}}))
    done = run(store, "context", "sync")
    assert "docker context rm m1-swarm" in done.stderr
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == "tcp://their:1"
    assert swarms["m1"].is_in


def test_a_machine_of_a_swarms_contexts_name_is_not_taken_for_it(
    store: Store, swarms: Swarms, contexts: Contexts
) -> None:
    succeeds(store, "context", "sync")
    added(store, Machine("m1-swarm", "none", url="tcp://192.0.2.9:2375"))
    done = run(store, "context", "sync")
    assert "belongs to a swarm" in done.stderr
    context = contexts.read("m1-swarm")
    assert context
    assert context.host == url(store, "m1")
    assert swarms["m1"].is_in


def test_contexts_that_are_switched_off_stay_so(
    store: Store, swarms: Swarms, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINECTL_CONTEXTS", "off")
    succeeds(store, "swarm", "status")
    assert contexts.names() == []
    assert swarms["m1"].is_in


def test_status_tells_of_a_swarm_and_fails_where_nobody_answers_for_it(store: Store, swarms: Swarms) -> None:
    told = succeeds(store, "swarm", "status")
    assert told.startswith("Swarm m1: 2 managers, 1 worker\n0 more managers may fail before it loses its quorum")
    [found] = json.loads(succeeds(store, "swarm", "status", "--json", "w1"))
    assert (found["Managers"], found["ReachableManagers"], found["ManagersToSpare"]) == (2, 2, 0)
    assert [node["Machine"] for node in found["Nodes"]] == ["m1", "m2", "w1"]
    swarms.without_leader.add("cluster-m1")
    failed = run(store, "swarm", "status", "m1")
    assert failed.returncode == 1
    assert "has no leader" in failed.stderr
    assert json.loads(run(store, "swarm", "status", "--json", "m1").stdout)[0]["ManagersToSpare"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("swarm", "status", "nobody"), 'Docker machine "nobody" does not exist'),
        (("swarm", "status", "alone"), '"alone" is in no swarm'),
        (("swarm", "init", "nobody"), 'Docker machine "nobody" does not exist'),
        (("swarm", "init", "m1"), '"m1" is already a manager of the swarm "m1"'),
        (("swarm", "init", "alone"), "--advertise-addr"),
        (("swarm", "join", "m1"), "machinectl swarm join <MANAGER> <NAME>"),
        (("swarm", "join", "alone", "w1"), '"alone" is in no swarm'),
        (("swarm", "join", "m1", "m1"), "cannot join itself"),
        (("swarm", "join", "--advertise-addr", "192.0.2.1", "m1", "w1", "alone"), "for one machine only"),
        (("swarm", "leave"), "machinectl swarm leave <NAME>"),
        (("swarm", "leav"), "Did you mean: machinectl swarm leave"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_type(
    store: Store, swarms: Swarms, words: tuple[str, ...], said: str
) -> None:
    done = run(store, *words)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert not swarms["alone"].is_in


def test_machines_join_and_leave_by_selector_or_all(store: Store, swarms: Swarms) -> None:
    succeeds(store, "swarm", "join", "--advertise-addr", "192.0.2.9", "m1", "alone")
    succeeds(store, "swarm", "leave", "--all", "--force")
    assert not any(engine.is_in for engine in swarms.engines.values())
    with store.writing("alone") as held:
        held.machine.labels = {"role": "web"}
        held.write()
    succeeds(store, "swarm", "init", "--advertise-addr", "192.0.2.8", "m1")
    succeeds(store, "swarm", "join", "--advertise-addr", "192.0.2.9", "-l", "role=web", "m1")
    assert [name for name, engine in swarms.engines.items() if engine.is_in] == ["m1", "alone"]
    said = run(store, "swarm", "join", "--all", "m1").stderr
    # The others have addresses of this computer only.
    assert "alone: is already a worker" in said
    assert "join itself" not in said


def test_a_real_engine_begins_a_swarm_and_ends_it(store: Store, dockerd: Dockerd, contexts: Contexts) -> None:
    create = ("create", "-d", "none", "--url", dockerd.url, "--tls-dir", str(dockerd.directory), "orion")
    succeeds(store, *create)
    try:
        succeeds(store, "swarm", "init", "--advertise-addr", "127.0.0.1", "orion")
        node = node_of(store.read("orion"))
        assert node
        assert (node.swarm, node.role) == ("orion", "manager")
        [found] = json.loads(succeeds(store, "swarm", "status", "--json"))
        assert (found["Leader"], found["ID"]) == ("orion", node.cluster)
        assert contexts.read("orion-swarm")
        assert "orion (manager)" in succeeds(store, "ls")
        assert dockerd.url in succeeds(store, "env", "--swarm", "orion")
        # The second time it is said what it is.
        assert "already" in run(store, "swarm", "init", "--advertise-addr", "127.0.0.1", "orion").stderr
        refused = run(store, "swarm", "leave", "orion")
        assert "swarm leave --force orion" in refused.stderr
    finally:
        left = run(store, "swarm", "leave", "--force", "orion")
    assert left.returncode == 0, left.stderr
    assert node_of(store.read("orion")) is None
    assert contexts.read("orion-swarm") is None
    assert "is in no swarm" in run(store, "swarm", "leave", "orion").stderr
