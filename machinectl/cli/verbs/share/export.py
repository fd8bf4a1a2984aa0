"""The verb `export`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl.cli.options.chosen_names import target_names
from machinectl.cli.output.stdout import print_result, write_bytes
from machinectl.errors import Hint
from machinectl.machines.record import waits_for_access
from machinectl.quantities import first_names, plural

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.commands.export import Encryption
    from machinectl.exports.collecting import Collected, Secrets
    from machinectl.machines.store import Store


def export(
    here: Session,
    *,
    names: list[str],
    output: str,
    recipient: list[str],
    recipients_file: str,
    passphrase_file: str,
    with_ca_key: bool,
    with_ssh_key: bool,
    everything: bool,
    force: bool,
    selector: str | None,
) -> None:
    from machinectl.commands.export import STDOUT, Encryption
    from machinectl.commands.export import export as command
    from machinectl.exports.collecting import Secrets

    chosen = target_names(here, names, selector, everything=everything)
    waiting = waiting_for_access(here.store, chosen) if everything else []
    # If all wait, the command says so.
    chosen = [name for name in chosen if name not in waiting] or chosen
    encryption = Encryption(recipient, recipients_file, passphrase_file)
    secrets = Secrets(ca_key=with_ca_key, ssh_key=with_ssh_key)
    data, found = command(here.store, here.console, chosen, output, encryption, secrets, force=force)
    if output == STDOUT:
        again = " ".join(["machinectl export -o -", *chosen, *typed(encryption, secrets)])
        print_result(lambda: write_bytes(data), again)
    else:
        here.console.note(
            f"Wrote {output} with {plural(len(found), 'machine')}: {first_names([each.machine.name for each in found])}"
        )
    if waiting:
        here.console.note(f"Left out: {first_names(waiting)}, waiting for access")
    for line in left_out(found):
        here.console.note(line)
    file = "<FILE>" if output == STDOUT else output
    here.console.note(
        "Anyone who can decrypt it is root on the engines",
        Hint("On your other computer", "machinectl import", file, elsewhere=True),
    )


def waiting_for_access(store: Store, names: list[str]) -> list[str]:
    return [name for name in names if waits_for_access(store.read(name))]


def typed(encryption: Encryption, secrets: Secrets) -> list[str]:
    """Return the options as they are typed."""
    flags = [("--recipient", each) for each in encryption.recipients]
    flags.append(("--recipients-file", encryption.recipients_file))
    flags.append(("--passphrase-file", encryption.passphrase_file))
    return [
        *(f"{flag} {shlex.quote(value)}" for flag, value in flags if value),
        *(["--with-ca-key"] if secrets.ca_key else []),
        *(["--with-ssh-key"] if secrets.ssh_key else []),
    ]


def left_out(found: list[Collected]) -> list[str]:
    """Return lines on the keys that are not in it."""
    from machinectl.exports.old_conversion import KEY_FILE

    ca = [each.machine.name for each in found if "ca-key.pem" in each.exported.left_out]
    ssh = [each.machine.name for each in found if KEY_FILE in each.exported.left_out]
    lines = []
    if ca:
        lines.append(f"Left out: the CA's key of {first_names(ca)}, which makes certificates (--with-ca-key adds it)")
    if ssh:
        lines.append(f"Left out: the SSH key of {first_names(ssh)} (--with-ssh-key adds it)")
    return lines
