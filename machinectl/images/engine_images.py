"""Images over the Engine API: https://docs.docker.com/reference/api/engine/ (unversioned)."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from machinectl.engine import Endpoint, EngineError, request
from machinectl.engine.endpoint import Deadline
from machinectl.engine.http import dial, get, upload
from machinectl.engine.image_names import engine_platform
from machinectl.engine.probe import error_answer, read_answer
from machinectl.errors import Hint, one_line
from machinectl.images.image import DIGEST, chain_ids
from machinectl.images.write_archive import Known
from machinectl.json_values import as_dict, as_integer, as_list, as_text
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Self

    from machinectl.engine import Response
    from machinectl.engine.wire import Wire
    from machinectl.images.image import Reference

# Seconds for one change, or a question to an engine that is at work on an image.
PATIENCE = 120.0
# Seconds to connect, and for each question before that; to log in; and to list images: containerd takes long for many.
ANSWERING, LOGIN, LISTING = 10.0, 30.0, 30.0
# Seconds to ask for the layers of images: an engine may have thousands. What is not known by then is sent.
LOOKING = 5.0
# Layers of an image, and of all images together. Docker's classic store takes 127 for an image.
MOST_LAYERS, MOST_KNOWN = 1000, 200_000
# Bytes.
LONGEST = 1 << 20
# An engine's words, from Go's syscall.ENOSPC.
FULL = b"no space left on device"
NOT_FOUND = 404
# Ask which platforms of an image are there; engines before API 1.47 take no notice.
MANIFESTS = "?manifests=1"
SUCCESS = range(200, 300)
DESCRIBING = ("Architecture", "Author", "Comment", "Config", "Created", "Os", "OsVersion", "RootFS", "Variant")
# A `docker image prune` at the same moment takes away what is being loaded.
AGAIN = Hint("Run the same command again") | Hint(
    "if it stays so, look at the engine's journal on its host", "journalctl -u docker", elsewhere=True
)


class LoadError(EngineError):
    """The engine refused to load the archive."""


class Images:
    """Asks one engine over one connection. `seconds` are for each question, by default ANSWERING."""

    def __init__(self, endpoint: Endpoint, seconds: float | None = None) -> None:
        self._endpoint = endpoint
        self._wire: Wire | None = None
        self._seconds = seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wire:
            self._wire.close()

    def ask(self, path: str, kind: type, deadline: Deadline | None = None) -> Any:
        """Return the answer, or None if the engine knows no such thing."""
        seconds = self._seconds or ANSWERING
        if self._wire is None:
            connecting = LOGIN if self._endpoint.url.startswith("ssh://") else seconds
            self._wire = dial(self._endpoint, deadline or Deadline(connecting))
        self._wire.deadline = deadline or Deadline(seconds)
        answer = get(self._wire, path)
        value = None
        if answer.status == NOT_FOUND:
            answer.read(LONGEST)
        else:
            value = read_answer(self._endpoint, answer, kind)
        if answer.will_close:
            self._wire.close()
            self._wire = None
        return value

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        listed = self.ask(f"/images/json{query}", list, Deadline(self._seconds or LISTING))
        return [each for each in listed or [] if isinstance(each, dict)]

    def image(self, name: str, deadline: Deadline | None = None) -> dict[str, Any] | None:
        image: dict[str, Any] | None = self.ask(f"/images/{quote(name, safe='/:@')}/json", dict, deadline)
        return image

    def engine(self) -> Known:
        """Return what the engine tells of itself, and no image."""
        info = self.ask("/info", dict) or {}
        by_containerd = ["driver-type", "io.containerd.snapshotter.v1"] in as_list(info.get("DriverStatus"))
        return Known(by_containerd, engine_platform(info))

    def is_whole(self, image_id: str, manifests: Collection[str]) -> bool:
        """Return whether containerd's store lists the image: it hides one that has no platform with all blobs."""
        # containerd takes long to list many images. This one has no name unless somebody gave it one meanwhile.
        for filters in ({"dangling": ["true"]}, {}):
            stored = self.stored(filters)
            if image_id in stored:
                whole = stored[image_id]
                return whole is None or whole.issuperset(manifests)
        return False

    def stored(self, filters: dict[str, list[str]]) -> dict[str, frozenset[str] | None]:
        """See `Known.stored`."""
        return stored_of(self.listed(f"{MANIFESTS}&{urlencode({'filters': json.dumps(filters)})}"))

    def known(self) -> Known:
        """Return the images that the engine has, and the layers of as many as it tells in time, the newest first."""
        engine = self.engine()
        listed = self.listed(MANIFESTS if engine.by_containerd else "")
        chains: set[str] = set()
        diffs: set[str] = set()
        contents: dict[str, str] = {}
        looking = Deadline(LOOKING)
        newest = sorted(listed, key=lambda image: -as_integer(image.get("Created")))
        for identifier in dict.fromkeys(filter(None, map(id_of, newest))):
            if len(diffs) > MOST_KNOWN:
                break
            try:
                image = self.image(identifier, looking) or {}
            except EngineError as exc:
                if exc.state is not State.TIMEOUT:
                    raise
                break
            contents[content_of(image)] = identifier
            layers = diff_ids_of(image)
            diffs.update(layers)
            chains.update(chain_ids(layers))
        return replace(
            engine,
            chain_ids=frozenset(chains),
            diff_ids=frozenset(diffs),
            images=frozenset(filter(None, map(id_of, listed))),
            names=ids_by_name(listed),
            contents=contents,
            stored=stored_of(listed) if engine.by_containerd else {},
        )


