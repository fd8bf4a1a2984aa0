"""The contract of drivers and its values.

A driver knows where hosts come from: how to create or register one, where its engine and SSH are, and how to switch its
power. It never provisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.state import State

OptionValue = str | int | bool | tuple[str, ...] | None


class DriverError(MachineError):
    """A driver is not installed, cannot be loaded, or cannot do what it should."""


class NoPowerSwitch(DriverError):
    """The driver cannot switch the host's power: the host itself is asked, over SSH if it has that.

    `mac` is the address of its network card (12:34:56:78:9a:bc) if the driver knows it, for Wake-on-LAN.
    """

    def __init__(self, cause: str, hint: str = "", *, mac: str = "") -> None:
        super().__init__(cause, hint)
        self.mac = mac


@dataclass(frozen=True)
class Option:
    """One option of a driver: an option of `create`, a key of fleet.yaml, and a line of documentation.

    The default's type is the option's: str, int, bool (a flag) or tuple (may be repeated). `name` has no dashes in
    front. `variable` is an environment variable with the same meaning. With `choices`, a str or each item of a tuple
    must be one of them. A `secret` is a str without a default; it comes from a file (`--NAME-file FILE`) or the
    variable, never from the command line, and is never kept.

    A `path` is a str or tuple that names files or directories here; `~` is the home directory. It is kept as an
    absolute path; in fleet.yaml it is relative to that file. `check` raises UsageError for an invalid value and looks
    at nothing else. Machines with the same values in all `identity` options would be one host.
    """

    name: str
    help: str
    default: str | int | bool | tuple[str, ...] = ""
    variable: str = ""
    required: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    path: bool = False
    check: Callable[[OptionValue], object] | None = field(default=None, compare=False)
    identity: bool = False


@dataclass(frozen=True)
class Request:
    """A machine to create, as the user asked for it.

    `directory` is the machine's, absolute; it exists when `create` is called, not yet for `check` and `preview`.
    `options` has a value for each of the driver's options. `tls` is whether the engine will be reached over TLS, if the
    user said so (None: the URL decides). `state` is the last state of an interrupted `create`, else "".
    """

    name: str
    directory: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, repr=False)
    tls: bool | None = None
    state: str = ""


@dataclass(frozen=True)
class Instance:
    """A created machine; `state` is the driver's last state for it, byte for byte."""

    name: str
    directory: str
    state: str


@dataclass(frozen=True)
class Where:
    """Where a machine's engine is, in docker's notation, and its SSH.

    The URL is "" if it is not known yet. A machine without SSH is never provisioned.
    """

    url: str = ""
    ssh: SSHEndpoint | None = None


class Driver(Protocol):
    """One kind of host. A driver's entry point is a callable without arguments that returns such an object.

    Several threads may call it at once, for any number of machines. Everything it knows about a machine is in its
    state.
    """

    # The options of `create`. Called each time, so they may depend on the run time.
    def options(self) -> Sequence[Option]: ...

    # Refuse a request (CheckFailed or UsageError). Changes nothing.
    def check(self, request: Request) -> None: ...

    # Where the machine would be, as far as that is known. Changes nothing.
    def preview(self, request: Request) -> Where: ...

    # Create the host, or register an existing one. Returns the state, a text that is kept byte for byte. `keep` records
    # a state before it returns: call it before anything is created, and whenever the state changes, so that a killed
    # `create` is found again. Continues from `request.state` if that is set, and never creates a second host.
    def create(self, request: Request, keep: Callable[[str], None]) -> str: ...

    # Remove what `create` made, even if it was interrupted: the state is one that it passed on, or "". A host that
    # existed before is not changed. A second call is no error.
    def remove(self, instance: Instance) -> None: ...

    # Where its engine and its SSH are, by its state.
    def where(self, instance: Instance) -> Where: ...

    # The host's state if the driver knows it without the engine (a hypervisor does), else None.
    def state(self, instance: Instance) -> State | None: ...

    # The host's engine has another URL from now on. Returns the new state.
    def move(self, instance: Instance, url: str) -> str: ...

    # Change options of `create`. Returns the new state; DriverError if that needs another host. Changes nothing on the
    # host.
    def change(self, instance: Instance, options: Mapping[str, OptionValue]) -> str: ...

    # The error that one of the four verbs would raise, if that is known before, else None; NoPowerSwitch if the driver
    # cannot switch power at all. Changes nothing.
    def no_power(self, instance: Instance, verb: str) -> DriverError | None: ...

    # Switch the host's power. Returns the new state when that is done. Raises DriverError.
    def start(self, instance: Instance) -> str: ...
    def stop(self, instance: Instance) -> str: ...
    def restart(self, instance: Instance) -> str: ...
    def kill(self, instance: Instance) -> str: ...

    # End its connections and processes. A second call is no error.
    def close(self) -> None: ...


# Members for drivers that have nothing to do there: `remove = nothing_to_give_back`.


def nothing_to_give_back(_driver: object, _instance: Instance) -> None:
    """`remove` for hosts that existed before."""


def state_unknown(_driver: object, _instance: Instance) -> State | None:
    """`state` if only the engine knows."""
    return None


def options_stay(_driver: object, instance: Instance, options: Mapping[str, OptionValue]) -> str:
    """`change` for hosts whose options cannot be changed."""
    typed = " and ".join(f"--{name}" for name in options)
    raise DriverError(f'"{instance.name}" stays what it was made as: not {typed}', "Make another machine")


def power_at_hand(_driver: object, _instance: Instance, _verb: str) -> DriverError | None:
    """`no_power` of a driver that can switch every host."""
    return None


def nothing_to_close(_driver: object) -> None:
    """`close` of a driver that holds nothing open."""
