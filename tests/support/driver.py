"""The tests' one stand-in for a driver: it is told what its host is like, and keeps what it was told to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from machinectl.driver import DriverError, NoPowerSwitch, Option, State, Where
from machinectl.errors import Hint
from machinectl.machines import machine_driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.driver import Instance, SSHEndpoint


class StandIn:
    """A driver that holds a power switch, or none, and may know its host's state; what it was told is in `told`."""

    told: ClassVar[list[str]] = []

    def __init__(
        self,
        way: SSHEndpoint | None = None,
        *,
        switch: bool = True,
        mac: str = "",
        takes_mac: bool = False,
        knows: Callable[[], State | None] = lambda: None,
    ) -> None:
        self.way = way
        self.switch = switch
        self.mac = mac
        self.takes_mac = takes_mac
        self.knows = knows

    def options(self) -> list[Option]:
        return [Option("fake-mac", "Its MAC address.")] if self.takes_mac else []

    def where(self, instance: Instance) -> Where:
        return Where("", self.way)

    def state(self, instance: Instance) -> State | None:
        return self.knows()

    def no_power(self, instance: Instance, verb: str) -> DriverError | None:
        if not self.switch:
            return NoPowerSwitch(f'no switch for "{instance.name}"', Hint("go there"), mac=self.mac)
        return None

    def start(self, instance: Instance) -> str:
        return self.tell("start", instance)

    def stop(self, instance: Instance) -> str:
        return self.tell("stop", instance)

    def restart(self, instance: Instance) -> str:
        return self.tell("restart", instance)

    def kill(self, instance: Instance) -> str:
        return self.tell("kill", instance)

    def tell(self, verb: str, instance: Instance) -> str:
        if refused := self.no_power(instance, verb):
            raise refused
        if instance.name == "broken":
            raise DriverError("its supply is broken", Hint("replace it"))
        self.told.append(f"{verb} {instance.name}")
        return instance.state


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[StandIn], None]:
    """Have every machine's driver be this one."""
    monkeypatch.setattr(StandIn, "told", [])
    return lambda driver: monkeypatch.setattr(machine_driver, "load", lambda _: driver)
