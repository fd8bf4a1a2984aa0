"""`plan` and `apply` never print the value of a variable, whatever is wrong with it."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.fleet.apply import apply_plan as apply
from machinectl.fleet.apply_run import ApplyOptions
from machinectl.fleet.fleet_keys import COMMON, ENGINE, Drivers, Kind
from machinectl.fleet.plan import plan
from machinectl.fleet.plan_steps import step_as_json
from machinectl.hosts.login import Login
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.verbs.fleet_texts import plan_lines
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.fleet.fleet_keys import Key
    from machinectl.fleet.plan_steps import FleetPlan
    from machinectl.machines.store import Store

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

SECRET = "geheim-7c1f"
# Nothing listens there.
HOST = {"generic": "generic-ip-address: 127.0.0.1, generic-ssh-port: 1", "none": 'url: "tcp://127.0.0.1:1"'}
KEYS = [
    (driver, key)
    for driver in HOST
    for key in (*COMMON.values(), *Drivers().of(driver).keys.values())
    # That is a driver's name, or the file has no such driver.
    if driver == "generic" or key.name not in COMMON or key.is_path
]


def values(directory: Path) -> list[str]:
    """Return values of a variable: texts, and existing paths of the wrong kind."""
    there = directory / SECRET
    there.mkdir()
    for file in ("ca.pem", "cert.pem", "key.pem"):
        (there / file).write_text(SECRET)
    exposed = directory / f"{SECRET}.env"
    exposed.write_text(f"{SECRET}\n")
    exposed.chmod(0o644)
    private = directory / f"{SECRET}.private"
    private.write_text(f"A={SECRET}\n")
    private.chmod(0o600)
    odd = (f"{SECRET} 'x' \"y\";  $(z)", f"x/../{SECRET}//a", f"tcp://{SECRET}:99999")
    return [*odd, str(there), str(exposed), str(private), str(there / "none")]


def file_with(path: Path, driver: str, key: Key) -> None:
    value = "{a: '${HELD}'}" if key.kind is Kind.LABELS else "['${HELD}']" if key.kind is Kind.TEXTS else "'${HELD}'"
    host = HOST[driver] if key.name not in HOST[driver] else ""
    others = [f"driver: {driver}"] if key.name != "driver" else []
    path.write_text(f"hosts: {{orion: {{{', '.join([*others, *filter(None, [host]), f'{key.name}: {value}'])}}}}}\n")


def said(store: Store) -> str:
    """Return all output of `plan` and `apply` for the file here, JSON too."""
    console = Quiet()
    found: list[str] = []

    def make_plan() -> FleetPlan:
        planned = plan(store, "", [], None)
        found.extend(plan_lines(planned, prune=True))
        found.extend(json.dumps(step_as_json(step, planned)) for step in planned.steps)
        return planned

    options = ApplyOptions(os.path.abspath("fleet.yaml"), Login(), NOTHING_SPECIAL)
    try:
        results = apply(store, console, make_plan, options)
        found.extend(f"{each.did} {each.error} {each.error.hint if each.error else ''}" for each in results)
    except MachineError as exc:
        found += [exc.cause, exc.hint]
    return "\n".join([*found, *console.said])


@pytest.mark.parametrize(("driver", "key"), KEYS, ids=[f"{driver} {key.name}" for driver, key in KEYS])
def test_no_output_shows_a_variables_value(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, key: Key
) -> None:
    monkeypatch.chdir(tmp_path)
    file_with(Path("fleet.yaml"), driver, key)
    held = values(tmp_path)
    for value in held:
        monkeypatch.setenv("HELD", value)
        assert SECRET not in said(store)
        # Where it became a machine: another value.
        for name in store.names():
            with store.writing(name) as machine:
                machine.remove()
    for before, value in itertools.pairwise([SECRET, f"{SECRET}=2", str(tmp_path / SECRET)]):
        there(store, driver, key, before)
        monkeypatch.setenv("HELD", value)
        assert SECRET not in said(store)


def there(store: Store, driver: str, key: Key, value: str) -> None:
    """Add a machine that was made from the file when the variable had this value."""
    for name in store.names():
        with store.writing(name) as held:
            held.remove()
    state = {"URL": "tcp://127.0.0.1:1", "IPAddress": "127.0.0.1", "SSHPort": 1, "SSHUser": value, "SSHKeyPath": ""}
    machine = Machine("orion", driver, url="tcp://127.0.0.1:1", tls=True)
    machine.driver_state = json.dumps({**state, "EnginePort": 1})
    machine.options = {key.name: [value] if key.kind is Kind.TEXTS else value}
    machine.labels = {"a": value} if key.kind is Kind.LABELS else {}
    machine.jump = f"host:{value}" if key.name == "ssh-jump" else ""
    asked = [name for name, of_engine in ENGINE.items() if of_engine is key]
    machine.engine = EngineOptions.load({name: [value] if key.kind is Kind.TEXTS else value for name in asked})
    machine.fleet = os.path.abspath("fleet.yaml")
    added(store, machine)
