"""Modules that few runs use are imported at their first use, in any thread."""

from __future__ import annotations

import subprocess
import sys

START = "import sys; from machinectl.cli.late_modules import LateModule, import_late; import_late()\n"
AS_LOADED = """
import hashlib, subprocess, shutil
from tempfile import gettempdir
assert type(sys.modules["hashlib"]) is LateModule
assert subprocess.run([sys.executable, "-c", ""]).returncode == 0
assert hashlib.sha256(b"").digest_size == 32
assert gettempdir()
for name in ("hashlib", "subprocess", "tempfile"):
    assert type(sys.modules[name]) is not LateModule
    assert sys.modules[name].__spec__.name == name
assert subprocess.PIPE == sys.modules["subprocess"].PIPE
assert hashlib.sha256 is sys.modules["hashlib"].sha256
assert not hasattr(shutil, "nothing")
"""
BY_DATACLASSES = """
from dataclasses import dataclass
@dataclass
class Documented:
    "A point."
    x: int
assert type(sys.modules["inspect"]) is LateModule
@dataclass
class Plain:
    x: int
assert Plain.__doc__ == "Plain(x: int)"
"""
IN_THREADS = """
import threading, shutil
start = threading.Barrier(16)
found = []
def use():
    start.wait()
    found.append(shutil.which)
threads = [threading.Thread(target=use) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
assert found == [sys.modules["shutil"].which] * 16
"""


def test_a_late_module_is_the_module_once_it_is_used() -> None:
    for code in (AS_LOADED, BY_DATACLASSES, IN_THREADS):
        subprocess.run([sys.executable, "-S", "-c", START + code], check=True, timeout=60)
