"""Check a host before changing it."""

from __future__ import annotations

import hashlib
import os.path
import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.certificate_dates import validities
from machinectl.errors import BY_SERVICE, SET_CLOCK, CheckFailed, Hint
from machinectl.provision import client_cas, daemon_json, firewall, revision
from machinectl.provision.decision import FULL
from machinectl.provision.facts import cgroups, docker_unit
from machinectl.provision.facts.host_facts import DAEMON_JSON, DROP_INS, OWN_CA, OWN_DIRECTORY
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.url import EngineURL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from machinectl.provision.facts.host_facts import Facts, Process
    from machinectl.provision.target import Allowed, Target

# KiB. docker.io on Debian 13: 70 MB download, 310 MB unpacked; docker-ce is larger.
ROOM_TO_INSTALL = 400 << 10
# docker.io and docker-ce have about 500 files with dependencies.
FILES_TO_INSTALL = 1000
# New files and backups.
FILES_TO_CONFIGURE = 32
# KiB. Certificates, drop-in and daemon.json, twice during installation.
ROOM_TO_CONFIGURE = 512
REMOUNT = 'mount -o remount,rw "$mounted" || mount -o remount,bind,rw "$mounted"'
ENGINE_PACKAGES = frozenset({"docker.io", "docker-ce", "containerd", "containerd.io", "runc"})
# Less is normal drift.
NOTICEABLE = timedelta(minutes=5)


