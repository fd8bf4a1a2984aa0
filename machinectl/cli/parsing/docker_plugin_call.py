"""Translate docker's calls to its plugin into our command lines. Light path.

docker's global options come before the plugin's name: `-H tcp://… machine ls`, `help machine ls` (docker/cli
cli-plugins/manager, PluginRunCommand).
"""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import AS_PLUGIN, THIS
from machinectl.cli.parsing.go_flags import by_names, take_flags
from machinectl.machines.flags import Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

PLUGIN = "machine"
# github.com/spf13/cobra, ShellCompRequestCmd.
COMPLETE = "__complete"
# docker/cli cli-plugins/metadata, ReexecEnvvar: the command word that the user typed.
TYPED = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
# docker/cli cli/flags, ClientOptions: the options before the plugin's name.
VALUED = ("--config", "-c --context", "-H --host", "-l --log-level", "--tlscacert", "--tlscert", "--tlskey")
SWITCHES = ("-D --debug", "--tls", "--tlsverify")
GLOBAL = by_names(
    [*(Flag(*names.split(), metavar="VALUE") for names in VALUED), *(Flag(*names.split()) for names in SWITCHES)]
)


def own_command_line(arguments: Sequence[str]) -> list[str]:
    """Translate docker's command line; from here on this process is docker's plugin.

    Sets docker's environment variables from its options.
    """
    words = list(arguments)
    options = take_flags(words, "", GLOBAL)
    before = ["--debug"] if "--debug" in options else []
    if "--help" in options:
        before.append("help")
    if words[:1] == ["help"]:
        before.append(words.pop(0))
    if words[:1] != [PLUGIN]:
        # A user started the plugin's file by hand, like docker-machine.
        return list(arguments)
    apply_docker_options(options, os.environ)
    THIS.name = AS_PLUGIN
    sys.argv = [os.environ.get(TYPED, "docker"), *arguments]
    return [*before, *words[1:]]


def apply_docker_options(options: Sequence[str], environment: MutableMapping[str, str]) -> None:
    for option in options:
        name, _, value = option.partition("=")
        if name == "--config":
            environment["DOCKER_CONFIG"] = value
        elif name == "--host":
            environment["DOCKER_HOST"] = value
        elif name == "--context":
            environment["DOCKER_CONTEXT"] = value
            # It would override the context (docker/cli cli/command, resolveContextName).
            environment.pop("DOCKER_HOST", None)
