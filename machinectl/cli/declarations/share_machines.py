"""Declare the verbs that share machines with people and tools."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.machines.flags import FILE, HOLDER, TEXT, Flag

WHO = Argument("who", "WHO", HOLDER, required=True, help="A holder of `machinectl access ls`.")
REQUEST_FILE = Flag(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to FILE, which must not exist yet, or hold this request.",
    value=FILE,
)
LIFETIME = Flag(
    "--lifetime",
    metavar="TIME",
    help="How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine's "
    "--access-lifetime, else {}).",
)
# Those of hosts/access/tool_files, which is not light.
TOOLS = ("env", "github", "gitlab", "testcontainers")

VERBS = {
    "access": Verb(
        "",
        "Give people and tools their own access to machines, and end it.",
        examples=(
            "machinectl access grant request.txt",
            "machinectl access ls",
            "machinectl access end alice orionbox",
        ),
    ),
    "access ls": Verb(
        "share.access:access_ls",
        "List who has access to machines, and until when.",
        more="Without names, it lists all machines. It reads this computer's records and contacts no host.",
        examples=("machinectl access ls", "machinectl access ls orionbox", "machinectl access ls -l role=web --json"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, shared.JSON),
        output=PRINTS,
    ),
    "access grant": Verb(
        "share.access:access_grant",
        "Give the sender of a request access to machines, and print the answer.",
        more=(
            "Without FILE or with -, it reads stdin: paste the request. It shows what is asked for and the request's "
            "fingerprint, and asks. Each engine restarts once for a new holder; containers keep running."
        ),
        examples=(
            "machinectl access grant",
            "machinectl access grant request.txt --for alice --lifetime 12h -o answer.txt",
        ),
        arguments=(Argument("file", "[FILE]", FILE),),
        flags=(
            Flag(
                "--for",
                metavar="WHO",
                help="The holder's name (default: the one in the request).",
                value=HOLDER,
                parameter="who",
                default=None,
            ),
            LIFETIME.with_changes(help=LIFETIME.help.format("7d")),
            Flag("-y", "--yes", help="Do not ask."),
            Flag(
                "-o",
                "--output",
                metavar="FILE",
                help="Write to FILE, which must not exist yet, or hold an earlier answer to the request.",
                value=FILE,
            ),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
        ),
        refuses_empty=True,
    ),
    "access end": Verb(
        "share.access:access_end",
        "End a holder's access to machines, at once.",
        more=(
            "Each engine restarts once; containers keep running. Engines in use restart one after the other. "
            "A host that is off is finished by the same command later, or by `machinectl provision`."
        ),
        examples=(
            "machinectl access end alice orionbox",
            "machinectl access end ci-runner --all",
            "machinectl access end --dry-run alice orionbox",
        ),
        arguments=(WHO, shared.NAMES),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="All machines that the holder has access to.", parameter="everything"),
            Flag("-y", "--yes", help="Do not ask."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
        ),
        keeps_selector=True,
        refuses_empty=True,
    ),
    "access request": Verb(
        "share.request_access:access_request",
        "Ask the owner of machines for access to them.",
        more=(
            "It makes a key for each machine, which never leaves this computer, and prints a request to send to the "
            "owner. NAME is the owner's name of the machine, LOCAL another name for it here. Repeated, also for some "
            "of its machines, it prints the same request again."
        ),
        examples=(
            "machinectl access request orionbox",
            "machinectl access request work:orionbox web1 --for alice -o request.txt",
        ),
        arguments=(Argument("machines", "[LOCAL:]NAME…", TEXT, many=True, repeats=True),),
        flags=(
            Flag(
                "--for",
                metavar="WHO",
                help="Who asks: the owner sees this name (default: USER@COMPUTER).",
                parameter="who",
                default=None,
            ),
            REQUEST_FILE,
        ),
        refuses_empty=True,
    ),
    "access accept": Verb(
        "share.request_access:access_accept",
        "Accept the owner's answer: the machines are then ready to use.",
        more="Without FILE or with -, it reads stdin: paste the answer. It shows the answer's fingerprint, and asks.",
        examples=("machinectl access accept", "machinectl access accept answer.txt"),
        arguments=(Argument("file", "[FILE]", FILE),),
        flags=(Flag("-y", "--yes", help="Do not ask whether the fingerprints are the same."),),
    ),
    "access renew": Verb(
        "share.request_access:access_renew",
        "Ask the owner of machines for new certificates, before they expire.",
        more=(
            "It prints a request with the keys that are here, for all machines that were shared with this computer "
            "unless some are named. `machinectl access accept` takes the answer."
        ),
        examples=("machinectl access renew", "machinectl access renew orionbox -o request.txt"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, REQUEST_FILE),
        refuses_empty=True,
    ),
    "access issue": Verb(
        "share.issue:access_issue",
        "Give a tool access to machines: a key of its own, and files as the tool wants them.",
        more=f"TOOL is {', '.join(TOOLS[:-1])} or {TOOLS[-1]}. It prints the commands to run to stdout. "
        "The same command again renews the certificates.",
        examples=(
            "machinectl access issue env orionbox rigel",
            "machinectl access issue github -l role=ci --for ci-runner --lifetime 12h",
        ),
        arguments=(Argument("tool", "TOOL", TOOLS, required=True), shared.NAMES),
        flags=(
            Flag(
                "--for",
                metavar="WHO",
                help="The holder's name, instead of the tool's.",
                value=HOLDER,
                parameter="who",
                default=None,
            ),
            LIFETIME.with_changes(help=LIFETIME.help.format("30d")),
            Flag("--out", metavar="DIR", help="Directory for the files (default: the holder's name).", value=FILE),
            Flag(
                "--address",
                metavar="ADDRESS",
                help="Of several addresses of a machine, the one that the tool uses (default: that of its URL).",
                parameter="addresses",
                many=True,
            ),
            Flag("-y", "--yes", help="Do not ask."),
            Flag("-f", "--force", help="Overwrite files in the directory that are not as an earlier run left them."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
            *shared.CHOICE,
        ),
        refuses_empty=True,
    ),
    "export": Verb(
        "share.export:export",
        "Write machines to an encrypted file, for your other computer.",
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
            shared.ALL_MACHINES,
            Flag("-f", "--force", help="Replace FILE."),
            shared.SELECTOR,
        ),
        keeps_selector=True,
        refuses_empty=True,
    ),
}
