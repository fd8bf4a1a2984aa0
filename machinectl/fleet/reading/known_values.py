"""Read each value once, for all hosts."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

from machinectl.errors import MachineError
from machinectl.files.secret_files import read_secret
from machinectl.fleet.reading.key_values import Wrong
from machinectl.machines import create_options
from machinectl.machines.engine_options import each_once, read_env_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.driver import OptionValue
    from machinectl.fleet.keys import Key
    from machinectl.fleet.reading.key_values import Values
    from machinectl.fleet.syntax.document import Node
    from machinectl.fleet.syntax.faults import Faults, Place


class KnownValues:
    """Reads values and files; adds each error once."""

    def __init__(self, values: Values, faults: Faults) -> None:
        self.values = values
        self.faults = faults
        # By key and node, in a tuple; None for an error.
        self._known: dict[tuple[int, int], tuple[OptionValue] | None] = {}
        # By kind and path.
        self._files: dict[tuple[str, str], Any] = {}

    def value(self, key: Key, node: Node) -> OptionValue:
        """Return a value, or the key's default after an error."""
        at = (id(key), id(node))
        known = self._known.get(at, ())
        if known:
            return known[0]
        if known is None:
            return key.default
        try:
            value = self.values.of(key, node)
        except Wrong as wrong:
            self.faults.add(wrong.place, wrong.why)
            self._known[at] = None
            return key.default
        self._known[at] = (value,)
        return value

    def is_wrong(self, key: Key, node: Node) -> bool:
        return self._known[id(key), id(node)] is None

    def secret(self, key: str, path: str, place: Place) -> str:
        return str(self._file("secret", path, place, lambda: read_secret(path, key)))

    def variables(self, paths: Sequence[str], place: Place, own: Sequence[str]) -> tuple[str, ...]:
        environment = self.values.environment
        name = create_options.ENV_FILE.name
        lines = [self._file(name, path, place, functools.partial(read_env_file, path, environment)) for path in paths]
        return each_once([*itertools.chain.from_iterable(lines), *own])

    def _file(self, kind: str, path: str, place: Place, read: Callable[[], Any]) -> Any:
        if (kind, path) not in self._files:
            try:
                self._files[kind, path] = read()
            except MachineError as exc:
                self.faults.add(place, exc.cause.removeprefix("--"))
                self._files[kind, path] = ""
        return self._files[kind, path]
