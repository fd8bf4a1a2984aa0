"""Import modules when they are first used; most runs never use them. Light path."""

from __future__ import annotations

import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Modules that dataclasses and our own modules import, and few runs use. inspect takes as long to load as Python itself;
# dataclasses asks it about classes without a docstring.
SELDOM_USED = ("getopt", "getpass", "glob", "hashlib", "hmac", "inspect", "shutil", "subprocess", "tempfile")
LOCK = allocate_lock()


class LateModule(type(sys)):  # type: ignore[misc]  # the type of modules; importing `types` takes time
    """A stand-in that imports its module when a thread first asks for something in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # The import system asks for these.
            raise AttributeError(name)
        with LOCK:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        module = __import__(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)


def import_late() -> None:
    for name in SELDOM_USED:
        if name not in sys.modules:
            sys.modules[name] = LateModule(name)
