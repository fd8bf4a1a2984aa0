"""Images get from any store to any store whole, with no more than what is missing, on real engines."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from dataclasses import replace
from shutil import disk_usage
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.console import SilentConsole
from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.images import engine_images
from machinectl.images import transfer as transferring
from machinectl.images.engine_images import Images, stored_of
from machinectl.images.image import Image, chain_ids, parse_reference
from machinectl.images.image_sources import EngineSource, FileSource, SourceImage
from machinectl.images.read_archive import SPARE, ArchiveReader, Spool, Wanted
from machinectl.images.transfer import Order, Sent, transfer, unneeded_layers
from machinectl.images.write_archive import Known, Parcel, parcel
from tests.support.archives import INDEX, Made, digest, saved
from tests.support.dockerd import running_with
from tests.support.image_engines import CONTAINERD_STORE, Engine, unique_layer
from tests.support.real import small_disk
from tests.support.relay import goes_silent, relay
from tests.support.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.images.image_sources import Source
    from tests.support.registry import Registry

STORES = ["classic", "containerd"]
# What is sent besides layers: manifests, configuration and tar's headers, in bytes.
OVERHEAD = 64 << 10
ARM = {"architecture": "arm64", "os": "linux"}
CONFIGURATIONS = {"classic": b"{}", "containerd": CONTAINERD_STORE}
CA = certs.new_ca("the engine's CA")
SERVER = certs.issue_server(CA, ["orion.local"])


def send(
    source: Engine | Path, targets: dict[str, Engine], name: str, *, platform: str = "", dry_run: bool = False
) -> dict[str, Sent | MachineError]:
    read: Source = FileSource(str(source)) if not isinstance(source, Engine) else EngineSource(source.endpoint)
    order = Order(read, Wanted(name, platform), parse_reference(name), dry_run=dry_run)
    ends = {one: (lambda engine=engine: engine.endpoint) for one, engine in targets.items()}
    return dict(transfer(SilentConsole(), order, ends))


def send_one(source: Engine | Path, target: Engine, name: str) -> Sent:
    result = send(source, {"one": target}, name)["one"]
    if isinstance(result, MachineError):
        raise result
    return result


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    # Python keeps what $TMPDIR was.
    monkeypatch.setattr(tempfile, "tempdir", None)


# How it came to the target, and which of its layers are gzip's.
BASES: dict[str, tuple[str, list[int]]] = {
    "absent": ("", []),
    "loaded": ("loaded", []),
    "loaded gzip": ("loaded", [0]),
    "pulled": ("pulled", []),
    "pulled gzip": ("pulled", [0]),
}


# Each pair of stores with each base; how the image came, and whether its layers are gzip's, in turn.
CASES = [
    (source, target, base, "loaded" if (number + at) % 2 else "pulled", bool((number + at) // 2 % 2))
    for at, base in enumerate(BASES)
    for number, (source, target) in enumerate(itertools.product(STORES, STORES))
]


@pytest.mark.parametrize(("source_store", "target_store", "base", "came", "compressed"), CASES)
def test_every_combination_arrives_whole_with_the_missing_layers_only(
    sources: dict[str, Engine],
    engines: dict[str, Engine],
    registry: Registry,
    source_store: str,
    came: str,
    target_store: str,
    compressed: bool,
    base: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    low, high = unique_layer(), unique_layer()
    app = Made([low, high], compressed=[0, 1] if compressed else [])
    base_came, base_compressed = BASES[base]
    below = Made([low], compressed=base_compressed)
    source, target = sources[source_store], engines[target_store]
    get(source, came, registry, "app:1", app)
    if base_came:
        get(target, base_came, registry, "base:1", below)
    sent = send_one(source, target, "app:1")
    missing = len(high) if base_came else len(low) + len(high)
    in_source = source.saved_blobs("app:1")
    low_as_sent = app.layer_digests[0] if app.layer_digests[0] in in_source else digest(low)
    if target_store == "containerd" and base_came and low_as_sent != below.layer_digests[0]:
        # containerd needs the very blob.
        missing += len(low)
    assert sent.sent <= missing + OVERHEAD + missing // 50
    assert target.layers("app:1") == [digest(low), digest(high)]
    # Configuration and manifest, two layers; saved_blobs checks that each is what its name says.
    assert len(target.saved_blobs("app:1")) >= 4
    assert target.saved_blobs("app:1") >= (in_source if target_store == source_store == "containerd" else set())
    if (source_store, target_store) != ("containerd", "containerd"):
        # containerd's store of Docker 26 does not tell which platforms are there.
        monkeypatch.setattr(EngineSource, "read", lambda *_: pytest.fail("it was read"))
    again = send_one(source, target, "app:1")
    assert (again.sent, again.present, again.replaced) == (0, True, "")
    assert os.listdir(os.environ["TMPDIR"]) == []


@pytest.mark.parametrize("target_store", STORES)
@pytest.mark.parametrize("source_store", STORES)
def test_an_image_pulled_as_one_of_several_platforms_arrives_whole(
    sources: dict[str, Engine], engines: dict[str, Engine], registry: Registry, source_store: str, target_store: str
) -> None:
    low, high = unique_layer(), unique_layer()
    app, other = Made([low, high], compressed=[0, 1]), Made([unique_layer()], platform=ARM)
    source, target = sources[source_store], engines[target_store]
    source.pull(registry, "app:1", together(app, other))
    target.pull(registry, "base:1", together(Made([low], compressed=[0]), other))
    sent = send_one(source, target, "app:1")
    assert sent.layers == (2 if (source_store, target_store) == ("classic", "containerd") else 1)
    assert target.layers("app:1") == [digest(low), digest(high)]
    assert len(target.saved_blobs("app:1")) >= 4
    again = send_one(source, target, "app:1")
    assert (again.sent, again.present) == (0, True)


@pytest.mark.parametrize("from_file", [False, True])
def test_an_engine_with_one_of_several_platforms_gets_the_others(
    sources: dict[str, Engine], engines: dict[str, Engine], registry: Registry, tmp_path: Path, from_file: bool
) -> None:
    app, other = Made([unique_layer()], compressed=[0]), Made([unique_layer(1000)], platform=ARM)
    whole, source, target = together(app, other), sources["containerd"], engines["containerd"]
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": whole}))
    source.load(archive.read_bytes())
    target.pull(registry, "app:1", whole)
    told = send(archive if from_file else source, {"one": target}, "app:1", dry_run=True)["one"]
    assert isinstance(told, Sent)
    assert (told.layers, told.of_layers, told.present) == (1, 2, False)
    sent = send_one(archive if from_file else source, target, "app:1")
    assert (sent.layers, sent.of_layers, sent.present, sent.replaced) == (1, 2, False, "")
    assert target.saved_blobs("app:1") == set(whole.blobs)
    assert target.images()["app:1"] == whole.manifest_digest


def test_a_source_with_one_of_several_platforms_takes_no_name_from_all_of_them(
    sources: dict[str, Engine], engines: dict[str, Engine], registry: Registry
) -> None:
    whole = together(Made([unique_layer()], compressed=[0]), Made([unique_layer()], platform=ARM))
    source, target = sources["containerd"], engines["containerd"]
    target.load(saved({"app:1": whole}))
    source.pull(registry, "app:1", whole)
    again = send_one(source, target, "app:1")
    assert (again.sent, again.present, again.replaced) == (0, True, "")
    assert target.images()["app:1"] == whole.manifest_digest


def test_an_engine_that_tells_its_platforms_gets_only_the_missing_ones(tmp_path: Path) -> None:
    app, other = Made([unique_layer()]), Made([unique_layer()], platform=ARM)
    whole = together(app, other)
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": whole}))
    image = ArchiveReader(Spool(str(tmp_path))).read_file(str(archive), Wanted("app:1"))

    def lacking(*there: Made) -> Parcel:
        # As Docker 28 describes it (API 1.47).
        manifests = [{"ID": each.manifest_digest, "Available": each in there} for each in (app, other)]
        stored = stored_of([{"Id": whole.manifest_digest, "Size": 1, "Manifests": manifests}])
        known = Known(by_containerd=True, platform="linux/amd64", images=frozenset(stored), stored=stored)
        return parcel(image, known)

    assert ([*lacking(app).layers], lacking(app).present) == ([other.layer_digests[0]], False)
    assert ([*lacking(other).layers], lacking(other).present) == ([app.layer_digests[0]], False)
    assert ([*lacking(app, other).layers], lacking(app, other).present) == ([], True)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("available", "whole"), [(None, True), (["amd64", "arm64"], True), (["amd64"], False)])
def test_an_image_is_whole_if_the_engine_lists_it_with_all_that_was_sent(
    named: bool, available: list[str] | None, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Docker 28 describes it (API 1.47), and Docker 26, which lists no image that lacks a part."""
    app: dict[str, Any] = {"Id": digest(b"app"), "Size": 1}
    if available is not None:
        platforms = ("amd64", "arm64")
        app["Manifests"] = [{"ID": each, "Available": each in available} for each in platforms]

    def ask(_: Images, path: str, *__: object) -> list[dict[str, Any]]:
        return [] if named and "dangling" in path else [app]

    monkeypatch.setattr(Images, "ask", ask)
    with Images(Endpoint("unix:///x")) as images:
        assert images.is_whole(digest(b"app"), ["amd64", "arm64"]) is whole
        assert not images.is_whole(digest(b"another"), [])


