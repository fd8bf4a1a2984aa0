"""Check a host before changing it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.certificate_dates import validities
from machinectl.errors import BY_SERVICE, SET_CLOCK, CheckFailed, Hint
from machinectl.provision import client_cas, daemon_json, firewall, revision
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import OWN_CA, OWN_DIRECTORY
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.url import EngineURL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target

# Less is normal drift.
NOTICEABLE = timedelta(minutes=5)
MINUTE = "%Y-%m-%d %H:%M"


def check_all(facts: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> None:
    """Raise CheckFailed if a host cannot be provisioned."""
    for test in (check_root, check_init, check_impostors):
        test(facts, target)
    check_not_masked(facts)
    daemon_json.option_keys(target.options, daemon_json.read_config(facts))
    if target.ssh_only:
        return
    check_tls(facts, target, allowed)
    check_port(facts, target)
    check_clock(facts, target)
    check_reachable(facts, target, allowed)


def check_root(facts: Facts, _: Target) -> None:
    if facts.uid != 0:
        raise CheckFailed(
            "Commands on the host do not run as root", Hint("Log in as root, or as a user who may use sudo")
        )


def check_init(facts: Facts, target: Target) -> None:
    if facts.init not in {"systemd", "openrc"}:
        raise CheckFailed(
            f"The host ({facts.os_name}) runs neither systemd nor OpenRC: nothing there could keep an engine running",
            Hint("Set its engine up by hand, and register it", register_command(target)),
        )


def register_command(target: Target) -> str:
    url = EngineURL("tcp", host=target.address, port=target.port)
    return f"machinectl create -d none --url {url} --tls-dir <DIR> <NAME>"


def check_impostors(facts: Facts, target: Target) -> None:
    """Refuse what stands in for root's engine, and engines that we cannot configure."""
    if found := unsuitable_engine(facts):
        what, remove = found
        raise CheckFailed(
            f"The host's Docker cannot be set up: it is {what}",
            Hint("Stop or remove it on the host, with its containers", remove)
            | Hint("or use it as it is", f"machinectl create -d none --url ssh://<USER>@{target.address} <NAME>"),
        )
    if facts.dockerd and not facts.service.loaded:
        raise CheckFailed(
            f"The host has {facts.dockerd}, but no docker.service that starts it",
            Hint("Install the engine from a package, or add a docker.service on the host"),
        )
    if not facts.dockerd and target.install == "none":
        raise CheckFailed(
            "There is no Docker Engine on the host, and --engine-install none says not to install one",
            Hint("Install it on the host, or use --engine-install auto"),
        )


def check_not_masked(facts: Facts, unit: str = "docker.service") -> None:
    if unit in facts.masked:
        raise CheckFailed(
            f"{unit} on the host is masked: systemd would not start the engine",
            Hint("On the host, as root", "systemctl unmask", unit) | Hint("then run this again"),
        )


def unsuitable_engine(facts: Facts) -> tuple[str, str] | None:
    """Return what the host has instead of docker.service's engine, and the command that ends it."""
    if facts.snap and not facts.dockerd.startswith("/usr"):
        return "the snap, whose configuration is closed to other programs", "snap remove docker"
    podman = "podman-docker"
    if facts.impostor or (podman in facts.packages and not facts.dockerd):
        return f"another program, such as podman ({facts.impostor or podman})", "systemctl disable --now podman.socket"
    for process in facts.processes:
        starter = process.service
        # For a container that starts, runc runs the program as a hook, in containerd's service.
        if process.in_container or starter == "containerd.service":
            continue
        if process.uid != 0 and not facts.running:
            return f"rootless (user {process.uid}, process {process.pid})", f"kill {process.pid}"
        if process.uid == 0 and facts.init == "systemd" and not (facts.running and facts.engines):
            stop = f"systemctl stop {starter}; systemctl disable {starter}" if starter else f"kill {process.pid}"
            return f"a dockerd that docker.service did not start ({starter or 'no service'}, {process.pid})", stop
    return None


def check_tls(facts: Facts, target: Target, allowed: Allowed) -> None:
    """Refuse TLS with a foreign CA, unless docker-machine or we set it up."""
    said = tls_settings(facts)
    if not said or allowed.force or is_by_docker_machine(facts, target) or trusts_own_ca(facts, target, said):
        return
    whose = said.get("tlscacert") or said.get("tlscert") or "its own certificate"
    if whose.startswith(OWN_DIRECTORY):
        raise another_computers_ca(facts, target)
    raise CheckFailed(
        f"The host's engine already uses TLS with another CA ({whose})",
        Hint("Register it without changes", register_command(target)) | Hint("or replace its CA: --force"),
    )


def is_by_docker_machine(facts: Facts, target: Target) -> bool:
    """Return whether docker-machine set the host up, by its command line or by the imported CA."""
    recorded = {*client_cas.ca_digests(target.replaced_ca)}
    is_recorded = bool(recorded) and recorded == {*client_cas.cas_by_digest(facts.trusted)}
    return is_recorded or docker_unit.is_by_docker_machine(facts)


