"""Which address of a machine answered last: a file in its directory, which decides about the order only. Light path.

MACHINE/answered-engine and MACHINE/answered-ssh hold an address. The file's time is that of the answer.
"""

from __future__ import annotations

import os
import time

from machinectl import url as engine_url
from machinectl.errors import Hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ENGINE, SSH = "answered-engine", "answered-ssh"
# Seconds for which the address that answered is tried first: a silent one costs seconds.
REMEMBERED = 600.0
# Seconds for which it is not looked for again.
MOMENT = 5.0


class AddressNews:
    """Machines that this process has found at another address, and warnings of skipped ones."""

    def __init__(self) -> None:
        self.moved: set[str] = set()
        self.skipped: dict[str, Hint] = {}


NEWS = AddressNews()


class AddressMemory:
    """Remembers which of a machine's hosts answered, and says which were skipped. `what` is ENGINE or SSH."""

    def __init__(self, name: str, directory: str, what: str) -> None:
        self._name = name
        self._directory = directory
        self._what = what

    def in_order(self, hosts: Sequence[str]) -> list[str]:
        """Put the host first that answered lately."""
        last, age = last_answer(self._directory, self._what)
        return sorted(hosts, key=lambda host: host != last) if 0 <= age < REMEMBERED else list(hosts)

    def has_answered(self, host: str, within: float) -> bool:
        """Return whether the host answered in the last seconds."""
        last, age = last_answer(self._directory, self._what)
        return last == host and 0 <= age < within

    def answered(self, host: str) -> None:
        """Never fails: without the file, the addresses are tried in their order."""
        last, age = last_answer(self._directory, self._what)
        if last == host and 0 <= age < (REMEMBERED if self._what == ENGINE else MOMENT):
            return
        from contextlib import suppress

        from machinectl.files.atomic import StoreError, replace_file

        with suppress(StoreError, OSError):
            replace_file(os.path.join(self._directory, self._what), f"{host}\n".encode())
            if last != host:
                NEWS.moved.add(self._name)

    def skipped(self, place: str, cause: str) -> None:
        skipped = f'Skipped {place}, an address of "{self._name}": {cause}'
        NEWS.skipped[skipped] = Hint("See its addresses", "machinectl doctor", self._name)


def last_first(directory: str, url: str, addresses: Sequence[str]) -> list[str]:
    """Return an engine's URLs, the last that answered first."""
    last, _ = last_answer(directory, ENGINE)
    # A driver may have given the host one of the addresses.
    urls = dict.fromkeys([url, *(engine_url.with_host(url, address) for address in addresses)])
    return sorted(urls, key=lambda each: engine_url.parse_url(each).host != last) if last else list(urls)


def last_answer(directory: str, what: str) -> tuple[str, float]:
    """Return the host that answered last, and seconds since then; "" if none is known."""
    try:
        descriptor = os.open(os.path.join(directory, what), os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return "", -1.0
    try:
        text = os.read(descriptor, engine_url.LONGEST_HOST + 1).decode(errors="replace").strip()
        return text, time.time() - os.fstat(descriptor).st_mtime
    except OSError:
        return "", -1.0
    finally:
        os.close(descriptor)
