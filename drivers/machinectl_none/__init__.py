"""The driver for hosts that are already set up."""

from __future__ import annotations

from functools import partialmethod

from machinectl.driver import (
    DriverError,
    Hint,
    Instance,
    Option,
    Request,
    Where,
    nothing_to_close,
    nothing_to_give_back,
    options_stay,
    parse_json,
    parse_url,
    state_unknown,
    url_with_port,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn


class NoneDriver:
    """Registers an engine's URL. Uses no SSH and never changes the host."""

    def options(self) -> Sequence[Option]:
        return [
            Option(
                "url",
                "Where the engine is: tcp://host[:port], unix:///path or ssh://[user@]host[:port].",
                required=True,
                check=lambda value: parse_url(str(value)),
                identity=True,
                locates=lambda text: {"url": text} if "://" in text else None,
            )
        ]

    def check(self, request: Request) -> None:
        wanted_url(request)

    def preview(self, request: Request) -> Where:
        return Where(wanted_url(request))

    def create(self, request: Request, keep: Callable[[str], None]) -> str:  # noqa: ARG002 (the contract's)
        return make_state(wanted_url(request))

    remove = nothing_to_give_back

    def where(self, instance: Instance) -> Where:
        return Where(str(parse_json(instance.state)["URL"]))

    state = state_unknown

    def move(self, instance: Instance, url: str) -> str:  # noqa: ARG002 (the contract's)
        return make_state(url)

    def no_power(self, instance: Instance, verb: str) -> DriverError:
        return DriverError(
            f'Driver "none" cannot {verb} the host of "{instance.name}": it only knows the URL',
            Hint("Do it on the host itself"),
        )

    def _refuse(self, verb: str, instance: Instance) -> NoReturn:
        raise self.no_power(instance, verb)

    start = partialmethod(_refuse, "start")
    stop = partialmethod(_refuse, "stop")
    restart = partialmethod(_refuse, "restart")
    kill = partialmethod(_refuse, "kill")

    change = options_stay
    close = nothing_to_close


def wanted_url(request: Request) -> str:
    return url_with_port(str(request.options["url"]), tls=request.tls)


def make_state(url: str) -> str:
    import json

    return json.dumps({"URL": url})
