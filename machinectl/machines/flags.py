"""Declare an option once: Typer, Go's spellings, completion, help, the reference and fleet.yaml are made of it.

Part of the light path: this module imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a word on the command line names: completion offers it. TEXT is anything, REMOTE is MACHINE:PATH, PLACE that or a
# local file, LABEL a selector. A tuple of words means one of them.
MACHINE, LABEL, DRIVER, SHELL, DIRECTORY, FILE, PLACE, REMOTE, VERB, TEXT = (
    "machine",
    "label",
    "driver",
    "shell",
    "directory",
    "file",
    "place",
    "remote",
    "verb",
    "text",
)
# The sections of --help that come last, in this order.
IN_CERTIFICATES, IN_ENGINE, IN_SSH = "Certificates", "Engine", "SSH"


class Flag:
    """An option by its names as they are typed: `-t`, `--timeout`. Without a `metavar` it is a switch.

    A letter belongs to the long name behind it, and `off` turns a switch off. `key` is the option's name in a record,
    `parameter` in the function that gets its value: a list if `many`, else a `kind`, or None if that is the `default`.
    Completion offers the `value`, and --help shows the option in its `section`. A `secret` option names a file that
    holds the secret; the environment may hold the secret itself, in `variable`.
    """

    def __init__(
        self,
        *names: str,
        help: str = "",  # noqa: A002 (what it is called everywhere)
        metavar: str = "",
        off: str = "",
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
        """The long name without dashes, as fleet.yaml has it."""
        return self.flag[2:]

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names as they are typed, with the one that turns it off."""
        return (*self.names, self.off) if self.off else self.names

    @property
    def offers(self) -> str | tuple[str, ...]:
        """What completion offers for its value; "" for a switch."""
        return self.value if self.metavar else ""

    @property
    def is_path(self) -> bool:
        """Whether the value names a file or a directory on this computer."""
        return self.value in {FILE, DIRECTORY}

    def with_changes(self, **changes: Any) -> Flag:
        """Return the same option with some of its attributes changed."""
        changed = Flag(*self.names)
        vars(changed).update(vars(self), **changes)
        return changed

    def for_change(self) -> Flag:
        """Return the option as `set` has it: nothing changes unless it is typed, whatever the environment says."""
        return self.with_changes(default=None, variable="")
