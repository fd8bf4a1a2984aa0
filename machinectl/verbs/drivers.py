"""The verb `drivers`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import MachineError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.driver.installed_drivers import Installed


VERBS = {
    "drivers": Verb(
        "drivers",
        examples=("machinectl drivers",),
        flags=(shared.JSON, Flag("--options", help="List the options that each adds to `create`.")),
        output=PRINTS,
    ),
}


def drivers(here: Session, *, as_json: bool, options: bool) -> None:
    from machinectl.cli.tables.text_table import table_text
    from machinectl.driver.installed_drivers import installed

    if options:
        print_options(as_json=as_json)
        return
    rows = [
        {
            "Name": driver.name,
            "Package": driver.package,
            "Version": driver.version,
            "EntryPoint": driver.origin,
            "Error": loading_error(driver),
        }
        for driver in installed()
    ]
    if as_json:
        print_json(rows)
    else:
        headings = ["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"]
        write_out(table_text(headings, (list(row.values()) for row in rows)))


def loading_error(driver: Installed) -> str:
    """Load a driver, to show a broken one before `create`."""
    from machinectl.driver.installed_drivers import close_quietly

    try:
        close_quietly(driver.load())
    except MachineError as exc:
        return exc.cause
    return ""


def print_options(*, as_json: bool) -> None:
    """Print drivers' options for completion: DRIVER OPTION VALUE ABOUT."""
    from machinectl.cli.parsing import completion
    from machinectl.cli.tables.text_table import print_fields

    rows = []
    for name in completion.driver_names():
        flags = completion.driver_flags(name)
        rows += [[name, flag.flag, value_of(flag), flag.help] for flag in flags] or [[name, "-", "", ""]]
    fields = [dict(zip(("Driver", "Option", "Value", "About"), row, strict=True)) for row in rows]
    print_fields({name.upper(): name for name in ("Driver", "Option", "Value", "About")}, fields, as_json=as_json)


def value_of(flag: Flag) -> str:
    return flag.offers.upper() if isinstance(flag.offers, str) else "|".join(flag.offers)
