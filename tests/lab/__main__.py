"""Play with the lab: `python -m tests.lab up 3 docker`, `ls`, `ssh h1`, `down` (as root, in the checkout)."""

from __future__ import annotations

import argparse
import os
import sys

from tests.lab import image
from tests.lab.command import LabError
from tests.lab.lan import PLAYGROUND, Lab
from tests.lab.place import KEY
from tests.lab.variants import VARIANTS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Real servers on one machine.")
    parser.add_argument("--lab", type=int, default=PLAYGROUND, help="which of this machine's labs (1)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="boot more hosts")
    up.add_argument("count", type=int, nargs="?", default=1)
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
    _show(lab)
    print("\nUsers: root, ops (sudo), dev (sudo with password), joe; all have the password", image.PASSWORD)
    print("and the key", KEY)
    for host in lab.hosts():
        words = ("machinectl create --driver generic", f"--generic-ip-address {host.ip}")
        port = () if host.port == 22 else (f"--generic-ssh-port {host.port}",)
        print(*words, *port, f"--generic-ssh-user ops --generic-ssh-key {KEY} {host.name}")
    print("python -m tests.lab ssh h1 | ls | poweroff h1 | start h1 | down")


def main() -> None:
    arguments = _parser().parse_args()
    lab = Lab(arguments.lab)
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
        case "ssh":
            user, _, name = arguments.name.rpartition("@")
            words = [*lab.host(name).ssh_command(user or "root"), *arguments.command]
            os.execvp(words[0], words)
        case "poweroff":
            lab.host(arguments.name).poweroff()
        case "start":
            lab.host(arguments.name).start()
        case "reboot":
            lab.host(arguments.name).reboot()
        case "image":
            print(image.lower(arguments.suite, arguments.variants))
        case "guard":
            Lab(arguments.number).guard(arguments.owner)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"lab: {error}")
