"""A JSON text is changed in one place, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.files.json_text import remove_value, set_value

PATH = ["plugins", "machine", "error-hooks"]
KEYS = st.sampled_from(["plugins", "machine", "error-hooks", "auths", 'a"\\b', "é", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(
    KEYS, st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3), max_size=3
)
INDENTS = st.sampled_from([None, "\t", "  ", 4])


def dug(value: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for key in path:
        value = value.setdefault(key, {})
    return value


@given(OBJECTS, INDENTS, st.booleans())
def test_a_value_is_set_and_nothing_else_changes(data: dict[str, Any], indent: str | None, ascii_only: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    changed = json.loads(set_value(text, PATH, "ps"))
    dug(data, PATH[:-1])[PATH[-1]] = "ps"
    assert changed == data


@given(OBJECTS, INDENTS)
def test_what_was_added_is_taken_away_to_the_byte(data: dict[str, Any], indent: str | None) -> None:
    data.pop("plugins", None)
    text = json.dumps({"auths": {}, **data}, indent=indent)
    assert remove_value(set_value(text, PATH, "ps"), PATH) == text
    assert remove_value(text, PATH) == text


@given(OBJECTS, INDENTS)
def test_what_is_taken_away_leaves_all_others(data: dict[str, Any], indent: str | None) -> None:
    left = json.loads(remove_value(json.dumps(data, indent=indent), PATH))
    plugins = data.get("plugins", {})
    machine = plugins.get("machine", {})
    if "error-hooks" in machine:
        del machine["error-hooks"]
        if not machine:
            del plugins["machine"]
        if not plugins:
            del data["plugins"]
    assert left == data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n\t"a": {\n\t\t"b": "x"\n\t}\n}'),
        ("{ }\n", '{\n\t"a": {\n\t\t"b": "x"\n\t}\n}\n'),
        ('{"n": 1.50e2, "n": 1}', '{"n": 1.50e2, "n": 1, "a": {"b": "x"}}'),
        ('{\n    "z": 1\n}\n', '{\n    "z": 1,\n    "a": {\n        "b": "x"\n    }\n}\n'),
        ('{\n\t"a": {\n\t\t"c": []\n\t}\n}', '{\n\t"a": {\n\t\t"c": [],\n\t\t"b": "x"\n\t}\n}'),
        ('{"a": {"b": "old"}}', '{"a": {"b": "x"}}'),
    ],
)
def test_a_new_value_is_laid_out_as_what_is_beside_it(before: str, after: str) -> None:
    assert set_value(before, ["a", "b"], "x") == after


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": {"b": 1}', "null", "\ufeff{}", '{"a": []} x'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own among them
        set_value(text, ["a", "b"], "x")
