from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.fleet.variables import DEEPEST, Unexpandable, expand_variables

ENVIRONMENT = {"A": "a", "EMPTY": "", "_B1": "b", "DOLLAR": "${A}$$"}


@pytest.mark.parametrize(
    ("text", "comes_to"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${A}", "a"),
        ("x${A}y${_B1}z", "xaybz"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${NOPE-x}", "x"),
        ("${NOPE:-x}", "x"),
        ("${NOPE:-}", ""),
        ("${A:-${NOPE}}", "a"),
        ("${NOPE:-${EMPTY:-${A}}}", "a"),
        ("${NOPE:-a b:-c}", "a b:-c"),
        ("${NOPE:-{}}", "{}"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("$$${A}", "$a"),
        ("${NOPE:-$${A}}", "${A}"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("pa$word", "pa$word"),
        ("${DOLLAR}", "${A}$$"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, comes_to: str) -> None:
    assert expand_variables(text, ENVIRONMENT) == comes_to


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${NOPE}", "${NOPE} is not set: export NOPE, or write ${NOPE:-text}"),
        ("${NOPE:-${NEITHER}}", "${NEITHER} is not set"),
        ("${}", "is not valid: write ${NAME} or ${NAME:-text}; write $$ for a $ before a brace"),
        ("${1A}", "is not valid"),
        ("${A B}", "is not valid"),
        ("${A:?needed}", "is not valid"),
        ("${A+x}", "is not valid"),
        ("${\u00fc}", "is not valid"),
        ("${A", "a ${ has no closing }"),
        ("${A:-x", "a ${ has no closing }"),
        ("${", "a ${ has no closing }"),
        ("${A:-" * (DEEPEST + 1), f"${{…}} are more than {DEEPEST} levels deep"),
    ],
)
def test_what_cannot_be_filled_in_says_why(text: str, why: str) -> None:
    with pytest.raises(Unexpandable) as raised:
        expand_variables(text, ENVIRONMENT)
    assert why in str(raised.value)


@given(st.text())
def test_a_text_with_its_dollars_doubled_is_what_it_was(text: str) -> None:
    assert expand_variables(text.replace("$", "$$"), {}) == text


@given(st.text(), st.text(), st.text())
def test_what_a_variable_holds_is_filled_in_as_it_is(before: str, value: str, after: str) -> None:
    text = f"{before.replace('$', '$$')}${{A}}{after.replace('$', '$$')}"
    assert expand_variables(text, {"A": value}) == f"{before}{value}{after}"


@given(st.text("${}:-AB ") | st.text())
def test_no_text_makes_anything_but_a_text_or_a_reason(text: str) -> None:
    with suppress(Unexpandable):
        assert isinstance(expand_variables(text, {"A": "geheim"}), str)
