"""Refuse in an export what machinectl writes into no machine: an export may be a stranger's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.driver import DriverError
from machinectl.errors import Hint, MachineError, one_line
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.engine_options import check_options
from machinectl.machines.holders import holders_of, is_holder_name, is_time
from machinectl.machines.machine_driver import KNOWN_HOSTS, driver_instance, driver_of
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.spec import check_lifetime
from machinectl.ssh.keys.known_hosts import is_wide
from machinectl.ssh.ssh_settings import check_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from machinectl.driver import Where
    from machinectl.machines.record import Machine


def check_content(machine: Machine, files: Mapping[str, bytes]) -> None:
    """Raise MachineError, and UsageError for what the command line refuses, too."""
    machine.engine.check()
    check_options(machine.engine.options)
    ssh = where_of(machine).ssh
    if ssh:
        check_endpoint(ssh)
        if machine.url.startswith("unix://"):
            raise hostile(machine, f"{machine.url} is an engine of this computer, and not of {ssh.host}")
    check_sharing(machine)
    check_lifetime(machine.lifetime)
    if parse_addresses(machine.addresses) != tuple(machine.addresses):
        raise hostile(machine, 'its "addresses" are invalid')
    for key, value in machine.labels.items():
        if not key.strip() or not (key + value).isprintable():
            raise hostile(machine, f"its label {one_line(key, 80)!r} is empty, or has unprintable characters")
    for key, text in engine_texts(machine):
        if not text.isprintable():
            # The value may be a password.
            raise hostile(machine, f'the "{one_line(key, 80)}" of its engine has unprintable characters')
    for line in files.get(KNOWN_HOSTS, b"").decode(errors="replace").split("\n"):
        if is_wide(line) or not line.rstrip("\r").replace("\t", " ").isprintable():
            raise hostile(machine, f"its {KNOWN_HOSTS} trusts a CA, or a key for hosts that it does not name")


def where_of(machine: Machine) -> Where:
    """Return where the driver finds the engine. Raises MachineError that blames the export."""
    driver = driver_of(machine)
    try:
        return driver.where(driver_instance(machine))
    except DriverError as exc:
        raise hostile(machine, f'its "driver_state" is invalid: {exc.cause}') from exc


def check_sharing(machine: Machine) -> None:
    """Check the holders: their names and times become part of commands to type."""
    own = OwnAccess.of(machine)
    if machine.access and not (own and own.is_valid):
        raise hostile(machine, 'its "access" is invalid')
    holders = holders_of(machine)
    words = [
        word
        for holder in holders
        for word in (holder.by, holder.ca, *(text for key in holder.keys for text in vars(key).values()))
    ]
    if len(holders) < len(machine.holders) or not all(map(str.isprintable, words)):
        raise hostile(machine, 'its "holders" are invalid')
    if not all(isinstance(ended, dict) and is_ended(ended) for ended in machine.ended):
        raise hostile(machine, 'its "ended" is invalid')


def is_ended(data: Mapping[str, object]) -> bool:
    who, keys, when = (data.get(key) for key in ("who", "keys", "when"))
    return is_holder_name(str(who)) and isinstance(keys, list) and is_time(str(when))


def engine_texts(machine: Machine) -> Iterator[tuple[str, str]]:
    for key, value in machine.engine.dump().items():
        yield from ((key, str(text)) for text in (value if isinstance(value, list) else [value]))


def hostile(machine: Machine, why: str) -> MachineError:
    return MachineError(
        f'"{machine.name}" is not imported: {why}', Hint("Import only files that your own machinectl exported")
    )
