"""How a verb's --help looks: its options in sections, and examples of it in the end.

An option names its section as Typer's `rich_help_panel` does; those that name none come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from machinectl.cli.declarations.driver_option import IN_DRIVER
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import as_called
from machinectl.machines.flags import IN_CERTIFICATES, IN_ENGINE, IN_SSH

if TYPE_CHECKING:
    from collections.abc import Iterable

# The sections that come last, in this order; others come in the order of their first option, a driver's own ahead.
LAST = (IN_CERTIFICATES, IN_ENGINE, IN_SSH)
ARGUMENTS, OPTIONS = "Arguments", "Options"


class HelpedCommand(TyperCommand):
    """A verb."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_sections(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click's)
        write_examples(self.epilog, formatter)


class HelpedGroup(TyperGroup):
    """A verb that has verbs of its own."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_sections(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click's)
        write_examples(self.epilog, formatter)


def write_sections(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:
    """Write the options, and the arguments that have something to say, in their sections."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        # Of an argument without help, the usage says all.
        if record and getattr(parameter, "help", None):
            default = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(record)
    for title in sorted(sections, key=rank):
        with formatter.section(title):
            formatter.write_dl(sections[title])


def rank(title: str) -> int:
    """Where a section stands; sections of the same rank stay in the order that they have."""
    if title == ARGUMENTS:
        return 0
    if title.startswith(IN_DRIVER):
        return 1
    return LAST.index(title) + 3 if title in LAST else 2


def write_examples(examples: str | None, formatter: Any) -> None:
    """Write command lines as they are typed: none is broken, whatever the width."""
    if not examples:
        return
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for line in as_called(examples, THIS.name).splitlines():
        formatter.write(f"  {line}\n")
