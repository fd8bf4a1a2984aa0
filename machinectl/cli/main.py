"""The front door: the verbs that sit in shell start-up, prompts and scripts are answered here without loading Typer.

A command line that is not wholly understood here is left to Typer, which shares the command functions and so prints the
same bytes. Nothing heavy may be imported on this path; tests/cli/test_light_path.py holds the list.
"""

from __future__ import annotations

import gc
import os
import sys

from machinectl.cli.invocation import AS_PLUGIN, BY_DOCKER, THIS
from machinectl.cli.output.exit_status import guarded, program_with
from machinectl.cli.output.stdio import RELAYS, is_for, open_streams
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.go_flags import GROUPS, canonical, flags_of
from machinectl.cli.verbs import light_verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.machines.store import Store

    Answer = Callable[[Store, dict[str, str], list[str], str], int | None]

# Command lines that ask what there is.
HELP: tuple[list[str], ...] = ([], ["--help"], ["help"], ["h"])
STORAGE = "--storage-path="


# So many more objects than die are made before garbage is looked for; what is imported for a verb are fewer.
MANY_OBJECTS = 100_000


def main() -> int:
    """Run the command line and return its exit code."""
    open_streams()
    # Modules live to the end: looking for garbage in them, now and in the end, is a fifth of a short verb's time.
    gc.set_threshold(MANY_OBJECTS)
    try:
        code = answered(sys.argv[1:])
    finally:
        gc.freeze()
    leave_threads(code)
    return code


def leave_threads(code: int) -> None:
    """End the process here where threads are at work that nobody waits for, as those that ask silent hosts.

    They may be within OpenSSL, which the interpreter's end takes away beneath them: a crash, once in a hundred times.
    """
    threading = sys.modules.get("threading")
    others = [each for each in threading.enumerate() if each is not threading.main_thread()] if threading else []
    if not others or not all(each.daemon for each in others):
        return
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 (what the interpreter's end calls; it has no other name)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def answered(arguments: list[str]) -> int:
    """Run a command line, docker's for its plugin too, and return its exit code."""
    THIS.take_passwords()
    if arguments[:1] == [BY_DOCKER]:
        from machinectl.cli.parsing import docker_plugin_call

        if answer := docker_plugin_call.answer(arguments[1:]):
            return guarded(answer)
        arguments = docker_plugin_call.own_command_line(arguments[1:])
    root, work = light(arguments)
    return guarded(work, program=program_with(root)) if work else guarded(lambda: heavy(arguments))


def heavy(arguments: list[str]) -> int:
    """Leave a command line to Typer."""
    if THIS.name == AS_PLUGIN:
        from machinectl.cli.parsing.docker_hangup import end_with_docker

        end_with_docker(os.environ)
    from machinectl.cli.typer_app import run

    return run(arguments)


def light(arguments: Sequence[str]) -> tuple[str, Callable[[], int] | None]:
    """The store that a command line names, and its work where it is understood here."""
    rest = canonical(arguments)
    if rest in HELP:
        return "", help_of_all
    root = take_storage(rest)
    if root is None or not rest:
        return "", None
    verb = rest.pop(0)
    if verb in GROUPS and rest:
        verb = f"{verb} {rest.pop(0)}"
    if verb not in VERBS or (verb in ORDERS and needs_more()):
        return root, None
    known, most, answer = VERBS[verb]
    read = take_options(rest, verb, known)
    if read is None:
        return root, None
    flags, names = read
    if len(names) > most or (verb == "ls" and "quiet" not in flags):
        return root, None

    def work() -> int:
        from machinectl.cli.options.store_followers import Following
        from machinectl.machines.store import Store

        following = Following()
        program = program_with(root)
        if verb in ORDERS:
            is_for(RELAYS)
        store = Store(root, [following], following.said.append)
        try:
            if verb in READERS:
                following.catch_up(store)
            return answer(store, flags, names, program) or 0
        finally:
            if following.has_news:
                from machinectl.cli.output.terminal import Terminal

                following.report(Terminal(program).warn)

    return root, work


def help_of_all() -> int:
    from machinectl.cli.output.help_overview import overview

    write_out(overview())
    return 0


def take_storage(words: list[str]) -> str | None:
    """Take the store off the front; "" where it is not given, None where something else stands there."""
    root = ""
    while words and words[0].startswith("-"):
        if not words[0].startswith(STORAGE):
            return None
        root = words.pop(0).removeprefix(STORAGE)
    return root


def needs_more() -> bool:
    """Whether what surrounds an order asks for what is not known here: passwords, another SSH, a trace, docker."""
    return THIS.name == AS_PLUGIN or bool(THIS.passwords or any(os.environ.get(name) for name in BESIDE))


def take_options(words: Sequence[str], verb: str, known: frozenset[str]) -> tuple[dict[str, str], list[str]] | None:
    """Split what follows the verb into flags and names; None where anything is not among the known options."""
    flags: dict[str, str] = {}
    names: list[str] = []
    takes_value = flags_of(verb)
    for at, word in enumerate(words):
        if word == "--" and verb in ORDERS:
            # What follows is another program's.
            return flags, [*names, *words[at:]]
        if not word.startswith("-"):
            names.append(word)
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        if name not in known or takes_value[name][1] != bool(equals):
            return None
        flags[name.replace("-", "_")] = value
    return flags, names


# Verbs that are followed by two dashes and somebody else's words, and the variables that Typer's way minds for them.
ORDERS = frozenset({"run", "docker"})
BESIDE = ("MACHINE_DEBUG", "MACHINE_NATIVE_SSH")
# Verbs that read machines and do more than print a line for a shell: they update STORE/ssh_config.
READERS = frozenset({"status", "inspect", "certs ls", *ORDERS})
# A verb's options here (what Typer knows beside them is left to it), how many names it takes, and what answers it.
VERBS: dict[str, tuple[frozenset[str], int, Answer]] = {
    "env": (frozenset({"shell", "unset", "no-proxy", "swarm"}), 1, light_verbs.env),
    "active": (frozenset(), 0, light_verbs.active),
    "url": (frozenset(), 1, light_verbs.url),
    "ip": (frozenset(), sys.maxsize, light_verbs.ip),
    "ls": (frozenset({"quiet", "selector"}), 0, light_verbs.ls),
    "status": (frozenset(), 1, light_verbs.status),
    "inspect": (frozenset(), 1, light_verbs.inspect),
    "certs ls": (frozenset(), sys.maxsize, light_verbs.certs_ls),
    "run": (frozenset({"selector", "all", "group", "json", "sudo", "no-persist"}), sys.maxsize, light_verbs.run),
    "docker": (frozenset({"selector", "all", "group", "json"}), sys.maxsize, light_verbs.docker),
    "shell-init": (frozenset({"prompt"}), 1, light_verbs.shell_init),
    "completion": (frozenset(), 1, light_verbs.completion),
}
