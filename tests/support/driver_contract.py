"""What every driver promises, as a class of tests: derive from it, say how a machine of yours is asked for, run pytest.

class TestMyDriver(DriverContract):
    name = "mine"
    wishes = ({"mine-address": "10.0.0.1"},)
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from machinectl import driver as drivers
from machinectl import url as engine_url
from machinectl.cli.create import python_name
from machinectl.driver import Driver, Instance, Option, Request
from machinectl.errors import MachineError
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class DriverContract:
    """Derive, and say what the driver is called and what a machine of it can be asked with."""

    name: ClassVar[str]
    # Options of machines that can be made, without what defaults supply.
    wishes: ClassVar[Sequence[Mapping[str, Any]]]
    # Options that the driver must refuse before anything is made.
    refused: ClassVar[Sequence[Mapping[str, Any]]] = ()

    @pytest.fixture
    def driver(self) -> Driver:
        return drivers.load(self.name)

    @pytest.fixture
    def instances(self, driver: Driver, tmp_path: Path) -> list[Instance]:
        """One machine made for each wish, in a directory of its own."""
        made = []
        for number, wish in enumerate(self.wishes):
            request = self.request(driver, tmp_path / f"machine{number}", wish)
            driver.check(request)
            (tmp_path / f"machine{number}").mkdir()
            made.append(Instance(request.name, request.directory, driver.create(request)))
        return made

    def request(self, driver: Driver, directory: Path, wish: Mapping[str, Any]) -> Request:
        defaults = {option.name: option.default for option in driver.options()}
        return Request(directory.name, str(directory), {**defaults, **wish})

    def test_it_is_found_through_its_entry_point(self) -> None:
        assert self.name in [found.name for found in drivers.installed()]

    def test_its_options_can_be_typed(self, driver: Driver) -> None:
        options = driver.options()
        assert all(isinstance(option, Option) for option in options)
        assert len({python_name(option) for option in options}) == len(options)
        for option in options:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", option.name)
            assert option.help.strip()
            assert isinstance(option.default, str | int | bool | tuple)
            assert re.fullmatch(r"[A-Z0-9_]*", option.variable)

    def test_a_check_changes_nothing(self, driver: Driver, tmp_path: Path) -> None:
        for number, wish in enumerate(self.wishes):
            driver.check(self.request(driver, tmp_path / f"machine{number}", wish))
        assert list(tmp_path.glob("machine*")) == []

    def test_what_it_cannot_make_is_refused_by_its_check(self, driver: Driver, tmp_path: Path) -> None:
        for wish in self.refused:
            with pytest.raises(MachineError) as raised:
                driver.check(self.request(driver, tmp_path / "machine", wish))
            assert raised.value.cause
            assert raised.value.hint

    def test_its_state_is_a_text_that_a_record_can_hold(self, instances: list[Instance]) -> None:
        for instance in instances:
            assert json.loads(json.dumps(instance.state)) == instance.state

    def test_it_says_where_the_engine_is(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            url = driver.url(instance)
            assert not url or str(engine_url.parse(url)) == url

    def test_it_says_where_ssh_is_or_that_there_is_none(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            ssh = driver.ssh(instance)
            assert ssh is None or ssh.host

    def test_it_knows_a_state_or_leaves_it_to_the_engine(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            state = driver.state(instance)
            assert state is None or isinstance(state, State)

    def test_a_machine_follows_its_host_to_another_address(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            try:
                state = driver.move(instance, "tcp://192.0.2.7:2376")
            except MachineError:
                continue
            assert driver.url(Instance(instance.name, instance.directory, state)) == "tcp://192.0.2.7:2376"

    def test_a_machine_can_be_given_back(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            driver.remove(instance)
