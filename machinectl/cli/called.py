"""How this program was called, for the commands that it suggests: by its own name, or by docker as its plugin."""

from __future__ import annotations

import sys

NAME = "machinectl"
AS_PLUGIN = "docker machine"
# What the plugin's file puts before what docker says.
BY_DOCKER = "docker-cli-plugin"


class Called:
    """`name` is how a verb of ours is typed, and `script` the program that runs, as in sys.argv."""

    def __init__(self) -> None:
        self.name = NAME
        self.script = sys.argv[0]


THIS = Called()
