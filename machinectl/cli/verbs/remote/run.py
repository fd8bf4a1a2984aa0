"""The verbs `run` and `docker`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access

# Separates names from the command.
DASHES = "--"


def run(
    here: Session,
    *,
    words: list[str],
    access: Access,
    selector: str | None,
    everything: bool,
    group: bool,
    as_json: bool,
    timeout: float | None,
    sudo: bool,
    parallel: int | None,
    no_persist: bool,
) -> int:
    from machinectl.cli.verbs.remote.fan_out import run_on_machines as command

    flags = given_flags(
        selector=selector,
        all=everything,
        group=group,
        json=as_json,
        timeout=timeout,
        sudo=sudo,
        parallel=parallel,
        no_persist=no_persist,
    )
    return command(
        here.store, here.console, with_dashes(here, words), access, flags, here.program, native=here.native_ssh
    )


def docker(
    here: Session,
    *,
    words: list[str],
    selector: str | None,
    everything: bool,
    group: bool,
    as_json: bool,
    timeout: float | None,
    parallel: int | None,
) -> int:
    from machinectl.cli.verbs.remote.fan_out import docker_on_machines as command

    flags = given_flags(
        selector=selector, all=everything, group=group, json=as_json, timeout=timeout, parallel=parallel
    )
    return command(here.store, here.console, with_dashes(here, words), flags, here.program)


def with_dashes(here: Session, words: list[str]) -> list[str]:
    """Restore the two dashes, which Typer removes."""
    arguments = here.arguments
    after = arguments[arguments.index(DASHES) :] if DASHES in arguments else []
    return [*words[: len(words) - len(after) + 1], *after] if after else words


def given_flags(**options: str | float | bool | None) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if value is not None and value is not False}
