"""What a driver is: the contract, its options, and how installed drivers are found.

A driver knows where hosts come from: how one is registered, where its engine and its SSH are, and what can be done to
its power. It never provisions. It is found through the entry-point group `machinectl.drivers`, ours as anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Protocol, cast

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.state import State

GROUP = "machinectl.drivers"

OptionValue = str | int | bool | tuple[str, ...] | None


class DriverError(MachineError):
    """A driver is not installed, cannot be loaded, or cannot do what it was asked."""


class NoPowerSwitch(DriverError):
    """The driver cannot reach the host's power: then the host itself is asked, over SSH where it has some.

    `mac` is the address of its network card (12:34:56:78:9a:bc) where the driver knows it: Wake-on-LAN starts it.
    """

    def __init__(self, cause: str, hint: str = "", *, mac: str = "") -> None:
        super().__init__(cause, hint)
        self.mac = mac


@dataclass(frozen=True)
class Option:
    """One option of a driver: a command line option of `create`, a key of fleet.yaml, a line of documentation.

    The default's type is the option's: str, int, bool (a flag), or tuple (may be given many times). `name` is as it is
    typed, without the dashes in front; `variable` is the environment variable that stands in for it.
    """

    name: str
    help: str
    default: str | int | bool | tuple[str, ...] = ""
    variable: str = ""
    required: bool = False


@dataclass(frozen=True)
class Request:
    """A machine to be made: what the user asked of the driver.

    `directory` is the machine's own, absolute; it exists when `create` is called, not yet when `check` is. `tls` says
    whether the engine will be spoken to over TLS, as far as the user said (None: the driver's URL decides).
    """

    name: str
    directory: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    tls: bool | None = None


@dataclass(frozen=True)
class Instance:
    """A machine that was made; `state` is what the driver returned for it last, byte for byte."""

    name: str
    directory: str
    state: str


@dataclass(frozen=True)
class SSHEndpoint:
    """Where a host's SSH is. What is empty or 0 is left to the user's SSH configuration.

    `key` is the path of a private key. `copy_key` asks for its public half to be let in by the host from the first
    login on, which may be by a password.
    """

    host: str
    user: str = ""
    port: int = 0
    key: str = ""
    copy_key: bool = False


class Driver(Protocol):
    """One kind of host. The entry point is a callable without arguments that returns an object like this."""

    # What `create` can be told; asked anew each time, so that it may be known at run time only.
    def options(self) -> Sequence[Option]: ...

    # Refuse what cannot become a machine (CheckFailed or UsageError). Changes nothing anywhere.
    def check(self, request: Request) -> None: ...

    # Make the host, or take note of one that is there. Returns the driver's state, kept as it is, byte for byte.
    def create(self, request: Request) -> str: ...

    # Give back what `create` made. A host that was there before stays as it is.
    def remove(self, instance: Instance) -> None: ...

    # Where the engine is (docker's notation), or "" while there is no saying.
    def url(self, instance: Instance) -> str: ...

    # Where SSH is, or None where there is none: such a machine is never provisioned.
    def ssh(self, instance: Instance) -> SSHEndpoint | None: ...

    # What the host is doing where the driver knows without the engine (a hypervisor does), else None.
    def state(self, instance: Instance) -> State | None: ...

    # The host's engine is at another URL from now on. Returns the new state.
    def move(self, instance: Instance, url: str) -> str: ...

    # The host's power; it has been switched when the call returns. DriverError says why not, NoPowerSwitch where that
    # is because the driver has none.
    def start(self, instance: Instance) -> None: ...
    def stop(self, instance: Instance) -> None: ...
    def restart(self, instance: Instance) -> None: ...
    def kill(self, instance: Instance) -> None: ...


@dataclass(frozen=True)
class Installed:
    """A driver that is installed: its name, the package it comes from, and its entry point."""

    name: str
    package: str
    version: str
    entry_point: metadata.EntryPoint


def installed() -> list[Installed]:
    """Every driver there is, by name; none is loaded for it."""
    found = {}
    for entry_point in metadata.entry_points(group=GROUP):
        package = entry_point.dist
        found[entry_point.name] = Installed(
            entry_point.name,
            package.name if package else "?",
            package.version if package else "?",
            entry_point,
        )
    return [found[name] for name in sorted(found)]


def load(name: str) -> Driver:
    """The driver of that name, and no other one. Raises DriverError."""
    for entry_point in metadata.entry_points(group=GROUP, name=name):
        return start_up(name, entry_point)
    known = ", ".join(driver.name for driver in installed()) or "no drivers"
    raise DriverError(
        f'Driver "{name}" not found. Do you have the plugin installed? (installed: {known})',
        "See the installed drivers: machinectl drivers",
    )


def start_up(name: str, entry_point: metadata.EntryPoint) -> Driver:
    """Load a driver. Somebody else's code runs here, so anything may be raised; it becomes a DriverError."""
    try:
        return cast("Driver", Guarded(name, entry_point.load()()))
    except Exception as exc:
        raise DriverError(
            f'Driver "{name}" ({entry_point.value}) cannot be loaded: {first_line(exc)}',
            "Reinstall or remove its package: machinectl drivers",
        ) from exc


class Guarded:
    """A driver whose members raise nothing but MachineError: what is not is its own fault, and named as that."""

    def __init__(self, name: str, driver: object) -> None:
        self.name = name
        self.driver = driver

    def __getattr__(self, member: str) -> Callable[..., object]:
        def call(*given: object) -> object:
            try:
                return getattr(self.driver, member)(*given)
            except MachineError:
                raise
            except Exception as exc:
                raise DriverError(
                    f'Driver "{self.name}" fails in {member}: {first_line(exc)}',
                    "See where it comes from, and tell them: machinectl drivers",
                ) from exc

        return call


def first_line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {str(exc).partition(chr(10))[0]}"
