"""Download the script that installs Docker Engine as root. Refuse one that is cut, or that others could change."""

from __future__ import annotations

import urllib.request
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

from machinectl.errors import CheckFailed, Hint, one_line
from machinectl.masking import without_passwords

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO

# Bytes; get.docker.com's has 23 KB.
LONGEST_SCRIPT = 1 << 20


class SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to https, or from http to http, as curl does with --proto-redir."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"https", req.type}:
            fp.close()
            where = one_line(without_passwords(newurl))
            raise refused(req.full_url, f"redirects to {where}, which is not {req.type}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, timeout: float) -> bytes | int | CheckFailed | None:
    """Download through the user's proxies.

    Return the status of an HTTP error, an error for a script that must not run, and None if there is no script.
    """
    try:
        with urllib.request.build_opener(SecureRedirects).open(url, timeout=timeout) as answer:
            return read_script(url, answer)
    except HTTPError as exc:
        exc.close()
        return exc.code
    except CheckFailed as exc:
        return exc
    except (OSError, HTTPException, ValueError):
        return None


def read_script(url: str, answer: HTTPResponse) -> bytes | None:
    # The end of a connection, even of a TLS one, does not say that it was the end of the script.
    is_measured = answer.chunked or answer.headers["Content-Length"] is not None
    try:
        text = answer.read(LONGEST_SCRIPT + 1)
    except IncompleteRead as exc:
        raise refused(url, "sent only a part of its script") from exc
    if not text.startswith(b"#!"):
        return None
    if len(text) > LONGEST_SCRIPT:
        raise refused(url, f"sends more than {LONGEST_SCRIPT >> 20} MB")
    if not is_measured:
        raise refused(url, "does not say how long its script is, so that a part could be missing")
    if answer.length:
        raise refused(url, "sent only a part of its script")
    return text


def refused(url: str, why: str) -> CheckFailed:
    return CheckFailed(
        f"{one_line(without_passwords(url))} {why}. The script did not run",
        Hint("Try again, or pass the URL of a copy: --engine-install-url <URL>"),
    )
