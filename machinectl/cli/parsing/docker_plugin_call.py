"""Called by docker, as its plugin: its command lines, read as our own.

docker hands a plugin its whole command line but for its own name, so that its global options stand before the
plugin's: `-H tcp://… machine ls`, `help machine ls` (docker/cli cli-plugins/manager, PluginRunCommand). Part of the
light path: nothing heavy is imported here.
"""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import AS_PLUGIN, THIS
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.go_flags import by_names, rewritten
from machinectl.errors import one_line
from machinectl.machines.flags import Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

PLUGIN = "machine"
# github.com/spf13/cobra, ShellCompRequestCmd; docker/cli cli-plugins/metadata, HookSubcommandName.
COMPLETE, HOOKS = "__complete", "docker-cli-plugin-hooks"
# Of what is said of a command that failed. Characters.
LONGEST_LINE = 500
# docker/cli cli-plugins/metadata, ReexecEnvvar: docker, as it was typed.
TYPED = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
# docker/cli cli/flags, ClientOptions: what may stand before the plugin's name.
GLOBAL = by_names(
    (
        *(
            Flag(*names, metavar="VALUE")
            for names in (
                ("--config",),
                ("-c", "--context"),
                ("-H", "--host"),
                ("-l", "--log-level"),
                ("--tlscacert",),
                ("--tlscert",),
                ("--tlskey",),
            )
        ),
        *(Flag(*names) for names in (("-D", "--debug"), ("--tls",), ("--tlsverify",))),
    )
)


def answer(arguments: Sequence[str]) -> Callable[[], int] | None:
    """The work for what docker asks its plugins between command lines; None where it runs a command line of its user's.

    Those are what may be typed next, and what there is to say of a command that failed.
    """
    if arguments[:1] == [COMPLETE]:
        return lambda: complete(arguments[1:])
    if arguments[1:2] == [HOOKS] and len(arguments) > 2:  # noqa: PLR2004 (what docker tells)
        return lambda: follow_up(arguments[2])
    return None


def complete(words: Sequence[str]) -> int:
    from machinectl.cli.parsing.docker_completion import completion

    rest = list(words)
    rewritten(rest, "", GLOBAL)
    write_out(completion(rest[1:]))
    return 0


def follow_up(request: str) -> int:
    """Answer a hook (docker/cli cli-plugins/hooks: Request, Response); nothing is an answer, too."""
    import json

    from machinectl.commands.docker_plugin.hook import docker_plugin_hook
    from machinectl.machines.store import Store

    try:
        failure = json.loads(request).get("CommandError") or ""
    except (ValueError, RecursionError, AttributeError):
        failure = None
    if not isinstance(failure, str):
        # Another docker's way of asking: whoever reads its error reads nothing of ours beneath.
        return 0
    said = docker_plugin_hook(Store(), failure, os.environ)
    if said:
        # A template of Go's, which the line is to come through as it is.
        template = one_line(said, LONGEST_LINE).replace("{{", '{{"{{"}}')
        write_out(json.dumps({"Type": 0, "Template": template}) + "\n")
    return 0


def own_command_line(arguments: Sequence[str]) -> list[str]:
    """What docker's command line is among ours. From here on, this process is called as docker's plugin.

    What docker was told of the engine to speak to is told to this process as docker's variables tell it.
    """
    words = list(arguments)
    options = rewritten(words, "", GLOBAL)
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
