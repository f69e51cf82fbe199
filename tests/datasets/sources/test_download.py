"""Downloads: from a server of the test, interrupted, damaged, in the way of each other."""

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from image_trees import python_batches, write_tar
from official_files import OFFICIAL

from ddcodec.datasets import DATASETS, LoadProgress, load_dataset
from ddcodec.datasets.sources import cifar, download, mnist
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.errors import DataError


@dataclass
class Server:
    """What is served, and how.

    Attributes:
        url: where.
        files: contents by path.
        cut: how many bytes of a body are sent before the connection is closed, or None.
        knows_ranges: whether parts can be asked for.
        asked: what was asked for: path and range.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    knows_ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve files on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Send a file, or the rest of it."""
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            data = state.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = 0
            if wanted is not None and state.knows_ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
                if start >= len(data):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:][: state.cut])

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state = Server(f"http://127.0.0.1:{running.server_address[1]}")
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield state
        running.shutdown()


@pytest.fixture
def archive(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Serve a tiny CIFAR-10 in place of the real one; returns the archive."""
    data = write_tar(tmp_path / "served.tar.gz", python_batches(), "w:gz").read_bytes()
    _pretend(server, monkeypatch, data)
    return data


def _pretend(server: Server, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    server.files["/tiny.tar.gz"] = data
    form = replace(cifar.CIFAR10_FORMAT, files=(_official(server, "/tiny.tar.gz", data),))
    monkeypatch.setattr(cifar, "CIFAR10_FORMAT", form)


def _official(server: Server, path: str, data: bytes) -> OfficialFile:
    digest = hashlib.sha256(data).hexdigest()
    return OfficialFile(path.lstrip("/"), server.url + path, digest, len(data))


def _kept(tmp_path: Path) -> dict[str, int]:
    """Return what is in the folder of downloads, by name, with its length."""
    folder = tmp_path / "cache" / "downloads"
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def _load(tmp_path: Path) -> int:
    return len(load_dataset("cifar10", cache_dir=tmp_path / "cache").train)


def test_download(server: Server, archive: bytes, tmp_path: Path) -> None:
    """A file is fetched once; afterwards neither it nor the network is needed."""
    seen: list[LoadProgress] = []
    dataset = load_dataset("cifar10", cache_dir=tmp_path / "cache", on_progress=seen.append)
    assert len(dataset.train) == 20
    assert seen and str(seen[0]).startswith("downloading, 0 of 0 MB")
    assert _kept(tmp_path) == {"tiny.tar.gz": len(archive)}
    (tmp_path / "cache" / "downloads" / "tiny.tar.gz").unlink()
    server.files.clear()
    assert load_dataset("cifar10", cache_dir=tmp_path / "cache").fingerprint == dataset.fingerprint
    assert server.asked == [("/tiny.tar.gz", None)]


def test_several_files(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datasets of several files keep them in a folder of their own."""
    server.files = {f"/mnist/{name}": data for name, data in OFFICIAL["mnist"].items()}
    files = tuple(_official(server, path, data) for path, data in server.files.items())
    monkeypatch.setattr(mnist, "MNIST_FORMAT", replace(mnist.MNIST_FORMAT, files=files))
    assert len(load_dataset("mnist", cache_dir=tmp_path / "cache").train) == 20
    kept = sorted(path.name for path in (tmp_path / "cache" / "downloads" / "mnist").iterdir())
    assert kept == sorted(OFFICIAL["mnist"])


def test_file_put_into_the_cache(server: Server, archive: bytes, tmp_path: Path) -> None:
    """A file put where the message says is used without a network."""
    server.files.clear()
    with pytest.raises(DataError, match=r"404.*--data with a copy") as caught:
        _load(tmp_path)
    place = tmp_path / "cache" / "downloads" / "tiny.tar.gz"
    assert f"put the file at '{place}' yourself" in str(caught.value)
    assert _kept(tmp_path) == {}
    place.write_bytes(archive)
    assert _load(tmp_path) == 20


def test_no_server(archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network there is one sentence, and nothing is left behind."""
    (file,) = cifar.CIFAR10_FORMAT.files
    nowhere = replace(file, url="http://127.0.0.1:9/tiny.tar.gz")
    form = replace(cifar.CIFAR10_FORMAT, files=(nowhere,))
    monkeypatch.setattr(cifar, "CIFAR10_FORMAT", form)
    with pytest.raises(DataError, match=r"cannot download http://127.0.0.1:9/tiny.tar.gz \("):
        _load(tmp_path)
    assert _kept(tmp_path) == {}


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_interrupted_download_goes_on(
    server: Server, archive: bytes, tmp_path: Path, knows_ranges: bool
) -> None:
    """What was fetched is kept; the rest is asked for, or all where a server knows no parts."""
    server.cut, server.knows_ranges = 1000, knows_ranges
    with pytest.raises(DataError, match=r"it ended after 1,000 of [\d,]+ bytes\); try again"):
        _load(tmp_path)
    assert _kept(tmp_path) == {"tiny.tar.gz.part": 1000}
    server.cut = None
    assert _load(tmp_path) == 20
    assert server.asked == [("/tiny.tar.gz", None), ("/tiny.tar.gz", "bytes=1000-")]
    assert _kept(tmp_path) == {"tiny.tar.gz": len(archive)}


def test_interrupt_by_the_user(
    archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C keeps what was fetched, too."""
    monkeypatch.setattr(download, "_CHUNK", 500)

    def stop(progress: LoadProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dataset("cifar10", cache_dir=tmp_path / "cache", on_progress=stop)
    assert _kept(tmp_path) == {"tiny.tar.gz.part": 500}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data + b"more",
        lambda data: data[:-100] + bytes(100),
    ],
)
def test_another_file(server: Server, archive: bytes, tmp_path: Path, damage: Any) -> None:
    """A download that is not the official file is refused and not kept."""
    server.files["/tiny.tar.gz"] = damage(archive)
    with pytest.raises(DataError, match=r"tiny.tar.gz' is damaged or not the official file"):
        _load(tmp_path)
    assert _kept(tmp_path) == {}


def test_endless_file(server: Server, archive: bytes, tmp_path: Path) -> None:
    """No more than one byte too many is fetched."""
    server.files["/tiny.tar.gz"] = archive + bytes(2**24)
    seen: list[LoadProgress] = []
    with pytest.raises(DataError, match="not the official file"):
        load_dataset("cifar10", cache_dir=tmp_path / "cache", on_progress=seen.append)
    assert seen[-1].done == seen[-1].total


def test_damaged_part(server: Server, archive: bytes, tmp_path: Path) -> None:
    """Going on from damaged bytes fails once, and then begins anew."""
    folder = tmp_path / "cache" / "downloads"
    folder.mkdir(parents=True)
    (folder / "tiny.tar.gz.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="not the official file"):
        _load(tmp_path)
    assert _load(tmp_path) == 20


def test_damaged_file_in_the_cache(archive: bytes, tmp_path: Path) -> None:
    """A file in the cache that is another one is named."""
    folder = tmp_path / "cache" / "downloads"
    folder.mkdir(parents=True)
    (folder / "tiny.tar.gz").write_bytes(archive[:-1])
    with pytest.raises(DataError, match=r"tiny.tar.gz' is damaged .* delete it"):
        _load(tmp_path)


def test_cache_that_cannot_be_written(archive: bytes, tmp_path: Path) -> None:
    """A cache that cannot be written is noticed before the network is used."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="set DDC_CACHE"):
        _load(tmp_path)


def test_full_disk(
    server: Server, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little room is noticed before the network is used."""
    (file,) = cifar.CIFAR10_FORMAT.files
    huge = replace(cifar.CIFAR10_FORMAT, files=(replace(file, num_bytes=2**60),))
    monkeypatch.setattr(cifar, "CIFAR10_FORMAT", huge)
    with pytest.raises(DataError, match="set DDC_CACHE to a folder with more room"):
        _load(tmp_path)
    assert server.asked == []


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_downloaded(name: str) -> None:
    """Official files have a digest, a length and a place of their own; all others say why not."""
    files = DATASETS[name].files
    for file in files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.url.startswith(("http://", "https://")) and file.url.endswith(file.name)
        assert file.num_bytes > 1000
    if name.startswith("image"):
        assert not files
        with pytest.raises(DataError, match=r"takes an account to download; .* with --data"):
            load_dataset(name)


def test_no_two_files_share_a_place() -> None:
    """Files of the same name, as those of MNIST and Fashion-MNIST, lie apart."""
    paths = [file.path for dataset in DATASETS.values() for file in dataset.files]
    assert len(set(paths)) == len(paths)
