"""The engine options: declared once, kept in the record, and refused where no engine could have them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.machines.engine_options import DECLARED, EngineOptions
from machinectl.machines.record import Machine, parse
from tests.support.program import machinectl

ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=2)


def test_each_option_is_declared_under_one_key_and_one_flag() -> None:
    assert len({option.key for option in DECLARED}) == len({option.flag for option in DECLARED}) == len(DECLARED)
    assert all(option.help.strip() and option.metavar for option in DECLARED)


def test_each_declared_option_is_one_of_create() -> None:
    helped = machinectl("create", "-d", "none", "--help").stdout
    assert [option.flag for option in DECLARED if option.flag not in helped] == []


@given(st.dictionaries(st.sampled_from([option.key for option in DECLARED]) | st.text(), ANYTHING, max_size=6))
def test_what_a_record_holds_is_read_as_far_as_it_is_understood_and_nothing_is_lost(data: dict[str, Any]) -> None:
    options = EngineOptions.load(data)
    empty = {key for key, value in data.items() if value in ("", []) and key not in options.others}
    assert options.dump() == {key: value for key, value in data.items() if key not in empty}


def test_options_go_through_a_record() -> None:
    machine = Machine("orion", "none")
    machine.engine = EngineOptions(options=("mtu=1400",), bind="192.0.2.1")
    assert parse("orion", machine.dump()).engine == machine.engine


def test_a_record_of_0_1_holds_the_mac_address_among_them() -> None:
    text = b'{"schema": 1, "driver": "generic", "url": "", "tls": true, "engine": {"mac": "02:00", "os": "debian"}}'
    machine = parse("orion", text)
    assert (machine.mac, machine.engine) == ("02:00", EngineOptions(os="debian"))


@pytest.mark.parametrize(
    "options",
    [
        EngineOptions(install="by-hand"),
        EngineOptions(bind="orion.local"),
        EngineOptions(env=("A=1", "B")),
    ],
)
def test_what_no_engine_could_be_given_is_refused(options: EngineOptions) -> None:
    with pytest.raises(UsageError) as raised:
        options.check()
    assert raised.value.hint
