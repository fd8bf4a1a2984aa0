"""The API for drivers, which import nothing else from machinectl.

`Driver` is the contract, examples/cupboard an example, `machinectl.testing.DriverContract` the tests. Only the core
uses `installed_drivers`.
"""

from __future__ import annotations

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
from machinectl.errors import CheckFailed, Hint, MachineError, UsageError
from machinectl.files.atomic import read_file
from machinectl.files.atomic import replace_file as write_private_file
from machinectl.json_values import parse_json
from machinectl.ssh.destination import SSHEndpoint
from machinectl.state import State
from machinectl.url import TLS_PORT, EngineURL, parse_url
from machinectl.url import with_port as url_with_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.ssh.destination import Settings as SSHSettings

__all__ = [
    "TLS_PORT",
    "CheckFailed",
    "Driver",
    "DriverError",
    "EngineURL",
    "Hint",
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
    "check_ssh_user",
    "nothing_to_close",
    "nothing_to_give_back",
    "options_stay",
    "parse_json",
    "parse_url",
    "power_at_hand",
    "read_file",
    "ssh_settings",
    "state_unknown",
    "url_with_port",
    "write_private_file",
]


def ssh_settings(endpoint: SSHEndpoint) -> SSHSettings:
    """Return the user's OpenSSH settings (`ssh -G`). Raises MachineError."""
    from machinectl.ssh.ssh_settings import read_settings

    return read_settings(endpoint)


def check_ssh_user(user: OptionValue) -> None:
    """Raise UsageError for a name that ssh or a shell would misread: -oProxyCommand=…, for example."""
    from machinectl.ssh.ssh_settings import check_ssh_user as check

    if user:
        check(str(user))
