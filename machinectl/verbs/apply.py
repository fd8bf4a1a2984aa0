"""The verb `apply`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.cli.output.stdout import draw
from machinectl.errors import Declined, Hint, UsageError
from machinectl.machines.flags import Flag
from machinectl.quantities import first_names
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.fleet.plan_steps import FleetPlan
    from machinectl.hosts.login import Login


VERBS = {
    "apply": Verb(
        "apply",
        more="It does not change what matches. Engines that run containers restart one after the other.",
        examples=("machinectl apply", "machinectl apply -f fleet.yaml --prune"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            shared.FLEET_FILE,
            shared.PARALLEL,
            Flag(
                "--batch",
                metavar="N",
                help="How many engines in use restart at once: 2, 25% or 1,5,20, of which the last repeats.",
                default="1",
            ),
            Flag(
                "--max-failures",
                metavar="N",
                help="Stop restarting engines after more than N failures (default 0: at the first).",
                kind=int,
                limits=(0, None),
                default=0,
            ),
            Flag("--refresh", help="Look at the hosts, too, and revert changes that were made by hand."),
            Flag("--prune", help="Remove machines that the file no longer has."),
            Flag("--purge", help="With --prune: undo machinectl's changes on their hosts, too."),
            Flag("--take-over", help="Take over machines from other fleets without asking."),
            Flag("-y", "--yes", help="Do not ask before restarting engines, removing machines or setting up hosts."),
            Flag("--force", help="Replace others' certificates, and restart engines even if that stops containers."),
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            Flag("--dry-run", help="Look at the hosts and print the changes; make none."),
            shared.JSON,
            *LOGIN,
        ),
        keeps_selector=True,
    ),
}


def apply(
    here: Session,
    *,
    names: list[str],
    login: Login,
    selector: str | None,
    files: list[str],
    parallel: int,
    batch: str,
    max_failures: int,
    refresh: bool,
    prune: bool,
    purge: bool,
    take_over: bool,
    yes: bool,
    force: bool,
    restart_swarm: bool,
    open_firewall: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    import shlex
    from functools import partial

    from machinectl.cli.run_verb import given_authority
    from machinectl.console import confirm
    from machinectl.fleet.apply import apply_plan
    from machinectl.fleet.apply_run import ApplyOptions
    from machinectl.fleet.machine_changes import plan_with_previews
    from machinectl.fleet.plan import plan
    from machinectl.fleet.plan_steps import needed_flags
    from machinectl.hosts.purging import Purge
    from machinectl.hosts.rollout_order import BatchSizes
    from machinectl.machines.spec import CertificateFiles
    from machinectl.provision.target import Allowed
    from machinectl.verbs import fleet_texts as texts

    file, text = texts.fleet_file("apply", files, names)
    make_plan = partial(plan, here.store, file, names, selector, texts.fleet_command("apply", file), text)

    def approve(planned: FleetPlan) -> None:
        restarting = [step.name for step in planned.steps if step.restarts]
        if restarting and here.console.interactive and not (yes or as_json):
            draw("".join(f"{line}\n" for line in texts.plan_lines(planned, prune=prune)))
            if not confirm(here.console, f"Apply it? The engine restarts on {first_names(restarting)}."):
                raise Declined("Nothing was changed")

    given = tuple(texts.flags_to_repeat(here.arguments))
    words = [texts.fleet_command("apply", file), *given]
    words += [f"-l {shlex.quote(selector)}"] if selector is not None else map(shlex.quote, names)
    command = " ".join(words)
    if purge and not prune:
        raise UsageError(
            "--purge is for the machines that --prune removes", Hint("Give both", texts.with_flags(command, "--prune"))
        )
    options = ApplyOptions(
        texts.absolute(file),
        login,
        Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes),
        given_authority(here),
        CertificateFiles("", here.tls.ca, here.tls.certificate, here.tls.key),
        parallel=parallel,
        batch=BatchSizes(batch),
        max_failures=max_failures,
        refresh=refresh,
        prune=prune,
        purge=Purge(login, Allowed(forcible=False, restart_swarm=restart_swarm)) if purge else None,
        take_over=take_over,
        yes=yes,
        command=command,
        flags=given,
    )
    if dry_run:
        planned = plan_with_previews(make_plan(), here.store, here.console, options)
        again = " ".join(word for word in command.split(" ") if word != "--dry-run")
        again = texts.with_flags(again, *needed_flags(planned))
        return texts.print_plan(here, planned, again, command, prune=prune, as_json=as_json)
    here.console.prints_total = True
    results = apply_plan(here.store, here.console, make_plan, options, approve)
    look = f"{texts.fleet_command('plan', file)} --refresh"
    return texts.report_rollout(here, results, command, look, as_json=as_json)
