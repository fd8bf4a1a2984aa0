"""The holders of access to a machine, and this computer's access to somebody else's, by its record. Light path.

Each holder, a person or a tool, has a CA of its own in MACHINE/holders/WHO: the engine trusts it until the holder is
ended. The keys of holders stay with them; only their fingerprints are on record.
"""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.record import GRANTED, WAITING, is_name, natural, owners_name, waits_for_access
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machinectl.machines.record import Machine

PERSON, TOOL = KINDS = ("person", "tool")
# Recorded before the engine trusts a holder's CA, and before it stops to. EXPIRES: the machine's own CA signed, as its
# host cannot be changed, so that the access cannot be ended.
ACTIVE, ADDING, ENDING, EXPIRES = STATES = ("", "adding", "ending", "expires")
# The state of a tool's key whose files are not written yet, so that nobody has it.
UNWRITTEN = "unwritten"
# This computer's own client, which is on no record.
OWNER = "owner"
DIRECTORY, CA_FILE, CA_KEY_FILE = "holders", "ca.pem", "ca-key.pem"
# Another computer knows a holder's CA by its common name, "machinectl MACHINE HOLDER", of 64 bytes (RFC 5280, A.1).
# A longer holder's name leaves no room for the machine's. Records of earlier builds have names of 64 characters.
LONGEST_HOLDER, LONGEST_RECORDED_HOLDER = 51, 64
HOLDER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-")


class HolderKey(Frozen):
    """`key` is the SHA256 of the public key (SubjectPublicKeyInfo) in hexadecimal, `until` a time in RFC 3339.

    `request` is the ID of the request that it came in, "" for a key that was made here. `state` is "" or UNWRITTEN.
    """

    key: str
    until: str
    request: str = ""
    state: str = ""


class AccessHolder(Frozen):
    """`ca` is the SHA256 of the CA's certificate in hexadecimal, `by` USER@COMPUTER, `since` a time in RFC 3339."""

    who: str
    kind: str = PERSON
    ca: str = ""
    state: str = ACTIVE
    by: str = ""
    since: str = ""
    keys: tuple[HolderKey, ...] = ()

    @classmethod
    def load(cls, who: str, data: object) -> AccessHolder | None:
        """Return None for what no machinectl has written."""
        if not is_holder_name(who) or not isinstance(data, dict):
            return None
        words = {key: str(data.get(key, "")) for key in ("kind", "ca", "state", "by", "since")}
        if words["kind"] not in KINDS or words["state"] not in STATES:
            return None
        listed = data.get("keys", [])
        keys = []
        for known in listed if isinstance(listed, list) else ():
            if isinstance(known, dict):
                # Earlier versions wrote further states, for keys that somebody may have.
                state = UNWRITTEN if known.get("state") == UNWRITTEN else ""
                key, until, request = (str(known.get(name, "")) for name in ("key", "until", "request"))
                keys.append(HolderKey(key, until, request, state))
        if not all(is_time(time) for time in (words["since"], *(key.until for key in keys)) if time):
            return None
        return cls(who, **words, keys=tuple(keys))

    def dump(self) -> dict[str, Any]:
        words = {"kind": self.kind, "ca": self.ca, "state": self.state, "by": self.by, "since": self.since}
        return {**words, "keys": [vars(key) for key in self.keys]}

    def with_key(self, key: HolderKey, since: str = "") -> AccessHolder:
        """Add a key, or replace its entry. Drop keys that expired before `since`, and those that nobody has."""
        kept = (each for each in self.keys if each.key != key.key and each.until >= since and each.state != UNWRITTEN)
        return replace(self, keys=(*kept, key))


def holders_of(machine: Machine) -> list[AccessHolder]:
    """Return holders in natural order."""
    found = (AccessHolder.load(who, machine.holders[who]) for who in sorted(machine.holders, key=natural))
    return [holder for holder in found if holder]


def find_holder(machine: Machine, who: str) -> AccessHolder | None:
    """Find a holder; names that differ in case only are the same."""
    return next((holder for holder in holders_of(machine) if holder.who.lower() == who.lower()), None)


def holders_with_key(machine: Machine, key: str) -> list[AccessHolder]:
    return [holder for holder in holders_of(machine) if any(each.key == key for each in holder.keys)]


def put_holder(machine: Machine, holder: AccessHolder) -> None:
    machine.holders = {**machine.holders, holder.who: holder.dump()}


def end_holder(machine: Machine, holder: AccessHolder, when: str) -> None:
    """Move a holder to those whose access was ended: their requests are refused from now on."""
    machine.holders = {who: data for who, data in machine.holders.items() if who != holder.who}
    keys = [key.key for key in holder.keys]
    machine.ended = [*machine.ended, {"who": holder.who, "keys": keys, "when": when}]


