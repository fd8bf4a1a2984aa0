"""`regenerate-certs`: new certificates for an engine and its clients, and nothing else; containers keep running."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl import url as engine_url
from machinectl.atomic import PRIVATE_DIRECTORY, Translated, discard, replace_file
from machinectl.engine import Endpoint, Probe
from machinectl.errors import MachineError
from machinectl.hosts.access import as_root
from machinectl.hosts.setup import CERTIFICATES as NAMES
from machinectl.hosts.setup import carry_out, is_good_client, run, stored
from machinectl.hosts.upkeep import check_provisioned, each, ready_to_restart, until_it_answers
from machinectl.machines.chosen import chosen
from machinectl.machines.fileset import only_writer, replace_together
from machinectl.provision import checks, configuration
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.facts import OWN_DIRECTORY
from machinectl.provision.job import NewFile, apply
from machinectl.provision.wish import Wish
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.access import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.facts import Facts
    from machinectl.provision.job import Remote


@dataclass(frozen=True)
class Renewal:
    """What is to be new, besides the engine's own certificate.

    `sans` are more names for it; `client` asks for a new certificate of the client here, `new_ca` for a new CA, and so
    for new everything: it locks out all other clients. `authority` is a CA to sign with instead of the machine's own.
    `restart_swarm` is leave to restart the engine of a Swarm node.
    """

    sans: tuple[str, ...] = ()
    client: bool = False
    new_ca: bool = False
    authority: certs.Pair | None = None
    restart_swarm: bool = False


def regenerate_certs(
    store: Store, console: Console, names: Sequence[str], access: Access, renewal: Renewal, *, force: bool
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine when its engine answers with the new certificates, or with the reason why it does not.

    Nothing is yielded where the question, which `force` answers, was declined.
    """
    wanted = list(dict.fromkeys(chosen(store, names)))
    if not force and not confirmed(console, wanted, renewal):
        return
    yield from each(
        store, console, wanted, access, lambda machine, own: regenerate(store, console, machine, own, renewal)
    )


def confirmed(console: Console, names: Sequence[str], renewal: Renewal) -> bool:
    console.note(
        f"About to make new certificates for {', '.join(names)}: the engine restarts, containers keep running."
    )
    if renewal.new_ca:
        console.note("They are a new CA's: every other client that was given a certificate is locked out.")
    return console.confirm("Are you sure? (y/n): ")


def regenerate(store: Store, console: Console, machine: Machine, access: Access, renewal: Renewal) -> None:
    """Make new certificates for one machine, whose lock must be held. Raises MachineError; all is as before then."""
    check_provisioned(store, machine)
    directory = store.directory(machine.name)
    with only_writer(directory):
        old = {name: data for name in NAMES if (data := stored(store, machine, name))}
    new = new_certificates(machine, old, renewal)
    wish = Wish.of(machine, certificates=new, restart_swarm=renewal.restart_swarm)
    with as_root(store, console, machine, access) as root:
        host = ready_to_restart(store, console, machine, root, wish)
        check(machine, host, wish)
        new_ones = in_place(
            f'Giving the engine of "{machine.name}" new certificates, and restarting it', host, new, wish.port
        )
        try:
            with console.step(new_ones.title):
                carry_out(store, machine, root, new_ones)
            with console.step(f"Asking it for its version at {machine.url}"):
                found = ask(store, machine, new)
        except KeyboardInterrupt:
            console.warn(f'"{machine.name}" may have its new certificates already: run the same command again')
            raise
        if found.state is not State.RUNNING:
            give_up(console, root, host, old, wish.port, found)
    with only_writer(directory):
        replace_together(directory, new, force=True, hint="")
    remember(store, machine, renewal.sans)


def new_certificates(machine: Machine, old: Mapping[str, bytes], renewal: Renewal) -> dict[str, bytes]:
    """A machine's certificates as they shall be, all of them, by the names of their files."""
    ca = signer(machine, old, renewal)
    client = certs.Pair(old.get("cert.pem", b""), old.get("key.pem", b""))
    if renewal.client or not is_good_client(ca, client):
        client = certs.issue_client(ca, machine.name[: certs.COMMON_NAME_BYTES])
    server = certs.issue_server(ca, names(machine, old, renewal.sans))
    return {
        "ca.pem": ca.certificate,
        "ca-key.pem": ca.key,
        "server.pem": server.certificate,
        "server-key.pem": server.key,
        "cert.pem": client.certificate,
        "key.pem": client.key,
    }


