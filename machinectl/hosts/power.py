"""Start hosts by Wake-on-LAN, stop and restart them over SSH, or let the driver do it; wait until they have booted."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.console import SilentConsole, StateNote, confirm
from machinectl.driver import NoPowerSwitch
from machinectl.engine import swarm_api
from machinectl.errors import Declined, Hint, MachineError, UsageError
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.login import logged_in, pin_known_hosts, root_runner
from machinectl.hosts.workers import plan_each, work_on_each
from machinectl.machines.machine_driver import (
    check_ssh_not_withheld,
    driver_instance,
    driver_of,
    endpoint_of,
    endpoints_of,
    flag_of_set,
    save_driver_state,
)
from machinectl.machines.record import Phase
from machinectl.quantities import plural
from machinectl.state import State
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

# Seconds between checks, and seconds per check.
PAUSE = 1.0
LOOK = 5.0
# Seconds for an engine after SSH answers: it starts containers before it listens.
ENGINE_TIMEOUT = 120.0
# Seconds between wake packets until the host answers: a card that is shutting down misses the packet.
WAKE_AGAIN = 10.0
# Changes at each boot (random(4)).
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
END_BOOT = {
    "stop": "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi",
    "restart": "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi",
}
# /info takes a few thousand bytes.
LONGEST_ANSWER = 1 << 20
# Wake-on-LAN: the card looks for the packet in all traffic; UDP's discard port is customary.
PORT = 9
EVERYBODY = "255.255.255.255"
PLANNED = {
    "start": "Switching its host on, and waiting until it answers",
    "stop": "Shutting its host down, and waiting until it is off",
    "restart": "Rebooting its host, and waiting until it answers again",
    "kill": "Switching its host off without asking it",
}


def switch_power(
    store: Store,
    console: Console,
    verb: str,
    names: Sequence[str],
    login: Login,
    *,
    timeout: float,
    yes: bool = False,
    dry_run: bool = False,
) -> Iterator[tuple[str, bool | HostPlan | MachineError]]:
    """Yield for each machine whether its state changed. `yes` skips questions about running containers."""

    def work(held: Held, console: Console, login: Login) -> bool:
        return HostPower(held.machine, console, login, timeout, yes=yes).switch(held, verb)

    def plan(machine: Machine, console: Console, login: Login) -> HostPlan:
        return HostPower(machine, console, login, timeout).plan(verb)

    if dry_run:
        return plan_each(store, console, names, login, plan)
    return work_on_each(store, console, names, login, work)


class HostPower:
    """`timeout` (seconds) limits each wait. Each verb returns False if the host is in that state already."""

    def __init__(self, machine: Machine, console: Console, login: Login, timeout: float, *, yes: bool = False) -> None:
        self.machine, self.console, self.login = machine, console, login
        self.timeout, self.yes = timeout, yes
        self.ssh = endpoints_of(machine).ssh

    def plan(self, verb: str) -> HostPlan:
        """Raise MachineError as the verb would."""
        if verb == "start" and self.ssh_answers():
            return HostPlan((f'"{self.machine.name}" is running already',))
        refused = self.switch_refused(verb)
        if refused and verb == "kill":
            raise refused
        if refused and verb == "start" and (error := unwakeable(self.machine, refused)):
            raise error
        count = container_count(self.machine)
        return HostPlan((count,) if count else (), (Outcome(PLANNED[verb], changed=True),))

    def switch(self, held: Held, verb: str) -> bool:
        verbs = {"start": self.start, "stop": self.stop, "restart": self.restart}
        # `kill` cuts the power, without a shutdown.
        return verbs[verb](held) if verb in verbs else self.by_driver(held, verb)

    def start(self, held: Held) -> bool:
        """Wait until SSH and the engine answer."""
        name = self.machine.name
        if self.ssh_answers():
            self.console.note(StateNote(f'"{name}" is running already'))
            return False
        refused, wake = self.switch_refused("start"), None
        if refused and self.ssh:
            if error := unwakeable(self.machine, refused):
                raise error
            mac = refused.mac or self.machine.mac
            wake = partial(send_wake_packet, mac, self.ssh.host)
            wake()
            self.console.note(f'Wake-on-LAN packets go to "{name}" ({mac}), every {WAKE_AGAIN:.0f} s')
        else:
            self.by_driver(held, "start")
        with self.console.step(f'Waiting until "{name}" has booted, and its SSH and its engine answer'):
            self.until_booted(wake=wake)
            self.until_engine_answers()
        return True

    def stop(self, held: Held) -> bool:
        """Wait until nothing answers."""
        name, refused = self.machine.name, self.switch_refused("stop")
        if refused and self.ssh_answers() is None:
            self.console.note(StateNote(f'"{name}" is stopped already: nothing answers there'))
            return False
        self.agree("stop", refused)
        if not refused:
            return self.by_driver(held, "stop")
        self.end_boot(held, "stop")
        still_up = MachineError(
            f'"{name}" still answers after {self.timeout:.0f} s',
            Hint("See what it waits for", "machinectl ssh", name, "systemctl", "list-jobs"),
        )
        with self.console.step(f'Waiting until "{name}" is off'):
            self.until(self.timeout, lambda: None if self.ssh_answers() is None else still_up)
        return True

    def restart(self, held: Held) -> bool:
        """Wait until SSH and the engine answer after the boot."""
        name, refused = self.machine.name, self.switch_refused("restart")
        self.agree("restart", refused)
        # A reboot may not repair an engine that already failed.
        answered = self.probe_engine().state is State.RUNNING
        node = swarm_api.membership(endpoint_of(self.machine), LOOK) if answered else swarm_api.Membership()
        with draining.drained_node(held, self.console, "" if node.is_out else node.node):
            before = self.end_boot(held, "restart") if refused else ""
            if not refused:
                self.by_driver(held, "restart")
            what = "its SSH and its engine answer" if answered else "its SSH answers"
            with self.console.step(f'Waiting until "{name}" has booted again, and {what}'):
                self.until_booted(before)
                if answered:
                    self.until_engine_answers()
        return True

    def by_driver(self, held: Held, verb: str) -> bool:
        driver = driver_of(self.machine)
        switch = {"start": driver.start, "stop": driver.stop, "restart": driver.restart, "kill": driver.kill}[verb]
        save_driver_state(held, driver, switch(driver_instance(self.machine)))
        # Its address may have changed.
        self.ssh = endpoints_of(self.machine).ssh
        return True

    def switch_refused(self, verb: str) -> NoPowerSwitch | None:
        """Return why SSH is to do it; None if the driver has a power switch. Raises that if there is no SSH."""
        check_ssh_not_withheld(self.machine)
        refused = driver_of(self.machine).no_power(driver_instance(self.machine), verb)
        if refused and (self.ssh is None or not isinstance(refused, NoPowerSwitch)):
            raise refused
        return refused if isinstance(refused, NoPowerSwitch) else None

    def agree(self, verb: str, refused: NoPowerSwitch | None) -> None:
        """Tell what the verb harms; at a terminal, ask. Raises Declined."""
        count = container_count(self.machine)
        if count:
            self.console.note(count)
        lasts = unwakeable(self.machine, refused) if refused and verb == "stop" else None
        if lasts:
            self.console.warn(lasts.cause, lasts.hint)
        if not (count or lasts) or self.yes or not self.console.interactive:
            return
        if not confirm(self.console, f"{verb.capitalize()} it?"):
            raise Declined(
                f'"{self.machine.name}" was left running',
                Hint(f"{verb.capitalize()} it anyway", f"machinectl {verb} -y", self.machine.name),
            )

    def end_boot(self, held: Held, verb: str) -> str:
        """Shut the host down, or reboot it; return the boot's ID."""
        from machinectl.ssh.ssh_errors import CommandFailed, CommandTimeout, RootRefused, SSHError

        pin = partial(pin_known_hosts, held)
        with logged_in(self.machine, self.console, self.login, ssh=self.ssh, pin=pin) as session:
            root = root_runner(session, self.console, self.login)
            boot = session.run(BOOT_ID).text
            try:
                root.run(END_BOOT[verb])
            except (CommandFailed, CommandTimeout, RootRefused):
                raise
            except SSHError:
                # The host closed the connection before it answered.
                pass
        return boot

    def ssh_answers(self) -> bool | None:
        """Return None if the host is silent. One that refuses the connection has stopped sshd but still runs."""
        from machinectl.ssh.ssh_errors import SSHError
        from machinectl.ssh.ssh_settings import read_settings

        if self.ssh is None:
            return None
        settings = read_settings(self.ssh)
        try:
            if settings.is_direct:
                socket.create_connection((settings.hostname, settings.port), LOOK).close()
                return True
            # Behind a jump host, a refused connection and silence look the same.
            with logged_in(self.machine, SilentConsole(), self.login, ssh=self.ssh, timeout=LOOK):
                return True
        except (SSHError, OSError, UnicodeError) as exc:
            return False if ConnectionRefusedError in {type(exc), type(exc.__cause__)} else None

    def until(self, seconds: float, look: Callable[[], MachineError | None]) -> None:
        """Wait until there is no error; raise the last one after the timeout."""
        end = time.monotonic() + seconds
        while error := look():
            if time.monotonic() > end:
                raise error
            self.console.pause(PAUSE)

    def until_booted(self, before: str = "", wake: Callable[[], None] | None = None) -> None:
        """Wait for SSH, without prompts. `before` is the previous boot's ID; `wake` repeats until SSH answers."""
        from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError

        woken = time.monotonic()

        def look() -> MachineError | None:
            nonlocal woken
            try:
                with logged_in(self.machine, SilentConsole(), self.login, ssh=self.ssh, timeout=LOOK) as session:
                    if session.run(BOOT_ID, timeout=LOOK).text != before:
                        return None
                    why = "it has not shut down"
            except HostKeyRefused:
                raise
            except SSHError as exc:
                why = exc.cause
            if wake and time.monotonic() > woken + WAKE_AGAIN:
                wake()
                woken = time.monotonic()
            check = "Check that Wake-on-LAN is on in its firmware" if wake else "Look at the host's own screen"
            return MachineError(
                f'"{self.machine.name}" is not back after {self.timeout:.0f} s: {why}',
                Hint(f"{check}; when it is up", "machinectl status", self.machine.name),
            )

        if self.ssh:
            self.until(self.timeout, look)

    def until_engine_answers(self) -> None:
        name, seconds = self.machine.name, min(self.timeout, ENGINE_TIMEOUT) if self.ssh else self.timeout

        def look() -> MachineError | None:
            probe = self.probe_engine()
            if probe.state in {State.RUNNING, State.NONE}:
                return None
            return MachineError(f'The host of "{name}" is back, but not its engine: {probe.error}', probe.hint)

        self.until(seconds, look)

    def probe_engine(self) -> engine.Probe:
        """Return State.NONE if there is no engine: the machine was never provisioned."""
        has_engine = self.machine.phase == Phase.READY and self.machine.url
        return engine.probe(endpoint_of(self.machine), LOOK) if has_engine else engine.Probe(State.NONE)


