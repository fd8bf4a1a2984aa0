"""The verb `renew`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import write_out
from machinectl.cli.tables.results import report_results
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access


def renew(
    here: Session,
    *,
    names: list[str],
    access: Access,
    due: bool,
    lifetime_left: str,
    yes: bool,
    dry_run: bool,
) -> int:
    from machinectl.commands.renew import renew_due_certificates
    from machinectl.hosts.certificates.lifetime import LifetimeLeft

    if not due:
        if lifetime_left:
            raise UsageError("--lifetime-left goes with --due", "machinectl renew --due --lifetime-left 30d")
        return renew_now(here, names, access, yes=yes, dry_run=dry_run)
    window = LifetimeLeft.parse(lifetime_left)
    here.console.prints_results = True
    results = renew_due_certificates(here.store, here.console, names, access, window, dry_run=dry_run)
    return report_results(here, print_renewals(results), names or here.store.names())


def print_renewals(results: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """Print a line for each machine that did not fail, and yield the others' errors and plans."""
    from machinectl.hosts.upkeep.due_renewal import RenewalResult

    for name, result in results:
        if isinstance(result, RenewalResult):
            write_out(f"{name}: {result.summary}\n")
        else:
            yield name, result


def renew_now(here: Session, names: list[str], access: Access, *, yes: bool, dry_run: bool) -> int:
    from machinectl.commands.regenerate_certs import regenerate_certs
    from machinectl.hosts.upkeep.certificate_renewal import Renewal

    renewal = Renewal(client=True)
    results = regenerate_certs(here.store, here.console, names, access, renewal, unasked=yes, dry_run=dry_run)
    return report_results(here, results, names)
