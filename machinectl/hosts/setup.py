"""How a host becomes an engine host, and how that is taken back: the steps carried out, and kept on record."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import certs, engine
from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.machines.record import Machine, Phase
from machinectl.provision import checks, facts, firewall, installation, undo
from machinectl.provision.decision import EngineDown
from machinectl.provision.download import script
from machinectl.provision.steps import steps
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.engine import Probe
    from machinectl.machines.store import Store
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.wish import Wish

# The facts are read in 0.2 s; a host that swaps takes longer, and so does one where an earlier run is at work.
READ_TIMEOUT = facts.PATIENCE + 60.0
# The engine answers at once after its restart; what lets a packet through or not takes this long to be sure of.
VERIFY_TIMEOUT = 10.0


@dataclass(frozen=True)
class Outcome:
    """What a step came to: nothing to do (`changed` False), or what was done, or with --dry-run would be."""

    title: str
    changed: bool
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """What provisioning needs of the world besides the host: Docker's script, and the engine seen from here."""

    script: Callable[[str], bytes | None] = script
    probe: Callable[[Endpoint, float], Probe] = field(default=engine.probe)


def provision(
    store: Store,
    console: Console,
    machine: Machine,
    remote: Remote,
    wish: Wish,
    *,
    sans: Sequence[str] = (),
    authority: certs.Pair | None = None,
    dry_run: bool = False,
    world: World | None = None,
) -> list[Outcome]:
    """Make the machine's host an engine host that answers over mutual TLS, or raise MachineError.

    The machine's lock must be held. `sans` are more names for the server's certificate; `authority` is a CA to use
    instead of one of the machine's own. Steps that find everything right do nothing. Each change is in the machine's
    record before it is made, so that whatever ends the run, the next one resumes and `purge` undoes it. With
    `dry_run`, neither the host nor the store is changed.
    """
    world = world or World()
    files = certificates(store, machine, [wish.address, *sans], authority)
    own_cas = frozenset(change["path"] for change in machine.changes if change["kind"] == "ca")
    wish = replace(wish, certificates=files, own_cas=own_cas)
    host = read(remote, wish.port)
    warning = checks.wrong_clock(host, facts.now())
    if warning:
        console.warn(warning)
    if host.dockerd and wish.version and not host.version.startswith(wish.version):
        console.warn(f"The engine that is there, {host.version}, is kept: --engine-version is for one to be installed")
    outcomes = []
    for step in steps(world.script):
        decision = step.decide(host, wish)
        if decision is None:
            outcomes.append(Outcome(step.title, changed=False))
            continue
        outcomes.append(Outcome(decision.title, changed=True, details=decision.details))
        if dry_run:
            host = decision.after
            continue
        holders = installation.waited_for(host)
        if holders and decision.job.script == "install.sh":
            console.note(f"The package manager is busy: waiting for {holders}")
        with console.step(decision.title), kept(store, machine, files):
            carry_out(store, machine, remote, decision)
            host = read(remote, wish.port) if decision.unforeseen else decision.after
    if not dry_run:
        put(store, machine, files)
        with console.step(f"Asking the engine for its version at {machine.url}"):
            verify(store, machine, host, wish, world)
        learn(store, machine, host)
    return outcomes


def purge(
    store: Store,
    console: Console,
    machine: Machine,
    remote: Remote,
    port: int,
    *,
    purge_engine: bool = False,
    os: str = "",
) -> list[Outcome]:
    """Undo on the host what the machine's record says was changed; the machine's lock must be held.

    Containers and images stay, and so does the engine's package without `purge_engine`.
    """
    host = read(remote, port)
    outcomes = []
    for decision in undo.undo(host, machine.changes, purge_engine=purge_engine, os=os):
        with console.step(decision.title):
            run(remote, decision)
        outcomes.append(Outcome(decision.title, changed=True, details=decision.details))
    kept = [change for change in machine.changes if change["kind"] == "package" and not purge_engine]
    machine.changes = kept
    store.write(machine)
    return outcomes


def certificates(store: Store, machine: Machine, sans: Sequence[str], authority: certs.Pair | None) -> dict[str, bytes]:
    """The machine's certificates: those it has, as far as they are good, and new ones for the rest."""
    have = {name: text for name in CERTIFICATES if (text := stored(store, machine, name))}
    if "ca.pem" in have and "ca-key.pem" not in have and authority is None:
        raise MachineError(
            f'The certificates of "{machine.name}" are of a CA whose key is not here: its host was set up by others',
            "Leave it as it is; or register the host anew, under another name, to have it set up",
        )
    ca = kept_ca(have, authority) or certs.new_ca(f"machinectl {machine.name}")
    server = certs.Pair(have.get("server.pem", b""), have.get("server-key.pem", b""))
    if not is_good_server(ca, server, sans):
        server = certs.issue_server(ca, list(dict.fromkeys(sans)))
    client = certs.Pair(have.get("cert.pem", b""), have.get("key.pem", b""))
    if not is_good_client(ca, client):
        client = certs.issue_client(ca, machine.name[: certs.COMMON_NAME_BYTES])
    return {
        "ca.pem": ca.certificate,
        "ca-key.pem": ca.key,
        "server.pem": server.certificate,
        "server-key.pem": server.key,
        "cert.pem": client.certificate,
        "key.pem": client.key,
    }


