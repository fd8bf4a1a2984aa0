from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
import yaml

from machinectl.fleet.yaml_nodes import DEEPEST, Faults, Place, WrongFile, entries_of, items_of, place, read_mapping
from tests.support.fleet_file import fault

if TYPE_CHECKING:
    from machinectl.fleet.yaml_nodes import Entries, Node


def tree(node: Node) -> object:
    """A tree as plain values."""
    if isinstance(node, yaml.MappingNode):
        return {key: tree(entry.value) for key, entry in entries_of(node).items()}
    return node.value if isinstance(node, yaml.ScalarNode) else [tree(item) for item in items_of(node)]


def document(text: str) -> yaml.MappingNode:
    found = Faults("fleet.yaml")
    root = read_mapping(textwrap.dedent(text).encode(), found)
    found.tell()
    return root


def inner(node: Node) -> Entries:
    assert isinstance(node, yaml.MappingNode)
    return entries_of(node)


def test_all_scalars_are_texts_with_their_places() -> None:
    root = document("""\
        a: on
        "b": ['1', 0x1f,
              ~]
        ? c
        : |
          two
          lines
        """)
    assert tree(root) == {"a": "on", "b": ["1", "0x1f", "~"], "c": "two\nlines\n"}
    assert [place(entry.key) for entry in inner(root).values()] == [Place(1, 1), Place(2, 1), Place(4, 3)]
    assert [place(item) for item in items_of(inner(root)["b"].value)] == [Place(2, 7), Place(2, 12), Place(3, 7)]


def test_what_a_mapping_says_itself_counts_more_than_what_it_merges_wherever_that_stands() -> None:
    root = document("""\
        a: &a {x: a, y: a, z: a}
        b: &b {<<: *a, y: b}
        c: {y: c, <<: [*b, {z: c, v: c}], w: c}
        d: {<<: *b, y: d}
        "<<": {plain: no}
        """)
    assert tree(root) == {
        "a": {"x": "a", "y": "a", "z": "a"},
        "b": {"x": "a", "y": "b", "z": "a"},
        "c": {"y": "c", "x": "a", "z": "a", "v": "c", "w": "c"},
        "d": {"x": "a", "y": "d", "z": "a"},
        "<<": {"plain": "no"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts: {}\nhosts: {}", "2:1: 'hosts' is defined twice: first in line 1"),
        ("hosts: {}\nx-a: {b: 1, c: 2, b: 3}", "2:19: 'b' is defined twice: first in line 2"),
        ("hosts: {}\nx-a: {'1': 1, 1: 3}", "2:15: '1' is defined twice: first in line 2"),
        ("hosts: {}\nx-a: {<<: {a: 1}, <<: {b: 1}}", "2:19: '<<' is defined twice: first in line 2"),
        ("hosts: {}\nx-a: {[a]: b}", "2:7: A key is a text, this is a list"),
        ("hosts: {}\nx-a: {<<: b}", "2:7: << takes a mapping, or a list of them; this is a text"),
        ("hosts: {}\nx-a: {<<: [b]}", "2:7: << takes a mapping, or a list of them; this is a text"),
        ("hosts: {}\nx-a: *b", "2:6: This is not YAML: found undefined alias"),
        ("hosts: {}\nx-a: &b [*b]", "2:6: This list or mapping contains itself by an alias"),
        ("hosts: {}\nx-a: &b {<<: *b}", "2:6: This list or mapping contains itself by an alias"),
        ("hosts: {}\nx-a: !!python/object/apply:os.system [id]", "2:6: The tag !!python/object/apply:os.system is not"),
        ("hosts: {}\nx-a: !!binary aGk=", "2:6: The tag !!binary is not supported: write the value without it"),
        ("hosts: {}\nx-a: !mine a", "2:6: The tag !mine is not supported"),
        ("hosts: {\n", "2:1: This is not YAML: while parsing a flow node did not find expected node content"),
        ("hosts:\n  orion:\n  \tdriver: none", "3:3: This is not YAML: while scanning for the next token found"),
        ("hosts: {}\n x: y", "2:2: This is not YAML"),
        ("hosts: {}\n---\nhosts: {}", "2:1: This is not YAML: expected a single document"),
        ("hosts: {}\nx-a: \x07", "1:1: This is not YAML: control characters are not allowed"),
    ],
)
def test_what_is_no_yaml_of_a_fleet_is_refused_by_its_place(text: str, said: str) -> None:
    assert fault(text).startswith(said)


def test_bytes_that_are_not_utf_8_are_refused_by_their_place() -> None:
    for data, at in (
        (b"hosts: {}\n# \xff", "2:1"),
        ("hosts: {}".encode("utf-16"), "1:1"),
        ("\u00fc: \u00fc".encode() + b"\xc3", "1:1"),
    ):
        with pytest.raises(WrongFile, match=f"f:{at}: This is not UTF-8: save the file as UTF-8"):
            read_mapping(data, Faults("f"))


@pytest.mark.parametrize(
    "text", ["- " * 100_000, "? " * 100_000, "a:\n" + "".join(" " * n + "a:\n" for n in range(99))]
)
def test_depth_is_bounded(text: str) -> None:
    assert f"This is more than {DEEPEST} levels deep" in fault(text)
