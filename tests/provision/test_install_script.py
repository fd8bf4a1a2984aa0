"""Docker's installation script: taken from where it is, whole, and not waited for where it is not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.errors import CheckFailed, MachineError, UsageError
from machinectl.provision.steps import installation
from machinectl.provision.steps.installation import LONGEST_SCRIPT, download_script
from tests.provision.test_steps import host, target
from tests.support.servers import answer, saying, serving, silent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Connection

SCRIPT = b"#!/bin/sh\nset -e\n"
WHOLE = answer(SCRIPT, api=False)
# An answer whose body ends early, by its length and by its chunks.
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + SCRIPT
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(SCRIPT), SCRIPT)


def redirect(url: str) -> bytes:
    return answer(b"", status="302 Found", headers=f"Location: {url}\r\n", api=False)


def refusal(url: str) -> str:
    with pytest.raises(CheckFailed) as caught:
        download_script(url)
    assert "--engine-install-url" in caught.value.hint
    return caught.value.cause.removeprefix(url).strip()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the context of an https server that this computer trusts."""
    ca = certs.new_ca("a public one")
    server = certs.issue_server(ca, ["127.0.0.1"])
    (tmp_path / "ca.pem").write_bytes(ca.certificate)
    (tmp_path / "server.pem").write_bytes(server.certificate + server.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


@pytest.mark.parametrize("whole", [WHOLE, CHUNKED + b"0\r\n\r\n"])
def test_the_script_is_what_is_at_the_url(whole: bytes) -> None:
    with serving(saying(whole)) as port:
        assert download_script(f"http://127.0.0.1:{port}/") == SCRIPT


def test_what_is_not_a_script_is_not_taken_for_one() -> None:
    with serving(saying(answer(b"<html>", api=False))) as port:
        assert download_script(f"http://127.0.0.1:{port}/") is None


def test_an_http_error_is_named_and_auto_takes_the_distributions_package() -> None:
    with serving(saying(answer(SCRIPT, status="404 Not Found", api=False))) as port:
        url = f"http://127.0.0.1:{port}/none.sh"
        with pytest.raises(MachineError) as caught:
            installation.decide(host("bare"), target(install="docker", install_url=url), download_script)
        assert caught.value.cause == f"{url} answers 404"
        decision = installation.decide(host("bare"), target(install_url=url), download_script)
    assert decision is not None
    assert "the distribution's package docker.io" in decision.title


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        SHORT,
        CHUNKED,
        CHUNKED[:-9],
        b"HTTP/1.0 200 OK\r\n\r\n" + SCRIPT,
        answer(SCRIPT.ljust(LONGEST_SCRIPT + 1, b"#"), api=False),
    ],
)
def test_a_script_that_is_cut_or_could_be_is_refused(tls: ssl.SSLContext, said: bytes, secure: bool) -> None:
    with serving(saying(said), tls if secure else None) as port:
        assert refusal(f"http{'s' * secure}://127.0.0.1:{port}/").startswith("sent only a part of its script, does not")


def test_the_longest_script_is_taken_whole() -> None:
    with serving(saying(answer(SCRIPT.ljust(LONGEST_SCRIPT, b"#"), api=False))) as port:
        assert len(download_script(f"http://127.0.0.1:{port}/") or b"") == LONGEST_SCRIPT


def test_no_redirect_leads_from_https_to_what_others_can_change(tls: ssl.SSLContext) -> None:
    asked = []

    def plain(connection: Connection) -> None:
        asked.append(connection.request())
        connection.send(redirect("https://127.0.0.1:1/"))

    with serving(plain) as port:
        for there in (f"http://127.0.0.1:{port}/u", "ftp://127.0.0.1/u"):
            with serving(saying(redirect(there)), tls) as secure:
                url = f"https://127.0.0.1:{secure}/"
                assert refusal(url) == f"redirects to {there}, which is not https. The script did not run"
    assert not asked


def test_other_redirects_are_followed(tls: ssl.SSLContext) -> None:
    with (
        serving(saying(WHOLE), tls) as last,
        serving(saying(redirect(f"https://127.0.0.1:{last}/")), tls) as secure,
        serving(saying(redirect(f"https://127.0.0.1:{secure}/"))) as plain,
    ):
        for url in (f"https://127.0.0.1:{secure}/", f"http://127.0.0.1:{plain}/"):
            assert download_script(url) == SCRIPT


def test_a_site_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machinectl.provision.steps.installation.DOWNLOAD_TIMEOUT", 0.2)
    with serving(silent) as port:
        assert download_script(f"http://127.0.0.1:{port}/") is None


def test_nobody_there_is_no_script() -> None:
    assert download_script("http://127.0.0.1:9/") is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "get.docker.com", ""])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        download_script(url)
