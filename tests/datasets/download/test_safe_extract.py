"""An archive from a stranger is unpacked inside one folder, or refused with nothing left of it."""

import gzip
import io
import tarfile

import pytest

from pix2pix.datasets.download.safe_extract import Limits, safe_extract
from tests.datasets.download.archives import archive, member, picture

LIMITS = Limits(members=20, size=200_000)
FINE = member("facades/train/1.jpg", picture())


def unpack(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    safe_extract(tmp_path / "a.tar.gz", tmp_path / "into", "facades", LIMITS)
    return sorted(str(file.relative_to(tmp_path / "into")) for file in (tmp_path / "into").rglob("*") if file.is_file())


def test_files_and_folders_are_unpacked(tmp_path):
    folder = member("./facades/train", type=tarfile.DIRTYPE)
    assert unpack(tmp_path, archive(folder, FINE)) == ["facades/train/1.jpg"]
    assert (tmp_path / "into" / "facades" / "train" / "1.jpg").read_bytes() == picture()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("../escaped.jpg", b"x"), "leads out of the folder"),
        (member("facades/../../escaped.jpg", b"x"), "leads out of the folder"),
        (member("/tmp/escaped.jpg", b"x"), "does not lie in facades/"),
        (member("other/1.jpg", b"x"), "does not lie in facades/"),
        (member("facades/../other/1.jpg", b"x"), "does not lie in facades/"),
        (member("facades/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link, a device"),
        (member("facades/link", type=tarfile.SYMTYPE, linkname="train/1.jpg"), "is a link, a device"),
        (member("facades/link", type=tarfile.LNKTYPE, linkname="facades/train/1.jpg"), "is a link, a device"),
        (member("facades/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "is a link, a device"),
        (member("facades/pipe", type=tarfile.FIFOTYPE), "is a link, a device"),
        (FINE, "is in the archive twice"),
        (member("facades/train/1.jpg/x.jpg", b"x"), "is in the archive twice"),
        (member("facades/big", bytes(300_000)), "unpacks to more|holds more than"),
    ],
)
def test_what_is_no_plain_file_inside_is_refused_and_nothing_is_kept(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        unpack(tmp_path, archive(FINE, bad))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tar.gz"]


def test_too_many_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="more than 20 files"):
        unpack(tmp_path, archive(*(member(f"facades/{number}") for number in range(21))))


def test_a_bomb_behind_the_last_file_is_refused_too(tmp_path):
    bomb = gzip.compress(gzip.decompress(archive(FINE)) + bytes(10_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(ValueError, match="unpacks to more"):
        unpack(tmp_path, bomb)


def test_a_bomb_in_a_header_is_refused_before_it_is_read(tmp_path):
    info = tarfile.TarInfo("facades/x")
    info.type, info.size = tarfile.XHDTYPE, 10**9
    content = gzip.compress(info.tobuf() + bytes(10_000))
    with pytest.raises(ValueError, match="a header of 1000000000 bytes"):
        unpack(tmp_path, content)


def test_a_sparse_file_that_claims_to_be_huge_is_refused(tmp_path):
    header = io.BytesIO()
    with tarfile.open(fileobj=header, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("facades/sparse")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**12)}
        info.size = 512
        tar.addfile(info, io.BytesIO(b"1\n0\n1\n".ljust(512, b"\0")))
    with pytest.raises(ValueError, match=r"is a link, a device|damaged"):
        unpack(tmp_path, gzip.compress(header.getvalue()))


@pytest.mark.parametrize("cut", [10, 200, -9, -4])
def test_a_truncated_archive_is_refused(tmp_path, cut):
    with pytest.raises(ValueError, match="damaged, or cut short"):
        unpack(tmp_path, archive(FINE, *(member(f"facades/{n}.jpg", picture(n)) for n in range(9)))[:cut])
    assert not (tmp_path / "into").exists()


def test_a_flipped_bit_is_noticed_by_the_checksum(tmp_path):
    content = bytearray(archive(FINE))
    content[-6] ^= 1
    with pytest.raises(ValueError, match="damaged, or cut short"):
        unpack(tmp_path, bytes(content))
