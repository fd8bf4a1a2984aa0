"""Certificates that the user names, compared with those of a machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.hosts.certificate_files import has_named_certificates, read_named_certificates
from machinectl.machines.record import Machine
from machinectl.machines.spec import CertificateFiles
from machinectl.verbs.certs import create_certificates
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store


def files(directory: Path) -> CertificateFiles:
    create_certificates(str(directory), ["192.168.0.40"])
    return CertificateFiles(str(directory))


def test_only_the_certificates_of_creation_count_as_present(store: Store, tmp_path: Path) -> None:
    mine = files(tmp_path / "mine")
    given = read_named_certificates(mine)
    assert given is not None
    machine = added(store, Machine("nas", "none", url="tcp://192.168.0.40:2376", tls=True), given.present)
    three = CertificateFiles("", *(f"{mine.directory}/{name}" for name in ("ca.pem", "cert.pem", "key.pem")))
    assert has_named_certificates(machine, mine)
    assert has_named_certificates(machine, three)
    assert not has_named_certificates(machine, files(tmp_path / "theirs"))
    # What is kept of a file is its certificate, whatever stands around it.
    Path(mine.directory, "cert.pem").write_bytes(b"Subject: me\n" + given.client)
    assert has_named_certificates(machine, mine)


def test_missing_certificates_are_named(store: Store, tmp_path: Path) -> None:
    machine = added(store, Machine("nas", "none", url="tcp://192.168.0.40:2376", tls=True))
    gone = files(tmp_path / "gone")
    shutil.rmtree(gone.directory)
    with pytest.raises(MachineError, match=r"ca\.pem"):
        has_named_certificates(machine, gone)
    with pytest.raises(MachineError, match=gone.directory):
        has_named_certificates(None, gone)
    assert not has_named_certificates(None, files(tmp_path / "new"))
