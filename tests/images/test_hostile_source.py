"""What a hostile engine answers ends in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.images import engine_images
from machinectl.images.engine_images import Images, load_image
from tests.support import hostile_engine, servers

if TYPE_CHECKING:
    from tests.support.servers import Behaviour


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers by path; the fake stands for an engine that no real one can be made to be."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(Images, "ask", lambda _, path, kind, *__: found.get(path.partition("?")[0], kind()))
    return found


HERE = Endpoint("unix:///nothing.sock")


def test_an_answer_about_an_image_that_never_ends_delays_no_push(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_images, "LOOKING", 0.3)

    def slow(connection: servers.Connection) -> None:
        while b"GET /images/sha256:" not in (request := connection.request()):
            if not request:
                return
            path = request.split()[1].decode()
            connection.send(servers.answer(b"{}" if path == "/info" else listed))
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not connection.stopping.wait(0.02):
            connection.send(b" ")

    listed = json.dumps([{"Id": hostile_engine.IMAGE_ID}]).encode()
    with servers.serving(slow) as port, Images(Endpoint(f"tcp://127.0.0.1:{port}")) as images:
        known = images.known()
    assert known.images == {hostile_engine.IMAGE_ID}
    assert not known.diff_ids


@pytest.mark.parametrize("behaviour", [servers.silent, servers.stalling_body])
def test_an_engine_that_does_not_answer_is_given_up_after_the_usual_time(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_images, "ANSWERING", 0.3)
    with (
        servers.serving(behaviour) as port,
        Images(Endpoint(f"tcp://127.0.0.1:{port}")) as images,
        pytest.raises(MachineError, match="within 0"),
    ):
        images.known()


def test_a_load_that_fails_may_be_tried_again() -> None:
    def failing(connection: servers.Connection) -> None:
        connection.request()
        connection.send(servers.answer(b'{"error": "failed to extract layer\\n\\u001b[31m"}'))

    with servers.serving(failing) as port, pytest.raises(MachineError) as caught:
        load_image(Endpoint(f"tcp://127.0.0.1:{port}"), iter([b"x"]))
    assert caught.value.cause.endswith("does not load the image: failed to extract layer [31m")
    assert caught.value.hint.startswith("Run the same command again")
