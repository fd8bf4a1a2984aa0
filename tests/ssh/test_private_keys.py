from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.files.secret_files import read_secret
from machinectl.ssh.keys import private_keys
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.ssh_errors import SSHError, TokenNeeded
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


@pytest.mark.parametrize("passphrase", ["", "geheim"], ids=["open", "encrypted"])
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_keys_of_every_kind_are_opened(tmp_path: Path, kind: str, options: tuple[str, ...], passphrase: str) -> None:
    path = keygen(tmp_path / "key", kind, passphrase=passphrase, options=options)
    key = private_keys.read_key(str(path))
    assert key.encrypted is bool(passphrase)
    pkey = private_keys.unlock(key, passphrase or None)
    assert f"{pkey.get_name()} {pkey.get_base64()}" == public(path).rpartition(" ")[0]
    assert key.public is not None
    assert key.public.blob == pkey.asbytes()


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_wrong_passphrase_opens_no_key(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    key = private_keys.read_key(str(keygen(tmp_path / "key", kind, passphrase="geheim", options=options)))
    for passphrase in ("falsch", "", None, "ü" * 80):
        with pytest.raises(private_keys.WrongPassphrase):
            private_keys.unlock(key, passphrase)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is not a private key"),
        ("hello\n", "is not a private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "is PuTTY's"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is damaged, or of a kind"),
        ("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n", "is in the format DSA"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n!!!\n-----END OPENSSH PRIVATE KEY-----\n", "is damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "is damaged"),
    ],
)
def test_a_file_that_is_no_key_is_named_for_what_it_is(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(SSHError, match=what):
        private_keys.read_key(str(path))


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(SSHError, match="is a directory"):
        private_keys.read_key(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    path.chmod(0)
    with pytest.raises(SSHError, match="Permission denied"):
        private_keys.read_key(str(path))


@settings(max_examples=60, deadline=None)
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
    with contextlib.suppress(SSHError, private_keys.WrongPassphrase):
        private_keys.unlock(private_keys.read_key(str(broken)), None)


def test_a_public_key_stands_for_the_agents_private_one(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    key = private_keys.read_key(f"{path}.pub")
    assert key.public_only
    assert key.public == private_keys.read_key(str(path)).public


def test_a_key_that_needs_its_token_is_left_to_the_agent(tmp_path: Path) -> None:
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = len(kind).to_bytes(4, "big") + kind
    fields = (b"none", b"none", b"")
    container = private_keys.MAGIC + b"".join(len(f).to_bytes(4, "big") + f for f in fields) + (1).to_bytes(4, "big")
    container += len(blob).to_bytes(4, "big") + blob
    path = tmp_path / "key"
    encoded = base64.b64encode(container).decode()
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{encoded}\n-----END OPENSSH PRIVATE KEY-----\n")
    key = private_keys.read_key(str(path))
    assert key.on_token
    with pytest.raises(TokenNeeded, match="security token") as caught:
        private_keys.unlock(key, None)
    assert caught.value.hint == f"Let the agent hold it: ssh-add {path}"


@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
def test_a_cipher_that_cannot_be_opened_is_said_before_a_passphrase_is_asked(tmp_path: Path, cipher: str) -> None:
    path = keygen(tmp_path / "key", passphrase="geheim", options=("-Z", cipher))
    with pytest.raises(SSHError, match=f"encrypted with {cipher}"):
        private_keys.read_key(str(path))


def test_the_public_half_comes_from_the_file_beside_the_key_or_from_the_key(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key", "rsa", passphrase="geheim", options=("-m", "PEM"))
    line = public(path).rpartition(" ")[0]
    assert private_keys.public_line(str(path)) == line
    path.with_name("key.pub").unlink()
    assert private_keys.public_line(str(path), "geheim") == line
    with pytest.raises(SSHError, match="There is no key"):
        private_keys.public_line(str(tmp_path / "nowhere"))


def test_an_agent_that_is_gone_is_no_agent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert private_keys.open_agent("") is None
    assert private_keys.open_agent(str(tmp_path / "nowhere")) is None
    assert private_keys.open_agent(str(tmp_path / "file")) is None


def test_the_credentials_show_no_secret() -> None:
    credentials = Credentials(password="geheim", passphrase="geheim", sudo_password="geheim")
    credentials.passphrases["key"] = "geheim"
    assert "geheim" not in repr(credentials)
    assert "geheim" not in f"{credentials}"


def test_a_key_that_was_read_does_not_show_its_private_half(tmp_path: Path) -> None:
    key = private_keys.read_key(str(keygen(tmp_path / "key")))
    assert key.text.splitlines()[1] not in repr(key)


def test_a_jump_host_is_given_the_keys_and_not_the_passwords() -> None:
    credentials = Credentials(password="geheim", passphrase="satz", sudo_password="geheim")
    credentials.passphrases["key"] = "satz"
    jump = credentials.for_jump()
    assert (jump.password, jump.sudo_password) == (None, None)
    assert (jump.passphrase, jump.passphrases) == ("satz", {"key": "satz"})


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"geh eim \r\nsecond line\n")
    assert read_secret(str(path), "--ssh-password-file") == "geh eim "
    path.write_text("\n")
    with pytest.raises(MachineError, match=r"--ssh-password-file: .* has nothing"):
        read_secret(str(path), "--ssh-password-file")
    with pytest.raises(MachineError, match="Is a directory"):
        read_secret(str(tmp_path), "--ssh-password-file")


def test_ssh_keygen_agrees_that_the_keys_are_keys(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    printed = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True, text=True).stdout
    assert printed.startswith(private_keys.public_line(str(path)))
