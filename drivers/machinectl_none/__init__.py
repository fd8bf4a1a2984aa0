"""The driver of a host that is set up already: it knows the engine's URL and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from machinectl import url as engine_url
from machinectl.driver import DriverError, Instance, Option, Request, SSHEndpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.state import State


class NoneDriver:
    """Registers an engine by its URL. No SSH is tried, and the host is never changed."""

    def options(self) -> Sequence[Option]:
        return [
            Option(
                "url",
                "Where the engine is: tcp://host[:port], unix:///path or ssh://[user@]host[:port].",
                required=True,
            )
        ]

    def check(self, request: Request) -> None:
        wanted_url(request)

    def create(self, request: Request) -> str:
        return state_of(wanted_url(request))

    def remove(self, instance: Instance) -> None:
        pass

    def url(self, instance: Instance) -> str:
        return str(json.loads(instance.state)["URL"])

    def ssh(self, instance: Instance) -> SSHEndpoint | None:  # noqa: ARG002 (the contract's)
        return None

    def state(self, instance: Instance) -> State | None:  # noqa: ARG002 (the contract's)
        return None

    def move(self, instance: Instance, url: str) -> str:  # noqa: ARG002 (the contract's)
        return state_of(url)

    def start(self, instance: Instance) -> None:
        cannot("start", instance)

    def stop(self, instance: Instance) -> None:
        cannot("stop", instance)

    def restart(self, instance: Instance) -> None:
        cannot("restart", instance)

    def kill(self, instance: Instance) -> None:
        cannot("kill", instance)


def wanted_url(request: Request) -> str:
    """The URL asked for, with the port that docker's clients would take where it has none."""
    return engine_url.with_port(str(request.options["url"]), tls=request.tls)


def state_of(url: str) -> str:
    return json.dumps({"URL": url})


def cannot(verb: str, instance: Instance) -> NoReturn:
    raise DriverError(
        f'Machine "{instance.name}" cannot be told to {verb}: driver "none" only knows its URL',
        "Do it on the host itself",
    )
