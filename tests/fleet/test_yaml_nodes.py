from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.fleet.file_errors import Faults, Place, WrongFile
from machinectl.fleet.key_values import LONGEST
from machinectl.fleet.yaml_nodes import DEEPEST, MOST_NODES, entries_of, items_of, place, read_mapping
from tests.support.fleet_file import HOST, fault, fault_of, faults

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


def test_where_the_parser_gives_up_the_line_before_is_to_be_looked_at() -> None:
    with pytest.raises(WrongFile) as raised:
        read_mapping(b"hosts:\n  orion:\n    driver:none\n    url: unix:///run/orion.sock", Faults("f"))
    assert raised.value.hint.startswith("Look at the line before, too: ")
    for text in ("hosts: {orion: {ip-address: ${HOST}}}", "hosts:\n  web[1:3]: {ip-address: 192.0.2.[11:13]}"):
        with pytest.raises(WrongFile) as raised:
            read_mapping(text.encode(), Faults("f"))
        assert raised.value.hint.endswith("quote a text with { or [ in it")


def test_bytes_that_are_not_utf_8_are_refused_by_their_place() -> None:
    for data, at in (
        (b"hosts: {}\n# \xff", "2:1"),
        ("hosts: {}".encode("utf-16"), "1:1"),
        ("\u00fc: \u00fc".encode() + b"\xc3", "1:1"),
    ):
        with pytest.raises(WrongFile, match=f"f:{at}: This is not UTF-8: save the file as UTF-8"):
            read_mapping(data, Faults("f"))


def laughs(first: str, more: str) -> str:
    """A file whose anchors each hold the one before nine times."""
    lines = (more.replace("N", str(n)).replace("BEFORE", ",".join([f"*a{n - 1}"] * 9)) for n in range(1, 12))
    return "\n".join(["hosts: {}", f"x-a0: &a0 {first}", *lines])


@pytest.mark.parametrize(
    "text",
    [
        laughs("[lol, lol]", "x-aN: &aN [BEFORE]"),
        laughs("{a: b}", "x-aN: &aN {<<: [BEFORE]}"),
        laughs("{a: b}", "x-aN: &aN {a: [BEFORE]}"),
    ],
)
def test_what_aliases_expand_to_is_counted(text: str) -> None:
    assert f"Here the file has more than {MOST_NODES} values, aliases included" in fault(text)


@pytest.mark.parametrize(
    "text", ["- " * 100_000, "? " * 100_000, "a:\n" + "".join(" " * n + "a:\n" for n in range(99))]
)
def test_depth_is_bounded(text: str) -> None:
    assert f"This is more than {DEEPEST} levels deep" in fault(text)


def test_a_text_is_bounded_also_in_what_it_comes_to() -> None:
    assert fault_of(f"{HOST}, ssh-user: {'x' * (LONGEST + 1)}").startswith("ssh-user has more than")
    found = fault_of(f"{HOST}, ssh-user: '{'${BIG}' * 9}'", environment={"BIG": "x" * (LONGEST // 8)})
    assert found == f"ssh-user: with its variables, this has more than {LONGEST} characters"


def test_a_file_full_of_faults_is_told_of_in_the_time_that_it_takes_to_read() -> None:
    hosts = "".join(
        f"  host{n}: {{ip-address: h{n}, ssh-jump: jump{n}, groups: [gr{n}], lables: {{}}}}\n" for n in range(300)
    )
    groups = "".join(f"  group{n}: {{}}\n" for n in range(300))
    found = faults(f"defaults: {{driver: generic}}\ngroups:\n{groups}hosts:\n{hosts}")
    assert len(found) == 900
    assert "did you mean labels?" in found[0] + found[1] + found[2]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.text("a\u00fc\U0001f600'", max_size=9)), min_size=1))
def test_a_wrong_key_is_found_where_it_stands(hosts: list[tuple[int, str]]) -> None:
    lines, wanted = ["defaults: {driver: generic}", "hosts:"], []
    for number, (blank, remark) in enumerate(hosts):
        lines += [*[""] * blank, f"  # {remark}"]
        before = f'  h{number}: {{ip-address: h{number}, labels: {{a: "{remark}"}}, '
        lines.append(f"{before}zz: 1}}")
        wanted.append(f"{len(lines)}:{len(before) + 1}")
    assert [line.partition(": ")[0] for line in faults("\n".join(lines))] == wanted
