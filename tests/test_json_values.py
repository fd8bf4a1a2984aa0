"""Records are parsed as json.loads parses them, without its modules."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from machinectl.json_values import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def outcome(parse: Any, text: bytes) -> str:
    """Return the value, or the error."""
    try:
        return repr(parse(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@given(VALUES, st.sampled_from([None, 4]), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_a_value_is_the_one_that_json_reads(value: Any, indent: int | None, ascii_only: bool, encoding: str) -> None:
    text = f" {json.dumps(value, indent=indent, ensure_ascii=ascii_only)}\n".encode(encoding)
    assert parse_json(text) == json.loads(text) == value


@given(st.one_of(st.binary(max_size=8), st.text('{}[]":,0123456789.eE-+truefalsn ', max_size=12).map(str.encode)))
def test_other_bytes_are_refused_in_the_words_of_json(text: bytes) -> None:
    assert outcome(parse_json, text) == outcome(json.loads, text)