def check_all(facts: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> None:
    """Raise CheckFailed if a host cannot be provisioned."""
    for test in (check_root, check_init, check_packages, check_impostors, check_startable, check_files, check_room):
        test(facts, target)
    check_config(facts, target)
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
        kept = (
            f"; removing it removes its {facts.snap_containers} containers and their data"
            if facts.snap_containers
            else ""
        )
        raise CheckFailed(
            f"The host's Docker is the snap, whose configuration and files are closed to other programs{kept}",
            Hint("Save its containers' data on the host first", "snap save docker (only the snap can read that copy)")
            | Hint("then remove it on the host", "snap remove docker; and run this again"),
        )
    if facts.podman or ("podman-docker" in facts.packages and not facts.dockerd):
        raise CheckFailed(
            f"The host's docker command ({facts.podman or 'podman-docker'}) is podman's, which has no Docker Engine",
            Hint("Remove podman-docker on the host, and run this again"),
        )
    if facts.podman_socket:
        stop = "systemctl disable --now podman.socket"
        if facts.init == "openrc":
            stop = "rc-service podman stop; rc-update del podman"
        raise CheckFailed(
            "Podman answers at /run/docker.sock on the host: an engine there would take the socket from it",
            Hint("On the host, as root", stop) | Hint("then run this again"),
        )
    process = rootless(facts)
    if process and not facts.service.loaded:
        raise CheckFailed(
            f"The host's engine is rootless: dockerd runs as user {process.uid} (process {process.pid})",
            Hint("Reach it as that user", f"machinectl create -d none --url ssh://<USER>@{target.address} <NAME>"),
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


def check_packages(facts: Facts, _: Target) -> None:
    """Refuse what dpkg left half done, unless the engine is whole. Installing waits for a dpkg that is at work."""
    names = facts.unfinished & ENGINE_PACKAGES if facts.dockerd else facts.unfinished
    if names and not facts.locks:
        raise CheckFailed(
            f"dpkg has not finished installing these packages on the host: {' '.join(sorted(names))}",
            Hint("Finish that on the host, as root", "dpkg --configure -a && apt-get -f install")
            | Hint("then run this again"),
        )


def check_startable(facts: Facts, _: Target) -> None:
    """Refuse an engine that cannot start: dockerd reports it only after two minutes."""
    if "docker.service" in facts.masked:
        raise CheckFailed(
            "docker.service on the host is masked: systemd refuses to start it",
            Hint("On the host, as root", "systemctl unmask docker.service") | Hint("then run this again"),
        )
    if not facts.dockerd or facts.running:
        return
    package = "containerd.io" if "docker-ce" in facts.packages else "containerd"
    if facts.containerd == "":
        raise CheckFailed(
            f"The host has {facts.dockerd} but no containerd, which it needs to start",
            Hint(f"Reinstall the package {package} on the host") | Hint("then run this again"),
        )
    named = any(flag.name == "containerd" for flag in docker_unit.all_flags(facts.unit, facts.environment, ours=True))
    if named and "containerd.service" in facts.masked:
        raise CheckFailed(
            "docker.service on the host needs containerd.service, which is masked",
            Hint("On the host, as root", "systemctl unmask containerd.service") | Hint("then run this again"),
        )
    if named and not facts.containerd_service:
        raise CheckFailed(
            "docker.service on the host needs containerd, but there is no containerd.service to start it",
            Hint(f"Reinstall the package {package} on the host") | Hint("then run this again"),
        )


def check_second_engine(facts: Facts, target: Target) -> None:
    """Refuse an engine that runs instead of docker.service's, or shares its daemon.json."""
    for process in facts.processes:
        if process.uid != 0 or process.pid in facts.engines or cgroups.in_container(process.cgroup):
            continue
        starter = cgroups.service_name(process.cgroup)
        who = f"{starter}, process {process.pid}" if starter else f"process {process.pid}"
        if not (facts.running and facts.engines):
            if process.starter:
                raise CheckFailed(
                    f"A dockerd runs on the host that {process.starter} started ({who}), and not docker.service",
                    Hint("Use it as it is", f"machinectl create -d none --url ssh://<USER>@{target.address} <NAME>")
                    | Hint(f"or have {process.starter} stop it for good, with its containers")
                    | Hint("then run this again"),
                )
            stop = f"systemctl stop {starter}; systemctl disable {starter}" if starter else f"kill {process.pid}"
            raise CheckFailed(
                f"A dockerd runs on the host that docker.service did not start ({who})",
                Hint("Stop it on the host, with its containers", stop) | Hint("then run this again"),
            )
        if (process.config or DAEMON_JSON) == facts.config_path:
            raise CheckFailed(
                f"Two engines on the host share {facts.config_path}: docker.service's and that of {who}",
                Hint("Give the second one a configuration of its own, --config-file FILE")
                | Hint("then run this again"),
            )


def check_files(facts: Facts, _: Target) -> None:
    """Refuse hosts that cannot be written to. With an engine, `configure` checks its paths."""
    refuse_unwritable(facts, ["/etc"] if facts.dockerd else facts.unwritable)


def check_writable(facts: Facts, paths: Iterable[str]) -> None:
    # Each change of ours is counted there.
    for path in (*paths, revision.PATH):
        directory = os.path.dirname(path)
        while directory in {OWN_DIRECTORY, "/etc/docker", DROP_INS} - facts.directories:
            directory = os.path.dirname(directory)
        refuse_unwritable(facts, (path, directory))


def refuse_unwritable(facts: Facts, paths: Iterable[str]) -> None:
    for path in paths:
        if path in facts.unwritable:
            raise unwritable(path, facts.unwritable[path])


def unwritable(path: str, why: str) -> CheckFailed:
    where = shlex.quote(path)
    why, _, unit = why.partition(":")
    unit = unit if re.fullmatch(r"[\w@.-]+", unit) else "ssh.service"
    move = Hint("Move it away on the host", f"mv {where} {where}.old") | Hint("then run this again")
    texts = {
        "-f": ("is not a regular file", move),
        "-d": ("is not a directory", move),
        "immutable": (
            "is immutable: not even root can change it",
            Hint("Allow it on the host", f"chattr -i {where}"),
        ),
        "locked": (
            "locks the users and groups: a change of them goes on, or was interrupted",
            Hint("If nobody changes them, remove the lock on the host", f"rm {where}") | Hint("then run this again"),
        ),
        "session": (
            f"is read-only for SSH sessions, by ProtectSystem= or ReadOnlyPaths= of {unit}",
            Hint("On the host, as root", writable_sessions(unit)) | Hint("then run this again"),
        ),
        "read-only": (
            "is read-only",
            Hint("On the host", f"mounted=$(findmnt -n -o TARGET -T {where}); {REMOUNT}"),
        ),
    }
    cause, hint = texts.get(why, texts["read-only"])
    return CheckFailed(f"{path} on the host {cause}", hint)


def writable_sessions(unit: str) -> str:
    """Return what lets the sessions of sshd's `unit` write, typed in one of them: hence nsenter."""
    drop_ins = f"/etc/systemd/system/{unit}.d"
    drop_in = f'printf "[Service]\\nProtectSystem=no\\nReadOnlyPaths=\\n" >{drop_ins}/zz-writable.conf'
    return f"nsenter -t 1 -m sh -c 'mkdir -p {drop_ins}; {drop_in}'; systemctl daemon-reload; systemctl restart {unit}"


def check_room(facts: Facts, target: Target) -> None:
    wanted = {"/etc": ROOM_TO_CONFIGURE, "/etc/docker": ROOM_TO_CONFIGURE}
    if not facts.dockerd:
        wanted |= {"/usr": ROOM_TO_INSTALL, "/var": ROOM_TO_INSTALL}
    for directory, least in wanted.items():
        free = facts.free.get(directory, least)
        if free < least:
            raise CheckFailed(
                f"The host's disk is full: {directory} has {format_kib(free)} left, {format_kib(least)} are needed",
                Hint(FULL, target.on_host(f"df -h {directory}")),
            )
        most = FILES_TO_CONFIGURE if least == ROOM_TO_CONFIGURE else FILES_TO_INSTALL
        inodes = facts.inodes.get(directory, most)
        if inodes < most:
            raise CheckFailed(
                f"The host's disk has too few inodes: {directory} has {inodes} left, {most} are needed",
                Hint(
                    "Remove small files on the host. Find them",
                    target.on_host(f"'df -i {directory}; du --inodes -x {directory} | sort -n | tail'"),
                ),
            )


def format_kib(kib: int) -> str:
    return f"{kib >> 10} MB" if kib >= 1 << 10 else f"{kib} KB"


def check_config(facts: Facts, target: Target) -> None:
    before = daemon_json.read_config(facts)
    daemon_json.option_keys(target.options, before)


def check_tls(facts: Facts, target: Target, allowed: Allowed) -> None:
    """Refuse TLS with a foreign CA, unless docker-machine or we set it up."""
    said = tls_settings(facts)
    if not said or allowed.force or is_by_docker_machine(facts, target) or trusts_own_ca(facts, target, said):
        return
    whose = said.get("tlscacert") or said.get("tlscert") or "its own certificate"
    if whose.startswith(OWN_DIRECTORY):
        raise another_computers_ca(facts, target)
    if target.own_cas and said.get("tlscert") == f"{OWN_DIRECTORY}/server.pem":
        raise CheckFailed(
            f"The host's engine now takes its CAs from {whose}, and this machine's CA is not in it",
            Hint("Add it on the host", f"cat {OWN_CA} >>{shlex.quote(whose)}")
            | Hint("or end the access of its other clients: --force"),
        )
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
    copied = "--tls-dir <DIR>"
    otherwise = Hint("or register it without changes", register_command(target)) | Hint("or replace its CA: --force")
    if target.name:
        copied = f"machinectl certs import --force {target.name} <DIR>"
        otherwise = Hint(
            "or take the host over, which locks out its owner", "machinectl provision --force", target.name
        )
    return CheckFailed(
        f"The host's engine already uses TLS with another computer's CA: {by} set it up",
        Hint("Ask its owner for access", "machinectl access request <NAME>")
        | Hint(
            "or, to manage the host from here too, copy the machine's directory from that computer, and pass it", copied
        )
        | otherwise,
    )


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


def open_configuration(facts: Facts) -> str:
    """Return a warning if daemon.json is world-writable, as version 0.1 could leave it."""
    if facts.config is None or not int(facts.config.mode, 8) & 0o002:
        return ""
    path = facts.config_path
    return Hint(f"Everybody on the host may write {path}, and so is root there; on the host", "chmod o-w", path)


def clock_skew(off: timedelta) -> str:
    """Format a difference, such as "3 hours behind the clock"."""
    seconds = abs(off.total_seconds())
    units = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, length = next((each for each in units if seconds >= 2 * each[1]), units[-1])
    return f"{seconds / length:.0f} {name} {'ahead of' if off > timedelta() else 'behind'} the clock"
