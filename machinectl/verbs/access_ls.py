"""The verb `access ls`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


VERBS = {
    "access ls": Verb(
        "access_ls",
        more="Without names, it lists all machines. It reads this computer's records and contacts no host.",
        examples=("machinectl access ls", "machinectl access ls orionbox", "machinectl access ls -l role=web --json"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, shared.JSON),
        output=PRINTS,
    ),
}
HEADINGS = ["MACHINE", "HOLDER", "UNTIL (UTC)", "GIVEN BY", "KEY", "STATE"]


def access_ls(here: Session, *, names: list[str], as_json: bool) -> int:
    from machinectl.access.access_rows import list_access
    from machinectl.cli.tables.results import print_listed, report_all
    from machinectl.cli.tables.text_table import Fitting

    fitting = Fitting(spare=("KEY", "GIVEN BY"))
    _, failures = print_listed(here, names, list_access, HEADINGS, fitting, as_json=as_json)
    return report_all(here, failures)
