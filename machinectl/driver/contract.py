"""The contract of drivers.

A driver creates or registers hosts, locates engine and SSH, and switches power. It never provisions.
"""

from __future__ import annotations

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.value_classes import Frozen, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.state import State
else:
    Protocol = object

OptionValue = str | int | bool | tuple[str, ...] | None


class DriverError(MachineError):
    """A driver is not installed, does not load, or fails."""


class NoPowerSwitch(DriverError):
    """The driver cannot switch power; machinectl then uses SSH, if available.

    `mac` is the network card's address (12:34:56:78:9a:bc), for Wake-on-LAN.
    """

    def __init__(self, cause: str, hint: Hint = NO_HINT, *, mac: str = "") -> None:
        super().__init__(cause, hint)
        self.mac = mac


class Option(Frozen):
    """An option of `create` and a key of fleet.yaml.

    The default's type is the option's: str, int, bool (a flag) or tuple (repeatable). `name` has no leading dashes;
    `variable` is an environment variable. `choices` limits a str or each item of a tuple. A `secret` str has no
    default; it comes from `--NAME-file FILE` or the variable, and is never stored.

    A `path` is local, may begin with ~, and is stored as absolute; in fleet.yaml it is relative to that file. `check`
    looks only at the value and raises UsageError. Machines with equal `identity` options are the same host.

    `locates` is for the option that says where the host is: `create` also takes its value as a word, before the
    machine's name. It returns the options that a text gives (ops@orion:22 gives three), or None for a text of another
    form, and raises UsageError.

    `short` is a shorter name, for --help, fleet files and hints; `name` goes on working there. `letter` is one of i, p
    and u, which `create` reads for any driver.
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
    locates: Callable[[str], Mapping[str, OptionValue] | None] | None = field(default=None, compare=False)
    short: str = ""
    letter: str = ""

    @property
    def shown(self) -> str:
        return self.short or self.name


class Request(Frozen):
    """A machine to create.

    `directory` is absolute, and does not exist yet in `check` and `preview`. `options` has all options. `tls` None: the
    URL decides. `state` is the last state of an interrupted `create`, else "".
    """

    name: str
    directory: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, repr=False)
    tls: bool | None = None
    state: str = ""


class Instance(Frozen):
    """A created machine; `state` is the driver's last state, byte for byte."""

    name: str
    directory: str
    state: str


class Where(Frozen):
    """A machine's engine URL, "" if unknown, and its SSH. Without SSH, it is never provisioned."""

    url: str = ""
    ssh: SSHEndpoint | None = None


class Driver(Protocol):
    """One kind of host. The entry point is a callable that returns a Driver.

    It must be thread-safe, and keep everything about a machine in the machine's state.
    """

    # The options of `create`. Called each time: they may change at run time.
    def options(self) -> Sequence[Option]: ...

    # Raise CheckFailed or UsageError for an invalid request. Changes nothing.
    def check(self, request: Request) -> None: ...

    # Return the machine's future location, as far as known. Changes nothing.
    def preview(self, request: Request) -> Where: ...

    # Create or register the host. Returns the state, a text that is stored byte for byte. Call `keep` with the state
    # before you create anything and after each change, so that a killed `create` can be found. If `request.state` is
    # set, continue from it: never create a second host.
    def create(self, request: Request, keep: Callable[[str], None]) -> str: ...

    # Remove what `create` made, also if it was interrupted: the state is one passed to `keep`, or "". Never changes a
    # host that existed before. May be called twice. Called only if `create` has called `keep`, on this computer.
    def remove(self, instance: Instance) -> None: ...

    # Return the location that the state describes.
    def where(self, instance: Instance) -> Where: ...

    # Return the host's state if the driver knows it without the engine (as a hypervisor does), else None.
    def state(self, instance: Instance) -> State | None: ...

    # Record the engine's new URL. Returns the new state.
    def move(self, instance: Instance, url: str) -> str: ...

    # Change options of `create`. Returns the new state; DriverError if that needs another host. Does not change the
    # host.
    def change(self, instance: Instance, options: Mapping[str, OptionValue]) -> str: ...

    # Return the error that `verb` would raise, if it is known in advance, else None; NoPowerSwitch if the driver never
    # switches power. Changes nothing.
    def no_power(self, instance: Instance, verb: str) -> DriverError | None: ...

    # Switch the host's power. Returns the new state when the host has it. Raises DriverError.
    def start(self, instance: Instance) -> str: ...
    def stop(self, instance: Instance) -> str: ...
    def restart(self, instance: Instance) -> str: ...
    def kill(self, instance: Instance) -> str: ...

    # End connections and processes. May be called twice.
    def close(self) -> None: ...


# Default members for drivers: `remove = nothing_to_give_back`.


def nothing_to_give_back(_driver: object, _instance: Instance) -> None:
    """`remove` for hosts that existed before."""


def state_unknown(_driver: object, _instance: Instance) -> State | None:
    """`state` if only the engine knows."""
    return None


def options_stay(_driver: object, instance: Instance, options: Mapping[str, OptionValue]) -> str:
    """`change` if options cannot be changed."""
    typed = " and ".join(f"--{name}" for name in options)
    raise DriverError(f'"{instance.name}" stays what it was made as: not {typed}', Hint("Make another machine"))


def power_at_hand(_driver: object, _instance: Instance, _verb: str) -> DriverError | None:
    """`no_power` if every host can be switched."""
    return None


def nothing_to_close(_driver: object) -> None:
    """`close` without open connections."""
