from __future__ import annotations

import base64
import dataclasses
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.ssh.destination import Settings
from machinectl.ssh.keys import known_hosts
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.ssh_errors import HostKeyRefused
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from pathlib import Path


def a_key(seed: str, kind: str = "ssh-ed25519") -> HostKey:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + seed.encode().ljust(36, b"-")
    return HostKey(kind, blob)


KEY, OTHER = a_key("one"), a_key("two")
SETTINGS = Settings(
    host="box",
    hostname="192.168.0.29",
    user="ops",
    port=22,
    keys=(),
    key_given=False,
    identities_only=False,
    agent="",
    proxy_jump="",
    proxy_command="",
    known_hosts=(),
    host_key_alias="",
    strict_host_key_checking="ask",
    revoked_host_keys="",
    connect_timeout=10,
    alive_interval=15,
    alive_count=3,
)


def judge(
    tmp_path: Path,
    known: str = "",
    policy: HostKeyPolicy | None = None,
    *,
    key: HostKey = KEY,
    console: Quiet | None = None,
    jump: bool = False,
    **settings: object,
) -> HostKeys:
    """Check a host's key against a user's known_hosts; what is pinned then is in the answer."""
    path = tmp_path / "known_hosts"
    path.write_text(known)
    host_keys = HostKeys(policy or HostKeyPolicy(), console or Quiet())
    chosen = dataclasses.replace(SETTINGS, known_hosts=(str(path),), **settings)  # type: ignore[arg-type]
    host_keys.check(chosen, key, jump=jump)
    return host_keys


PINNED = f"machinectl {KEY.line}\n".encode()
PINNED_OTHER = f"machinectl {OTHER.line}\n".encode()


@given(st.lists(st.text("abc*?!@|,[]:= #\t", max_size=12), max_size=4).map(" ".join))
def test_no_line_is_too_strange_to_read(line: str) -> None:
    for entry in known_hosts.parse_known_hosts(f"{line} {KEY.line}\n".encode()):
        entry.names("abc")


@pytest.mark.parametrize(
    ("names", "is_named"),
    [
        ("192.168.0.29", True),
        ("box,192.168.0.29", True),
        ("192.168.0.*", True),
        ("192.168.0.2?", True),
        ("*,!192.168.0.29", False),
        ("192.168.0.2", False),
        ("192x168x0x29", False),
        ("|1|AAAA|BBBB", False),
        ("|1|not!base64", False),
    ],
)
def test_a_line_names_hosts_by_patterns(names: str, *, is_named: bool) -> None:
    [entry] = known_hosts.parse_known_hosts(f"{names} {KEY.line} a comment\n".encode())
    assert entry.names("192.168.0.29") is is_named


def test_names_that_ssh_keygen_hashed_are_found(tmp_path: Path) -> None:
    need("ssh-keygen")
    path = tmp_path / "known_hosts"
    key = public(keygen(tmp_path / "key"))
    path.write_text(f"192.168.0.29 {key}[box]:2222 {key}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    assert b"192.168" not in path.read_bytes()
    entries = known_hosts.parse_known_hosts(path.read_bytes())
    assert [[entry.names(name) for entry in entries] for name in ("192.168.0.29", "[box]:2222", "box")] == [
        [True, False],
        [False, True],
        [False, False],
    ]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path: Path, kind: str) -> None:
    need("ssh-keygen")
    path = keygen(tmp_path / "key", kind)
    key = known_hosts.parse_key(*public(path).split()[:2])
    assert key is not None
    printed = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert key.fingerprint == printed.split()[1]
    assert str(key) == f"{kind.upper()} {key.fingerprint}"
    assert known_hosts.is_fingerprint(key.fingerprint)


def test_a_key_whose_type_is_not_that_of_its_blob_is_passed_over() -> None:
    blob = base64.b64encode(KEY.blob).decode()
    assert (
        known_hosts.parse_known_hosts(f"host ssh-rsa {blob}\nhost ssh-ed25519 !{blob}\n# {KEY.line}\n".encode()) == []
    )


@pytest.mark.parametrize("text", ["", "SHA256:", "MD5:aa:bb", "SHA256:" + "a" * 42, "SHA256:" + "a" * 43 + "\n"])
def test_what_is_no_fingerprint_cannot_be_demanded(text: str) -> None:
    assert not known_hosts.is_fingerprint(text)
    if text:
        with pytest.raises(UsageError, match="not a SHA256 fingerprint"):
            HostKeyPolicy(demanded=text)


