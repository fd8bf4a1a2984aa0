"""What the light verbs print: the same bytes by the front door and by Typer, as both come here."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.machines.store import Store


def env(store: Store, flags: dict[str, str], names: list[str]) -> str:
    from machinectl.commands.env import env as command

    return command(
        store,
        names,
        shell=flags.get("shell"),
        unset="unset" in flags,
        no_proxy="no_proxy" in flags,
        typed=sys.argv,
        environment=os.environ,
        form=flags.get("format", ""),
    )


def active(store: Store, _flags: dict[str, str], _names: list[str]) -> str:
    from machinectl.commands.active import active as command

    return command(store, os.environ) + "\n"


def url(store: Store, _flags: dict[str, str], names: list[str]) -> str:
    from machinectl.commands.url import url as command

    return command(store, names) + "\n"


def ip(store: Store, _flags: dict[str, str], names: list[str]) -> str:
    from machinectl.commands.url import ip as command

    return "".join(f"{address}\n" for address in command(store, names))


def ls(store: Store, _flags: dict[str, str], _names: list[str]) -> str:
    return "".join(f"{name}\n" for name in store.names())


def shell_init(_store: Store, flags: dict[str, str], names: list[str]) -> str:
    from machinectl.cli.snippets import shell_init as snippet
    from machinectl.shell import program

    words = program(sys.argv[0], os.environ.get("PATH", ""))
    return snippet("".join(names), words, prompt="prompt" in flags)


def completion(_store: Store, _flags: dict[str, str], names: list[str]) -> str:
    from machinectl.cli.snippets import completion as text

    return text("".join(names))
