"""The driver contract as a test class, to derive from."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.driver import Driver, Instance, MachineError, Option, Request, State, Where, parse_url
from machinectl.driver.driver_options import complete_options, option_flag
from machinectl.driver.installed_drivers import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


# The states that each verb may leave.
SWITCHED = {
    "start": (State.STARTING, State.RUNNING),
    "stop": (State.STOPPED, State.SAVED),
    "restart": (State.STARTING, State.RUNNING),
    "kill": (State.STOPPED,),
}


class Cut(BaseException):
    """Simulates a kill; no driver may catch it."""


class Record:
    """Ends a `create` at the call `cut_at` of `keep`, from 1.

    `written` is whether that call still records its state.
    """

    def __init__(self, cut_at: int, *, written: bool) -> None:
        self.state = ""
        self.written = written
        self._left = cut_at

    def keep(self, state: str) -> None:
        self._left -= 1
        if self._left == 0 and not self.written:
            raise Cut
        self.state = state
        if self._left == 0:
            raise Cut


class DriverContract:
    name: str
    # Options of machines to create; defaults are added.
    wishes: Sequence[Mapping[str, Any]]
    # Options that the driver must refuse before it creates anything.
    refused: Sequence[Mapping[str, Any]] = ()

    def made(self) -> set[str]:
        """Return the names of everything that the driver created and has not removed."""
        return set()

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        driver = self.another()
        yield driver
        driver.close()

    @pytest.fixture
    def requests(self, driver: Driver, tmp_path: Path) -> list[Request]:
        return [self.request(driver, tmp_path / f"machine{n}", wish) for n, wish in enumerate(self.wishes)]

    @pytest.fixture
    def instances(self, driver: Driver, requests: list[Request]) -> Iterator[list[Instance]]:
        before = self.made()
        made: list[Instance] = []
        try:
            for request in requests:
                driver.check(request)
                os.mkdir(request.directory)
                made.append(create_machine(driver, request))
            yield made
        finally:
            for instance in made:
                driver.remove(instance)
        assert self.made() == before

    def another(self) -> Driver:
        """Return a driver without memory, as in another process."""
        return next(found for found in installed() if found.name == self.name).load()

    def request(self, driver: Driver, directory: Path, wish: Mapping[str, Any]) -> Request:
        return Request(directory.name, str(directory), complete_options(self.name, driver.options(), wish))

    def test_its_options_can_be_typed(self, driver: Driver) -> None:
        options = driver.options()
        assert all(isinstance(option, Option) for option in options)
        assert len({option_flag(option) for option in options}) == len(options)
        for option in options:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", option.name)
            assert option.help.strip()
            assert isinstance(option.default, str | int | bool | tuple)
            assert re.fullmatch(r"[A-Z0-9_]*", option.variable)
            # A choice is among texts, a secret is a text without a default, and a path is a text and no secret.
            if option.choices:
                assert isinstance(option.default, str | tuple)
                defaults = option.default if isinstance(option.default, tuple) else (option.default,)
                assert {*defaults} <= {"", *option.choices}
                assert all(choice and isinstance(choice, str) for choice in option.choices)
            assert not option.secret or (option.default, option.choices) == ("", ())
            assert not option.path or (isinstance(option.default, str | tuple) and not option.secret)

    def test_options_take_what_machines_are_made_with(self, driver: Driver, requests: list[Request]) -> None:
        names = {option.name for option in driver.options()}
        for option in driver.options():
            for value in (request.options[option.name] for request in requests):
                if option.check and value != option.default:
                    option.check(value)
                parts = option.locates(str(value)) if option.locates else None
                assert parts is None or names.issuperset(parts)

    def test_no_secret_is_in_its_state(
        self, driver: Driver, requests: list[Request], instances: list[Instance]
    ) -> None:
        secrets = [option.name for option in driver.options() if option.secret]
        for request, instance in zip(requests, instances, strict=True):
            given = [str(request.options[name]) for name in secrets if request.options[name]]
            assert [secret for secret in given if secret in instance.state] == []

    def test_what_it_cannot_make_is_refused_by_its_check(self, driver: Driver, tmp_path: Path) -> None:
        for wish in self.refused:
            before = self.made()
            with pytest.raises(MachineError) as raised:
                driver.check(self.request(driver, tmp_path / "machine", wish))
            assert raised.value.cause
            assert raised.value.hint
            assert self.made() == before

    def test_a_check_and_a_preview_change_nothing(
        self, driver: Driver, requests: list[Request], tmp_path: Path
    ) -> None:
        before = self.made()
        for request in requests:
            driver.check(request)
            driver.preview(request)
        assert list(tmp_path.glob("machine*")) == []
        assert self.made() == before

    def test_it_says_where_engine_and_ssh_are(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            check_where(driver.where(instance))
            assert driver.state(instance) is None or isinstance(driver.state(instance), State)

    def test_what_its_preview_said_came_true(
        self, driver: Driver, requests: list[Request], instances: list[Instance]
    ) -> None:
        for request, instance in zip(requests, instances, strict=True):
            said, found = driver.preview(request), driver.where(instance)
            assert said.url in {"", found.url}
            # The key may have been copied since the preview.
            assert said.ssh is None or (found.ssh and replace(said.ssh, key="") == replace(found.ssh, key=""))

    def test_all_it_knows_of_a_machine_is_in_a_text_that_a_record_can_hold(
        self, driver: Driver, instances: list[Instance]
    ) -> None:
        other = self.another()
        for instance in instances:
            assert json.loads(json.dumps(instance.state)) == instance.state
            assert other.where(instance) == driver.where(instance)
            assert driver.where(instance) == driver.where(instance)
        other.close()
        other.close()
        for instance in instances:
            check_where(driver.where(instance))

    def test_a_create_that_was_cut_is_given_back_by_the_state_on_record(self, requests: list[Request]) -> None:
        for request in requests:
            os.mkdir(request.directory)
            before = self.made()
            for state in self.cuts(request):
                driver = self.another()
                driver.remove(Instance(request.name, request.directory, state))
                driver.remove(Instance(request.name, request.directory, state))
                driver.close()
                assert self.made() == before

    def test_a_create_goes_on_from_the_state_on_record_and_makes_nothing_twice(self, requests: list[Request]) -> None:
        for request in requests:
            os.mkdir(request.directory)
            before = self.made()
            counts = set()
            for state in self.cuts(request):
                driver = self.another()
                instance = create_machine(driver, replace(request, state=state))
                counts.add(len(self.made() - before))
                check_where(driver.where(instance))
                driver.remove(instance)
                driver.close()
                assert self.made() == before
            assert len(counts) == 1

    def cuts(self, request: Request) -> Iterator[str]:
        """Interrupt `create` before and after each `keep` and its end; yield the recorded state.

        The caller removes what was created each time.
        """
        for moment in range(200):
            record = Record(moment // 2 + 1, written=moment % 2 == 1)
            driver = self.another()
            try:
                state = driver.create(request, record.keep)
            except Cut:
                yield record.state
            else:
                yield state if record.written else record.state
                if record.written:
                    return
            finally:
                driver.close()
        pytest.fail("its create hands out states without end")

    def test_what_was_never_made_is_given_back_without_an_error(self, driver: Driver, requests: list[Request]) -> None:
        before = self.made()
        for request in requests:
            driver.remove(Instance(request.name, request.directory, ""))
        assert self.made() == before

    def test_a_machine_is_given_back_once_or_twice_or_after_its_create_was_run_again(
        self, driver: Driver, requests: list[Request], instances: list[Instance]
    ) -> None:
        for request, instance in zip(requests, instances, strict=True):
            before = self.made()
            again = create_machine(driver, replace(request, state=instance.state))
            assert self.made() == before
            driver.remove(again)
            driver.remove(again)

    def test_a_machine_follows_its_host_to_another_address(self, driver: Driver, instances: list[Instance]) -> None:
        for instance in instances:
            try:
                state = driver.move(instance, "tcp://192.0.2.7:2376")
            except MachineError:
                continue
            assert driver.where(replace(instance, state=state)).url == "tcp://192.0.2.7:2376"

    def test_an_option_is_changed_or_stays_with_a_reason(
        self, driver: Driver, instances: list[Instance], requests: list[Request]
    ) -> None:
        for request, instance in zip(requests, instances, strict=True):
            for option in driver.options():
                if option.secret:
                    continue
                try:
                    state = driver.change(instance, {option.name: request.options[option.name]})
                except MachineError as exc:
                    assert exc.cause
                    assert exc.hint
                    continue
                check_where(driver.where(replace(instance, state=state)))

    @pytest.mark.parametrize("verb", SWITCHED)
    def test_power_is_switched_and_leaves_a_state_or_a_reason_why_not(
        self, driver: Driver, instances: list[Instance], verb: str
    ) -> None:
        for position, instance in enumerate(instances):
            foreseen = driver.no_power(instance, verb)
            try:
                state = getattr(driver, verb)(instance)
            except MachineError as exc:
                assert exc.cause
                assert exc.hint
                assert foreseen is None or (type(exc), exc.cause) == (type(foreseen), foreseen.cause)
                continue
            assert foreseen is None
            instances[position] = switched = replace(instance, state=state)
            check_where(driver.where(switched))
            assert driver.state(switched) in {None, *SWITCHED[verb]}


def create_machine(driver: Driver, request: Request) -> Instance:
    return Instance(request.name, request.directory, driver.create(request, lambda _: None))


def check_where(where: Where) -> None:
    """Require docker's notation in URLs, and absolute key paths."""
    assert not where.url or str(parse_url(where.url)) == where.url
    if where.ssh:
        assert where.ssh.host
        assert not where.ssh.key or os.path.isabs(where.ssh.key)