def test_the_pasted_fingerprint_is_a_yes_and_another_one_refuses_the_host(tmp_path: Path) -> None:
    for answer in (KEY.fingerprint, f" {KEY.fingerprint}=", "YES"):
        assert judge(tmp_path, console=Quiet(answer)).pinned == PINNED
    console = Quiet("sure", "SHA256:short", "yes")
    assert judge(tmp_path, console=console).pinned == PINNED
    assert console.asked[1:] == ["Type yes, no or the fingerprint of 192.168.0.29"] * 2
    with pytest.raises(HostKeyRefused, match=f"but {OTHER.fingerprint} is required"):
        judge(tmp_path, console=Quiet(OTHER.fingerprint))
    with pytest.raises(HostKeyRefused, match="nothing was sent to it"):
        judge(tmp_path, console=Quiet(""))


def test_an_unknown_key_is_pinned_with_a_note_where_nobody_can_be_asked(tmp_path: Path) -> None:
    console = Quiet()
    assert judge(tmp_path, console=console).pinned == PINNED
    assert KEY.fingerprint in console.said[0]


def test_strict_refuses_an_unknown_key_and_says_how_to_accept_it(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused) as caught:
        judge(tmp_path, policy=HostKeyPolicy(strict=True), console=Quiet(True))
    assert f"--ssh-host-key {KEY.fingerprint}" in caught.value.hint


@pytest.mark.parametrize(
    ("known", "settings"),
    [
        (f"192.168.0.29 {KEY.line}", {}),
        (f"[192.168.0.29]:2222 {KEY.line}\n192.168.0.29 {OTHER.line}", {"port": 2222}),
        (f"alias {KEY.line}\n192.168.0.29 {OTHER.line}", {"host_key_alias": "alias"}),
    ],
    ids=["name", "name and port", "alias alone"],
)
def test_a_key_that_the_user_knows_is_pinned_without_a_word(
    tmp_path: Path, known: str, settings: dict[str, Any]
) -> None:
    console = Quiet()
    assert judge(tmp_path, known, HostKeyPolicy(strict=True), console=console, **settings).pinned == PINNED
    assert console.said == []


def test_another_key_than_the_user_knows_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused) as caught:
        judge(tmp_path, f"192.168.0.29 {OTHER.line}")
    assert KEY.fingerprint in caught.value.cause
    assert OTHER.fingerprint in caught.value.cause
    assert f"ssh-keygen -f {tmp_path}/known_hosts -R 192.168.0.29" in caught.value.hint


def test_what_is_pinned_decides_not_what_the_user_knows(tmp_path: Path) -> None:
    assert judge(tmp_path, f"192.168.0.29 {OTHER.line}", HostKeyPolicy(pinned=PINNED)).pinned == PINNED
    with pytest.raises(HostKeyRefused) as caught:
        judge(tmp_path, f"192.168.0.29 {KEY.line}", HostKeyPolicy(pinned=PINNED_OTHER, machine="orionbox"))
    assert KEY.fingerprint in caught.value.cause
    assert OTHER.fingerprint in caught.value.cause
    assert f"machinectl provision orionbox --ssh-host-key {KEY.fingerprint}" in caught.value.hint


def test_a_pin_that_cannot_be_read_is_no_first_contact(tmp_path: Path) -> None:
    known = f"192.168.0.29 {KEY.line}"
    with pytest.raises(HostKeyRefused, match="holds no key of its host"):
        judge(tmp_path, known, HostKeyPolicy(pinned=PINNED[:-20]), console=Quiet(True))


def test_a_demanded_key_replaces_the_pinned_one(tmp_path: Path) -> None:
    policy = HostKeyPolicy(pinned=PINNED_OTHER, demanded=f"{KEY.fingerprint}=", strict=True)
    assert judge(tmp_path, policy=policy).pinned == PINNED


def test_another_key_than_the_demanded_one_is_refused_though_it_is_known(tmp_path: Path) -> None:
    policy = HostKeyPolicy(pinned=PINNED, demanded=OTHER.fingerprint)
    with pytest.raises(HostKeyRefused) as caught:
        judge(tmp_path, f"192.168.0.29 {KEY.line}", policy)
    assert KEY.fingerprint in caught.value.cause
    assert OTHER.fingerprint in caught.value.cause


