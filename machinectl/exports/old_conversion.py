"""Convert docker-machine records to driver none or generic. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl import url as engine_url
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.machines.engine_options import EngineOptions, is_variable
from machinectl.machines.record import Machine
from machinectl.machines.spec import MachineSpec
from machinectl.provision import daemon_json
from machinectl.provision.target import INSTALL_URL
from machinectl.url import TLS_PORT, EngineURL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.driver import OptionValue
    from machinectl.exports.old_machines import OldMachine
    from machinectl.machines.config_json import Origin

# docker-machine's defaults (libmachine/drivers/base.go).
USER, SSH_PORT = "root", 22
# The key's file name in a machine's directory (drivers/machinectl_generic).
KEY_FILE = "id_ssh"


class LeftOut(MachineError):
    """The record is valid, but cannot be imported."""


class Remark(NamedTuple):
    text: str
    hint: Hint = NO_HINT


@dataclass
class Conversion:
    machine: Machine
    remarks: list[Remark]
    # Contents by file name.
    files: dict[str, bytes] = field(default_factory=dict)


def convert(old: OldMachine, origin: Origin) -> Conversion:
    """Convert a record. Raises LeftOut, or MachineError for a wrong address."""
    engine = engine_options(old)
    driver, state, options, url = as_generic(old) if old.driver == "generic" else as_none(old)
    # docker-machine sets up engines only with TLS.
    machine = Machine(old.name, driver, url=url, tls=old.driver != "none" or engine_url.uses_tls(url))
    machine.driver_state = json.dumps(state)
    labels = {key: value for key, _, value in (label.partition("=") for label in old.labels) if key.strip()}
    machine.spec = MachineSpec(driver, options, machine.tls, labels, engine)
    machine.origin = origin.dump()
    return Conversion(machine, list(remarks(old, engine)))


def as_none(old: OldMachine) -> tuple[str, dict[str, Any], dict[str, OptionValue], str]:
    """Register the engine's URL; also of a host that another driver made."""
    by_url = old.url if old.driver == "none" else ""
    said = by_url or (host_url(old) if old.address and old.driver != "none" else old.address)
    if not said:
        raise LeftOut(
            "its record has no address of the engine",
            Hint("If you know it", "machinectl create -d none --url <URL>", old.name),
        )
    # Without a scheme, it is host and port.
    url = engine_url.with_port(said if "://" in said else f"tcp://{said}", tls=True)
    return "none", {"URL": url}, {"url": url}, url


def as_generic(old: OldMachine) -> tuple[str, dict[str, Any], dict[str, OptionValue], str]:
    """Return driver, state, options and URL; the state resembles docker-machine's."""
    user = old.user or USER
    if not old.address:
        raise LeftOut(
            "its record has no address", Hint("If you know it", "machinectl create", f"{user}@<ADDRESS>", old.name)
        )
    port, url = old.port or SSH_PORT, host_url(old)
    engine_url.parse_url(str(EngineURL("ssh", user=user, host=bare(old.address), port=port)))
    state = {
        "IPAddress": bare(old.address),
        "SSHUser": user,
        "SSHPort": port,
        "SSHKeyPath": KEY_FILE,
        "EnginePort": old.engine_port or TLS_PORT,
    }
    options: dict[str, OptionValue] = {
        "generic-ip-address": bare(old.address),
        "generic-ssh-user": user,
        "generic-ssh-port": port,
        "generic-engine-port": old.engine_port or TLS_PORT,
    }
    return "generic", state, options, url


def host_url(old: OldMachine) -> str:
    url = str(EngineURL("tcp", host=bare(old.address), port=old.engine_port or TLS_PORT))
    engine_url.parse_url(url)
    return url


def bare(address: str) -> str:
    return address.removeprefix("[").removesuffix("]")


def engine_options(old: OldMachine) -> EngineOptions:
    return EngineOptions(
        options=tuple(option for option in old.options if is_option(option)),
        env=tuple(variable for variable in old.env if is_variable(variable)),
        insecure_registries=old.insecure_registries,
        registry_mirrors=old.registry_mirrors,
        tls_sans=old.tls_sans,
        storage_driver=old.storage_driver,
        install_url="" if old.install_url == INSTALL_URL else old.install_url,
    )


def is_option(option: str) -> bool:
    try:
        daemon_json.option_keys([option], {})
    except UsageError:
        return False
    return True


def remarks(old: OldMachine, engine: EngineOptions) -> Iterator[Remark]:
    left = [f"--engine-opt {option}" for option in old.options if option not in engine.options]
    # The value may be a password.
    left += [f"--engine-env {variable.partition('=')[0]}" for variable in old.env if variable not in engine.env]
    if left := [*left, *old.others]:
        yield Remark(f"not imported, and unchanged on the host: {', '.join(left)}")
    if engine.install_url:
        yield Remark(f"where its host has no engine, provision installs one by {engine.install_url}")
    if old.in_swarm:
        yield Remark("it was in a Swarm of docker-machine's --swarm, a product that no longer exists: not taken over")
    if old.driver not in {"none", "generic"}:
        yield Remark(
            f"docker-machine's driver {old.driver} made its host: its URL and certificates are registered, no more"
        )
