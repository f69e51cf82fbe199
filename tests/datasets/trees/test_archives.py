"""Archives that are damaged, hostile or unusual."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from image_trees import flat, split_tree, write_source, write_tar, write_zip

from ddcodec.datasets import load_folder
from ddcodec.datasets.trees.archive import archive_members, archive_stem
from ddcodec.errors import DataError

ARCHIVES = [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst"]


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9])
def test_truncated(tmp_path: Path, kind: str, kept: float) -> None:
    """An archive cut anywhere is an error, never a smaller dataset."""
    path = write_source(tmp_path, kind, split_tree())
    data = path.read_bytes()
    if kind == ".tar":
        # The last kilobytes of a tar are padding; cut what matters.
        data = data[: 512 * 2 * len(split_tree())]
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=r"cannot read the archive '.*'.*again\."):
        load_folder("x", path, tmp_path / "cache")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_garbage(tmp_path: Path, kind: str) -> None:
    """A file that only has the name of an archive is an error that names it."""
    path = tmp_path / f"birds{kind}"
    path.write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(DataError, match=r"cannot read the archive '.*birds"):
        load_folder("x", path, tmp_path / "cache")


def test_damaged_header_in_the_middle(tmp_path: Path) -> None:
    """A tar whose second header is damaged does not pass for a tar of one file."""
    path = write_tar(tmp_path / "x.tar", {"ant/1.png": flat(1), "bee/1.png": flat(2)})
    data = bytearray(path.read_bytes())
    data[1024 + 100] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match="ends in the middle"):
        load_folder("x", path, tmp_path / "cache")


def test_damaged_data_in_a_zip(tmp_path: Path) -> None:
    """A zip member with a wrong checksum is an error."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("ant/1.png", flat(1))
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 5] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        load_folder("x", path, tmp_path / "cache")


@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_names_that_climb_out_are_harmless(tmp_path: Path, kind: str) -> None:
    """Absolute names and `..` stay inside, and nothing is written beside the archive."""
    files = {"../../ant/1.png": flat(1), "/bee/1.png": flat(2), "./cow/x/../1.png": flat(3)}
    path = write_source(tmp_path, kind, files)
    names = [member.path for member in archive_members(path)]
    assert names == ["ant/1.png", "bee/1.png", "cow/1.png"]
    dataset = load_folder("x", path, tmp_path / "cache")
    assert dataset.class_names == ("ant", "bee", "cow")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", path.name]


def test_backslashes_in_a_zip(tmp_path: Path) -> None:
    """Zips made on Windows with backslashes have folders too."""
    path = write_zip(tmp_path / "x.zip", {"ant\\1.png": flat(1), "bee\\1.png": flat(2)})
    assert load_folder("x", path, tmp_path / "cache").class_names == ("ant", "bee")


def test_encrypted_zip(tmp_path: Path) -> None:
    """A zip that wants a password is an error in a sentence."""
    path = write_zip(tmp_path / "x.zip", {"ant/1.png": flat(1)})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="encrypted"):
        load_folder("x", path, tmp_path / "cache")


@pytest.mark.parametrize("link", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_in_a_tar(tmp_path: Path, link: bytes) -> None:
    """A link inside a tar is refused by name, with the way to pack without."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("ant/2.png")
        info.type = link
        info.linkname = "ant/1.png"
        archive.addfile(info)
    with pytest.raises(DataError, match=r"'ant/2.png' as a link; .*--dereference"):
        load_folder("x", path, tmp_path / "cache")


def test_updated_tar(tmp_path: Path) -> None:
    """Of two members with one name the later counts, as when unpacking."""
    path = tmp_path / "x.tar"
    write_tar(path, {"ant/1.png": flat(1), "bee/1.png": flat(5)})
    write_tar(path, {"ant/1.png": flat(9)}, "a")
    dataset = load_folder("x", path, tmp_path / "cache")
    assert dataset.train.images[:, 0, 0, 0].tolist() == [9, 5]


@pytest.mark.parametrize("name", ["my.birds.tar.gz", "my.birds.tgz", "my.birds.ZIP"])
def test_stem(name: str) -> None:
    """The whole archive suffix goes, and nothing else."""
    assert archive_stem(Path(name)) == "my.birds"
