"""Judge a host's facts: clock, engine, disks, memory, pending restarts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl.doctor.check import broken, ok, unknown
from machinectl.files.atomic import quote_path
from machinectl.go.units import memory_size
from machinectl.provision import preflight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.doctor.check import Check
    from machinectl.provision.facts.health import FileSystem, Health, Memory
    from machinectl.provision.facts.host_facts import Facts

CLOCK, SERVICE, LIVE = "Clock", "Service", "Live-restore"
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
        return ok(CLOCK, f"{seconds:.0f} s from the clock here" if seconds >= 1 else "as the clock here")
    set_it = shell.command("timedatectl set-ntp true") if shell else "timedatectl set-ntp true, typed on the host"
    return broken(
        CLOCK,
        f"the host's is {preflight.clock_skew(off)} here",
        f"See which one is right: date -u; the host's is set by {set_it}",
    )


def clock_off(host: Facts, here: datetime) -> timedelta:
    """Return how far the host's clock is ahead."""
    return datetime.fromtimestamp(host.clock, UTC) - here


def service_check(host: Facts, shell: Shell, *, ours: bool) -> Check:
    """Check the engine's service. `ours`: machinectl set the host up."""
    again = f"machinectl provision {shell.machine}"
    unit = "docker.service" if host.init == "systemd" else "the docker service"
    if not host.dockerd:
        return broken(SERVICE, "there is no Docker Engine on the host", f"Install it: {again}")
    if masked := sorted(host.masked & {"docker.service", "docker.socket"}):
        unmask = f"Unmask it: {shell.command('systemctl unmask ' + ' '.join(masked))}"
        return broken(
            SERVICE,
            f"{' and '.join(masked)}: masked, so that systemd refuses to start the engine",
            f"{unmask}\nThen start it: {shell.service('start', host.init)}",
        )
    if not host.running:
        start = again if ours else shell.service("start", host.init)
        journal = f"; see why it ended: {shell.command('journalctl -eu docker')}" if host.init == "systemd" else ""
        return broken(SERVICE, f"{unit} does not run", f"Start it: {start}{journal}")
    if host.unread:
        read = shell.command("systemctl daemon-reload")
        return unknown(SERVICE, f"{unit} was changed on disk, and systemd has not read that", f"Reload it: {read}")
    if not host.service.enabled and (ours or not host.socket.active):
        enable = "rc-update add docker" if host.init == "openrc" else "systemctl enable docker"
        return broken(
            SERVICE,
            f"{unit} runs, but is not enabled at boot",
            f"Enable it: {again if ours else shell.command(enable)}",
        )
    return ok(SERVICE, f"{unit} runs" + (", and is enabled at boot" if host.service.enabled else ""))


def live_restore_check(host: Facts, shell: Shell, *, owed: bool, configured: bool) -> Check:
    """Check whether containers survive engine restarts by others.

    `configured`: daemon.json sets live-restore. `owed`: machinectl must still restore it.
    """
    if not host.info:
        return unknown(LIVE, "the engine does not say, as it cannot be asked on the host")
    on = bool(host.info.get("LiveRestoreEnabled"))
    if owed:
        seen = f"{'on' if on else 'off'}: machinectl has not yet restored the host's own value, or that of --engine-opt"
        return unknown(LIVE, seen, f"Restore it: machinectl provision {shell.machine}")
    if on:
        return ok(LIVE, "in effect: containers outlive a restart of the engine")
    if host.swarm:
        return unknown(LIVE, "a Swarm node has none: a restart of its engine stops the tasks on it")
    if configured:
        reload = shell.service("reload", host.init)
        off = f"on in {host.config_path}, but not in effect: a restart of the engine stops its containers"
        return broken(LIVE, off, f"Reload it: {reload}")
    return ok(LIVE, "off: a restart of the engine stops its containers, except machinectl's own restarts")


def health_checks(found: Health, shell: Shell, init: str, interrupted: bool) -> Iterator[Check]:
    for disk in found.disks:
        yield disk_check(disk, shell)
    yield memory_check(found.memory, shell)
    yield restart_check(found, shell, init, interrupted=interrupted)


def disk_check(disk: FileSystem, shell: Shell) -> Check:
    title = f"{DISK} {disk.directory}"
    if not disk.size:
        return unknown(title, "it does not tell its size")
    free, inodes = disk.free / disk.size, disk.inodes_free / disk.inodes if disk.inodes else 1.0
    seen = f"{readable_size(disk.free)} of {readable_size(disk.size)} left"
    if inodes < free:
        seen += f", and {disk.inodes_free} of {disk.inodes} inodes"
    # Quoted twice: for the local and the remote shell.
    fills = shell.command(f"du -xhd1 {quote_path(quote_path(disk.directory))}")
    if min(free, inodes) < FULL or disk.free < min(FULL_KIB, disk.size // 4):
        prune = shell.command("docker system prune")
        return broken(
            title, f"{seen}: it is full", f"See what fills it: {fills}; or drop what no container uses: {prune}"
        )
    if min(free, inodes) < FILLING:
        return unknown(title, seen, f"See what fills it: {fills}")
    return ok(title, seen)


def memory_check(found: Memory, shell: Shell) -> Check:
    if not found.total or not found.available:
        return unknown(MEMORY, "the host does not say")
    seen = f"{readable_size(found.available)} of {readable_size(found.total)} available"
    if found.swap:
        seen += f", {readable_size(found.swap_free)} of {readable_size(found.swap)} of swap left"
    uses = shell.plain("ps axo pid,rss,comm --sort -rss")
    if found.available + found.swap_free < NO_MEMORY_KIB:
        return broken(MEMORY, f"{seen}: it has run out", f"See what uses it: {uses}")
    if found.available < found.total * LITTLE_MEMORY:
        return unknown(MEMORY, seen, f"See what uses it: {uses}")
    return ok(MEMORY, seen)


def restart_check(found: Health, shell: Shell, init: str, *, interrupted: bool) -> Check:
    if interrupted:
        return broken(
            RESTART,
            "the package manager was cut short",
            f"Finish it: {shell.command('dpkg --configure -a')}",
        )
    if found.reboot is not None:
        whose = f": {', '.join(found.reboot)}" if found.reboot else ""
        return unknown(RESTART, f"packages wait for a reboot{whose}", f"Reboot: machinectl restart {shell.machine}")
    if found.replaced:
        names = " and ".join(found.replaced)
        # Containers keep running if only containerd restarts.
        unit = "docker" if "dockerd" in found.replaced else "containerd"
        again = shell.service("restart", init) if unit == "docker" else shell.command("systemctl restart containerd")
        return unknown(RESTART, f"{names}: upgraded on disk, and an older one runs", f"Restart it: {again}")
    return ok(RESTART, "no upgrade waits for one")


def readable_size(kib: int) -> str:
    return memory_size(kib * 1024)