def together(*images: Made) -> Made:
    """Return the first image, described as one of several by an index, as builders publish them."""
    listed = [{**each.descriptor, "platform": each.platform} for each in images]
    blobs = {name: data for each in images for name, data in each.blobs.items()}
    all_of_them = replace(images[0], blobs=blobs)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
    all_of_them.descriptor = all_of_them.add(json.dumps(index).encode(), INDEX)
    return all_of_them


def get(engine: Engine, way: str, registry: Registry, name: str, image: Made) -> None:
    if way == "pulled":
        engine.pull(registry, name, image)
    else:
        engine.load(saved({name: image}))


@pytest.mark.parametrize("target_store", STORES)
def test_many_targets_cost_one_read_of_the_source(
    engines: dict[str, Engine], target_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Made([unique_layer(), unique_layer()])
    source = engines[next(store for store in STORES if store != target_store)]
    source.load(saved({"app:1": app}))
    reads: list[EngineSource] = []
    read = EngineSource.read

    def counted(source: EngineSource, spool: Spool, *more: Any) -> Image:
        reads.append(source)
        return read(source, spool, *more)

    monkeypatch.setattr(EngineSource, "read", counted)
    # containerd is slow where one image is loaded by many at once.
    count = 10 if target_store == "classic" else 3
    targets = dict.fromkeys(map(str, range(count)), engines[target_store])
    results = send(source, targets, "app:1")
    assert len(reads) == 1
    assert len(results) == count
    assert all(isinstance(each, Sent) for each in results.values()), results


@pytest.mark.parametrize("store", STORES)
def test_no_machine_gets_another_image_than_was_found_though_its_name_moves_before_it_is_read(
    sources: dict[str, Engine], engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    app = saved({"app:1": Made([unique_layer()])})
    sources[store].load(app)
    engines[store].load(app)
    expected = sources[store].layers("app:1")
    find = EngineSource.find

    def moving(source: EngineSource, wanted: Wanted) -> SourceImage:
        found = find(source, wanted)
        sources[store].load(saved({"app:1": Made([unique_layer()])}))
        return found

    monkeypatch.setattr(EngineSource, "find", moving)
    results = send(sources[store], engines, "app:1")
    assert engines[store].layers("app:1") == expected
    other = next(name for name in STORES if name != store)
    if store == "classic":
        assert engines[other].layers("app:1") == expected
    else:
        # containerd's store forgets an image that has lost its name.
        failure = results[other]
        assert isinstance(failure, MachineError)
        assert failure.hint == "Run the same command again"
        assert "app:1" not in engines[other].images()


LOW, HIGH = digest(b"low"), digest(b"high")
CHAIN = next(chain_ids([LOW]))


@pytest.mark.parametrize(
    ("by_containerd", "engines", "unneeded"),
    [
        (False, [Known(False, "", chain_ids=frozenset([CHAIN]))], {LOW}),
        (False, [Known(False, "", chain_ids=frozenset([CHAIN])), Known(False, "")], set()),
        # containerd needs the very blob.
        (False, [Known(True, "", diff_ids=frozenset([LOW]))], set()),
        (True, [Known(False, "", chain_ids=frozenset([CHAIN]))], set()),
    ],
)
def test_layers_that_all_engines_have_for_certain_are_not_kept(
    by_containerd: bool, engines: list[Known], unneeded: set[str]
) -> None:
    assert unneeded_layers(SourceImage("sha256:id", by_containerd, 9, (LOW, HIGH)), engines) == unneeded


@pytest.mark.parametrize("store", STORES)
def test_a_base_that_disappears_meanwhile_is_sent_after_all(
    engines: dict[str, Engine], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low, high = unique_layer(), unique_layer()
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([low, high])}))
    target = engines[store]
    target.load(saved({"base:1": Made([low])}))
    known = Images.known

    def removing(images: Images) -> Any:
        found = known(images)
        target.remove("base:1")
        return found

    monkeypatch.setattr(Images, "known", removing)
    sent = send_one(archive, target, "app:1")
    assert sent.sent > len(low) + len(high)
    assert len(target.saved_blobs("app:1")) >= 4


