"""Check a host before changing it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.certificate_dates import validities
from machinectl.errors import BY_SERVICE, SET_CLOCK, CheckFailed, Hint
from machinectl.provision import client_cas, daemon_json, firewall, revision
from machinectl.provision.facts import cgroups, docker_unit
from machinectl.provision.facts.host_facts import OWN_CA, OWN_DIRECTORY
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.url import EngineURL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.provision.facts.host_facts import Facts, Process, Room
    from machinectl.provision.target import Allowed, Target

# KiB and files. docker.io on Debian 13: 70 MB download, 310 MB unpacked, about 500 files; docker-ce is larger.
ROOM_TO_INSTALL = (400 << 10, 1000)
# Certificates, drop-in and daemon.json with their backups, twice during installation.
ROOM_TO_CONFIGURE = (512, 32)
# Only an installation writes there.
TO_INSTALL = {"/usr/bin", "/var/lib", "/etc/systemd/system"}
# Less is normal drift.
NOTICEABLE = timedelta(minutes=5)


def check_all(facts: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> None:
    """Raise CheckFailed if a host cannot be provisioned."""
    for test in (check_root, check_init, check_impostors, check_startable, check_files, check_room):
        test(facts, target)
    daemon_json.option_keys(target.options, daemon_json.read_config(facts))
    if target.ssh_only:
        return
    check_tls(facts, target, allowed)
    for test in (check_port, check_clock):
        test(facts, target)
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
    """Refuse podman, and engines that we cannot configure."""
    if facts.snap and not facts.dockerd.startswith("/usr"):
        raise CheckFailed(
            "The host's Docker is the snap, whose configuration and files are closed to other programs",
            Hint("Save its containers' data on the host first", "snap save docker (only the snap can read that copy)")
            | Hint("then remove it on the host, with its containers", "snap remove docker; and run this again"),
        )
    what = facts.impostor or "podman-docker"
    if facts.impostor or (what in facts.packages and not facts.dockerd):
        raise CheckFailed(
            f"Another program than a Docker Engine, such as podman, stands in for one on the host ({what})",
            Hint("Remove it on the host (podman-docker), or disable it", "systemctl disable --now podman.socket")
            | Hint("then run this again"),
        )
    process = rootless(facts)
    if process and not facts.running:
        raise CheckFailed(
            f"The host's engine is rootless: dockerd runs as user {process.uid} (process {process.pid})",
            Hint("Reach it as that user", f"machinectl create -d none --url ssh://<USER>@{target.address} <NAME>")
            | Hint("or start root's engine beside it, on the host", "systemctl start docker"),
        )
    if facts.init == "systemd":
        check_second_engine(facts, target)
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


def rootless(facts: Facts) -> Process | None:
    """Return a rootless engine's process."""
    return next((each for each in facts.processes if each.uid != 0 and not cgroups.in_container(each.cgroup)), None)


def check_startable(facts: Facts, _: Target) -> None:
    """Refuse an engine that systemd does not start."""
    if "docker.service" in facts.masked:
        raise CheckFailed(
            "docker.service on the host is masked: systemd refuses to start it",
            Hint("On the host, as root", "systemctl unmask docker.service") | Hint("then run this again"),
        )


def check_second_engine(facts: Facts, target: Target) -> None:
    """Refuse an engine that runs instead of docker.service's."""
    if facts.running and facts.engines:
        return
    for process in facts.processes:
        starter = cgroups.service_name(process.cgroup)
        # For a container that starts, runc runs the program as a hook, in containerd's service.
        if process.uid != 0 or cgroups.in_container(process.cgroup) or starter == "containerd.service":
            continue
        who = f"{starter}, process {process.pid}" if starter else f"process {process.pid}"
        stop = f"systemctl stop {starter}; systemctl disable {starter}" if starter else f"kill {process.pid}"
        raise CheckFailed(
            f"A dockerd runs on the host that docker.service did not start ({who})",
            Hint("Stop it for good on the host, with its containers", stop)
            | Hint("or use it as it is", f"machinectl create -d none --url ssh://<USER>@{target.address} <NAME>"),
        )


def check_files(facts: Facts, _: Target) -> None:
    """Refuse a host where root cannot write; what is wrong with a single file, apply.sh says."""
    if paths := sorted(facts.unwritable - (TO_INSTALL if facts.dockerd else set())):
        path = paths[0]
        raise CheckFailed(
            f"Not even root can write {path} on the host, at least not over SSH: it is read-only or immutable",
            Hint("See why on the host", f"findmnt -T {path}; lsattr -d {path}; systemctl show -p ProtectSystem ssh"),
        )


