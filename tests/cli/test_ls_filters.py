from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.tables.machine_rows import MachineRow, parse_filters
from machinectl.errors import UsageError
from machinectl.machines.record import Machine
from machinectl.state import State


def row(name: str = "orionbox", driver: str = "none", state: State = State.NONE, **labels: str) -> MachineRow:
    machine = Machine(name, driver, url="tcp://192.168.0.29:2376", tls=True)
    machine.labels = labels
    return MachineRow(machine, state=state)


def passes(given: list[str], candidate: MachineRow) -> bool:
    filters = parse_filters(given)
    return filters.before_asking(candidate.machine) and filters.after_asking(candidate.state)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], True),
        (["name=orion"], True),
        (["name=rion"], True),
        (["name=^rion"], False),
        (["name=^o.*x$"], True),
        (["name=ORION"], False),
        (["name=(?i)ORION"], True),
        (["name="], True),
        (["driver=none"], True),
        (["driver=NONE"], True),
        (["driver=non"], False),
        (["driver=generic"], False),
        (["label=rack=a"], True),
        (["label=rack=A"], True),
        (["label=RACK=a"], False),
        (["label=rack=b"], False),
        (["label=rack="], False),
        (["label=rack"], True),
        (["label=role"], False),
        (["label=empty="], True),
        (["label=odd=x=y"], True),
        (["swarm=master"], False),
        (["swarm="], True),
        (["NAME=orion", "DrIver=none", "LABEL=rack=a"], True),
    ],
)
def test_a_machine_passes_by_its_record_as_in_docker_machine(given: list[str], passed: bool) -> None:
    assert passes(given, row(rack="a", empty="", odd="x=y")) is passed


def test_the_state_none_is_that_of_a_machine_of_which_nothing_is_known() -> None:
    assert passes(["state=None"], row(state=State.NONE))
    assert not passes(["state=none"], row(state=State.RUNNING))


@pytest.mark.parametrize("given", [["state=Running"], ["state=rUnning"], ["state=Paused", "state=Running"]])
def test_a_state_is_compared_after_the_host_was_asked_whatever_its_case(given: list[str]) -> None:
    filters = parse_filters(given)
    assert filters.needs_state
    assert filters.before_asking(row().machine)
    assert filters.after_asking(State.RUNNING)
    assert not filters.after_asking(State.TIMEOUT)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("x=y", "Unsupported filter key 'x'"),
        ("Foo=bar", "Unsupported filter key 'foo'"),
        ("=bar", "Unsupported filter key ''"),
        ("name", "Unsupported filter syntax"),
        ("", "Unsupported filter syntax"),
    ],
)
def test_an_unknown_filter_is_refused_in_docker_machines_words(given: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_filters(["name=a", given])
    assert refused.value.cause == said
    assert "driver, label, name, state, swarm" in refused.value.hint


@pytest.mark.parametrize("expression", ["[", "*a", "(" * 5000, "a{99999999999999999999}", "(?P<n>", "\\"])
def test_a_name_that_is_not_a_regular_expression_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match="is not a regular expression"):
        parse_filters([f"name={expression}"])


@given(
    st.lists(
        st.text() | st.builds("{}={}".format, st.sampled_from(["name", "label", "STATE", "driver", "swarm"]), st.text())
    ),
)
def test_no_filter_ends_in_anything_but_an_answer_or_a_usage_error(given: list[str]) -> None:
    said = ""
    try:
        assert passes(given, row(rack="a")) in {True, False}
    except UsageError as refused:
        said = refused.cause
    assert said.isprintable()
