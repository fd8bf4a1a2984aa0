"""A certificate's end, read by itself, is what cryptography reads of it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import certs
from machinectl.certificate_dates import end_before, expiry_dates
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)
CA = certs.new_ca("a" * 64)


@pytest.mark.parametrize("days", [-27_000, -20_000, -1000, 0, 8000, 15_000])
def test_it_is_what_cryptography_reads(days: int) -> None:
    ca = certs.new_ca("old", now=NOW + timedelta(days=days))
    assert expiry_dates(ca.certificate) == [certs.describe(ca.certificate).not_after]


def test_an_end_is_before_what_comes_after_it() -> None:
    end = certs.describe(CA.certificate).not_after
    for seconds, is_before in ((-1, False), (0, False), (1, True)):
        assert end_before(CA.certificate, f"{end + timedelta(seconds=seconds):%Y%m%d%H%M%S}".encode()) is is_before
    later = f"{end + timedelta(seconds=1):%Y%m%d%H%M%S}".encode()
    assert end_before(certs.new_ca("b", now=NOW + timedelta(days=9)).certificate + CA.certificate, later)
    assert not end_before(b"no certificate", later)


def test_of_a_bundle_each_is_read_and_what_is_none_left_out() -> None:
    other = certs.new_ca("é" * 20)
    bundle = b"text\n" + CA.certificate + b"-----BEGIN CERTIFICATE-----\nAAAA\n" + other.certificate + b"# end\n"
    assert expiry_dates(bundle) == [certs.describe(each.certificate).not_after for each in (CA, other)]
    assert expiry_dates(certs.issue_client(CA, "x").key) == []


def test_what_openssl_makes_is_read_version_1_too(tmp_path: Path) -> None:
    need("openssl")
    key, request, made = (str(tmp_path / name) for name in ("key.pem", "csr.pem", "cert.pem"))
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=x"],
        check=True,
        capture_output=True,
    )
    sign = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "9", "-out", made]
    subprocess.run(sign, check=True, capture_output=True)
    pem = (tmp_path / "cert.pem").read_bytes()
    assert expiry_dates(pem) == [certs.describe(pem).not_after]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert expiry_dates(b"-----BEGIN CERTIFICATE-----" + data) == []
