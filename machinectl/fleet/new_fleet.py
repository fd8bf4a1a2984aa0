"""`fleet init`: make a fleet file from existing machines."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.fleet.draft import Draft, comment, left_out, settled
from machinectl.fleet.fleet_keys import FLEET_NAME, LONGEST_FLEET_NAME
from machinectl.fleet.machine_entry import machine_entry
from machinectl.machines.selection import matching

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.console import Console
    from machinectl.driver import Option
    from machinectl.fleet.draft import Described
    from machinectl.machines.store import Store

HEADING = (
    "The machines of this fleet, and their settings.",
    "",
    "machinectl plan shows what differs, and machinectl apply changes it. A host's own settings win over those of",
    "its groups, and these win over the defaults. Keys are the options of machinectl create; an editor completes them",
    "from what machinectl fleet schema prints.",
)
TEMPLATE = """
# machinectl finds the fleet's machines by this name, wherever the file is.
fleet: @NAME@

#defaults:
#  driver: generic
#  ssh-user: ops
#  ssh-key: ~/.ssh/id_ed25519

#groups:
#  web:
#    labels: {role: web}
#    engine-opt: [log-driver=local]

# To use an example, remove its # and the {}.
hosts: {}
# Servers that machinectl sets up over SSH:
#  orionbox: ops@192.168.0.29
#  rigel:
#    ip-address: 192.168.0.30
#    groups: [web]
#    tls-san: [orion.local]
# An engine that is already set up, and the directory with its certificates:
#  nas:
#    driver: none
#    url: tcp://192.168.0.40:2376
#    tls-dir: certs/nas
#    labels: {role: store}
"""


def fleet_init(store: Store, console: Console, names: Sequence[str], directory: str = "") -> str:
    """Return a file for which `plan` finds no changes, of the given machines or all; without any, an example.

    Settings that a file cannot hold become comments and warnings.
    """
    names = matching(names, store.names)
    for name in names:
        store.check_exists(name)
    hosts: list[Described] = []
    options: dict[str, Sequence[Option]] = {}
    remarks = []
    fleets = {machine.name: machine.fleet for machine in store.readable()}
    chosen = list(dict.fromkeys(names)) or store.names()
    for name in chosen:
        try:
            machine = store.read_ready(name)
            if machine.driver not in options:
                options[machine.driver] = load(machine.driver).options()
            hosts.append(machine_entry(machine, options[machine.driver]))
        except MachineError as exc:
            remarks.append(left_out(name, f"{exc.cause}. {exc.hint}"))
    own = sorted({fleets[name] for name in chosen if FLEET_NAME.fullmatch(fleets.get(name, ""))})
    fleet = own[0] if len(own) == 1 else unused_fleet_name(directory, set(fleets.values()))
    if not chosen:
        return "".join(f"{comment(line)}\n" if line else "#\n" for line in HEADING) + TEMPLATE.replace("@NAME@", fleet)
    draft = settled(Draft(HEADING, hosts, options, left_out=tuple(remarks), name=fleet), store.names())
    for remark in (*(f"{host.name}: {each}" for host in draft.hosts for each in host.remarks), *draft.left_out):
        console.warn(remark)
    if missing := [name for name, of in fleets.items() if of == fleet and name not in chosen]:
        console.warn(f"the fleet {fleet} has more machines, which plan would remove: {', '.join(missing)}")
    return draft.text()


def unused_fleet_name(directory: str, taken: Collection[str]) -> str:
    """Derive an unused name from the directory."""
    called = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(os.path.abspath(directory))).strip("._-")
    called = called[: LONGEST_FLEET_NAME - 5].lower() or "fleet"
    return next(
        name for number in itertools.count(1) if (name := called if number == 1 else f"{called}-{number}") not in taken
    )
