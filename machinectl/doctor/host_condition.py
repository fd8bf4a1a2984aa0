"""Judge a host's facts: clock, engine, disks, memory, pending restarts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, first_case, ok, unknown, value_or
from machinectl.errors import BY_SERVICE, NO_HINT, SET_CLOCK, Hint
from machinectl.files.atomic import quote_word
from machinectl.provision import preflight
from machinectl.provision.steps import docker_socket
from machinectl.quantities import memory_size, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from machinectl.provision.facts.health import FileSystem, Health, Memory
    from machinectl.provision.facts.host_facts import Facts

CLOCK, SERVICE, LIVE, CONTAINERS = "Clock", "Service", "Live-restore", "Containers"
DISK, MEMORY, RESTART = "Disk", "Memory", "Pending restart"
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
        return f"machinectl ssh {self.machine} {self.root} {words}" if self.root else self.plain(words)

    def plain(self, words: str) -> str:
        return f"machinectl ssh {self.machine} {words}"

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


def clock_off(host: Facts, here: datetime) -> timedelta:
    """Return how far the host's clock is ahead."""
    return host.time - here


def service_check(host: Facts, shell: Shell, *, ours: bool) -> Check:
    """Check the engine's service. `ours`: machinectl set the host up."""
    again = f"machinectl provision {shell.machine}"
    unit = "docker.service" if host.init == "systemd" else "the docker service"
    needs_socket = value_or(True, lambda: docker_socket.is_needed(host))
    masked = sorted(host.masked & {"docker.service", *([docker_socket.UNIT] if needs_socket else [])})
    anew = Hint("then start it", shell.service("start", host.init))
    if docker_socket.UNIT in masked:
        stops = f", which stops {stopped}" if (stopped := docker_socket.containers_stopped(host)) else ""
        anew = Hint(f"then start it again{stops}", shell.command(docker_socket.RESTART))
    masks = f"{' and '.join(masked)}: masked, so that systemd refuses to start the engine"
    unmask = Hint("Unmask it", shell.command(f"systemctl unmask {' '.join(masked)}"))
    start = Hint("Start it", again if ours else shell.service("start", host.init))
    if host.init == "systemd":
        start |= Hint("see why it ended", shell.command("journalctl -eu docker"))
    read = shell.command("systemctl daemon-reload")
    enable = shell.command("rc-update add docker" if host.init == "openrc" else "systemctl enable docker")
    at_boot = host.service.enabled
    return first_case(
        SERVICE,
        (not host.dockerd, BROKEN, "there is no Docker Engine on the host", Hint("Install it", again)),
        (masked, BROKEN, masks, unmask | anew),
        (not host.running, BROKEN, f"{unit} does not run", start),
        (host.unread, UNKNOWN, f"{unit} was changed on disk, and systemd has not read that", Hint("Reload it", read)),
        (at_boot, OK, f"{unit} runs, and is enabled at boot", NO_HINT),
        (not ours and host.socket.active, OK, f"{unit} runs", NO_HINT),
        (True, BROKEN, f"{unit} runs, but is not enabled at boot", Hint("Enable it", again if ours else enable)),
    )


def forgotten_containers_check(host: Facts, shell: Shell) -> Check:
    """Return the finding that containers run without the engine's knowledge."""
    return broken(
        CONTAINERS,
        f"the engine does not know {plural(host.forgotten, 'running container')}, as after its start on a full disk",
        Hint("See what the engine knows", shell.command("docker ps -a"))
        | Hint("with room on its disk, restart it, which ends or restarts them", shell.service("restart", host.init)),
    )