def test_a_revoked_key_is_refused_even_when_it_is_pinned(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused, match="revoked"):
        judge(tmp_path, f"@revoked * {KEY.line}\n192.168.0.29 {KEY.line}", HostKeyPolicy(pinned=PINNED))


def test_an_authority_alone_makes_a_host_neither_known_nor_wrong(tmp_path: Path) -> None:
    console = Quiet(True)
    assert judge(tmp_path, f"@cert-authority * {OTHER.line}", console=console).pinned == PINNED
    assert console.asked


def test_a_jump_host_that_the_user_knows_is_not_pinned(tmp_path: Path) -> None:
    assert judge(tmp_path, f"192.168.0.29 {KEY.line}", jump=True).pinned == b""


def test_a_jump_host_that_was_unknown_is_pinned_beside_the_host(tmp_path: Path) -> None:
    pinned = judge(tmp_path, policy=HostKeyPolicy(pinned=PINNED_OTHER), jump=True).pinned
    assert pinned == PINNED_OTHER + f"192.168.0.29 {KEY.line}\n".encode()
    with pytest.raises(HostKeyRefused, match="has changed"):
        judge(tmp_path, policy=HostKeyPolicy(pinned=pinned), key=OTHER, jump=True)


def test_the_fingerprint_demanded_of_the_host_is_not_demanded_of_its_jump_host(tmp_path: Path) -> None:
    policy = HostKeyPolicy(demanded=OTHER.fingerprint)
    assert judge(tmp_path, f"192.168.0.29 {KEY.line}", policy, jump=True).pinned == b""


def test_a_known_hosts_that_cannot_be_read_is_an_error_not_an_unknown_host(tmp_path: Path) -> None:
    host_keys = HostKeys(HostKeyPolicy(), Quiet(True))
    with pytest.raises(HostKeyRefused, match="cannot be read"):
        host_keys.check(dataclasses.replace(SETTINGS, known_hosts=(str(tmp_path),)), KEY)


def test_keys_of_the_types_that_are_known_are_asked_for(tmp_path: Path) -> None:
    rsa = a_key("rsa", "ssh-rsa")
    host_keys = judge(tmp_path, f"192.168.0.29 {rsa.line}\n192.168.0.29 {KEY.line}")
    chosen = dataclasses.replace(SETTINGS, known_hosts=(str(tmp_path / "known_hosts"),))
    assert host_keys.known_types(chosen) == ["ssh-ed25519"], "once pinned, the pin counts"
    assert HostKeys(HostKeyPolicy(), Quiet()).known_types(chosen) == ["ssh-rsa", "ssh-ed25519"]


def meeting(strictness: str, console: Quiet, policy: HostKeyPolicy | None = None) -> HostKeys:
    """An unknown host, by one who has set StrictHostKeyChecking."""
    host_keys = HostKeys(policy or HostKeyPolicy(), console)
    host_keys.check(dataclasses.replace(SETTINGS, strict_host_key_checking=strictness), KEY)
    return host_keys


def test_strict_host_key_checking_yes_refuses_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused, match="StrictHostKeyChecking yes") as caught:
        meeting("yes", Quiet(True))
    assert f"--ssh-host-key {KEY.fingerprint}" in caught.value.hint
    assert meeting("yes", Quiet(), HostKeyPolicy(demanded=KEY.fingerprint)).pinned == PINNED
    assert meeting("yes", Quiet(), HostKeyPolicy(pinned=PINNED)).pinned == PINNED
    (tmp_path / "known_hosts").write_text(f"192.168.0.29 {KEY.line}")
    known = dataclasses.replace(SETTINGS, strict_host_key_checking="yes", known_hosts=(str(tmp_path / "known_hosts"),))
    HostKeys(HostKeyPolicy(), Quiet()).check(known, KEY)


@pytest.mark.parametrize("strictness", ["no", "accept-new"])
def test_who_asks_not_to_be_asked_is_told_which_key_was_accepted(strictness: str) -> None:
    console = Quiet(interactive=True)
    assert meeting(strictness, console).pinned == PINNED
    assert KEY.fingerprint in console.notes[0]
    with pytest.raises(HostKeyRefused, match="--ssh-strict"):
        meeting(strictness, Quiet(), HostKeyPolicy(strict=True))
