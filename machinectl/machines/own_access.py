"""Access of this computer to somebody else's machine, by the machine's record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.errors import Hint, MachineError
from machinectl.machines.holders import is_holder_name, is_sender, is_time
from machinectl.machines.record import GRANTED, WAITING, is_name, owners_name, waits_for_access
from machinectl.value_classes import Frozen

if TYPE_CHECKING:
    from machinectl.machines.record import Machine


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
