"""What a hostile engine answers ends in one line, or sends it everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import Endpoint
from machinectl.engine.image_names import UNKNOWN, engine_platform
from machinectl.errors import MachineError
from machinectl.images import engine_images
from machinectl.images.engine_images import Images, load_image
from machinectl.machines.record import Machine, Phase
from tests.support.archives import INDEX, Made, layer, layout
from tests.support.hostile_engine import IMAGE_ID, IN_JSON, target_engine
from tests.support.in_process import machinectl
from tests.support.registered import added
from tests.support.servers import Connection, answer, serving, silent, stalling_body

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour

INSPECTED = f"/images/{IMAGE_ID}/json"
# Half of a character, which has no bytes.
HALF = rb'"\ud800x"'
# As deep as JSON may be, or nearly.
DEEP = b"[" * 970 + b"]" * 970
HUGE = b'"' + b"A" * 2_000_000 + b'"'


def listed(image_id: bytes, tags: bytes = b"null", more: bytes = b"") -> dict[str, bytes]:
    return {"/images/json": b'[{"Id": ' + image_id + b', "RepoTags": ' + tags + more + b"}]"}


def of_layers(*layers: bytes) -> dict[str, bytes]:
    return {INSPECTED: b'{"RootFS": {"Layers": [' + b",".join(layers) + b"]}}"}


QUOTED_ID = json.dumps(IMAGE_ID).encode()
ANSWERS = {
    "an ID that is half a character": listed(HALF),
    "an ID that is a path": listed(rb'"../../containers/x\r\nA: b"'),
    "an ID that is huge": listed(HUGE),
    "tags that are half a character": listed(QUOTED_ID, b"[" + HALF + b"]"),
    "tags that are deep": listed(QUOTED_ID, DEEP),
    "sizes and times below nothing": listed(QUOTED_ID, more=b', "Size": -1, "Created": -' + b"9" * 400),
    "sizes and times that are no numbers": listed(QUOTED_ID, more=b', "Size": NaN, "Created": [1e999]'),
    "layers that are half a character": of_layers(HALF, HALF),
    "layers that are huge": of_layers(HUGE, HUGE),
    "a system that is huge": {"/info": b'{"OSType": ' + HUGE + b', "Architecture": ' + HUGE + b"}"},
    "a system of escapes": {"/info": b'{"OSType": "' + IN_JSON + b'", "Architecture": "' + IN_JSON + b'"}'},
    "an error that is huge": {"/images/load": b'{"error": ' + HUGE + b"}"},
    "an error that is half a character": {"/images/load": b'{"error": ' + HALF + b"}"},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_push_ends_well_or_with_one_error(name: str, store: Store, tmp_path: Path) -> None:
    app, other = Made([layer("a", b"x")]), Made([layer("b", b"x")], platform={"os": "linux", "architecture": "arm64"})
    index = app.add(json.dumps({"manifests": [app.descriptor, other.descriptor]}).encode(), INDEX)
    index["annotations"] = {"org.opencontainers.image.ref.name": "app:1"}
    archive = tmp_path / "app.tar"
    archive.write_bytes(layout({"app:1": app, "other": other}, [index]))
    with serving(target_engine(ANSWERS[name])) as port:
        added(store, Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        done = machinectl("push", "--from-file", archive, "app:1", "orion", store=store.root)
    assert done.returncode in {0, 1}
    assert len(done.stdout + done.stderr) < 1000
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "info",
    [{}, {"OSType": "linux"}, {"OSType": "a" * 1000, "Architecture": "x"}, {"OSType": "--x", "Architecture": "a,b"}],
)
def test_a_platform_that_is_none_is_unknown(info: dict[str, str]) -> None:
    assert engine_platform(info) == UNKNOWN


def test_an_engine_of_endless_layers_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_images, "MOST_KNOWN", 2000)
    images = [f"sha256:{number:064}" for number in range(100)]
    answers = {"/images/json": json.dumps([{"Id": each} for each in images]).encode()}
    for number, image in enumerate(images):
        layers = [f"sha256:{number:032x}{below:032x}" for below in range(engine_images.MOST_LAYERS)]
        answers[f"/images/{image}/json"] = json.dumps({"RootFS": {"Layers": layers}}).encode()
    with serving(target_engine(answers)) as port, Images(Endpoint(f"tcp://127.0.0.1:{port}")) as asking:
        known = asking.known()
    assert 2000 < len(known.diff_ids) <= 2000 + engine_images.MOST_LAYERS
    assert len(known.chain_ids) == len(known.diff_ids)


def test_an_answer_about_an_image_that_never_ends_delays_no_push(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_images, "LOOKING", 0.3)

    def slow(connection: Connection) -> None:
        while b"GET /images/sha256:" not in (request := connection.request()):
            if not request:
                return
            path = request.split()[1].decode()
            connection.send(answer(b"{}" if path == "/info" else of_engine))
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not connection.stopping.wait(0.02):
            connection.send(b" ")

    of_engine = json.dumps([{"Id": IMAGE_ID}]).encode()
    with serving(slow) as port, Images(Endpoint(f"tcp://127.0.0.1:{port}")) as images:
        known = images.known()
    assert known.images == {IMAGE_ID}
    assert not known.diff_ids


@pytest.mark.parametrize("behaviour", [silent, stalling_body])
def test_an_engine_that_does_not_answer_is_given_up_after_the_usual_time(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_images, "ANSWERING", 0.3)
    with (
        serving(behaviour) as port,
        Images(Endpoint(f"tcp://127.0.0.1:{port}")) as images,
        pytest.raises(MachineError, match="within 0"),
    ):
        images.known()


def test_a_load_that_fails_may_be_tried_again() -> None:
    def failing(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b'{"error": "failed to extract layer\\n\\u001b[31m"}'))

    with serving(failing) as port, pytest.raises(MachineError) as caught:
        load_image(Endpoint(f"tcp://127.0.0.1:{port}"), iter([b"x"]))
    assert caught.value.cause.endswith("does not load the image: failed to extract layer [31m")
    assert caught.value.hint.startswith("Run the same command again")
