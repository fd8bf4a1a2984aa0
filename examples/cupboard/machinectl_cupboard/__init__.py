"""An example of a complete driver: hosts in a cupboard, with their addresses in a text file that people edit.

    192.168.0.29  orion   the old workstation
    192.168.0.30  rigel

A driver's options become options of `machinectl create`. Its state is a text that machinectl stores unchanged.
"""

from __future__ import annotations

import json

from machinectl import driver
from machinectl.driver import (
    CheckFailed,
    DriverError,
    Hint,
    Instance,
    NoPowerSwitch,
    Option,
    Request,
    SSHEndpoint,
    Where,
)

ENGINE_PORT = 2376


class CupboardDriver:
    """See machinectl.driver.Driver for what each member promises."""

    def options(self) -> list[Option]:
        return [
            Option("cupboard-list", "The file that lists the hosts.", required=True, path=True),
            Option("cupboard-host", "The host's name in the list (default: the machine's name)."),
            Option("cupboard-port", "The engine's port.", ENGINE_PORT, variable="CUPBOARD_PORT"),
        ]

    def check(self, request: Request) -> None:
        find(request)

    def preview(self, request: Request) -> Where:
        return self.where(Instance(request.name, request.directory, self.create(request)))

    def create(self, request: Request, keep: object = None) -> str:
        return json.dumps({"IPAddress": find(request), "Port": request.options["cupboard-port"]})

    def where(self, instance: Instance) -> Where:
        known = json.loads(instance.state)
        return Where(f"tcp://{known['IPAddress']}:{known['Port']}", SSHEndpoint(known["IPAddress"]))

    def move(self, instance: Instance, url: str) -> str:
        raise DriverError(f"The address of {instance.name} is in its list", Hint("Edit the list, and create it again"))

    def no_power(self, instance: Instance, verb: str = "") -> NoPowerSwitch:
        return NoPowerSwitch(f"{instance.name} is in the cupboard", Hint("Press its button"))

    def start(self, instance: Instance) -> str:
        raise self.no_power(instance)

    stop = restart = kill = start
    remove = driver.nothing_to_give_back
    state = driver.state_unknown
    change = driver.options_stay
    close = driver.nothing_to_close


def find(request: Request) -> str:
    """Return the host's address. Raises CheckFailed if the list does not have it."""
    path = str(request.options["cupboard-list"])
    wanted = request.options["cupboard-host"] or request.name
    try:
        with open(path, encoding="utf-8") as file:
            hosts = {words[1]: words[0] for line in file if len(words := line.split()) > 1}
    except OSError as exc:
        raise CheckFailed(
            f"Cannot read {path}: {exc.strerror}", Hint("Name another file: --cupboard-list FILE")
        ) from exc
    if wanted not in hosts:
        known = ", ".join(hosts) or "none"
        raise CheckFailed(f"{path} has no host {wanted}", Hint(f"It has {known}: --cupboard-host HOST"))
    return hosts[str(wanted)]
