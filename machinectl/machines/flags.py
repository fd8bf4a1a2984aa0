"""Declare an option once, for Typer, completion, help, reference and fleet.yaml.

Light path: imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Kinds of values, for completion. REMOTE is MACHINE:PATH, PLACE that or a local file, LABEL a selector, TEXT anything.
# A tuple lists the possible words. IMAGE and CONTAINER are names that an engine knows, HOLDER is
# who has access to a machine.
MACHINE, LABEL, DRIVER, SHELL, DIRECTORY, FILE, PLACE, REMOTE, TEXT = (
    "machine",
    "label",
    "driver",
    "shell",
    "directory",
    "file",
    "place",
    "remote",
    "text",
)
IMAGE, CONTAINER = ASKED = ("image", "container")
HOLDER = "holder"
# The last sections of --help, in order.
IN_CERTIFICATES, IN_ENGINE, IN_SSH = "Certificates", "Engine", "SSH"


class Flag:
    """An option, by its names: `-t`, `--timeout`. Without `metavar` it is a switch.

    A letter belongs to the next long name; `off` turns a switch off; `old` works, and is not shown. `key` is the name
    in a record, `parameter` in the verb's function. The value is a list if `many`, else a `kind`, or None if that is
    the `default`. A `secret` option names a file; `variable` may hold the secret itself.
    """

    def __init__(
        self,
        *names: str,
        help: str = "",  # noqa: A002 (the usual name)
        metavar: str = "",
        off: str = "",
        old: str = "",
        parameter: str = "",
        key: str = "",
        value: str | tuple[str, ...] = TEXT,
        kind: type = str,
        many: bool = False,
        default: Any = "",
        limits: tuple[float | None, float | None] = (None, None),
        required: bool = False,
        hidden: bool = False,
        variable: str = "",
        secret: bool = False,
        show_default: bool = True,
        section: str = "",
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.off = off
        self.old = old
        self.flag = next(name for name in names if name.startswith("--"))
        self.parameter = parameter or self.name.replace("-", "_")
        self.key = key
        self.value = value
        self.kind = kind
        self.many = many
        self.default = default if metavar or default is None else False
        self.limits = limits
        self.required = required
        self.hidden = hidden
        self.variable = variable
        self.secret = secret
        self.show_default = show_default
        self.section = section

    @property
    def name(self) -> str:
        """The long name without dashes."""
        return self.flag[2:]

    @property
    def all_names(self) -> tuple[str, ...]:
        return (*self.names, self.off) if self.off else self.names

    @property
    def offers(self) -> str | tuple[str, ...]:
        """The kind of value, for completion; "" for a switch."""
        return self.value if self.metavar else ""

    @property
    def is_path(self) -> bool:
        return self.value in {FILE, DIRECTORY}

    def with_changes(self, **changes: Any) -> Flag:
        changed = Flag(*self.names)
        vars(changed).update(vars(self), **changes)
        return changed

    def for_change(self) -> Flag:
        """Remove default and environment: `set` changes only what is typed."""
        return self.with_changes(default=None, variable="")
