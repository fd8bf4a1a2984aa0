"""Read the values of keys, each once for all hosts. Environment variables are expanded as compose does it.

`${NAME}`, `${NAME:-text}` if NAME is empty or unset, `${NAME-text}` if unset. `$$`, or a `$` before other text, is `$`.
Values are not expanded again. See https://docs.docker.com/reference/compose-file/interpolation/.
"""

from __future__ import annotations

import os
import re
import shlex
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import yaml

from machinectl.errors import MachineError
from machinectl.files.user_files import is_exposed
from machinectl.fleet.fleet_keys import Key, Kind
from machinectl.fleet.yaml_nodes import Wrong, is_null, items_of, kind_of, place
from machinectl.machines.engine_options import each_once, read_env_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.driver import OptionValue
    from machinectl.fleet.yaml_nodes import Faults, Node, Place

T = TypeVar("T")
# YAML 1.1's words (https://yaml.org/type/bool.html).
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# Python reads at most 4,300 digits; no option needs more than 18.
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
VARIABLE = re.compile(r"\$(?:\$|\{(?:([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^${}]*))?\})?)", re.ASCII)


def expand_variables(text: str, environment: Mapping[str, str], used: dict[str, str]) -> str:
    """Expand variables and add them to `used`. Raises ValueError, without their values."""

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if match[0] == "$$":
            return "$"
        if name is None:
            raise ValueError("a ${…} is not valid: write ${NAME} or ${NAME:-text}; write $$ for a $ before a brace")
        if operator and (name not in environment or (operator == ":-" and not environment[name])):
            return str(default)
        if name not in environment:
            raise ValueError(f"${{{name}}} is not set: export {name}, or write ${{{name}:-text}}")
        used[name] = environment[name]
        return environment[name]

    return VARIABLE.sub(value, text)


class KeyValues:
    """Reads values and files; adds each error once.

    `directory` is the fleet file's, for relative paths. Values of `environment` variables are hidden in errors.
    """

    def __init__(self, directory: str, environment: Mapping[str, str], faults: Faults) -> None:
        self.directory = directory
        self.environment = environment
        self.faults = faults
        # By key and node, in a tuple; None for an error.
        self._known: dict[tuple[int, int], tuple[OptionValue] | None] = {}

    def value(self, key: Key, node: Node) -> OptionValue:
        """Return a value, or the key's default after an error."""
        at = (id(key), id(node))
        if at not in self._known:
            try:
                self._known[at] = (self.read(key, node),)
            except Wrong as wrong:
                self.faults.add(wrong.place, wrong.why)
                self._known[at] = None
        known = self._known[at]
        return known[0] if known else key.default

    def is_wrong(self, key: Key, node: Node) -> bool:
        return self._known[id(key), id(node)] is None

    def variables(self, paths: Sequence[str], place: Place, own: Sequence[str]) -> tuple[str, ...]:
        lines: list[str] = []
        for path in paths:
            lines += self.read_or(partial(read_env_file, path, environment=self.environment), place) or ()
        return each_once([*lines, *own])

    def read_or(self, read: Callable[[], T], place: Place) -> T | None:
        """Return None after an error."""
        try:
            return read()
        except MachineError as exc:
            self.faults.add(place, exc.cause)
            return None

    def read(self, key: Key, node: Node) -> OptionValue:
        """Convert a node. Raises Wrong, without variables' values."""
        value: OptionValue
        if key.kind is Kind.TEXTS and not isinstance(node, yaml.MappingNode):
            value = () if is_null(node) else tuple(self.text_of(key, item) for item in items_of(node))
        else:
            value = text = self.text_of(key, node)
            if key.kind is Kind.SWITCH:
                value = SWITCHES.get(text.lower(), text)
            elif key.kind is Kind.NUMBER and WHOLE_NUMBER.fullmatch(text):
                value = int(text)
            if value is text and key.kind is not Kind.TEXT:
                raise wrong_kind(key, node)
        if key.check and value != key.default:
            try:
                key.check(value)
            except MachineError as exc:
                raise Wrong(place(node), reason(key, node, exc)) from exc
        return value

    def text_of(self, key: Key, node: Node) -> str:
        """Expand variables, and make paths absolute. Raises Wrong."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            raise wrong_kind(key, node)
        text = self.expanded(key.name, node)
        if key.choices and text not in key.choices and text != key.default:
            raise Wrong(place(node), f"{key.name}: {node.value!r} is not one of {', '.join(key.choices)}")
        if not key.is_path or not text:
            return text
        file = place(node).file
        directory = os.path.dirname(os.path.abspath(file)) if file else self.directory
        path = os.path.normpath(os.path.join(directory, os.path.expanduser(text)))
        if text != node.value:
            self.faults.hidden.add(path, node.value)
        if key.is_secret:
            check_secret_file(key, node, path)
        return path

    def expanded(self, name: str, node: yaml.ScalarNode) -> str:
        """Expand variables. Raises Wrong."""
        text: str = node.value
        if "$" in text:
            used: dict[str, str] = {}
            try:
                text = expand_variables(text, self.environment, used)
            except ValueError as exc:
                raise Wrong(place(node), f"{name}: {exc}") from exc
            for variable, value in used.items():
                self.faults.hidden.add(value, f"${{{variable}}}")
        if not text.isprintable() and CONTROLS.search(text):
            raise Wrong(place(node), f"{name} contains a line break or another control character")
        return text


def reason(key: Key, node: Node, error: MachineError) -> str:
    """Return an option's error, without variables' values."""
    texts = [item.value for item in items_of(node) if isinstance(item, yaml.ScalarNode)]
    if unclear := " ".join(repr(text) for text in texts if "$" in text):
        return f"{key.name}: the value of {unclear} is not valid"
    return ". ".join(filter(None, (f"{key.name}: {error.cause}", error.hint)))


def wrong_kind(key: Key, node: Node) -> Wrong:
    kind = "a text" if key.kind is Kind.TEXTS and isinstance(node, yaml.ScalarNode) else key.kind
    shown = repr(node.value) if isinstance(node, yaml.ScalarNode) else kind_of(node)
    return Wrong(place(node), f"{key.name} is {kind}, this is {shown}")


def check_secret_file(key: Key, node: yaml.ScalarNode, path: str) -> None:
    """Raise Wrong unless it is a regular file that others cannot read: a pipe could be read only once."""
    if not os.path.exists(path):
        raise Wrong(place(node), f"{key.name}: there is no file {node.value!r}")
    if not os.path.isfile(path):
        raise Wrong(place(node), f"{key.name}: {node.value!r} is not a regular file")
    if is_exposed(path):
        named = f'"{node.value}"' if "$" in node.value else shlex.quote(path)
        raise Wrong(place(node), f"{key.name}: others can read {node.value!r}: chmod 600 {named}")
