"""Format a verb's --help: options in the section of their `rich_help_panel`, then examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from machinectl.cli.declarations.driver_option import IN_DRIVER
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import as_called
from machinectl.machines.flags import IN_CERTIFICATES, IN_ENGINE, IN_SSH

if TYPE_CHECKING:
    from collections.abc import Iterable

# These sections come last, in this order. The others follow their first option, the driver's first.
LAST = (IN_CERTIFICATES, IN_ENGINE, IN_SSH)
ARGUMENTS, OPTIONS = "Arguments", "Options"


class HelpedCommand(TyperCommand):
    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_sections(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click's)
        write_examples(self.epilog, formatter)


class HelpedGroup(TyperGroup):
    format_epilog = HelpedCommand.format_epilog

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_sections(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)


def write_sections(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        # The usage line covers arguments without help.
        if record and getattr(parameter, "help", None):
            default = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(record)
    for title in sorted(sections, key=rank):
        with formatter.section(title):
            formatter.write_dl(sections[title])


def rank(title: str) -> int:
    if title == ARGUMENTS:
        return 0
    if title.startswith(IN_DRIVER):
        return 1
    return LAST.index(title) + 3 if title in LAST else 2


def write_examples(examples: str | None, formatter: Any) -> None:
    """Write examples without line breaks, so that users can copy them."""
    if not examples:
        return
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for line in as_called(examples, THIS.name).splitlines():
        formatter.write(f"  {line}\n")
