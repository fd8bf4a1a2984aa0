"""Docker's installation script: taken from where it is, and not waited for where it is not."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import UsageError
from machinectl.provision.steps.installation import download_script

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = b"#!/bin/sh\nset -e\n"


class Site(BaseHTTPRequestHandler):
    """What a URL may answer, by its path."""

    silence = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/silent":
            self.silence.wait()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        self.wfile.write(b"<html>" if self.path == "/portal" else SCRIPT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Site.silence.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Site.silence.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_script_is_what_is_at_the_url(site: str) -> None:
    assert download_script(f"{site}/") == SCRIPT


@pytest.mark.parametrize("path", ["/missing", "/portal"])
def test_what_is_not_a_script_is_not_taken_for_one(site: str, path: str) -> None:
    assert download_script(f"{site}{path}") is None


def test_a_site_that_never_answers_is_given_up_on(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machinectl.provision.steps.installation.DOWNLOAD_TIMEOUT", 0.2)
    assert download_script(f"{site}/silent") is None


def test_nobody_there_is_no_script() -> None:
    assert download_script("http://127.0.0.1:9/") is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "get.docker.com", ""])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        download_script(url)
