"""Drivers whose hosts are files on a shelf: one that keeps its promises, and some that each break one.

test_driver_contract.py runs the contract's tests of them, and says which must fail.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import (
    DriverError,
    Instance,
    Option,
    Request,
    State,
    UsageError,
    Where,
    installed_drivers,
    nothing_to_close,
    options_stay,
    power_at_hand,
)
from machinectl.driver.installed_drivers import Installed
from machinectl.errors import Hint
from machinectl.testing import DriverContract

if TYPE_CHECKING:
    from collections.abc import Callable


class ShelfDriver:
    """Each host is a file, made in two steps; what is in it is whether the host is on."""

    def options(self) -> list[Option]:
        return [
            Option("shelf-path", "The directory that is the shelf.", required=True),
            Option("shelf-size", "How much fits in.", "small", choices=("small", "large")),
            Option("shelf-token", "What opens it.", secret=True, variable="SHELF_TOKEN"),
        ]

    def check(self, request: Request) -> None:
        if not self.shelf(request).is_dir():
            raise UsageError(f"{self.shelf(request)} is no shelf", Hint("Name one: --shelf-path DIR"))

    def preview(self, request: Request) -> Where:
        return Where()

    def create(self, request: Request, keep: Callable[[str], None]) -> str:
        state = request.state or json.dumps({"Path": str(self.shelf(request) / uuid.uuid4().hex)})
        keep(state)
        host = self.host(state)
        host.with_suffix(".half").touch()
        state = json.dumps({"Path": str(host), "IPAddress": "192.0.2.1"})
        keep(state)
        host.write_text("on")
        host.with_suffix(".half").unlink()
        return state

    def remove(self, instance: Instance) -> None:
        if instance.state:
            for path in (self.host(instance.state), self.host(instance.state).with_suffix(".half")):
                path.unlink(missing_ok=True)

    def where(self, instance: Instance) -> Where:
        address = json.loads(instance.state).get("IPAddress")
        return Where(f"tcp://{address}:2376" if address else "")

    def state(self, instance: Instance) -> State | None:
        return State.RUNNING if self.host(instance.state).read_text() == "on" else State.STOPPED

    def move(self, instance: Instance, url: str) -> str:
        raise DriverError(f"{instance.name} stays where it is", Hint("Make another one"))

    def start(self, instance: Instance) -> str:
        return self.switch(instance, "on")

    restart = start

    def stop(self, instance: Instance) -> str:
        return self.switch(instance, "off")

    kill = stop
    no_power = power_at_hand
    change = options_stay
    close = nothing_to_close

    def switch(self, instance: Instance, to: str) -> str:
        self.host(instance.state).write_text(to)
        return instance.state

    def shelf(self, request: Request) -> Path:
        return Path(str(request.options["shelf-path"]))

    def host(self, state: str) -> Path:
        return Path(json.loads(state)["Path"])


class Forgetful(ShelfDriver):
    """Makes its host before it says which one."""

    def create(self, request: Request, keep: Callable[[str], None]) -> str:
        state = super().create(request, lambda _: None)
        keep(state)
        return state


class Doubling(ShelfDriver):
    """Makes another host where one was begun."""

    def create(self, request: Request, keep: Callable[[str], None]) -> str:
        return super().create(Request(request.name, request.directory, request.options), keep)


class Once(ShelfDriver):
    """Cannot give back what is gone."""

    def remove(self, instance: Instance) -> None:
        self.host(instance.state).unlink()


class Eager(ShelfDriver):
    """Makes what it is only asked about."""

    def preview(self, request: Request) -> Where:
        self.create(request, lambda _: None)
        return Where()


class Wrong(ShelfDriver):
    """Previews something else than what it makes."""

    def preview(self, request: Request) -> Where:
        return Where("tcp://192.0.2.2:2376")


class Indiscreet(ShelfDriver):
    """Writes the secret down."""

    def create(self, request: Request, keep: Callable[[str], None]) -> str:
        state = json.loads(super().create(request, keep))
        return json.dumps({**state, "Token": request.options["shelf-token"]})


class Stuck(ShelfDriver):
    """Switches nothing and says it did."""

    def switch(self, instance: Instance, to: str) -> str:
        return instance.state


class TestOnAShelf(DriverContract):
    name = "shelf"
    refused = ({"shelf-path": "/no/such/shelf"}, {"shelf-path": "/", "shelf-size": "huge"})

    @pytest.fixture(autouse=True, params=[ShelfDriver, Forgetful, Doubling, Once, Eager, Wrong, Indiscreet, Stuck])
    def shelf(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        self.path = tmp_path / "shelf"
        self.path.mkdir()
        found = Installed("shelf", "tests", "1", "tests.testing.shelves", request.param)
        monkeypatch.setattr(installed_drivers, "FINDERS", [lambda: [found]])
        wish = {"shelf-path": str(self.path), "shelf-token": "sesame"}
        self.wishes = (wish, {**wish, "shelf-size": "large"})

    def made(self) -> set[str]:
        return {path.name for path in self.path.iterdir()}
