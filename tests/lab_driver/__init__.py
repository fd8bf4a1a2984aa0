"""A driver that makes its hosts: real servers of tests/lab, booted by `create` and taken away by `rm`.

As drivers of that kind do, it keeps what it knows of a host in a JSON text with absolute paths.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from machinectl.driver import (
    CheckFailed,
    DriverError,
    Instance,
    Option,
    Request,
    SSHEndpoint,
    State,
    UsageError,
    Where,
    nothing_to_close,
    options_stay,
    power_at_hand,
)
from machinectl.errors import Hint
from tests.lab.lan import Lab
from tests.lab.place import KEY, RUN
from tests.lab.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.lab.host import Host

ENGINE_PORT = 2376
# A host's containers may take systemd's 90 s to end.
STOP_TIMEOUT = 120.0


class LabDriver:
    """Hosts of a lab that is there already. Whoever makes one shows the lab's token, which `token_file` holds."""

    def options(self) -> Sequence[Option]:
        return [
            Option("lab-number", "Which of this machine's labs.", 0, variable="LAB_NUMBER"),
            Option("lab-suite", "The host's Debian.", "trixie", choices=("trixie", "bookworm")),
            Option("lab-variants", "A kind of host that it is, as `python -m tests.lab variants` lists them.", ()),
            Option("lab-token", "What lets you make hosts.", variable="LAB_TOKEN", required=True, secret=True),
        ]

    def check(self, request: Request) -> None:
        unknown = [name for name in variants(request) if name not in VARIANTS]
        if unknown:
            raise UsageError(
                f"--lab-variants {', '.join(unknown)}: no such kind of host", Hint(f"One of {list(VARIANTS)}")
            )
        token = token_file(number(request))
        if not token.exists() or token.read_text() != request.options["lab-token"]:
            raise CheckFailed(
                f"Lab {number(request)} does not take that token", Hint("Give the right one: --lab-token-file")
            )

    def preview(self, request: Request) -> Where:
        return Where()

    def create(self, request: Request, keep: Callable[[str], None]) -> str:
        state = known(request.state) or {"Owner": uuid.uuid4().hex, "Lab": number(request), "SSHKeyPath": str(KEY)}
        keep(text(state))
        host = Lab(state["Lab"]).up_for(state["Owner"], variants(request), str(request.options["lab-suite"]))
        made = text({**state, "IPAddress": host.ip, "SSHPort": host.port, "SSHUser": "ops"})
        keep(made)
        return made

    def remove(self, instance: Instance) -> None:
        state = known(instance.state)
        if state:
            Lab(state["Lab"]).remove_of(state["Owner"])

    def where(self, instance: Instance) -> Where:
        state = known(instance.state)
        if "IPAddress" not in state:
            return Where()
        ssh = SSHEndpoint(state["IPAddress"], state["SSHUser"], state["SSHPort"], state["SSHKeyPath"])
        return Where(f"tcp://{ssh.host}:{ENGINE_PORT}", ssh)

    def state(self, instance: Instance) -> State | None:
        return State.RUNNING if host_of(instance).is_on else State.STOPPED

    def move(self, instance: Instance, url: str) -> str:
        raise DriverError(
            f"{instance.name} is where its lab has put it, not at {url}", Hint("Create another one there")
        )

    def start(self, instance: Instance) -> str:
        host = host_of(instance)
        if not host.is_on:
            host.boot()
        host.wait_ssh()
        return instance.state

    def stop(self, instance: Instance) -> str:
        host = host_of(instance)
        if host.is_on:
            host.run("systemctl poweroff --no-block")
            host.wait_off(STOP_TIMEOUT)
        return instance.state

    def restart(self, instance: Instance) -> str:
        host_of(instance).reboot()
        return instance.state

    def kill(self, instance: Instance) -> str:
        host_of(instance).poweroff()
        return instance.state

    no_power = power_at_hand
    change = options_stay
    close = nothing_to_close


def token_file(lab: int) -> Path:
    """What must be shown to make hosts of a lab; where there is none, nobody makes any."""
    return RUN / f"{lab}.token"


def number(request: Request) -> int:
    return int(str(request.options["lab-number"]))


def variants(request: Request) -> tuple[str, ...]:
    given = request.options["lab-variants"]
    assert isinstance(given, tuple)
    return given


def text(state: dict[str, Any]) -> str:
    """As other programs write JSON: not as we would, so that whoever writes it anew is found out."""
    return json.dumps(state, indent=1, separators=(" ,", " : ")) + "\n"


def known(state: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state or "{}")
    return found


def host_of(instance: Instance) -> Host:
    state = known(instance.state)
    host = Lab(state["Lab"]).host_of(state["Owner"]) if state else None
    if host is None:
        raise DriverError(f'The lab has no host of "{instance.name}"', Hint("", "machinectl rm", instance.name))
    return host