def signer(machine: Machine, old: Mapping[str, bytes], renewal: Renewal) -> certs.Pair:
    """The CA that signs. Raises MachineError where the machine's own cannot, saying what else there is."""
    if renewal.authority is not None:
        return renewal.authority
    if renewal.new_ca:
        return certs.new_ca(f"machinectl {machine.name}")
    another = f"Make a new CA, which locks out its other clients: machinectl regenerate-certs --new-ca {machine.name}"
    if "ca-key.pem" not in old:
        raise MachineError(
            f'The key of the CA of "{machine.name}" is not here: only who holds it can renew under it', another
        )
    try:
        return certs.ca_pair(old.get("ca.pem", b""), old["ca-key.pem"])
    except MachineError as exc:
        raise MachineError(f'The CA of "{machine.name}" cannot sign: {exc.cause}', another) from exc


def names(machine: Machine, old: Mapping[str, bytes], more: Sequence[str]) -> list[str]:
    """What the engine's certificate is for: where the engine is now, what was asked for, and what it was for."""
    found = [engine_url.parse(machine.url).host, *machine.engine.get("tls_sans", ()), *more]
    try:
        found += certs.describe(old.get("server.pem", b"")).sans
    except MachineError:
        # There was none that could be read.
        pass
    return list(dict.fromkeys(found))


def check(machine: Machine, host: Facts, wish: Wish) -> None:
    """Refuse a host whose engine would not take them. Raises MachineError; nothing has been changed."""
    config = configuration.read(host)
    if config.get("tlscert") != f"{OWN_DIRECTORY}/server.pem":
        raise MachineError(
            f'The engine of "{machine.name}" does not take its certificates from {OWN_DIRECTORY}',
            f"Let machinectl set it up: machinectl provision {machine.name}",
        )
    checks.room(host, wish)
    checks.clock(host, wish)


def in_place(title: str, host: Facts, files: Mapping[str, bytes], port: int) -> Decision:
    """Replace the engine's certificates and restart it; where it does not come up, those that were there are back."""
    there = [NewFile(f"{OWN_DIRECTORY}/{name}", mode, files[name]) for name, mode in configuration.CERTIFICATES.items()]
    return Decision(
        title=title,
        details=tuple(f"write {file.path}" for file in there),
        job=apply(there, init=host.init, action="restart", port=port),
        after=host,
        failure=not_applied,
        # A CA is in the record before it is on the host: whatever ends this run, the host is known for ours.
        changes=({"kind": "ca", "path": hashlib.sha256(files["ca.pem"]).hexdigest()},),
    )


def ask(store: Store, machine: Machine, files: Mapping[str, bytes]) -> Probe:
    """What the engine says to a client with certificates that are not the machine's yet."""
    store.make_directory(store.staging)
    trial = os.path.join(store.staging, machine.name)
    discard(trial)
    try:
        with Translated(trial):
            os.mkdir(trial, PRIVATE_DIRECTORY)
        for name in ("ca.pem", "cert.pem", "key.pem"):
            replace_file(os.path.join(trial, name), files[name])
        return until_it_answers(Endpoint(machine.url, tls=True, cert_dir=trial, name=machine.name))
    finally:
        discard(trial)


def give_up(console: Console, root: Remote, host: Facts, old: Mapping[str, bytes], port: int, found: Probe) -> None:
    """Give the engine its old certificates back, as nobody here can use the new ones, and raise MachineError."""
    cause = f"The engine has new certificates, and does not answer from here: {found.error}"
    if configuration.CERTIFICATES.keys() <= old.keys():
        back = in_place("Giving the engine its old certificates back", host, old, port)
        with console.step(back.title):
            run(root, back)
        cause += "; it has its old ones back"
    raise MachineError(cause, found.hint)


def remember(store: Store, machine: Machine, sans: Sequence[str]) -> None:
    """Keep more names in the record: provisioning asks for them from now on."""
    known = machine.engine.get("tls_sans", [])
    more = [san for san in dict.fromkeys(sans) if san not in known]
    if more:
        machine.engine = {**machine.engine, "tls_sans": [*known, *more]}
        store.write(machine)
