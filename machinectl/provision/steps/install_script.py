"""Download Docker's script locally: minimal Debian has no curl."""

from __future__ import annotations

import queue
import threading

from machinectl.errors import UsageError

# Seconds; then use the distribution's package.
TIMEOUT = 5.0
# Bytes; get.docker.com's has 23 KB.
LONGEST = 1 << 20


def download_script(url: str) -> bytes | None:
    """Download the script; None on timeout, or if invalid. Raises UsageError."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--engine-install-url {url!r} is not an http URL", "For example: https://get.docker.com")
    answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    # A silent name server must not delay exit.
    threading.Thread(target=lambda: answers.put(fetch(url)), daemon=True, name=f"download {url}").start()
    try:
        text = answers.get(timeout=TIMEOUT)
    except queue.Empty:
        return None
    return text if text and text.startswith(b"#!") else None


def fetch(url: str) -> bytes | None:
    """Download through the user's proxies; None on failure."""
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
