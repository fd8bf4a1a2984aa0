"""The verb `export`."""

from __future__ import annotations

from machinectl.cli.catalogue import ALL_MACHINES, Verb
from machinectl.cli.output.stdout import print_result, write_bytes
from machinectl.errors import Hint
from machinectl.machines.flags import FILE, Flag
from machinectl.quantities import first_names, plural
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.cli.verb_session import Session
    from machinectl.exports.export_document import ExportedMachine
    from machinectl.exports.exporting import Encryption, Secrets


VERBS = {
    "export": Verb(
        "export",
        more=(
            "The file has records, certificates and SSH host keys. It is encrypted with age: with a passphrase, or for "
            "recipients. `machinectl import` reads it. Jump hosts go along. Anyone who can decrypt it is "
            "root on the engines: for other people, see `machinectl access`."
        ),
        examples=(
            "machinectl export orionbox -o laptop.age",
            "machinectl export --all --with-ca-key --with-ssh-key -o laptop.age",
            "machinectl export orionbox --recipients-file ~/.ssh/id_ed25519.pub -o laptop.age",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag(
                "-o",
                "--output",
                metavar="FILE",
                help="The file to write, 0600; - is stdout, as ASCII.",
                value=FILE,
                required=True,
            ),
            Flag(
                "-r",
                "--recipient",
                metavar="AGE",
                help="Encrypt for this key, not with a passphrase: age1…, ssh-ed25519 … or ssh-rsa ….",
                many=True,
            ),
            Flag("-R", "--recipients-file", metavar="FILE", help="Encrypt for the keys in this file.", value=FILE),
            Flag("--passphrase-file", metavar="FILE", help="A file with the passphrase (default: ask).", value=FILE),
            Flag("--with-ca-key", help="Also export the CA keys, which make certificates."),
            Flag("--with-ssh-key", help="Also export the machines' SSH keys."),
            ALL_MACHINES,
            Flag("-f", "--force", help="Replace FILE."),
            shared.SELECTOR,
        ),
        keeps_selector=True,
        refuses_empty=True,
    ),
}


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
    from machinectl.cli.run_verb import target_names
    from machinectl.exports.exporting import STDOUT, Encryption, Secrets
    from machinectl.exports.exporting import export as command
    from machinectl.machines.record import waits_for_access

    chosen = target_names(here, names, selector, everything=everything)
    waiting = [name for name in chosen if waits_for_access(here.store.read(name))] if everything else []
    # If all wait, the command says so.
    chosen = [name for name in chosen if name not in waiting] or chosen
    encryption = Encryption(recipient, recipients_file, passphrase_file)
    secrets = Secrets(ca_key=with_ca_key, ssh_key=with_ssh_key)
    data, machines = command(here.store, here.console, chosen, output, encryption, secrets, force=force)
    if output == STDOUT:
        again = " ".join(["machinectl export -o -", *chosen, *typed(encryption, secrets)])
        print_result(lambda: write_bytes(data), again)
    else:
        here.console.note(f"Wrote {output} with {plural(len(machines), 'machine')}: {first_names([*machines])}")
    if waiting:
        here.console.note(f"Left out: {first_names(waiting)}, waiting for access")
    for line in left_out(machines):
        here.console.note(line)
    file = "<FILE>" if output == STDOUT else output
    here.console.note(
        "Anyone who can decrypt it is root on the engines",
        Hint("On your other computer", "machinectl import", file, elsewhere=True),
    )


def typed(encryption: Encryption, secrets: Secrets) -> list[str]:
    """Return the options as they are typed."""
    import shlex

    flags = [("--recipient", each) for each in encryption.recipients]
    flags.append(("--recipients-file", encryption.recipients_file))
    flags.append(("--passphrase-file", encryption.passphrase_file))
    return [
        *(f"{flag} {shlex.quote(value)}" for flag, value in flags if value),
        *(["--with-ca-key"] if secrets.ca_key else []),
        *(["--with-ssh-key"] if secrets.ssh_key else []),
    ]


def left_out(machines: Mapping[str, ExportedMachine]) -> list[str]:
    """Return lines on the keys that are not in it."""
    from machinectl.exports.docker_machine_records import KEY_FILE

    ca = [name for name, machine in machines.items() if "ca-key.pem" in machine.left_out]
    ssh = [name for name, machine in machines.items() if KEY_FILE in machine.left_out]
    lines = []
    if ca:
        lines.append(f"Left out: the CA's key of {first_names(ca)}, which makes certificates (--with-ca-key adds it)")
    if ssh:
        lines.append(f"Left out: the SSH key of {first_names(ssh)} (--with-ssh-key adds it)")
    return lines
