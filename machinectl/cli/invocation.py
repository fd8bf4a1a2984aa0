"""How this program was called: directly, or as docker's plugin."""

from __future__ import annotations

import os
import sys

import machinectl

NAME = "machinectl"
OWN_DIRECTORY = os.path.dirname(machinectl.__file__)
AS_PLUGIN = "docker machine"
# The name of a link to this program, for scripts.
DOCKER_MACHINE = "docker-machine"
# The plugin file passes this word before docker's own arguments.
BY_DOCKER = "docker-cli-plugin"
# Environment variables with passwords for SSH and sudo.
PASSWORDS = ("MACHINECTL_SSH_PASSWORD", "MACHINECTL_SUDO_PASSWORD")
FALSE = {"0", "f", "F", "false", "FALSE", "False"}  # strconv.ParseBool


def is_on(text: str) -> bool:
    """Return whether a variable's value means on: all except "" and Go's false."""
    return bool(text) and text not in FALSE


def own_version() -> str:
    """Return the version line; systemd's machinectl starts its own with `systemd`.

    Scripts take its third word, or look for `docker-machine version`.
    """
    name = DOCKER_MACHINE if THIS.name == DOCKER_MACHINE else NAME
    return f"{name} version {machinectl.__version__} (Docker hosts; {OWN_DIRECTORY})"


class Called:
    """How this program was called: `name` as users type it, `script` as in sys.argv, `passwords` by variable.

    `typed` are the words after the name, `root` is the store in them, or "".
    """

    def __init__(self) -> None:
        self.name = DOCKER_MACHINE if os.path.basename(sys.argv[0]) == DOCKER_MACHINE else NAME
        self.script = sys.argv[0]
        self.typed: list[str] = []
        self.root = ""
        self.passwords: dict[str, str] = {}

    def take_passwords(self) -> None:
        """Remove the passwords from the environment, so that child processes do not inherit them."""
        found = {variable: os.environ.pop(variable, "") for variable in PASSWORDS}
        self.passwords = {variable: value for variable, value in found.items() if value}

    def own_words(self) -> list[str]:
        """Return what was typed, without a command for a host."""
        from machinectl.cli.typed_words import end_of_own

        return self.typed[: end_of_own(self.typed)]

    def corrected(self, wrong: str, right: str) -> str:
        """Return the command line as typed, with another name or image; "" if `wrong` was not typed."""
        from machinectl.cli.typed_words import typed_line

        for at, word in enumerate(self.typed):
            user, sign, place = word.rpartition("@")
            name, colon, path = place.partition(":")
            if wrong in {name, word}:
                changed = right if word == wrong else f"{user}{sign}{right}{colon}{path}"
                return f"{NAME} {typed_line([*self.typed[:at], changed, *self.typed[at + 1 :]])}"
        return ""


THIS = Called()
