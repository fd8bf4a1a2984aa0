"""What a driver is: the contract, and the values that it speaks in.

A driver knows where hosts come from: how one is made or registered, where its engine and its SSH are, and what can be
done to its power. It never provisions.
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
    typed, without the dashes in front; `variable` is the environment variable that stands in for it. Of `choices`,
    where there are some, a str or each of a tuple is one. A `secret` is a str without a default that comes from a file
    (typed as `--NAME-file FILE`) or from the variable, never from the command line itself, and is never kept.

    A `path` is a str, or a tuple of such, that names a file or a directory here, `~` being the home directory; it is
    kept as an absolute one, in fleet.yaml from beside that file. `check` raises UsageError for a value that is none,
    whatever the machines are like: it looks at nothing else. Two machines with the same in all the options that make
    its `identity`, where a driver has some, would be one host.
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
    """A machine to be made: what the user asked of the driver.

    `directory` is the machine's own, absolute; it is there when `create` is called, not yet when `check` or `preview`
    is. `options` has a value for each of the driver's. `tls` says whether the engine will be spoken to over TLS, as
    far as the user said (None: the driver's URL decides). `state` is what an earlier `create` that did not come to its
    end has handed out last, else "".
    """

    name: str
    directory: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, repr=False)
    tls: bool | None = None
    state: str = ""


@dataclass(frozen=True)
class Instance:
    """A machine that was made; `state` is what the driver handed out for it last, byte for byte."""

    name: str
    directory: str
    state: str


@dataclass(frozen=True)
class Where:
    """Where a machine's engine is (docker's notation), and where its SSH is.

    The URL is "" while there is no saying. Without SSH the machine is never provisioned.
    """

    url: str = ""
    ssh: SSHEndpoint | None = None


class Driver(Protocol):
    """One kind of host. What makes one is a callable without arguments that returns an object like this.

    It may be called from several threads at once, for as many machines. All it knows of one is in its state.
    """

    # What `create` can be told; asked anew each time, so that it may be known at run time only.
    def options(self) -> Sequence[Option]: ...

    # Refuse what cannot become a machine (CheckFailed or UsageError). Changes nothing anywhere.
    def check(self, request: Request) -> None: ...

    # Where the machine would be once it was made, as far as that can be said before. Changes nothing anywhere.
    def preview(self, request: Request) -> Where: ...

    # Make the host, or take note of one that is there. Returns the state, a text that is kept as it is, byte for byte.
    # What is made here must be found again by whoever comes after a kill: `keep` puts a state on record before it
    # returns, and is called before anything is made, and as often as that state changes. Goes on from `request.state`,
    # where there is one, and never makes a second host.
    def create(self, request: Request, keep: Callable[[str], None]) -> str: ...

    # Give back what `create` made, also where it was cut: the state is one that it handed out, or "". A host that was
    # there before stays as it is. A second time is no error.
    def remove(self, instance: Instance) -> None: ...

    # Where its engine and its SSH are, by what the state says.
    def where(self, instance: Instance) -> Where: ...

    # What the host is doing where the driver knows without the engine (a hypervisor does), else None.
    def state(self, instance: Instance) -> State | None: ...

    # The host's engine is at another URL from now on. Returns the new state.
    def move(self, instance: Instance, url: str) -> str: ...

    # These options of `create` are others from now on. Returns the new state; DriverError where it takes another host.
    # Nothing is changed but what is known here.
    def change(self, instance: Instance, options: Mapping[str, OptionValue]) -> str: ...

    # Why the driver cannot switch the host's power by one of the four verbs, as far as it knows before, else None: what
    # that verb raises then; NoPowerSwitch where the driver has no switch. Changes nothing anywhere.
    def no_power(self, instance: Instance, verb: str) -> DriverError | None: ...

    # The host's power; it has been switched when the call returns the new state. DriverError says why not.
    def start(self, instance: Instance) -> str: ...
    def stop(self, instance: Instance) -> str: ...
    def restart(self, instance: Instance) -> str: ...
    def kill(self, instance: Instance) -> str: ...

    # Nothing of it is used any more: end its connections and processes. A second time is no error.
    def close(self) -> None: ...


# What a driver takes for a member of its own where it has nothing to do there: `remove = nothing_to_give_back`.


def nothing_to_give_back(_driver: object, _instance: Instance) -> None:
    """`remove` of hosts that were there before."""


def state_unknown(_driver: object, _instance: Instance) -> State | None:
    """`state` where the engine alone can say."""
    return None


def options_stay(_driver: object, instance: Instance, options: Mapping[str, OptionValue]) -> str:
    """`change` of hosts that are what they were made as."""
    typed = " and ".join(f"--{name}" for name in options)
    raise DriverError(f'"{instance.name}" stays what it was made as: not {typed}', "Make another machine")


def power_at_hand(_driver: object, _instance: Instance, _verb: str) -> DriverError | None:
    """`no_power` of a driver that holds the switch of every host."""
    return None


def nothing_to_close(_driver: object) -> None:
    """`close` of what holds nothing open."""
