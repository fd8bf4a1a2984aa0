"""Other programs' names for our commands: docker, kubectl, ssh, vagrant, multipass, systemd. Loaded only for errors."""

from __future__ import annotations

# A command of another program, and ours. NAME is the machine that was typed after it; more words follow.
COMMANDS = {
    # Power.
    "up": "start NAME",
    "boot": "start NAME",
    "poweron": "start NAME",
    "wake": "start NAME",
    "down": "stop NAME",
    "halt": "stop NAME",
    "off": "stop NAME",
    "poweroff": "stop NAME",
    "shutdown": "stop NAME",
    "reboot": "restart NAME",
    "reload": "restart NAME",
    # Make and remove machines.
    "add": "create",
    "init": "create",
    "launch": "create",
    "new": "create",
    "register": "create",
    "context create": "create",
    "delete": "rm NAME",
    "destroy": "rm NAME",
    "remove": "rm NAME",
    "unregister": "rm NAME",
    "context rm": "rm NAME",
    "purge": "rm --purge NAME",
    "mv": "rename NAME",
    "edit": "set NAME --help",
    "label": "set NAME --label",
    # Look at machines.
    "get": "ls",
    "machines": "ls",
    "nodes": "ls",
    "describe": "inspect NAME",
    "show": "inspect NAME",
    "containers": "ps NAME",
    "check": "doctor NAME",
    "diagnose": "doctor NAME",
    "ping": "status NAME",
    "state": "status NAME",
    "address": "ip NAME",
    # Log in.
    "connect": "ssh NAME",
    "console": "ssh NAME",
    "exec": "ssh NAME",
    "login": "ssh NAME",
    "shell": "ssh NAME",
    "journal": "ssh NAME journalctl -u docker",
    "logs": "ssh NAME journalctl -u docker",
    "copy": "scp",
    "cp": "scp",
    "rsync": "scp -d",
    "sftp": "scp",
    "port-forward": "forward NAME",
    "tunnel": "forward NAME",
    "umount": "mount -u",
    "unmount": "mount -u",
    # Point docker at a machine.
    "config current-context": "active",
    "config get-contexts": "context ls",
    "config use-context": "use NAME",
    "context use": "use NAME",
    "select": "use NAME",
    "switch": "use NAME",
    "unuse": "use --unset",
    "use-context": "use NAME",
    "docker-env": "env NAME",
    # Certificates.
    "certs regenerate": "regenerate-certs NAME",
    "certs renew": "renew NAME",
    "certs rotate": "regenerate-certs NAME",
    "renew-certs": "renew NAME",
    # Access for people and tools.
    "access add": "access grant",
    "access allow": "access grant",
    "access give": "access grant",
    "access ask": "access request",
    "access delete": "access end",
    "access remove": "access end",
    "access revoke": "access end",
    "access rm": "access end",
    "access get": "access ls",
    "access list": "access ls",
    "access show": "access ls",
    "accept": "access accept",
    "grant": "access grant",
    "request": "access request",
    "revoke": "access end",
    "share": "access --help",
    # Many machines.
    "deploy": "apply",
    "diff": "plan",
    "scan": "discover",
    "setup": "provision NAME",
    "update": "upgrade NAME",
    "node ls": "swarm status",
    "swarm create": "swarm init NAME",
    "swarm ls": "swarm status",
    "swarm nodes": "swarm status",
}
# docker's commands that work on an engine: `docker NAME -- COMMAND`.
DOCKERS = (
    "attach build buildx commit compose container events exec history image load logs network pause "
    "port rmi save search service stack stats system tag top unpause volume wait"
)
RMI = "docker NAME -- rmi"
# A word after a verb that is no machine, and the command that was meant. More words follow.
WITHIN = {
    "builder": {
        "delete": "builder rm",
        "du": "docker buildx du --builder",
        "inspect": "docker buildx inspect",
        "list": "builder ls",
        "prune": "docker buildx prune --builder",
        "remove": "builder rm",
        "stop": "docker buildx stop",
        "use": "docker buildx use",
    },
    "images": {"list": "images", "ls": "images", "delete": RMI, "remove": RMI, "rm": RMI},
    "socket": {
        "close": "socket rm",
        "kill": "socket rm",
        "list": "socket ls",
        "open": "socket",
        "remove": "socket rm",
        "start": "socket",
        "status": "socket ls",
        "stop": "socket rm",
    },
}
# The words that docker needs after a machine's name, for commands that may also be about the host.
FEWEST_WORDS = {"exec": 2, "logs": 1}
# Words that other programs take between the command and the name: `kubectl delete node web1`.
NOUNS = "context contexts host hosts machine machines node nodes server servers vm vms"
# A flag of another program by our verb, and ours; "" where we need none. "" as a verb is every verb that has ours.
FLAGS = {
    "": {"-o": "--json", "--output": "--json", "--format": "--json"},
    "access accept": {"-f": "", "--file": ""},
    "access grant": {"-f": "", "--file": ""},
    "access issue": {"-o": "--out", "--output": "--out"},
    "ls": {"-a": "", "--all": "", "--no-trunc": ""},
    "create": {
        "--host": "--ip-address",
        "--ip": "--ip-address",
        "--identity-file": "--ssh-key",
        "--login": "--ssh-user",
    },
    "forward": {"--address": "--bind", "--all": "--auto", "-a": "--auto"},
    "socket": {"-d": "--background", "--detach": "--background"},
    "rm": {"-v": "", "--volumes": ""},
    "stop": {"-f": "", "--force": ""},
}
# Verbs of systemd's machinectl(1), except those that we share (list, start, kill, rename).
SYSTEMDS_VERBS = (
    "list-images show login shell enable disable poweroff reboot terminate copy-to copy-from bind image-status "
    "show-image clone remove set-limit clean pull-tar pull-raw import-tar import-raw import-fs export-tar "
    "export-raw list-transfers cancel-transfer"
)