def container_count(machine: Machine) -> str:
    """Return how many containers run, or "" if none do or the engine does not answer."""
    try:
        with engine.request(endpoint_of(machine), "GET", "/info", timeout=LOOK) as answer:
            count = json.loads(answer.read(LONGEST_ANSWER))["ContainersRunning"]
    except (MachineError, ValueError, KeyError, TypeError):
        return ""
    return f'"{machine.name}" runs {plural(count, "container")}' if isinstance(count, int) and count else ""


def unwakeable(machine: Machine, refused: NoPowerSwitch) -> MachineError | None:
    """Return the error for a host whose network card is not known."""
    if refused.mac or machine.mac:
        return None
    hint = Hint("Switch it on by hand; to record the address", "machinectl provision", machine.name)
    if option := flag_of_set(machine, "mac"):
        hint = Hint(
            "Find it with ip neigh, or on the router, and set it", f"machinectl set {option} <MAC>", machine.name
        )
    return MachineError(f'"{machine.name}" cannot be woken: the MAC address of its network card is not known', hint)


def magic_packet(mac: str) -> bytes:
    """Accept 12:34:56:78:9a:bc or dashes (AMD's Magic Packet Technology, publication 20213). Raises UsageError."""
    digits = re.sub("[:-]", "", mac)
    if not re.fullmatch("[0-9A-Fa-f]{12}", digits):
        raise UsageError(f"{mac!r} is not a network card's address (MAC)", Hint("Write it as 12:34:56:78:9a:bc"))
    return b"\xff" * 6 + bytes.fromhex(digits) * 16


def send_wake_packet(mac: str, host: str) -> None:
    """Broadcast, and send to the host, for routers that remember its MAC. Raises MachineError if that fails."""
    data = magic_packet(mac)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # A broadcast leaves by the default route, unless it is bound to another card's address.
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, PORT))
            sender.bind((probe.getsockname()[0], 0))
        with suppress(OSError):
            sender.sendto(data, (host, PORT))
        try:
            sender.sendto(data, (EVERYBODY, PORT))
        except OSError as exc:
            raise MachineError(
                f"Cannot send the packet that wakes {mac}: {exc.strerror}",
                Hint("See this computer's network", "ip route"),
            ) from exc
