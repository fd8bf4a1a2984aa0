"""The verbs `access …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.tables.fitted_table import Fitting
from machinectl.cli.tables.text_table import print_rows

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session

HEADINGS = ["MACHINE", "HOLDER", "UNTIL (UTC)", "GIVEN BY", "KEY", "STATE"]
FITTING = Fitting(spare=("KEY", "GIVEN BY"))


def access_ls(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.commands.access.ls import access_ls as command

    print_rows(HEADINGS, command(here.store, names), FITTING, as_json=as_json)
    here.note_empty_store()
