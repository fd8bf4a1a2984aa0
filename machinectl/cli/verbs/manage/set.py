"""`set` on the command line: with the options of the driver of the machine that is named."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.options import driver_flags, engine_flags
from machinectl.cli.options import login_options as access_options
from machinectl.cli.options.help_format import SSH
from machinectl.cli.options.typer_verbs import evaluate, labels, session, verb
from machinectl.cli.parsing.lookahead import named_machine, named_store
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.machines.create_options import JUMP
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.driver import Option


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `set`, with the options of the driver of the machine that the command line names."""
    driver, options = changeable(arguments)

    def set_machine(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        url: Annotated[str | None, typer.Option(metavar="URL", help="Where the engine is now.")] = None,
        label: Annotated[
            list[str] | None, typer.Option("--label", "--engine-label", metavar="KEY=VALUE", help="Set a label.")
        ] = None,
        unlabel: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Remove a label.")] = None,
        tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Speak to the engine over TLS.")] = None,
        context: Annotated[
            bool | None, typer.Option("--context/--no-context", help="Have a docker context of the machine.")
        ] = None,
        ssh_jump: Annotated[
            str | None,
            typer.Option(
                JUMP.flag, metavar=JUMP.metavar, help=f"{JUMP.help.rstrip('.')}; none ends that.", rich_help_panel=SSH
            ),
        ] = None,
        **others: Any,
    ) -> None:
        from machinectl.commands.set import set_machine as command
        from machinectl.hosts.lifecycle.editing import Edit

        here = session(ctx)
        engine_flags.warn_of_open_files(others, here.console)
        change = Edit(
            url=url,
            tls=tls,
            context=context,
            jump=access_options.taken_jump(ssh_jump),
            labels=labels(label or [], "--label"),
            unlabel=tuple(unlabel or ()),
            options=driver_flags.changed_values(driver, options, others),
            engine=engine_flags.changed_ones(others),
        )
        command(here.store, here.console, name, change)

    evaluate(set_machine)
    own = [each for each in inspect.signature(set_machine).parameters.values() if each.name != "others"]
    added = [*engine_flags.changes(), *(driver_flags.changed(driver, option) for option in options)]
    # Typer reads a function's parameters here: the driver's are known at run time only.
    set_machine.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    verb(
        app,
        "set",
        "`set NAME --help` also lists the options of the machine's driver. "
        "What is asked of its engine is carried out by `provision`. "
        "An option that is given takes the place of what was asked before; '' is for none of it.",
    )(set_machine)


def changeable(arguments: Sequence[str]) -> tuple[str, list[Option]]:
    """The driver of the machine that is named, and its options; none where there is no saying. --url is for all."""
    store = Store(named_store(arguments))
    try:
        driver = store.read(named_machine(arguments, store.exists)).driver
        options = load(driver).options()
    except MachineError:
        # Whoever reads the machine for the change itself says why.
        return "", []
    return driver, [option for option in options if option.name != "url" and not option.secret]
