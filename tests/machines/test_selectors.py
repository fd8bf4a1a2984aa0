"""Label selectors mean what kubectl's do, and where one is wrong, it is said where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.machines.label_selectors import parse_selector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Labels = Mapping[str, str]

WEB = {"role": "web", "rack": "a"}


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ("role=web", WEB, True),
        ("role==web", WEB, True),
        ("role=web", {}, False),
        ("role=", {"role": ""}, True),
        ("role!=db", WEB, True),
        ("role!=web", WEB, False),
        # As kubectl has it: what is not there is not that.
        ("role!=web", {}, True),
        ("role in (web,db)", WEB, True),
        ("role in (db)", WEB, False),
        ("role in (db,)", {"role": ""}, True),
        ("role notin (web,db)", WEB, False),
        ("role notin (db)", WEB, True),
        ("role notin (db)", {}, True),
        ("role", WEB, True),
        ("role", {}, False),
        ("!role", WEB, False),
        ("!role", {}, True),
        ("role=web,rack=a", WEB, True),
        ("role=web,rack=b", WEB, False),
        (" role = web , rack in (a,b) , !spare ", WEB, True),
        # Words of the language are words elsewhere.
        ("in in (in,notin)", {"in": "notin"}, True),
        ("example.com/role=web_1.2-x", {"example.com/role": "web_1.2-x"}, True),
        ("größe=ß", {"größe": "ß"}, True),
    ],
)
def test_a_selector_selects_as_kubectls_does(selector: str, labels: Labels, selected: bool) -> None:
    assert parse_selector(selector).selects(labels) is selected


@pytest.mark.parametrize(
    ("selector", "at"),
    [
        (",", 1),
        ("role=web,", 10),
        ("=web", 1),
        ("!", 1),
        ("!role=web", 1),
        ("rack,role=web rack=a", 6),
        ("count>3", 1),
        ("role in web", 1),
        ("role in (web db)", 1),
        ("role in (web))", 1),
    ],
)
def test_what_is_no_selector_is_refused_where_it_is_wrong(selector: str, at: int) -> None:
    with pytest.raises(UsageError) as refused:
        parse_selector(selector)
    assert refused.value.cause == f"--selector {selector!r} is wrong from character {at} on"
    assert "role notin (web,db)" in refused.value.hint


@pytest.mark.parametrize("selector", ["", " ", "\t"])
def test_an_empty_one_selects_not_all_but_nothing(selector: str) -> None:
    """As a script gives it whose variable is not set."""
    with pytest.raises(UsageError, match="would select all"):
        parse_selector(selector)


KEYS = st.sampled_from(["role", "rack", "in", "a/b", "x"])
WORDS = st.sampled_from(["web", "db", "in", "notin", "", "1"])
BLANKS = st.sampled_from(["", " ", "\t "])


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Callable[[Labels], bool]]:
    """A condition as it is written, and what it means in Python's own words."""
    key, word, words = draw(KEYS), draw(WORDS), draw(st.lists(WORDS, min_size=1, max_size=3))
    blank, inside = draw(BLANKS), ",".join(f"{draw(BLANKS)}{each}{draw(BLANKS)}" for each in words)
    kinds: list[tuple[str, Callable[[Labels], bool]]] = [
        (f"{key}{blank}={blank}{word}", lambda labels: labels.get(key) == word),
        (f"{key}=={word}", lambda labels: labels.get(key) == word),
        (f"{key}{blank}!={blank}{word}", lambda labels: labels.get(key) != word),
        (f"{key} in{blank}({inside})", lambda labels: labels.get(key) in words),
        (f"{key} notin{blank}({inside})", lambda labels: labels.get(key) not in words),
        (f"{blank}{key}{blank}", lambda labels: key in labels),
        (f"{blank}!{blank}{key}", lambda labels: key not in labels),
    ]
    return draw(st.sampled_from(kinds))


@given(st.lists(conditions(), min_size=1, max_size=4), st.dictionaries(KEYS, WORDS), BLANKS)
def test_all_that_is_asked_must_hold(
    asked: list[tuple[str, Callable[[Labels], bool]]], labels: Labels, blank: str
) -> None:
    selector = f"{blank},{blank}".join(text for text, _ in asked)
    assert parse_selector(selector).selects(labels) is all(holds(labels) for _, holds in asked)