def live_restore_check(host: Facts, shell: Shell, *, owed: bool, configured: bool) -> Check:
    """Check whether containers survive engine restarts by others.

    `configured`: daemon.json sets live-restore. `owed`: machinectl must still restore it.
    """
    on = bool(host.info.get("LiveRestoreEnabled"))
    lost = "a restart of the engine stops its containers"
    theirs = f"{'on' if on else 'off'}: machinectl has not yet restored the host's own value, or that of --engine-opt"
    reload = Hint("Reload it", shell.service("reload", host.init))
    return first_case(
        LIVE,
        (not host.info, UNKNOWN, "the engine does not say, as it cannot be asked on the host", NO_HINT),
        (owed, UNKNOWN, theirs, Hint("Restore it", "machinectl provision", shell.machine)),
        (on, OK, "in effect: containers outlive a restart of the engine", NO_HINT),
        (host.swarm, UNKNOWN, "a Swarm node has none: a restart of its engine stops the tasks on it", NO_HINT),
        (configured, BROKEN, f"on in {host.config_path}, but not in effect: {lost}", reload),
        (True, OK, f"off: {lost}, except machinectl's own restarts", NO_HINT),
    )


def health_checks(found: Health, shell: Shell, init: str, interrupted: bool) -> Iterator[Check]:
    for disk in found.disks:
        yield disk_check(disk, shell)
    yield memory_check(found.memory, shell)
    yield restart_check(found, shell, init, interrupted=interrupted)


def disk_check(disk: FileSystem, shell: Shell) -> Check:
    title = f"{DISK} {disk.directory}"
    if not disk.size:
        return unknown(title, "its size is unknown")
    free, inodes = disk.free / disk.size, disk.inodes_free / disk.inodes if disk.inodes else 1.0
    seen = f"{readable_size(disk.free)} of {readable_size(disk.size)} left"
    if inodes < free:
        seen += f", and {disk.inodes_free} of {disk.inodes} inodes"
    # Quoted twice: for the local and the remote shell.
    fills = Hint("See what fills it", shell.command(f"du -xhd1 {quote_word(quote_word(disk.directory))}"))
    prune = Hint("or drop what no container uses", shell.command("docker system prune"))
    full = min(free, inodes) < FULL or disk.free < min(FULL_KIB, disk.size // 4)
    return first_case(
        title,
        (full, BROKEN, f"{seen}: it is full", fills | prune),
        (min(free, inodes) < FILLING, UNKNOWN, seen, fills),
        (True, OK, seen, NO_HINT),
    )


def memory_check(found: Memory, shell: Shell) -> Check:
    seen = f"{readable_size(found.available)} of {readable_size(found.total)} available"
    if found.swap:
        seen += f", {readable_size(found.swap_free)} of {readable_size(found.swap)} of swap left"
    uses = Hint("See what uses it", shell.plain("ps axo pid,rss,comm --sort -rss"))
    return first_case(
        MEMORY,
        (not found.total or not found.available, UNKNOWN, "unknown: the host does not say", NO_HINT),
        (found.available + found.swap_free < NO_MEMORY_KIB, BROKEN, f"{seen}: it has run out", uses),
        (found.available < found.total * LITTLE_MEMORY, UNKNOWN, seen, uses),
        (True, OK, seen, NO_HINT),
    )


def restart_check(found: Health, shell: Shell, init: str, *, interrupted: bool) -> Check:
    finish = shell.command("dpkg --configure -a")
    whose = f": {', '.join(found.reboot)}" if found.reboot else ""
    reboot = f"machinectl restart {shell.machine}"
    # Containers keep running if only containerd restarts.
    again = shell.command("systemctl restart containerd")
    if "dockerd" in found.replaced:
        again = shell.service("restart", init)
    old = f"{' and '.join(found.replaced)}: upgraded on disk, and an older one runs"
    return first_case(
        RESTART,
        (interrupted, BROKEN, "the package manager was cut short", Hint("Finish it", finish)),
        (found.reboot is not None, UNKNOWN, f"packages wait for a reboot{whose}", Hint("Reboot", reboot)),
        (found.replaced, UNKNOWN, old, Hint("Restart it", again)),
        (True, OK, "no upgrade waits for one", NO_HINT),
    )


def readable_size(kib: int) -> str:
    return memory_size(kib * 1024)
