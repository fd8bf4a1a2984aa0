"""Check from here that an engine answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.provision import firewall
from machinectl.provision.steps.install_script import script
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.engine import EngineError, Probe
    from machinectl.hosts.lifecycle.host_run import HostRun

# Seconds. A running engine answers at once; a firewall that drops packets shows only as a timeout.
VERIFY_TIMEOUT = 10.0
# Seconds until a started engine listens: it warns and waits 16 s or more for each port without TLS. As in apply.sh.
LISTENS_WITHIN = 60.0


@dataclass(frozen=True)
class World:
    script: Callable[[str], bytes | None] = script
    probe: Callable[[Endpoint, float], Probe] = field(default=engine.probe)
    reach: Callable[[Endpoint, float], EngineError | None] = field(default=engine.reach)


def verify(run: HostRun, world: World) -> None:
    """Raise MachineError unless the engine answers over TLS."""
    machine, url = run.machine, run.url
    endpoint = Endpoint(url, tls=True, cert_dir=machine.directory, name=machine.name)
    if run.host.init == "openrc":
        found = until_it_answers(endpoint, run.console, world.probe)
    else:
        found = world.probe(endpoint, VERIFY_TIMEOUT)
    if found.state is State.RUNNING:
        return
    # A rejecting firewall may also show as "no route to host".
    if found.state in {State.TIMEOUT, State.STOPPED} or firewall.blocking(run.host, run.port):
        advice = firewall.advice(run.host, run.port)
        if machine.jump:
            advice += (
                "\nIf only its jump host can reach it, let docker use SSH: "
                f"machinectl rm {machine.name}, then create it with --no-provision"
            )
        raise MachineError(f"The engine runs on the host, but {url} cannot be reached from here: {found.error}", advice)
    raise MachineError(f"The engine at {url} does not answer as expected: {found.error}", found.hint)


def until_it_answers(
    where: Endpoint, console: Console, probe: Callable[[Endpoint, float], Probe] = engine.probe
) -> Probe:
    """Probe until something listens: OpenRC reports a start too early."""
    end = time.monotonic() + LISTENS_WITHIN
    found = probe(where, VERIFY_TIMEOUT)
    while found.state is State.STOPPED and time.monotonic() < end:
        console.pause(0.5)
        found = probe(where, VERIFY_TIMEOUT)
    return found
