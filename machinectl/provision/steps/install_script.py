"""Download Docker's installation script here: a minimal Debian has neither curl nor wget."""

from __future__ import annotations

import queue
import threading

from machinectl.errors import UsageError

# After that, the distribution's package is used. Seconds.
TIMEOUT = 5.0
# get.docker.com's script has 23 KB.
LONGEST = 1 << 20


def script(url: str) -> bytes | None:
    """Download the script; None if there is no answer in time, or no shell script. Raises UsageError."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--engine-install-url {url!r} is not an http URL", "For example: https://get.docker.com")
    answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    # A daemon thread: a silent name server does not delay the exit.
    threading.Thread(target=lambda: answers.put(fetch(url)), daemon=True, name=f"download {url}").start()
    try:
        text = answers.get(timeout=TIMEOUT)
    except queue.Empty:
        return None
    return text if text and text.startswith(b"#!") else None


def fetch(url: str) -> bytes | None:
    """Download a URL through the user's proxies; None on failure."""
    import urllib.request
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - the scheme was checked
            text: bytes = answer.read(LONGEST)
    except HTTPError as exc:
        exc.close()
        return None
    except (OSError, HTTPException, ValueError):
        return None
    return text