def check_room(facts: Facts, target: Target) -> None:
    wanted = {"/etc": ROOM_TO_CONFIGURE, "/etc/docker": ROOM_TO_CONFIGURE}
    if not facts.dockerd:
        wanted |= {"/usr": ROOM_TO_INSTALL, "/var": ROOM_TO_INSTALL}
    for directory, (kib, files) in wanted.items():
        room = facts.room.get(directory)
        if room and is_full(room, kib, files):
            look = f"'df -h {directory}; df -i {directory}'"
            left, least = room_left(room, kib), format_kib(kib) if room.kib < kib else str(files)
            raise CheckFailed(
                f"The host's disk is full: {directory} has {left} left, {least} are needed",
                Hint("Make room. See what is full on the host", target.on_host(look)),
            )


def is_full(room: Room, kib: int, files: int) -> bool:
    return room.kib < kib or (room.inodes is not None and room.inodes < files)


def room_left(room: Room, kib: int) -> str:
    return format_kib(room.kib) if room.kib < kib else f"{room.inodes} inodes"


def format_kib(kib: int) -> str:
    return f"{kib >> 10} MB" if kib >= 1 << 10 else f"{kib} KB"


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
    hint = Hint("Ask its owner for access", "machinectl access request <NAME>")
    if target.name:
        hint |= Hint(
            "or, to manage the host, too, import its owner's certificates",
            f"machinectl certs import --force {target.name} <DIR>",
        )
        hint |= Hint("or take the host over, which locks out its owner", "machinectl provision --force", target.name)
    else:
        hint |= Hint("or register it without changes", register_command(target))
        hint |= Hint("or replace its CA: --force")
    return CheckFailed(f"The host's engine already uses TLS with another computer's CA: {by} set it up", hint)


def check_port(facts: Facts, target: Target) -> None:
    for listener in facts.listeners:
        if listener.pid not in facts.engines:
            what = f"{listener.process} (process {listener.pid})" if listener.pid else "something in a container"
            raise CheckFailed(
                f"Port {target.port} on the host is taken by {what}",
                Hint("Choose another one for the engine: --engine-port <PORT>"),
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
        over_ssh = "if only the jump host can reach it, let docker use SSH, too"
        if target.name:
            advice |= Hint(over_ssh, "machinectl set --ssh-only", target.name)
            advice |= Hint("", "machinectl provision", target.name)
        else:
            advice |= Hint(f"{over_ssh}: create it with --ssh-only")
    raise CheckFailed(f"The host's engine could not be reached from here: {facts.no_way}", advice)


def check_clock(facts: Facts, target: Target) -> None:
    """Refuse a clock outside the certificates' validity."""
    for name in ("ca.pem", "server.pem"):
        if name in target.certificates:
            certificate = certs.describe(target.certificates[name], file=name)
            check_valid_there(facts.time, certificate.not_before, certificate.not_after)
    if target.new_cas_until:
        check_valid_there(facts.time, datetime.now(UTC) - certs.BACKDATED, target.new_cas_until)


def check_valid_there(now: datetime, begin: datetime, end: datetime) -> None:
    """Raise CheckFailed if an engine whose clock says `now` would refuse a certificate with this validity."""
    if not begin <= now < end:
        raise CheckFailed(
            f"The host's clock says {now:%Y-%m-%d %H:%M} UTC, {clock_skew(now - datetime.now(UTC))} here: "
            "its engine would refuse a certificate that is valid from "
            f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            Hint(f"Correct the clock that is wrong, here or there, {BY_SERVICE}", SET_CLOCK),
        )


def check_clock_here(facts: Facts, have: bytes) -> None:
    """Refuse to replace certificates (PEM) that are valid by the host's clock, and not yet by the one here."""
    here = datetime.now(UTC)
    begin = max((begin for begin, _ in validities(have)), default=here)
    if here < begin <= facts.time:
        raise CheckFailed(
            f"The clock here says {here:%Y-%m-%d %H:%M} UTC, {clock_skew(here - facts.time)} of the host: "
            f"the machine's certificates are not valid before {begin:%Y-%m-%d %H:%M} UTC",
            Hint(f"Set the clock here {BY_SERVICE}", SET_CLOCK),
        )


def wrong_clock(facts: Facts, here: datetime) -> str:
    """Return a warning if the host's clock is off."""
    off = facts.time - here
    if abs(off) <= NOTICEABLE:
        return ""
    return f"The host's clock is {clock_skew(off)} here; set the wrong one {BY_SERVICE}: {SET_CLOCK}"


def clock_skew(off: timedelta) -> str:
    """Format a difference, such as "3 hours behind the clock"."""
    seconds = abs(off.total_seconds())
    units = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, length = next((each for each in units if seconds >= 2 * each[1]), units[-1])
    return f"{seconds / length:.0f} {name} {'ahead of' if off > timedelta() else 'behind'} the clock"
