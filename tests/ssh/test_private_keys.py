from __future__ import annotations

import base64
import contextlib
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.files.user_files import read_secret
from machinectl.ssh.keys import private_keys
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.ssh_errors import SSHError
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [
    pytest.param("ed25519", (), id="ed25519"),
    pytest.param("ecdsa", ("-b", "256"), id="ecdsa-256"),
    pytest.param("ecdsa", ("-b", "521"), id="ecdsa-521"),
    pytest.param("rsa", ("-b", "2048"), id="rsa"),
    pytest.param("rsa", ("-b", "2048", "-m", "PEM"), id="rsa-pem"),
    pytest.param("ecdsa", ("-b", "384", "-m", "PEM"), id="ecdsa-384-pem"),
    pytest.param("rsa", ("-b", "2048", "-m", "PKCS8"), id="rsa-pkcs8"),
    pytest.param("ecdsa", ("-b", "521", "-m", "PKCS8"), id="ecdsa-521-pkcs8"),
]


def container(blob: bytes) -> str:
    """OpenSSH's key without its private half (PROTOCOL.key)."""
    fields = b"".join(struct.pack(">I", len(each)) + each for each in (b"none", b"none", b""))
    data = b"openssh-key-v1\0" + fields + struct.pack(">II", 1, len(blob)) + blob
    encoded = base64.b64encode(data).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{encoded}\n-----END OPENSSH PRIVATE KEY-----\n"


KIND = "sk-ssh-ed25519@openssh.com"
BLOB = struct.pack(">I", len(KIND)) + KIND.encode()
TOKEN_KEY = container(BLOB)


@pytest.mark.parametrize("passphrase", ["", "geheim"], ids=["open", "encrypted"])
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_keys_of_every_kind_are_opened(tmp_path: Path, kind: str, options: tuple[str, ...], passphrase: str) -> None:
    path = str(keygen(tmp_path / "key", kind, passphrase=passphrase, options=options))
    pkey = private_keys.load_key(path, passphrase or None)
    assert f"{pkey.get_name()} {pkey.get_base64()}" == public(tmp_path / "key").rpartition(" ")[0]
    for wrong in ("falsch", None, "ü" * 80) if passphrase else ():
        with pytest.raises(private_keys.NeedsPassphrase):
            private_keys.load_key(path, wrong)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is damaged, or no private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "is damaged, or no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is damaged"),
        ("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n", "is damaged"),
        (f"{KIND} {base64.b64encode(BLOB).decode()}\n", "is a public key"),
        (TOKEN_KEY, "on a security token"),
    ],
)
def test_a_file_that_is_no_key_is_named_for_what_it_is(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(SSHError, match=what):
        private_keys.load_key(str(path))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_key_is_an_error_never_a_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    directory = tmp_path_factory.getbasetemp() / "damaged"
    directory.mkdir(exist_ok=True)
    path = directory / "key"
    if not path.exists():
        keygen(path)
    text = path.read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    broken = directory / "broken"
    broken.write_text(text[:start] + data.draw(st.text("AB=\n", max_size=4)) + text[end:])
    with contextlib.suppress(SSHError, private_keys.NeedsPassphrase):
        private_keys.load_key(str(broken))


def test_the_public_half_comes_from_the_file_beside_the_key_or_from_the_key(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key", "rsa", passphrase="geheim", options=("-m", "PEM"))
    line = public(path).rpartition(" ")[0]
    assert private_keys.public_line(str(path)) == line
    path.with_name("key.pub").unlink()
    assert private_keys.public_line(str(path), "geheim") == line
    with pytest.raises(SSHError, match="needs its passphrase") as caught:
        private_keys.public_line(str(path))
    assert "--ssh-passphrase-file" in caught.value.hint
    with pytest.raises(SSHError, match="There is no key"):
        private_keys.public_line(str(tmp_path / "nowhere"))


def test_the_credentials_show_no_secret() -> None:
    credentials = Credentials(password="geheim", passphrase="geheim", sudo_password="geheim")
    credentials.passphrases["key"] = "geheim"
    assert "geheim" not in repr(credentials)
    assert "geheim" not in f"{credentials}"


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"geh eim \r\nsecond line\n")
    assert read_secret(str(path), "--ssh-password-file") == "geh eim "
    path.write_text("\n")
    with pytest.raises(MachineError, match=r"--ssh-password-file: .* has nothing"):
        read_secret(str(path), "--ssh-password-file")
    with pytest.raises(MachineError, match="Is a directory"):
        read_secret(str(tmp_path), "--ssh-password-file")
