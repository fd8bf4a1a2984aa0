"""Judge a host's facts: clock, engine, file systems, memory, pending restarts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, failed, first_case, ok, unknown, value_or
from machinectl.errors import BY_SERVICE, NO_HINT, SET_CLOCK, CheckFailed, Hint
from machinectl.files.atomic import quote_word
from machinectl.provision import preflight
from machinectl.provision.steps import docker_socket, engine_goal
from machinectl.quantities import memory_size, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from machinectl.provision.facts.health import FileSystem, Health, Memory
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Target

CLOCK, SERVICE, LIVE, CONTAINERS = "Clock", "Service", "Live-restore", "Containers"
DISK, FILES, MEMORY, RESTART = "Disk", "Files", "Memory", "Pending restart"
# Of a host whose engine is reached over SSH only.
GROUP, SOCKET, LISTENER = "Group", "Socket", "Listener"
# Disk limits in KiB and as shares: below the first two it is broken, below the last worth a look.
FULL_KIB, FULL, FILLING = 200 << 10, 0.01, 0.1
# Memory limits in KiB and as a share. Below the first, the kernel kills processes; below the second, it is worth a
# look.
NO_MEMORY_KIB, LITTLE_MEMORY = 64 << 10, 0.1


@dataclass(frozen=True)
class Shell:
    """Builds commands for a host. `root` is sudo or doas, "" for a root login."""

    machine: str
    root: str = ""

    def command(self, words: str) -> str:
        return " ".join(filter(None, ("machinectl ssh", self.machine, self.root, words)))

    def script(self, text: str) -> str:
        """Return the command that has a shell on the host run a text."""
        is_plain = set(text).isdisjoint("\"'$;|&<>")
        # Quoted twice: for the local and the remote shell.
        return self.command(text if is_plain else f"sh -c {quote_word(quote_word(text))}")

    def service(self, verb: str, init: str) -> str:
        return self.command(f"rc-service docker {verb}" if init == "openrc" else f"systemctl {verb} docker")


def clock_check(off: timedelta, shell: Shell | None) -> Check:
    """Check the clock; `off` is how far it is ahead."""
    if abs(off) <= preflight.NOTICEABLE:
        seconds = abs(off.total_seconds())
        return ok(CLOCK, f"{seconds:.0f} s from the clock here" if seconds >= 1 else "the same as the clock here")
    there = shell.command(SET_CLOCK) if shell else f"on the host, {SET_CLOCK}"
    return broken(
        CLOCK,
        f"the host's is {preflight.clock_skew(off)} here",
        Hint("See which clock is right", "date -u") | Hint(f"set the host's clock {BY_SERVICE}", there),
    )


def service_check(host: Facts, shell: Shell, *, ours: bool) -> Check:
    """Check the engine's service. `ours`: machinectl set the host up."""
    again = f"machinectl provision {shell.machine}"
    unit = "docker.service" if host.init == "systemd" else "the docker service"
    needs_socket = value_or(True, lambda: docker_socket.is_needed(host))
    masked = sorted(host.masked & {"docker.service", *([docker_socket.UNIT] if needs_socket else [])})
    anew = Hint("then start it", shell.service("start", host.init))
    if docker_socket.UNIT in masked:
        keeps = host.info.get("LiveRestoreEnabled") or not host.containers
        stops = "" if keeps else f", which stops {plural(len(host.containers), 'container')}"
        anew = Hint(f"then start it again{stops}", shell.command(docker_socket.RESTART))
    masks = f"{' and '.join(masked)}: masked, so systemd does not start the engine"
    unmask = Hint("Unmask it", shell.command(f"systemctl unmask {' '.join(masked)}"))
    start = Hint("Start it", again if ours else shell.service("start", host.init))
    if host.init == "systemd":
        start |= Hint("see why it stopped", shell.command("journalctl -eu docker"))
    read = shell.command("systemctl daemon-reload")
    enable = shell.command("rc-update add docker" if host.init == "openrc" else "systemctl enable docker")
    at_boot = host.service.enabled
    return first_case(
        SERVICE,
        (not host.dockerd, BROKEN, "there is no Docker Engine on the host", Hint("Install it", again)),
        (masked, BROKEN, masks, unmask | anew),
        (not host.running, BROKEN, f"{unit} is not running", start),
        (host.unread, UNKNOWN, f"{unit} was changed on disk, but systemd has not reloaded it", Hint("Reload it", read)),
        (at_boot, OK, f"{unit} is running and enabled at boot", NO_HINT),
        (not ours and host.socket.active, OK, f"{unit} is running", NO_HINT),
        (True, BROKEN, f"{unit} is running, but not enabled at boot", Hint("Enable it", again if ours else enable)),
    )


def forgotten_containers_check(host: Facts, shell: Shell) -> Check:
    """Return the finding that containers run without the engine's knowledge."""
    return broken(
        CONTAINERS,
        f"{plural(host.forgotten, 'container')} run without the engine's knowledge, as after a start on a full disk",
        Hint("See what the engine knows", shell.command("docker ps -a"))
        | Hint("free disk space, then restart it, which stops or restarts them", shell.service("restart", host.init)),
    )


