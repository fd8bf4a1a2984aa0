"""Find out if the host's firewall blocks a port, and open it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint
from machinectl.provision.decision import Decision, failure
from machinectl.provision.host_changes import Change, PortOpened, of_kind
from machinectl.provision.job import command_job
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target

CHAIN_OF_RULE = re.compile(r"nft delete rule ([a-z0-9]+ [\w./-]+ [\w./-]+) handle ", re.ASCII)


class Rule(NamedTuple):
    """A firewall, its commands, and whether it rejects connections like a closed port."""

    firewall: str
    allow: str
    undo: str
    rejects: bool = False


def blocking(facts: Facts, port: int, protocol: str = "tcp") -> Rule | None:
    """Return the firewall that blocks a port, as far as its rules show; commands are for TCP."""
    rules = facts.firewalls
    # ufw and firewalld manage the kernel's rules in their own chains.
    if "ufw" in rules:
        if re.search(rf"allow (any|{protocol}) {port} ", rules["ufw"]):
            return None
        return ufw(port)
    if "firewalld" in rules:
        if f"{port}/{protocol}" in rules["firewalld"].split():
            return None
        return firewalld(port)
    if "iptables" in rules and (by := blocked_by(rules["iptables"], port, protocol)):
        return iptables(port)._replace(rejects="REJECT" in by)
    for chain, text in chains(rules.get("nftables", "")):
        if by := blocked_by(text, port, protocol):
            return nftables(chain, port)._replace(rejects="reject" in by.lower())
    return None


def chains(rules: str) -> list[tuple[str, str]]:
    """Split nftables' input chains into (family table name, rules)."""
    found = re.split(r"^chain (\S+ \S+ \S+)$", rules, flags=re.MULTILINE)[1:]
    return list(zip(found[::2], found[1::2], strict=True))


def blocked_by(rules: str, port: int, protocol: str = "tcp") -> str:
    """Return the rule or policy that blocks a port, or "". Ignores rules with other conditions."""
    default = re.search(r"policy drop|^-P INPUT DROP", rules, re.MULTILINE)
    others = "udp" if protocol == "tcp" else "tcp"
    for line in rules.split("\n"):
        if re.search(rf"\b{others}\b", line) and not re.search(rf"\b{protocol}\b", line):
            continue
        named = re.search(rf"dport {port}\b|dport \{{[^}}]*\b{port}\b", line)
        everything = re.fullmatch(
            r"\s*(counter packets \d+ bytes \d+ )?(drop|reject.*)|-A INPUT -j (DROP|REJECT).*", line
        )
        if named and re.search(r"\baccept\b|-j ACCEPT", line):
            return ""
        if everything or (named and re.search(r"\bdrop\b|\breject\b|-j (DROP|REJECT)", line)):
            return line
    return default[0] if default else ""


def ufw(port: int) -> Rule:
    return Rule("ufw", f"ufw allow {port}/tcp", f"ufw delete allow {port}/tcp")


def firewalld(port: int) -> Rule:
    change = "firewall-cmd -q --permanent --{0}-port={1}/tcp && firewall-cmd -q --{0}-port={1}/tcp"
    return Rule("firewalld", change.format("add", port), change.format("remove", port))


def iptables(port: int) -> Rule:
    rule = f"INPUT -p tcp --dport {port} -j ACCEPT"
    return Rule("iptables", f"iptables -I {rule}", f"iptables -D {rule}")


def nftables(chain: str, port: int) -> Rule:
    """Return a rule in a chain. iptables only finds rules in its own."""
    if chain == "ip filter INPUT":
        return iptables(port)
    # nftables deletes rules by handle, known only once the rule exists.
    undo = (
        f"nft delete rule {chain} handle "
        f"$(nft -a list chain {chain} | sed -n 's/.*tcp dport {port} accept # handle //p' | head -n 1)"
    )
    return Rule("nftables", f"nft insert rule {chain} tcp dport {port} accept", undo)


def open_port(facts: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> Decision | None:
    """Open the engine's port if it is blocked and --open-firewall is given; close ours if SSH is enough."""
    if target.ssh_only:
        return close_ports(facts, target.opened)
    rule = blocking(facts, target.port) if allowed.open_firewall else None
    if rule is None:
        return None
    made = facts.zone_file if rule.firewall == "firewalld" else ""
    return Decision(
        title=f"Opening port {target.port} in {rule.firewall}",
        details=(rule.allow,),
        job=command_job(rule.allow),
        after=facts,
        failure=failure("The firewall could not be changed", Hint("Open the port on the host")),
        changes=(PortOpened(rule.firewall, str(target.port), rule.undo, made),),
    )


def close_ports(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    opened = [change for change in of_kind(changes, PortOpened) if is_our_rule(change)]
    if not opened:
        return None
    # Last: our rules must be gone from the zone.
    zones = sorted({change.made for change in opened if change.made})
    removals = [f"{{\n{remove_zone_file(zone)}\n}}" for zone in zones]
    return Decision(
        f"Closing the port in {' and '.join(change.firewall for change in opened)}",
        (*(change.undo for change in opened), *(f"remove {zone} if it holds nothing else" for zone in zones)),
        command_job(" && ".join([*map(close_command, opened), *removals])),
        facts,
        failure(
            "The port could not be closed in the host's firewall", Hint("Look for its rule on the host, and try again")
        ),
        undone=tuple(opened),
    )


def is_our_rule(change: PortOpened) -> bool:
    """Return whether we made a recorded rule: its undo runs as root."""
    port = int(change.port)
    chain = CHAIN_OF_RULE.match(change.undo)
    rules = [ufw(port), firewalld(port), iptables(port), *([nftables(chain[1], port)] if chain else [])]
    return (change.firewall, change.undo) in {(rule.firewall, rule.undo) for rule in rules}


def close_command(change: PortOpened) -> str:
    match change.firewall:
        case "iptables":
            there = change.undo.replace(" -D ", " -C ", 1)
        case "nftables":
            chain = change.undo.partition(" handle ")[0].replace("nft delete rule", "nft list chain", 1)
            there = f"{chain} | grep -q 'tcp dport {change.port} accept'"
        case _:
            return change.undo
    return f"if {there} 2>/dev/null; then {change.undo}; fi"


def remove_zone_file(zone: str) -> str:
    """Return the command that removes our zone file if it equals firewalld's."""
    own = f"/usr/lib/firewalld/zones/{zone.rpartition('/')[2]}"
    # They may differ in whitespace.
    return (
        "elements() { tr -d '\\n' <\"$1\" | sed 's/> *</>\\n</g' | sort; }\n"
        f'if [ "$(elements {zone})" = "$(elements {own})" ]; then rm -f {zone} {zone}.old; fi'
    )


def advice(facts: Facts, port: int, machine: str = "") -> Hint:
    """Return a hint if only the engine's port is unreachable; `machine` is one that can be provisioned."""
    rule = blocking(facts, port)
    if rule:
        opening = Hint("or pass --open-firewall")
        if machine:
            opening = Hint("or", "machinectl provision --open-firewall", machine)
        return Hint(f"{rule.firewall} on the host blocks it. Open it there", rule.allow) | opening
    found = " and ".join(sorted(name for name, rules in facts.firewalls.items() if rules)) or "none on the host"
    return Hint(f"Firewalls found: {found}; one between here and the host must let port {port}/tcp through")