CERTIFICATES = ("ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "cert.pem", "key.pem")


def stored(store: Store, machine: Machine, name: str) -> bytes:
    """A file of the machine's directory; empty where there is none."""
    try:
        with open(os.path.join(store.directory(machine.name), name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise MachineError(
            f"{name} of {machine.name} cannot be read: {exc.strerror}",
            f"See: ls -l {store.directory(machine.name)}",
        ) from exc


def kept_ca(have: dict[str, bytes], authority: certs.Pair | None) -> certs.Pair | None:
    """The CA given, else the machine's own where it can still sign."""
    if authority is not None:
        return certs.ca_pair(authority.certificate, authority.key)
    try:
        return certs.ca_pair(have.get("ca.pem", b""), have.get("ca-key.pem", b""))
    except MachineError:
        return None


def is_good_server(ca: certs.Pair, server: certs.Pair, sans: Sequence[str]) -> bool:
    """Whether a server's certificate is the CA's, valid, and for every name that it is wanted for."""
    try:
        certs.server_bundle(ca.certificate, server.certificate, server.key)
        names = certs.describe(server.certificate).sans
    except MachineError:
        return False
    return {san.lower() for san in sans} <= {name.lower() for name in names}


def is_good_client(ca: certs.Pair, client: certs.Pair) -> bool:
    try:
        certs.client_bundle(ca.certificate, client.certificate, client.key)
    except MachineError:
        return False
    return True


@contextmanager
def kept(store: Store, machine: Machine, files: Mapping[str, bytes]) -> Iterator[None]:
    """While a host is changed, its machine is not ready and has the certificates that the host is given.

    Where the host gets its old configuration back, so does the machine: nobody is locked out of it.
    """
    phase = machine.phase
    before = {name: stored(store, machine, name) for name in files}
    put(store, machine, files)
    machine.phase = Phase.PROVISIONING
    machine.tls = True
    try:
        yield
    except EngineDown:
        if all(before.values()):
            put(store, machine, before)
        machine.phase = phase
        store.write(machine)
        raise


def put(store: Store, machine: Machine, files: Mapping[str, bytes]) -> None:
    """Have just these in the machine's directory."""
    for name, text in files.items():
        if stored(store, machine, name) != text:
            store.write_file(machine.name, name, text)


def read(remote: Remote, port: int) -> Facts:
    """What the host is like now."""
    result = remote.run(facts.command(port), timeout=READ_TIMEOUT, check=False)
    return facts.parse(result.stdout)


def carry_out(store: Store, machine: Machine, remote: Remote, decision: Decision) -> None:
    """Record what will be changed, and change it."""
    machine.changes = undo.merged(machine.changes, decision.changes)
    store.write(machine)
    run(remote, decision)


def run(remote: Remote, decision: Decision) -> None:
    result = decision.job.run(remote)
    if result.status != 0:
        raise decision.failure(result)


def verify(store: Store, machine: Machine, host: Facts, wish: Wish, world: World) -> None:
    """The engine answers over TLS from here, nothing less; where SSH works and it does not, something is between."""
    endpoint = Endpoint(machine.url, tls=True, cert_dir=store.directory(machine.name), name=machine.name)
    end = time.monotonic() + VERIFY_TIMEOUT
    found = world.probe(endpoint, VERIFY_TIMEOUT)
    # OpenRC says that the engine was started, not that it is ready.
    while found.state is State.STOPPED and host.init == "openrc" and time.monotonic() < end:
        time.sleep(0.5)
        found = world.probe(endpoint, VERIFY_TIMEOUT)
    if found.state is State.RUNNING:
        return
    # A firewall that rejects may also be heard as "no route to host".
    if found.state in {State.TIMEOUT, State.STOPPED} or firewall.blocking(host, wish.port):
        raise MachineError(
            f"The engine runs on the host, but {machine.url} cannot be reached from here: {found.error}",
            firewall.advice(host, wish.port),
        )
    raise MachineError(f"The engine at {machine.url} does not answer as it should: {found.error}", found.hint)


def learn(store: Store, machine: Machine, host: Facts) -> None:
    """The machine is ready; its host's MAC address is kept, for Wake-on-LAN."""
    mac = host.mac or machine.engine.get("mac", "")
    if (machine.phase, machine.tls, machine.engine.get("mac", "")) == (Phase.READY, True, mac):
        return
    machine.phase = Phase.READY
    machine.tls = True
    if mac:
        machine.engine = {**machine.engine, "mac": mac}
    store.write(machine)