def content_of(image: dict[str, Any]) -> str:
    """Return a digest of what both image stores tell alike: an image has another ID in each."""
    described = {key: image.get(key) for key in DESCRIBING}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest() if diff_ids_of(image) else ""


def id_of(image: dict[str, Any]) -> str:
    """Return "" for an invalid ID."""
    identifier = as_text(image.get("Id"))
    return identifier if DIGEST.fullmatch(identifier) else ""


def stored_of(listed: Iterable[dict[str, Any]]) -> dict[str, frozenset[str] | None]:
    """See `Known.stored`."""
    stored: dict[str, frozenset[str] | None] = {}
    for image in listed:
        manifests = image.get("Manifests")
        whole = [as_dict(each) for each in as_list(manifests) if as_dict(each).get("Available") is True]
        stored[id_of(image)] = None if manifests is None else frozenset(as_text(each.get("ID")) for each in whole)
    return stored


def ids_by_name(listed: Iterable[dict[str, Any]]) -> dict[str, str]:
    named = ((tag, id_of(each)) for each in listed for tag in as_list(each.get("RepoTags")))
    return {tag: image for tag, image in named if isinstance(tag, str) and image}


def diff_ids_of(image: dict[str, Any]) -> list[str]:
    """Return an image's layers, none if one of them has no valid ID."""
    layers = as_list(as_dict(image.get("RootFS")).get("Layers"))
    are_valid = len(layers) <= MOST_LAYERS and all(DIGEST.fullmatch(as_text(each)) for each in layers)
    return layers if are_valid else []


@contextmanager
def saved_image(endpoint: Endpoint, name: str) -> Iterator[SavedStream]:
    """Open the archive that the engine makes of an image."""
    path = f"/images/{quote(name, safe='/:@')}/get"
    with request(endpoint, "GET", path, timeout=None, streams=True) as answer:
        if answer.status not in SUCCESS:
            raise error_answer(endpoint, answer, answer.read(LONGEST))
        yield SavedStream(answer)


def load_image(endpoint: Endpoint, archive: Iterable[bytes]) -> None:
    """Load an archive. Raises LoadError with the engine's reason, or EngineError."""
    headers = {"Content-Type": "application/x-tar"}
    with upload(endpoint, "/images/load?quiet=1", archive, headers, timeout=PATIENCE) as answer:
        said = answer.read(LONGEST)
        if FULL in said:
            # It undoes what it has unpacked: its disk has room again.
            raise EngineError(
                f"The engine at {endpoint.peer} has no room for the image: loading it takes about twice its size",
                Hint("See what fills its disk", "machinectl docker", endpoint.name, "--", "system", "df"),
            )
        if answer.status not in SUCCESS:
            raise LoadError(error_answer(endpoint, answer, said).cause)
    for line in said.splitlines():
        with suppress(ValueError, RecursionError):
            if why := as_text(as_dict(json.loads(line)).get("error")):
                raise LoadError(f"The engine at {endpoint.peer} does not load the image: {one_line(why)}", AGAIN)


def tag_image(endpoint: Endpoint, image_id: str, reference: Reference | None) -> bool:
    """Return False if the engine has no such image. None is no name."""
    if reference is None:
        return True
    query = urlencode({"repo": reference.repository, "tag": reference.tag})
    with request(endpoint, "POST", f"/images/{image_id}/tag?{query}", timeout=PATIENCE) as answer:
        said = answer.read(LONGEST)
        if answer.status not in (*SUCCESS, NOT_FOUND):
            raise error_answer(endpoint, answer, said)
        return answer.status != NOT_FOUND


class SavedStream:
    """Reads the body of an answer in pieces of any size; the engine has PATIENCE seconds for each."""

    def __init__(self, answer: Response) -> None:
        self._wire = answer.wire
        self._pieces = iter(answer)
        self._rest = b""

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wire.deadline = Deadline(PATIENCE)
            self._rest = self._rest or next(self._pieces, b"")
            if not self._rest:
                break
            taken = size - len(data)
            data += self._rest[:taken]
            self._rest = self._rest[taken:]
        return bytes(data)