def ended_with_key(machine: Machine, key: str) -> dict[str, Any] | None:
    """Return what `end_holder` has recorded of the holder that had this key."""
    for data in reversed(machine.ended):
        if isinstance(data, dict) and isinstance(keys := data.get("keys"), list) and key in keys:
            return data
    return None


def valid_holders(machine: Machine, now: str) -> list[AccessHolder]:
    """Return those with a certificate that is valid after `now`, a time in RFC 3339."""
    return [holder for holder in holders_of(machine) if any(key.until > now for key in holder.keys)]


def is_suspended(machine: Machine) -> bool:
    """Return whether the engine is reached over SSH only, so that it accepts no certificate.

    A run that makes it listen records the CA first: after a killed one, it counts as listening.
    """
    if machine.tls or not machine.url.startswith("ssh://"):
        return False
    from machinectl.provision.host_changes import CaTrusted, of_kind

    return not any(of_kind(machine.changes, CaTrusted))


def listener_effect(machine: Machine, now: str, *, ssh_only: bool) -> str:
    """Say whose access is suspended or comes back if the host follows, "" for nobody's."""
    names = ", ".join(holder.who for holder in valid_holders(machine, now))
    if not names or ssh_only == is_suspended(machine):
        return ""
    return f"suspends the access of {names}" if ssh_only else f"gives access back to {names}"


def holder_directory(directory: str, who: str) -> str:
    return os.path.join(directory, DIRECTORY, who)


def is_time(text: str) -> bool:
    """Return whether it is a time in RFC 3339."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def is_holder_name(who: str) -> bool:
    return 0 < len(who) <= LONGEST_RECORDED_HOLDER and who[0].isalnum() and HOLDER_CHARACTERS.issuperset(who)


def is_sender(who: str) -> bool:
    """Return whether a request or an answer may have this sender: the name must not look like a fingerprint."""
    from machinectl.machines.spoken_fingerprint import hide_fingerprints

    return is_holder_name(who) and hide_fingerprints(who) == who


def check_holder_name(who: str) -> None:
    """Raise UsageError for a name that no holder can have."""
    if who.lower() == OWNER:
        raise UsageError(f'"{OWNER}" is the access of this computer', Hint("Choose another name"))
    if len(who) > LONGEST_HOLDER or not is_holder_name(who):
        raise UsageError(
            f"{who[:LONGEST_RECORDED_HOLDER]!r} cannot be a holder's name: letters, digits, and . _ @ + - after the "
            f"first, at most {LONGEST_HOLDER} characters",
            Hint("Choose a name like alice or ci-runner"),
        )


class OwnAccess(Frozen):
    """The record's `access`. `asked` is the owner's name of the machine, `who` this computer's name in the request.

    `request` is the ID of the last request and `made` its time, `answered` the ID of the last one with an answer.
    `until`, `by`, `url` and `called`, a newer name of the owner's, are from the answer. Times are in RFC 3339.
    """

    asked: str
    who: str
    request: str
    made: str
    state: str = WAITING
    answered: str = ""
    until: str = ""
    by: str = ""
    url: str = ""
    called: str = ""

    @classmethod
    def of(cls, machine: Machine) -> OwnAccess | None:
        """Return None without a request for the machine, and for values that machinectl never writes."""
        data: dict[str, Any] = machine.access
        words = {name: str(data.get(name, "")) for name in cls.fields_by_name}
        if not all(is_time(words[key]) for key in ("made", "until") if words[key]):
            return None
        return cls(**words) if words["state"] in {WAITING, GRANTED} and words["asked"] else None

    def dump(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if value}

    @property
    def is_valid(self) -> bool:
        """Return whether a request or an answer can have these values."""
        names = is_name(self.asked) and is_name(self.called or self.asked) and is_holder_name(self.who)
        # The sender's name becomes part of hints.
        is_named = not self.by or is_sender(self.by)
        return names and is_named and all(word.isprintable() for word in vars(self).values())

    @property
    def is_pending(self) -> bool:
        return self.request != self.answered


def whom_to_ask(machine: Machine) -> MachineError | None:
    """Return why this computer cannot end its access to a machine of somebody else; None for an own machine."""
    own = OwnAccess.of(machine)
    if own is None:
        return None
    if waits_for_access(machine):
        return MachineError(f'"{machine.name}" is waiting for access', Hint("Forget it", "machinectl rm", machine.name))
    return MachineError(
        f'"{machine.name}" is shared by {own.by}, who can end your access',
        Hint(f"Ask {own.by} to type", "machinectl access end", own.who, owners_name(machine), elsewhere=True),
    )
