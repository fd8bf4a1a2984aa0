"""Other people's certificates, made by the real openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path


def openssl(directory: Path, *arguments: str) -> None:
    need("openssl")
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def scripts_certificates(
    directory: Path,
    *,
    address: str = "192.168.0.29",
    key: tuple[str, ...] = ("genrsa", "-out"),
    usage: str = "clientAuth",
) -> None:
    """What gen-docker-certs.sh and its likes make: RSA 2048, SAN = the IP alone, no authority key identifier."""
    openssl(directory, *key, "ca-key.pem")
    openssl(
        directory, "req", "-new", "-x509", "-days", "365", "-key", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=orion"
    )
    for name, extensions in (
        ("server", f"subjectAltName = IP:{address}\n"),
        ("cert", f"extendedKeyUsage = {usage}\n"),
    ):
        key_file = "key.pem" if name == "cert" else "server-key.pem"
        (directory / "ext.cnf").write_text(f"authorityKeyIdentifier = none\n{extensions}")
        openssl(directory, *key, key_file)
        openssl(directory, "req", "-new", "-subj", f"/CN={name}", "-key", key_file, "-out", "csr")
        openssl(
            directory,
            *("x509", "-req", "-days", "365", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem"),
            *("-CAcreateserial", "-out", f"{name}.pem", "-extfile", "ext.cnf"),
        )
