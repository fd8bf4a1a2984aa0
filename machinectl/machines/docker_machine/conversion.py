"""Convert docker-machine records to driver none or generic. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.errors import MachineError, UsageError
from machinectl.files.atomic import quote_word
from machinectl.machines.docker_machine import config_json
from machinectl.machines.docker_machine.config_json import MAKE_NOTHING, Origin
from machinectl.machines.engine_options import EngineOptions, is_variable
from machinectl.machines.record import Machine
from machinectl.machines.spec import MachineSpec
from machinectl.provision import daemon_json
from machinectl.provision.target import INSTALL_URL
from machinectl.url import TLS_PORT, EngineURL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.driver import OptionValue
    from machinectl.machines.docker_machine.old_store import OldMachine

# docker-machine's defaults (libmachine/drivers/base.go).
USER, SSH_PORT = "root", 22
# Drivers that forward a local SSH port to a running host (drivers/virtualbox/virtualbox.go). At the host's own address,
# SSH has its usual port.
FORWARDING = frozenset({"virtualbox"})
# The key's file name in a machine's directory (drivers/machinectl_generic).
KEY_FILE = "id_ssh"


class LeftOut(MachineError):
    """The record is valid, but cannot be imported."""


@dataclass
class Conversion:
    machine: Machine
    remarks: list[str]
    # Contents by file name.
    files: dict[str, bytes] = field(default_factory=dict)


def convert(old: OldMachine, origin: Origin) -> Conversion:
    """Convert a record. Raises LeftOut, or MachineError for a wrong address."""
    asked, remarks = engine_options(old)
    driver, state, options, url = as_none(old) if old.driver == "none" else as_generic(old)
    # docker-machine sets up engines only with TLS.
    machine = Machine(old.name, driver, url=url, tls=driver == "generic" or engine_url.uses_tls(url))
    machine.driver_state = json.dumps(state)
    labels = {key: value for key, _, value in (label.partition("=") for label in old.labels) if key.strip()}
    machine.spec = MachineSpec(driver, options, machine.tls, labels, asked)
    machine.origin = origin.dump()
    if fields := config_json.further_fields(old.record, machine):
        machine.origin[config_json.FIELDS] = fields
    return Conversion(machine, [*remarks, *farewell(old)])


def as_none(old: OldMachine) -> tuple[str, dict[str, Any], dict[str, OptionValue], str]:
    said = old.url or old.address
    if not said:
        raise LeftOut(f"its record has no URL. If you know it: machinectl create -d none --url <URL> {old.name}")
    # Without a scheme, it is host and port.
    url = engine_url.with_port(said if "://" in said else f"tcp://{said}", tls=True)
    return "none", {"URL": url}, {"url": url}, url


def as_generic(old: OldMachine) -> tuple[str, dict[str, Any], dict[str, OptionValue], str]:
    """Return driver, state, options and URL; the state resembles docker-machine's."""
    user = old.user or USER
    if not old.address:
        raise LeftOut(
            f"its record has no address. If you know it: machinectl create {quote_word(user)}@<ADDRESS> {old.name}"
        )
    port = SSH_PORT if old.driver in FORWARDING else old.port or SSH_PORT
    engine_port = old.engine_port or TLS_PORT
    address = old.address.removeprefix("[").removesuffix("]")
    url = str(EngineURL("tcp", host=address, port=engine_port))
    # Validate both.
    for each in (url, str(EngineURL("ssh", user=user, host=address, port=port))):
        engine_url.parse_url(each)
    state = {
        "IPAddress": address,
        "SSHUser": user,
        "SSHPort": port,
        "SSHKeyPath": KEY_FILE,
        "EnginePort": engine_port,
    }
    options: dict[str, OptionValue] = {
        "generic-ip-address": address,
        "generic-ssh-user": user,
        "generic-ssh-port": port,
        "generic-engine-port": engine_port,
    }
    return "generic", state, options, url


def engine_options(old: OldMachine) -> tuple[EngineOptions, list[str]]:
    """Return options, and a remark on unsupported ones."""
    options = tuple(option for option in old.options if is_option(option))
    env = tuple(variable for variable in old.env if is_variable(variable))
    asked = EngineOptions(
        options=options,
        env=env,
        insecure_registries=old.insecure_registries,
        registry_mirrors=old.registry_mirrors,
        tls_sans=old.tls_sans,
        storage_driver=old.storage_driver,
        install_url="" if old.install_url == INSTALL_URL else old.install_url,
    )
    left = [f"--engine-opt {option}" for option in old.options if option not in options]
    # The value may be a password.
    left += [f"--engine-env {variable.partition('=')[0]}" for variable in old.env if variable not in env]
    left += list(old.others)
    remarks = [f"not imported, and unchanged on the host: {', '.join(left)}"] if left else []
    if asked.install_url:
        remarks.append(f"where its host has no engine, provision installs one by {asked.install_url}")
    return asked, remarks


def is_option(option: str) -> bool:
    try:
        daemon_json.option_keys([option], {})
    except UsageError:
        return False
    return True


def farewell(old: OldMachine) -> Iterator[str]:
    if old.in_swarm:
        yield "it was in a Swarm of docker-machine's --swarm, a product that no longer exists: not taken over"
    if old.driver not in MAKE_NOTHING:
        yield (
            f"it was made by docker-machine's driver {old.driver} and is a standalone server here: machinectl can "
            "neither switch it on nor delete it with rm"
        )