def test_an_image_that_does_not_fit_here_leaves_room_for_others(engines: dict[str, Engine], tmp_path: Path) -> None:
    engines["classic"].load(saved({"app:1": Made([unique_layer(10 << 10)])}))
    # It has room for an image of 8 MB.
    with small_disk(tmp_path / "spool", f"size={(SPARE >> 20) + 9}m") as disk:
        [result] = send(engines["classic"], {"one": engines["containerd"]}, "app:1").values()
    assert isinstance(result, MachineError)
    assert result.cause == f"Cannot copy the image to {disk}: No space left on device"
    assert "TMPDIR" in result.hint


@pytest.mark.parametrize("store", STORES)
def test_a_full_disk_of_the_engine_is_told_and_nothing_stays_there(store: str, tmp_path: Path) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer(5 << 10), unique_layer(13 << 10)])}))
    with running_with(CA, SERVER, CONFIGURATIONS[store], disk=16) as small:
        target = Engine(Endpoint(f"unix://{small.socket}", name="orion"))
        used = disk_usage(small.socket.parent / "disk").used
        for _ in range(2):
            [result] = send(archive, {"orion": target}, "app:1").values()
            assert isinstance(result, MachineError)
            assert result.cause.startswith(
                f"The engine at {small.socket} has no room for the image: loading it takes about"
            )
            assert "machinectl docker orion -- system df" in result.hint
            assert target.images() == {}
        assert disk_usage(small.socket.parent / "disk").used < used + (1 << 20)
        archive.write_bytes(saved({"app:1": Made([unique_layer()])}))
        assert send_one(archive, target, "app:1").layers == 1


