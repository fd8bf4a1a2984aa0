"""What to type when an engine refuses its configuration."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.host_plan import correction
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from machinectl.provision.facts.host_facts import Facts, parse_facts
from machinectl.provision.host_changes import FileCreated
from tests.support.in_process import machinectl
from tests.support.registered import added
from tests.support.runner import FACTS

if TYPE_CHECKING:
    from machinectl.machines.store import Store

REFUSED = "unable to configure the Docker daemon: the following directives don't match any option: colour"


@pytest.fixture
def host() -> Facts:
    return parse_facts((FACTS / "docker").read_bytes())


def orion(*options: str) -> Machine:
    machine = Machine("orion", "none", url="tcp://127.0.0.1:1", tls=False)
    machine.engine = EngineOptions(options=options)
    machine.phase = Phase.READY
    machine.changes = [FileCreated("/etc/docker/daemon.json")]
    return machine


@pytest.mark.parametrize(
    ("options", "left"),
    [(("colour=red",), ()), (("log-level=warn", "colour=red", "label=a b"), ("log-level=warn", "label=a b"))],
)
def test_the_option_that_dockerd_names_is_left_out_and_the_others_are_kept(
    store: Store, host: Facts, options: tuple[str, ...], left: tuple[str, ...]
) -> None:
    added(store, orion(*options))
    first, then = correction(store.read("orion"), host, REFUSED).split("; ")
    done = machinectl(*shlex.split(first.partition("machinectl ")[2]), store=store.root)
    assert (done.returncode, store.read("orion").engine.options) == (0, left)
    assert then.endswith("machinectl provision orion")


@pytest.mark.parametrize(("fleet", "file"), [("lan", "<FILE>"), ("/srv/my fleet.yaml", "'/srv/my fleet.yaml'")])
def test_a_machine_of_a_fleet_file_is_corrected_there(host: Facts, fleet: str, file: str) -> None:
    machine = orion("colour=red")
    machine.fleet = fleet
    assert correction(machine, host, REFUSED).endswith(f"in the fleet file, then: machinectl apply -f {file} orion")


def test_an_option_of_the_host_itself_is_corrected_there(host: Facts) -> None:
    assert correction(orion("debug"), host, REFUSED).startswith("Correct it on the host, in /etc/docker/daemon.json")
