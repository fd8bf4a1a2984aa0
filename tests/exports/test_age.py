from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pyrage
import pytest

from machinectl.errors import MachineError
from machinectl.exports import age
from tests.support.real import need
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"what is encrypted\n" * 9000


def unasked(question: str) -> str:
    pytest.fail(question)


def identity_file(directory: Path) -> tuple[Path, str]:
    """A new secret key as age-keygen writes it, and its recipient."""
    key = pyrage.x25519.Identity.generate()
    path = directory / "identity.txt"
    path.write_text(f"# created: today\n# public key: {key.to_public()}\n{key}\n")
    return path, str(key.to_public())


def ssh_key(directory: Path, passphrase: str = "", kind: str = "ed25519") -> tuple[Path, str]:
    need("ssh-keygen")
    path = keygen(directory / "id_ssh", kind, passphrase=passphrase)
    return path, path.with_suffix(".pub").read_text().strip()


@pytest.mark.parametrize("armored", [False, True])
def test_what_is_encrypted_for_a_recipient_its_identity_opens(tmp_path: Path, *, armored: bool) -> None:
    path, recipient = identity_file(tmp_path)
    data = age.encrypt_for(TEXT, [recipient], armored=armored)
    assert age.is_age_file(data)
    assert not age.needs_passphrase(data)
    assert data.isascii() is armored
    assert age.decrypt_with_identities(data, age.read_identities(str(path), unasked)) == TEXT


@pytest.mark.usefixtures("little_work")
@pytest.mark.parametrize("armored", [False, True])
def test_what_is_encrypted_with_a_passphrase_that_opens_alone(*, armored: bool) -> None:
    data = age.encrypt_with_passphrase(TEXT, "größer", armored=armored)
    assert age.is_age_file(data)
    assert age.needs_passphrase(data)
    assert age.decrypt_with_passphrase(data, "größer") == TEXT
    with pytest.raises(age.NotDecrypted, match="The passphrase is wrong"):
        age.decrypt_with_passphrase(data, "grösser")


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
def test_ssh_keys_are_recipients_and_identities(tmp_path: Path, passphrase: str) -> None:
    path, public = ssh_key(tmp_path, passphrase)
    data = age.encrypt_for(TEXT, [public], armored=False)
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return passphrase

    assert age.decrypt_with_identities(data, age.read_identities(str(path), ask)) == TEXT
    assert questions == ([f"Passphrase of {path}: "] if passphrase else [])


def test_a_wrong_passphrase_of_an_ssh_key_is_told_from_a_wrong_key(tmp_path: Path) -> None:
    path, _ = ssh_key(tmp_path, "a passphrase")
    with pytest.raises(age.NotDecrypted, match="The passphrase is not that of"):
        age.read_identities(str(path), lambda _: "another one")


def test_another_identity_does_not_open_it(tmp_path: Path) -> None:
    data = age.encrypt_for(TEXT, [str(pyrage.x25519.Identity.generate().to_public())], armored=False)
    path, _ = identity_file(tmp_path)
    with pytest.raises(age.NotDecrypted, match="for other keys"):
        age.decrypt_with_identities(data, age.read_identities(str(path), unasked))


@pytest.mark.usefixtures("little_work")
def test_an_identity_file_may_be_encrypted_with_a_passphrase(tmp_path: Path) -> None:
    path, recipient = identity_file(tmp_path)
    path.write_bytes(age.encrypt_with_passphrase(path.read_bytes(), "secret", armored=True))
    data = age.encrypt_for(TEXT, [recipient], armored=False)
    assert age.decrypt_with_identities(data, age.read_identities(str(path), lambda _: "secret")) == TEXT


def test_a_file_of_recipients_has_comments(tmp_path: Path) -> None:
    path = tmp_path / "recipients"
    path.write_text("# mine\n\n  age1abc  \nssh-ed25519 AAAA me@laptop\n")
    assert age.read_recipients(str(path)) == ["age1abc", "ssh-ed25519 AAAA me@laptop"]


def test_a_secret_key_is_no_recipient_and_is_not_shown() -> None:
    secret = str(pyrage.x25519.Identity.generate())
    with pytest.raises(MachineError) as refused:
        age.parse_recipient(secret)
    assert secret not in f"{refused.value.cause} {refused.value.hint}"
    assert refused.value.hint == "Print its public key: age-keygen -y <FILE>"


@pytest.mark.parametrize("text", ["", "age1", "bob", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 AAAA", "age1\x1b[31m"])
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(MachineError, match="is not a recipient of age") as refused:
        age.parse_recipient(text)
    assert refused.value.cause.isprintable()


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"\xff\xfe", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"AGE-SECRET-KEY-1X"]
)
def test_what_is_no_identity_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "identity"
    path.write_bytes(text)
    with pytest.raises(MachineError, match="is not a private key for age"):
        age.read_identities(str(path), unasked)


def test_damage_anywhere_is_found(tmp_path: Path) -> None:
    path, recipient = identity_file(tmp_path)
    identities = age.read_identities(str(path), unasked)
    data = age.encrypt_for(b"x" * 200, [recipient], armored=False)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        for bad in (changed, data[:at]):
            with pytest.raises(MachineError):
                age.decrypt_with_identities(bad, identities)


def test_a_passphrase_that_takes_hours_to_check_is_refused() -> None:
    """Whoever sends such a file could keep the computer busy."""
    salt, key = b"A" * 22, b"A" * 43
    data = b"age-encryption.org/v1\n-> scrypt " + salt + b" 40\n" + key + b"\n--- " + key + b"\n" + b"x" * 40
    with pytest.raises(MachineError, match="age cannot decrypt it: Excessive work parameter"):
        age.decrypt_with_passphrase(data, "secret")


def test_the_age_program_and_we_read_each_others_files(tmp_path: Path) -> None:
    need("age", "age-keygen")
    path = tmp_path / "key"
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True).stdout.strip()
    for armored in (False, True):
        ours = age.encrypt_for(TEXT, [recipient], armored=armored)
        assert subprocess.run(["age", "-d", "-i", path], input=ours, check=True, capture_output=True).stdout == TEXT
        command = ["age", "-r", recipient, *(["-a"] if armored else [])]
        theirs = subprocess.run(command, input=TEXT, check=True, capture_output=True).stdout
        assert age.decrypt_with_identities(theirs, age.read_identities(str(path), unasked)) == TEXT
