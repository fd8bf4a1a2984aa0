"""The verb `regenerate-certs`: docker-machine's name of `renew`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "regenerate-certs": Verb(
        "regenerate_certs",
        more="It restarts each engine with live-restore and changes nothing else.",
        examples=("machinectl regenerate-certs orionbox",),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-y", "-f", "--yes", "--force", help="Do not ask (-f as in docker-machine)."),
            Flag("--client-certs", help="Create a new client certificate, too."),
            Flag("--new-ca", help="Create a new CA, too: this locks out all other clients."),
            Flag("--tls-san", metavar="NAME|ADDRESS", help="An additional name in the server certificate.", many=True),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
            *shared.CHOICE,
        ),
    ),
}


def regenerate_certs(
    here: Session,
    *,
    names: list[str],
    login: Login,
    yes: bool,
    client_certs: bool,
    new_ca: bool,
    tls_san: list[str],
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    from machinectl.cli.run_verb import given_authority
    from machinectl.cli.tables.results import report_results
    from machinectl.hosts.certificate_renewal import Renewal, renew_now
    from machinectl.provision.target import Allowed

    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    flags = ["--client-certs"] * client_certs + ["--new-ca"] * new_ca + ["--restart-swarm"] * restart_swarm
    unasked = " ".join(["machinectl regenerate-certs -y", *flags, *(f"--tls-san {san}" for san in tls_san)])
    renewal = Renewal(tuple(tls_san), client_certs, new_ca, given_authority(here), allowed, unasked)
    results = renew_now(here.store, here.console, names, login, renewal, unasked=yes, dry_run=dry_run)
    return report_results(here, results, names)
