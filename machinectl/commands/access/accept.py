"""`access accept`: make machines ready with the owner's answer."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.access.accepting import CA, Acceptance, accept_machine, acceptance, clock_warning
from machinectl.access.wire.access_answer import read_access_answer
from machinectl.errors import BY_SERVICE, SET_CLOCK, Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.machines.addresses import FLAG, THIS_COMPUTER, address_kind, taken_addresses
from machinectl.machines.record import owner_of
from machinectl.machines.selection import waiting
from machinectl.spoken_fingerprint import hide_fingerprints
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.access.accepting import AcceptedMachine
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def read_acceptance(store: Store, console: Console, text: bytes) -> Acceptance:
    """Read an answer, and match it with the machines here. Raises MachineError for one that cannot be accepted."""
    answer = read_access_answer(text)
    found = acceptance(store, answer)
    for name in found.left_out:
        hint = Hint("See the last request, or make one", "machinectl access request", name)
        console.warn(f'"{name}" was removed here, or asked for again, and is left out', hint)
    for warning in dict.fromkeys(
        clock_warning(answer, store.read(each.name), datetime.now(UTC)) for each in found.machines
    ):
        if warning:
            console.warn(warning, Hint(f"Set the wrong one {BY_SERVICE}", SET_CLOCK))
    for each in found.machines:
        if each.is_new:
            warn_of_places(console, each)
            warn_of_another_machine(store, console, answer.sender, each)
        else:
            warn_of_another_ca(console, store.read(each.name), each)
        if each.new_url:
            hint = Hint("Use it", "machinectl set --url", each.new_url, each.name)
            console.warn(f'The owner has another URL for "{each.name}" now: {hide_fingerprints(each.new_url)}', hint)
    return found


def warn_of_places(console: Console, each: AcceptedMachine) -> None:
    """Say which addresses are not those of a host in a network."""
    url = each.answered.url
    kind = address_kind(parse_url(url).host)
    if kind:
        why = "leads to this computer: it needs a tunnel" if kind == THIS_COMPUTER else f"has a {kind} address"
        console.warn(
            f'The URL of "{each.name}", {url}, {why}',
            Hint("Give it the address of its host", "machinectl set --url tcp://<HOST>:2376", each.name),
        )
    kinds = {address: kind for address in each.answered.addresses if (kind := address_kind(address))}
    if kinds:
        left = [address for address in each.answered.addresses if address not in kinds] or [""]
        flags = [word for address in left for word in (FLAG, address)]
        console.warn(
            f'The answer has unusual addresses for "{each.name}": '
            f"{', '.join(f'{address} ({kind})' for address, kind in kinds.items())}",
            Hint("Leave them out after you accept it", "machinectl set", *flags, each.name),
        )


def warn_of_another_machine(store: Store, console: Console, sender: str, each: AcceptedMachine) -> None:
    url = each.answered.url
    hosts = [parse_url(url).host, *each.answered.addresses]
    for address, name in taken_addresses(store, each.name, url, hosts):
        console.warn(
            f'The answer gives "{each.name}" an address of the machine "{name}": {address}',
            Hint(f"Unless both are one host, do not accept it, and ask {sender}"),
        )


def warn_of_another_ca(console: Console, machine: Machine, each: AcceptedMachine) -> None:
    """Renewals become a habit: say that an answer fits another engine than the last one."""
    path = os.path.join(machine.directory, CA)
    if not os.path.lexists(path):
        console.warn(
            f'{CA} of "{each.name}" is missing here, so that the CA of the answer cannot be compared with it',
            Hint(f"Compare the answer's fingerprint with {owner_of(machine)} on the phone"),
        )
        return
    if each.answered.ca == read_regular_file(path):
        return
    console.warn(
        f'The answer gives "{each.name}" another CA: it may be another engine',
        Hint(f"Ask {owner_of(machine)} on the phone whether the machine has a new CA"),
    )


def access_accept(
    store: Store, console: Console, found: Acceptance
) -> Iterator[tuple[AcceptedMachine, MachineError | None]]:
    for each in found.machines:
        error = None
        try:
            with store.writing(each.name, waiting(console, each.name)) as held:
                accept_machine(held, found.answer, each.answered)
        except MachineError as exc:
            error = exc
        yield each, error
