"""The edits that bring machines' records to what a fleet's file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.driver import Request
from machinectl.driver.installed_drivers import load
from machinectl.hosts.connection.machine_driver import instance
from machinectl.hosts.lifecycle.editing import Edit
from machinectl.machines.engine_options import DECLARED
from machinectl.rollout.plan import URL, speaks_tls

if TYPE_CHECKING:
    from collections.abc import Collection

    from machinectl.fleet.model import FleetHost
    from machinectl.machines.record import Machine

NO_TLS = "no-tls"


def edit_of(host: FleetHost, machine: Machine, keys: Collection[str]) -> Edit:
    """Return the edit that gives a machine what the file says for the keys that differ."""
    spec = host.spec
    options = {
        option.name: spec.options.get(option.name, option.default)
        for option in load(spec.driver).options()
        if option.name in keys
    }
    url = str(options.pop(URL)) if URL in options else moved_port(host, machine) if options else ""
    return Edit(
        url=url or None,
        tls=speaks_tls(host, machine) if NO_TLS in keys or url else None,
        context=spec.context if "no-context" in keys else None,
        jump=spec.jump if "ssh-jump" in keys else None,
        labels=spec.labels if "labels" in keys else {},
        unlabel=[label for label in machine.labels if label not in spec.labels] if "labels" in keys else (),
        engine={
            option.key: getattr(spec.engine, option.key)
            for option in DECLARED
            if option.flag.removeprefix("--") in keys
        },
        options=options,
        provision=spec.provision if "no-provision" in keys else None,
    )


def moved_port(host: FleetHost, machine: Machine) -> str:
    """Return the URL of a machine's engine if it is to listen on another port of its host, else ""."""
    driver = load(host.spec.driver)
    there = driver.where(instance(machine)).url
    asked = driver.preview(Request(machine.name, machine.directory, host.spec.options, machine.tls)).url
    if not (there == machine.url and there.startswith("tcp://") and asked.startswith("tcp://")):
        return ""
    old, new = engine_url.parse(there), engine_url.parse(asked)
    return "" if old.port == new.port else str(engine_url.EngineURL("tcp", host=old.host, port=new.port))
