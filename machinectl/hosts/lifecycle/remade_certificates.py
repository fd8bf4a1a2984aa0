"""Certificates that are made anew for a host that was set up before: this computer has lost them, or they expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.hosts.certificates.identity import Identity
from machinectl.hosts.lifecycle.host_plan import Outcome
from machinectl.machines.holders import ACTIVE, holders_of
from machinectl.provision.client_cas import ca_digests, cas_on_host
from machinectl.provision.host_changes import CaTrusted, of_kind

if TYPE_CHECKING:
    from machinectl.hosts.lifecycle.host_run import HostRun


class RemadeCertificates(NamedTuple):
    """`new_ca` is the CA (PEM) that replaces the one by which clients verify the engine, and `locked_out` says whom."""

    new_ca: bytes = b""
    locked_out: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def remade_certificates(run: HostRun, identity: Identity | None) -> RemadeCertificates:
    """Compare `identity` with what is here and on the host, before either is changed."""
    machine, before = run.machine, Identity.read(run.machine.directory)
    holders = [holder.who for holder in holders_of(machine) if holder.state == ACTIVE]
    if identity is None or not (holders or any(of_kind(machine.changes, CaTrusted))):
        return RemadeCertificates()
    is_new = not {*ca_digests(identity.ca)} <= {*ca_digests(before.ca), *cas_on_host(run.host)}
    titles = ["Making a new CA" if is_new else "Restoring ca.pem from the host"] if identity.ca != before.ca else []
    if identity.client != before.client:
        titles.append("Making a new client certificate")
    outcomes = tuple(Outcome(title, changed=True) for title in titles)
    if not is_new:
        return RemadeCertificates(outcomes=outcomes)
    ends = f", and the access of {', '.join(holders)} ends" if holders else ""
    locked_out = (
        f'The CA of "{machine.name}" is lost, damaged or expired ({machine.directory}). A new one locks out every '
        f"other client that was given a certificate{ends}"
    )
    return RemadeCertificates(identity.ca, (locked_out,), outcomes)