def live_restore_check(host: Facts, shell: Shell, *, owed: bool, configured: bool) -> Check:
    """Check whether containers survive engine restarts by others.

    `configured`: daemon.json sets live-restore. `owed`: machinectl must still restore it.
    """
    on = bool(host.info.get("LiveRestoreEnabled"))
    lost = "a restart of the engine stops its containers"
    theirs = f"{'on' if on else 'off'}: machinectl has not restored the host's own setting yet"
    reload = Hint("Reload it", shell.service("reload", host.init))
    return first_case(
        LIVE,
        (not host.info, UNKNOWN, "the engine does not answer on its host", NO_HINT),
        (owed, UNKNOWN, theirs, Hint("Restore it", "machinectl provision", shell.machine)),
        (on, OK, "on: containers keep running while the engine restarts", NO_HINT),
        (host.swarm, UNKNOWN, "not available on a Swarm node: a restart of its engine stops the tasks on it", NO_HINT),
        (configured, BROKEN, f"on in {host.config_path}, but not in effect: {lost}", reload),
        (True, OK, f"off: {lost}, unless machinectl restarts it", NO_HINT),
    )


def health_checks(found: Health, shell: Shell, init: str) -> Iterator[Check]:
    for disk in found.disks:
        has_data = found.data is not None and disk.device == found.data.device
        yield disk_check(disk, shell, has_data=has_data)
    yield memory_check(found.memory, shell)
    yield restart_check(found, shell, init)


def disk_check(disk: FileSystem, shell: Shell, *, has_data: bool = True) -> Check:
    """`has_data`: the engine keeps images and containers there."""
    title = f"{DISK} {disk.directory}"
    if not disk.size:
        return unknown(title, "its size is unknown")
    free, inodes = disk.free / disk.size, disk.inodes_free / disk.inodes if disk.inodes else 1.0
    seen = f"{memory_size(disk.free << 10)} of {memory_size(disk.size << 10)} left"
    if inodes < free:
        seen += f", {disk.inodes_free} of {disk.inodes} inodes"
    fills = Hint("See what fills it", shell.command(f"du -xhd1 {quote_word(quote_word(disk.directory))}"))
    prune = Hint("or remove what no container uses", shell.command("docker system prune")) if has_data else NO_HINT
    full = min(free, inodes) < FULL or disk.free < min(FULL_KIB, disk.size // 4)
    return first_case(
        title,
        (full, BROKEN, f"full: {seen}", fills | prune),
        (min(free, inodes) < FILLING, UNKNOWN, seen, fills),
        (True, OK, seen, NO_HINT),
    )


def memory_check(found: Memory, shell: Shell) -> Check:
    seen = f"{memory_size(found.available << 10)} of {memory_size(found.total << 10)} available"
    if found.swap:
        seen += f", {memory_size(found.swap_free << 10)} of {memory_size(found.swap << 10)} of swap left"
    uses = Hint("See what uses it", f"machinectl ssh {shell.machine} ps axo pid,rss,comm --sort -rss")
    return first_case(
        MEMORY,
        (not found.total or not found.available, UNKNOWN, "the host does not report it", NO_HINT),
        (found.available + found.swap_free < NO_MEMORY_KIB, BROKEN, f"used up: {seen}", uses),
        (found.available < found.total * LITTLE_MEMORY, UNKNOWN, seen, uses),
        (True, OK, seen, NO_HINT),
    )


def restart_check(found: Health, shell: Shell, init: str) -> Check:
    finish = shell.command("dpkg --configure -a")
    whose = f": {', '.join(found.reboot)}" if found.reboot else ""
    reboot = f"machinectl restart {shell.machine}"
    # Containers keep running if only containerd restarts.
    is_engines = "dockerd" in found.replaced
    again = shell.service("restart", init) if is_engines else shell.command("systemctl restart containerd")
    old = f"{' and '.join(found.replaced)}: upgraded on disk, but the old version is running"
    return first_case(
        RESTART,
        (found.interrupted, BROKEN, "the package manager was interrupted", Hint("Finish it", finish)),
        (found.reboot is not None, UNKNOWN, f"packages need a reboot{whose}", Hint("Reboot", reboot)),
        (found.replaced, UNKNOWN, old, Hint("Restart it", again)),
        (True, OK, "none", NO_HINT),
    )


def ssh_only_checks(found: Facts, target: Target, shell: Shell) -> Iterator[Check]:
    again = f"machinectl provision {shell.machine}"
    yield group_check(found, again)
    try:
        docker_socket.check_reached_over_ssh(found, target)
    except CheckFailed as exc:
        yield failed(SOCKET, exc)
    addresses = ", ".join(engine_goal.tcp_addresses(found))
    own = f"the engine listens on {addresses}, by the host's own configuration"
    still = f"the engine still listens on port {target.port}"
    units = Hint("and", shell.command("systemctl cat docker.service docker.socket"))
    see = Hint("See that configuration", shell.command(f"cat {found.config_path}")) | units
    yield first_case(
        LISTENER,
        (found.engine_listens and target.own_cas, BROKEN, still, Hint("Close it", again)),
        (addresses, UNKNOWN, own, see),
        (True, OK, f"the engine does not listen on port {target.port}", NO_HINT),
    )


def group_check(found: Facts, again: str) -> Check:
    user, group = found.login, found.socket_group
    if not user:
        return ok(GROUP, "root logs in and may use the engine")
    if not docker_socket.is_user_missing(found):
        return ok(GROUP, f"{user} is in the group {group} and may use the engine")
    try:
        docker_socket.check_group(found)
    except CheckFailed as exc:
        return failed(GROUP, exc)
    return broken(
        GROUP, f"{user} is not in the group {group} and may not use the engine", Hint("Make it a member", again)
    )
