"""How this program was called, for the commands that it suggests: by its own name, or by docker as its plugin."""

from __future__ import annotations

import os
import sys

import machinectl

NAME = "machinectl"
OWN_DIRECTORY = os.path.dirname(machinectl.__file__)
AS_PLUGIN = "docker machine"
# What the plugin's file puts before what docker says.
BY_DOCKER = "docker-cli-plugin"
# The variables that hold passwords: for SSH, for sudo.
PASSWORDS = ("MACHINECTL_SSH_PASSWORD", "MACHINECTL_SUDO_PASSWORD")
FALSE = {"0", "f", "F", "false", "FALSE", "False"}  # strconv.ParseBool


def is_true(text: str) -> bool:
    """Return whether an environment variable's value switches something on: anything but "" and Go's false."""
    return bool(text) and text not in FALSE


def own_version() -> str:
    """Which program answers: systemd has a machinectl too, whose first line starts with `systemd`."""
    return f"machinectl version {machinectl.__version__} (Docker hosts; {OWN_DIRECTORY})"


class Called:
    """`name` is how a verb of ours is typed, and `script` the program that runs, as in sys.argv.

    `passwords` are those that the environment held, by their variables.
    """

    def __init__(self) -> None:
        self.name = NAME
        self.script = sys.argv[0]
        self.passwords: dict[str, str] = {}

    def take_passwords(self) -> None:
        """Take the passwords out of the environment, so that no program inherits them."""
        found = {variable: os.environ.pop(variable, "") for variable in PASSWORDS}
        self.passwords = {variable: value for variable, value in found.items() if value}


THIS = Called()