def tls_settings(facts: Facts) -> dict[str, str]:
    """Return what daemon.json and the engine's flags say about TLS."""
    before = daemon_json.read_config(facts)
    said = {key: str(before[key]) for key in daemon_json.TLS_FLAGS if before.get(key)}
    if facts.unit:
        flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True)
        said |= {
            flag.name: flag.value for flag in flags if flag.name in daemon_json.TLS_FLAGS and flag.value != "false"
        }
    return said


def trusts_own_ca(facts: Facts, target: Target, said: Mapping[str, str]) -> bool:
    # clients.pem begins with the CA that ca.pem has.
    trusted = said.get("tlscacert", "").replace(client_cas.CLIENTS, OWN_CA)
    if client_cas.cas_beside_ours(facts, target):
        # They join clients.pem.
        return True
    if trusted in facts.sums:
        own = hashlib.sha256(target.certificates.get("ca.pem", b"")).hexdigest()
        return facts.sums[trusted].sha256 in {own, *target.own_cas}
    # Our CA file was deleted.
    return bool(target.own_cas) and trusted.startswith(f"{OWN_DIRECTORY}/")


def check_own_ca(facts: Facts, target: Target) -> None:
    """Refuse a host that another computer's machinectl has given another CA, whatever else its engine reads."""
    if OWN_CA in facts.sums and not client_cas.is_ours(facts, target):
        raise another_computers_ca(facts, target)


def another_computers_ca(facts: Facts, target: Target) -> CheckFailed:
    by = revision.Revision.parse(facts.revision).by or "another computer"
    if name := target.name:
        otherwise = Hint("or import its owner's certificates", f"machinectl certs import --force {name} <DIR>")
        otherwise |= Hint("or take the host over, which locks out its owner", "machinectl provision --force", name)
    else:
        otherwise = Hint("or register it without changes", register_command(target))
        otherwise |= Hint("or replace its CA: --force")
    return CheckFailed(
        f"The host's engine already uses TLS with another computer's CA: {by} set it up",
        Hint("Ask its owner for access", "machinectl access request <NAME>") | otherwise,
    )


def check_port(facts: Facts, target: Target) -> None:
    if {*facts.listeners} - facts.engines:
        raise CheckFailed(
            f"Port {target.port} on the host is taken by another program, or a container",
            Hint("See which one, on the host", f"ss -ltnp sport = :{target.port}; docker ps")
            | Hint("or choose another port for the engine: --engine-port <PORT>"),
        )


def check_reachable(facts: Facts, target: Target, allowed: Allowed) -> None:
    if not facts.no_way:
        return
    rule = firewall.blocking(facts, target.port)
    if rule and allowed.open_firewall:
        return
    # Refused: no engine yet, or a firewall that rejects.
    if facts.refused and not (rule and rule.rejects):
        return
    advice = firewall.advice(facts, target.port, target.name)
    if target.jump:
        advice |= Hint("if only the jump host can reach it, let docker use SSH, too: --ssh-only (create, set)")
    raise CheckFailed(f"The host's engine could not be reached from here: {facts.no_way}", advice)


def check_clock(facts: Facts, target: Target) -> None:
    for pem in target.certificates.values():
        for begin, end in validities(pem):
            check_valid_there(facts.time, begin, end)
    if target.new_cas_until:
        check_valid_there(facts.time, datetime.now(UTC) - certs.BACKDATED, target.new_cas_until)


def check_valid_there(now: datetime, begin: datetime, end: datetime) -> None:
    """Raise CheckFailed if an engine whose clock says `now` would refuse a certificate with this validity."""
    if not begin <= now < end:
        skew = clock_skew(now - datetime.now(UTC))
        raise wrong_clock(f"The host's clock says {now:{MINUTE}} UTC, {skew} here", begin, end)


def check_clock_here(facts: Facts, have: bytes) -> None:
    """Refuse to replace certificates (PEM) that are valid by the host's clock, and not yet by the one here."""
    here = datetime.now(UTC)
    for begin, end in validities(have):
        if here < begin <= facts.time:
            skew = clock_skew(here - facts.time)
            raise wrong_clock(f"The clock here says {here:{MINUTE}} UTC, {skew} of the host", begin, end)


def wrong_clock(cause: str, begin: datetime, end: datetime) -> CheckFailed:
    return CheckFailed(
        f"{cause}: by that clock, a certificate is not valid that is valid from {begin:{MINUTE}} to {end:{MINUTE}} UTC",
        Hint(f"Correct the clock that is wrong, here or there, {BY_SERVICE}", SET_CLOCK),
    )


def clock_skew(off: timedelta) -> str:
    """Format a difference, such as "3 hours behind the clock"."""
    seconds = abs(off.total_seconds())
    units = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, length = next((each for each in units if seconds >= 2 * each[1]), units[-1])
    return f"{seconds / length:.0f} {name} {'ahead of' if off > timedelta() else 'behind'} the clock"
