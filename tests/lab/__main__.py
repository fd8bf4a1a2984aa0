"""Play with the lab, as root: `make lab` boots hosts and says what to type; `make lab LAB=down` takes them away."""

from __future__ import annotations

import argparse
import os
import sys

from tests.lab import image
from tests.lab.command import LabError
from tests.lab.lan import PLAYGROUND, Lab
from tests.lab.place import KEY
from tests.lab.variants import VARIANTS

SSH_PORT = 22


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Real servers on one machine.")
    parser.add_argument("--lab", type=int, default=PLAYGROUND, help="which of this machine's labs (1)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="boot more hosts")
    up.add_argument("--count", type=int, default=1, help="how many (1)")
    up.add_argument("variants", nargs="*", metavar="variant")
    up.add_argument("--suite", default="trixie", help="trixie (Debian 13, the default) or bookworm (12)")
    verbs.add_parser("ls", help="the hosts there are")
    verbs.add_parser("variants", help="the kinds of host there are")
    verbs.add_parser("down", help="take all hosts away")
    ssh = verbs.add_parser("ssh", help="log in on a host, over the network")
    ssh.add_argument("name", metavar="[USER@]NAME", help="as root, ops, dev or joe")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    for verb, what in (("poweroff", "pull a host's plug"), ("start", "switch it on again"), ("reboot", "reboot it")):
        verbs.add_parser(verb, help=what).add_argument("name")
    build = verbs.add_parser("image", help="only build an image")
    build.add_argument("suite")
    build.add_argument("variants", nargs="*", metavar="variant")
    guard = verbs.add_parser("guard", help="take a lab down when a process has ended")
    guard.add_argument("number", type=int)
    guard.add_argument("owner", type=int)
    return parser


def _show(lab: Lab) -> None:
    for host in lab.hosts():
        state = "on" if host.is_on else "off"
        print(f"{host.name:5} {host.ip:13} port {host.port:<5} {host.suite:9} {state:4} {' '.join(host.variants)}")


def _invite(lab: Lab) -> None:
    """Say which hosts there are, and what to type."""
    # By its path: `machinectl` alone may be systemd's, which the lab needs, too.
    python = os.path.relpath(sys.executable)
    ours = os.path.join(os.path.dirname(python), "machinectl")
    again = f"{python} -m tests.lab{'' if lab.number == PLAYGROUND else f' --lab {lab.number}'}"
    _show(lab)
    print("\nUsers: root, ops (sudo), dev (sudo with password), joe; all have the password", image.PASSWORD)
    print("and the key", KEY)
    print("\nMake Docker hosts of them (they reach Debian's archive and nothing else: the engine is its package):\n")
    for host in lab.hosts():
        options = ["-i", str(KEY)]
        if host.port != SSH_PORT:
            options.append(f"-p {host.port}")
        print(f"  {ours} create {' '.join(options)} --engine-install distro ops@{host.ip} {host.name}")
    first = lab.hosts()[0].name
    print(f"\nUse one:\n\n  {ours} ls\n  eval $({ours} env {first})\n  docker version\n  {ours} ssh {first}")
    print("\nPlay with the hosts themselves:\n")
    for verb, what in (
        (f"ssh {first}", "log in, whatever machinectl knows"),
        (f"poweroff {first}", "pull its plug"),
        (f"start {first}", "switch it on again"),
        ("variants", "the kinds of host there are"),
        ("up --count 2 docker", "boot two more, with an engine"),
        ("down", "take all hosts away"),
    ):
        print(f"  {again} {verb:19} # {what}")


def use_host(lab: Lab, arguments: argparse.Namespace) -> None:
    user, _, name = arguments.name.rpartition("@")
    host = lab.host(name)
    match arguments.verb:
        case "ssh":
            words = [*host.ssh_command(user or "root"), *arguments.command]
            os.execvp(words[0], words)
        case "poweroff":
            host.poweroff()
        case "start":
            host.start()
        case "reboot":
            host.reboot()


def main() -> None:
    arguments = _parser().parse_args()
    lab = Lab(arguments.lab)
    if arguments.verb in {"ssh", "poweroff", "start", "reboot"}:
        use_host(lab, arguments)
        return
    match arguments.verb:
        case "up":
            lab.up(arguments.variants, arguments.suite, arguments.count)
            _invite(lab)
        case "ls":
            _show(lab)
        case "variants":
            for name, variant in VARIANTS.items():
                print(f"{name:12} {variant.what}")
        case "down":
            lab.down()
        case "image":
            print(image.lower(arguments.suite, arguments.variants))
        case "guard":
            Lab(arguments.number).guard(arguments.owner)


if __name__ == "__main__":
    try:
        main()
    except (LabError, OSError) as error:
        sys.exit(f"lab: {error}")
