"""Called by docker, as its plugin: its command lines, read as our own.

docker hands a plugin its whole command line but for its own name, so that its global options stand before the
plugin's: `-H tcp://… machine ls`, `help machine ls` (docker/cli cli-plugins/manager, PluginRunCommand). Part of the
light path: nothing heavy is imported here.
"""

from __future__ import annotations

import os
import sys

from machinectl.cli.called import AS_PLUGIN, THIS
from machinectl.cli.go_flags import named, rewritten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

PLUGIN = "machine"
# docker/cli cli-plugins/metadata, ReexecEnvvar: docker, as it was typed.
TYPED = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
# docker/cli cli/flags, ClientOptions: what may stand before the plugin's name.
GLOBAL = "config= c,context= D,debug H,host= l,log-level= tls tlscacert= tlscert= tlskey= tlsverify"


def own_command_line(arguments: Sequence[str]) -> list[str]:
    """What docker's command line is among ours. From here on, this process is called as docker's plugin.

    What docker was told of the engine to speak to is told to this process as docker's variables tell it.
    """
    words = list(arguments)
    options = rewritten(words, "", named(GLOBAL))
    before = ["--debug"] if "--debug" in options else []
    if "--help" in options:
        before.append("help")
    if words[:1] == ["help"]:
        before.append(words.pop(0))
    if words[:1] != [PLUGIN]:
        # The plugin's file was started by hand, as docker-machine was.
        return list(arguments)
    point(options, os.environ)
    THIS.name = AS_PLUGIN
    sys.argv = [os.environ.get(TYPED, "docker"), *arguments]
    return [*before, *words[1:]]


def point(options: Sequence[str], environment: MutableMapping[str, str]) -> None:
    """Have docker's variables say what its options say, which beat them."""
    for option in options:
        name, _, value = option.partition("=")
        if name == "--config":
            environment["DOCKER_CONFIG"] = value
        elif name == "--host":
            environment["DOCKER_HOST"] = value
        elif name == "--context":
            environment["DOCKER_CONTEXT"] = value
            # Which would beat it (docker/cli cli/command, resolveContextName).
            environment.pop("DOCKER_HOST", None)
