"""The one door for drivers: all that one may import from machinectl is here.

`Driver` is the contract, in `contract`; `finding` is for the core alone. A whole driver, to copy: examples/cupboard. To
see that yours keeps the promises, derive a test from `machinectl.testing.DriverContract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.driver.contract import (
    Driver,
    DriverError,
    Instance,
    NoPowerSwitch,
    Option,
    OptionValue,
    Request,
    Where,
    nothing_to_close,
    nothing_to_give_back,
    options_stay,
    power_at_hand,
    state_unknown,
)
from machinectl.errors import CheckFailed, MachineError, UsageError
from machinectl.files.atomic import read_file
from machinectl.files.atomic import replace_file as write_private_file
from machinectl.ssh.destination import SSHEndpoint
from machinectl.state import State
from machinectl.url import TLS_PORT, EngineURL
from machinectl.url import parse as parse_url
from machinectl.url import with_port as url_with_port

if TYPE_CHECKING:
    from machinectl.ssh.ssh_settings import Settings as SSHSettings

__all__ = [
    "TLS_PORT",
    "CheckFailed",
    "Driver",
    "DriverError",
    "EngineURL",
    "Instance",
    "MachineError",
    "NoPowerSwitch",
    "Option",
    "OptionValue",
    "Request",
    "SSHEndpoint",
    "State",
    "UsageError",
    "Where",
    "nothing_to_close",
    "nothing_to_give_back",
    "options_stay",
    "parse_url",
    "power_at_hand",
    "read_file",
    "ssh_settings",
    "state_unknown",
    "url_with_port",
    "write_private_file",
]


def ssh_settings(endpoint: SSHEndpoint) -> SSHSettings:
    """What the user's OpenSSH would use for a host (`ssh -G`). Raises MachineError where it refuses to say."""
    from machinectl.ssh.ssh_settings import read_settings

    return read_settings(endpoint)