@pytest.mark.parametrize("store", STORES)
def test_a_failed_push_removes_no_image(
    engines: dict[str, Engine], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer()])}))
    target = engines[store]
    before = target.images()

    def refused(*_: object) -> None:
        raise MachineError("no name today")

    with monkeypatch.context() as patched:
        patched.setattr(transferring, "tag_image", refused)
        for _ in range(2):
            with pytest.raises(MachineError, match="no name today"):
                send_one(archive, target, "app:1")
    # The user may have loaded the same image meanwhile.
    [unnamed] = set(target.images().values()) - set(before.values())
    assert send_one(archive, target, "app:1").sent == 0
    assert target.images()["app:1"] == unnamed


def test_an_image_that_is_given_by_its_id_gets_no_name(engines: dict[str, Engine]) -> None:
    app = Made([unique_layer()])
    engines["classic"].load(saved({"app:1": app}))
    before = engines["containerd"].images()
    send_one(engines["classic"], engines["containerd"], app.config.removeprefix("sha256:")[:5])
    [(name, image)] = set(engines["containerd"].images().items()) - set(before.items())
    assert name == image


@pytest.mark.parametrize("store", STORES)
def test_an_image_that_is_pruned_before_it_has_its_name_is_sent_again(
    engines: dict[str, Engine], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer()])}))
    target = engines[store]
    target.load(saved({"other:1": Made([unique_layer()])}))
    is_whole = transferring.is_whole
    pruned: list[bytes] = []

    def pruning(*arguments: Any) -> bool:
        found = is_whole(*arguments)
        if not pruned:
            pruned.append(target.docker("image", "prune", "--force"))
        return found

    monkeypatch.setattr(transferring, "is_whole", pruning)
    send_one(archive, target, "app:1")
    assert pruned
    assert len(target.saved_blobs("app:1")) >= 3


def test_an_engine_that_takes_no_more_data_is_given_up(
    engines: dict[str, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer(8000)])}))
    monkeypatch.setattr(engine_images, "PATIENCE", 0.5)
    path = engines["classic"].endpoint.url.removeprefix("unix://")
    with serving(relay(path, 100_000, goes_silent)) as port:
        with pytest.raises(MachineError) as caught:
            send_one(archive, Engine(Endpoint(f"tcp://127.0.0.1:{port}")), "app:1")
        assert "has taken no more data within 0.5 s" in caught.value.cause
        engines["classic"].load(archive.read_bytes())
        with pytest.raises(MachineError) as caught:
            send_one(Engine(Endpoint(f"tcp://127.0.0.1:{port}")), engines["containerd"], "app:1")
        assert "Cannot read the image" in caught.value.cause
    assert os.listdir(os.environ["TMPDIR"]) == []
