"""Files that harm: what is no picture is named at once, without waiting, allocating or starting another program."""

import ast
import io
import os
import socket
import struct
import subprocess
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.images import decode
from pix2pix.data.images.decode import open_picture, read_size
from pix2pix.data.pair import Pair
from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.skip_unreadable import SkipUnreadable
from pix2pix.datasets.check.measure import measure_pairs
from pix2pix.datasets.check.scan import ScannedPair, scan_folder
from pix2pix.datasets.write_shards import write_shards
from tests.conftest import noise_pairs, pix2pix

tifffile = pytest.importorskip("tifffile")
PACKAGE = Path(decode.__file__).parents[2]


def pipe(file: Path) -> None:
    os.mkfifo(file)


def listening(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(file))


def endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def folder_of_that_name(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize("make", [pipe, listening, endless, folder_of_that_name])
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, make):
    make(tmp_path / "9.png")
    for look in (open_picture, read_size):
        with pytest.raises(ValueError, match=r"9\.png: cannot be read as a picture \(a .*, no file\)"):
            look(tmp_path / "9.png")
    (tmp_path / "9.png").rename(tmp_path / "9.npy")
    with pytest.raises(ValueError, match=r"9\.npy: cannot be read as a picture \(a .*, no file\)"):
        open_picture(tmp_path / "9.npy")


def test_a_pipe_among_the_pictures_is_named_by_every_reader_of_a_folder(tmp_path):
    folder = noise_pairs(tmp_path / "pairs", 4)
    os.mkfifo(folder / "train" / "9.png")
    with pytest.raises(ValueError, match=r"9\.png: .*a named pipe"):
        PairFolder(str(folder)).split("train")[4]
    size = dict.fromkeys(("height", "width", "load_height", "load_width"), 32)
    derived = DerivedPairs(str(folder), operation="blur", **size)
    with pytest.raises(ValueError, match=r"9\.png: .*a named pipe"):
        derived.split("train")[4]
    assert "a named pipe" in str(measure_pairs(scan_folder(folder).pairs)[4].unreadable)
    with pytest.raises(SystemExit, match=r"9\.png: cannot be read \(a named pipe"):
        pix2pix("data", "prepare", "derive", "--operation", "blur", folder / "train", "-o", tmp_path / "made")


def test_a_link_to_nothing_and_a_file_of_no_bytes_are_named(tmp_path):
    (tmp_path / "link.png").symlink_to("/nowhere/1.png")
    (tmp_path / "empty.png").write_bytes(b"")
    for read in (open_picture, read_size):
        with pytest.raises(ValueError, match=r"link\.png: is a link to /nowhere/1\.png, which is not there"):
            read(tmp_path / "link.png")
        with pytest.raises(ValueError, match=r"empty\.png: cannot be read as a picture \(the file is empty\)"):
            read(tmp_path / "empty.png")


def test_a_pipe_beside_a_partner_is_passed_over_where_that_is_asked_for(tmp_path, caplog):
    for side in "AB":
        (tmp_path / f"train{side}").mkdir()
        for number in range(3):
            Image.new("RGB", (8, 8)).save(tmp_path / f"train{side}" / f"{number}.png")
    (tmp_path / "trainA" / "0.png").unlink()
    os.mkfifo(tmp_path / "trainA" / "0.png")
    source = PairFolder(str(tmp_path), val_share=None)
    assert SkipUnreadable(source.split("train"), unchanged, 1)[0].name == "1"
    assert "0.png: cannot be read as a picture (a named pipe" in caplog.text
    with pytest.raises(ValueError, match=r"0\.png: .*a named pipe"):
        write_shards(source, tmp_path / "shards")


def test_a_side_by_side_file_that_is_none_is_passed_over_where_that_is_asked_for(tmp_path):
    folder = noise_pairs(tmp_path / "pairs", 3)
    os.mkfifo(folder / "train" / "3.png")
    (folder / "train" / "4.npy").write_bytes(header_of("'<f4'", "(1000000, 1000000, 3)"))
    pairs = SkipUnreadable(PairFolder(str(folder)).split("train"), unchanged, 2)
    assert pairs[3].name == pairs[4].name == "0"


def unchanged(pair: Pair) -> Pair:
    return pair


def header_of(descr: str, shape: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def png(width: int, height: int, colour: int = 2) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def bmp(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "BMP")
    return file.getvalue()[:18] + struct.pack("<ii", width, height) + file.getvalue()[26:]


def tiff(width: int, height: int, kind: str = "uint8", **options) -> bytes:
    """A TIFF of five bands, for tifffile, that claims to be larger than it is."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((4, 4, 5), kind), photometric="minisblack", planarconfig="contig", **options)
    content = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(content)) as made:
        for name, value in (("ImageWidth", width), ("ImageLength", height), ("RowsPerStrip", height)):
            tag = made.pages[0].tags[name]
            content[tag.valueoffset : tag.valueoffset + tag.valuebytecount] = value.to_bytes(
                tag.valuebytecount, "little"
            )
    return bytes(content)


LIARS = {
    "12_terabytes.npy": header_of("'<f4'", "(1000000, 1000000, 3)"),
    "more_than_counts.npy": header_of("'<f8'", f"({2**62}, {2**62}, 3)"),
    "below_zero.npy": header_of("'<f4'", "(-4, -4)"),
    "of_nothing.npy": header_of("'V0'", "(100000, 100000)"),
    "of_objects.npy": header_of("'|O'", "(4, 4)") + bytes(1000),
    "not_even_a_header.npy": b"\x93NUMPY\x01\x00\xff\xff{",
    "empty.npy": b"",
    "version_9.npy": b"\x93NUMPY\x09\x00" + bytes(100),
    "an_npz.npy": b"PK\x03\x04" + bytes(100),
    "wide.png": png(12000, 12000),
    "wider.png": png(60000, 60000),
    "grey.png": png(13000, 13000, 0),
    "wide.bmp": bmp(12000, 12000),
    "wide.tif": tiff(30000, 30000),
    "wide_and_deflated.tif": tiff(30000, 30000, compression="zlib"),
    "empty.png": b"",
    "empty.tif": b"",
    "noise.tif": b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(range(256)) * 4,
}


@pytest.mark.parametrize("name", LIARS)
def test_a_header_that_promises_more_than_the_file_holds_is_named_and_nothing_is_allocated(tmp_path, name):
    (tmp_path / name).write_bytes(LIARS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"{name}: cannot be read as a picture \(.+\)\. Replace or remove"):
            open_picture(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_file_larger_than_the_memory_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.npy").write_bytes(header_of("'<f4'", "(1000000, 1000000, 3)"))
    os.truncate(tmp_path / "a.npy", 12 * 10**12 + 128)  # with a hole: it takes no room on the disk
    assert read_size(tmp_path / "a.npy") == (10**6, 10**6)
    with pytest.raises(ValueError, match=r"a\.npy: .*it takes 12,000\.0 GB of memory"):
        open_picture(tmp_path / "a.npy")


def test_a_cut_tiff_is_named_whatever_its_compression(tmp_path):
    pixels_of = np.random.default_rng(0).integers(0, 3000, (40, 40, 4), dtype=np.uint16)
    for compression in (None, "zlib"):
        options = {"photometric": "minisblack", "planarconfig": "contig", "compression": compression}
        tifffile.imwrite(tmp_path / "a.tif", pixels_of, **options)
        whole = (tmp_path / "a.tif").read_bytes()
        for length in (4, 8, 100, len(whole) // 2, len(whole) - 500):
            (tmp_path / "a.tif").write_bytes(whole[:length])
            with pytest.raises(ValueError, match=r"a\.tif: cannot be read as a picture"):
                open_picture(tmp_path / "a.tif")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 32\n%%EndComments\n(w) showpage\n%%EOF\n"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
@pytest.mark.parametrize(
    "content", [EPS, b"\x25\x50\x44\x46-1.4\n", b"P6 8 8 255\n" + bytes(192)], ids=["eps", "pdf", "ppm"]
)
def test_no_other_program_is_asked_whatever_a_file_holds(tmp_path, monkeypatch, name, content):
    def started(*words, **options):
        raise AssertionError(words)

    monkeypatch.setattr(subprocess, "Popen", started)
    (tmp_path / name).write_bytes(content)
    for look in (open_picture, read_size):
        with pytest.raises(ValueError, match=rf"{name}: (cannot be read as a picture|its content is PPM)"):
            look(tmp_path / name)
    assert measure_pairs([ScannedPair("train", "a", (tmp_path / name,))])[0].unreadable


def test_every_picture_is_opened_in_formats_that_are_named():
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert "formats" in {keyword.arg for keyword in node.keywords}, file


def test_a_film_that_is_a_list_of_other_files_is_refused(tmp_path):
    pytest.importorskip("av")
    from pix2pix.datasets.prepare.video_frames import list_frames
    from pix2pix.inference.video import open_video

    (tmp_path / "film.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(Exception, match=r"[Ii]nvalid"):
        open_video(tmp_path / "film.mp4")
    with pytest.raises(ValueError, match=r"film\.mp4: cannot be read as a film"):
        list_frames([tmp_path / "film.mp4"], tmp_path, 1, {})
    (tmp_path / "film.mp4").unlink()
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(ValueError, match=r"film\.mp4: .*a named pipe"):
        open_video(tmp_path / "film.mp4")


def test_a_name_that_is_no_utf8_is_told(tmp_path):
    folder = noise_pairs(tmp_path / "pairs", 4)
    os.rename(os.fsencode(folder / "train" / "3.jpg"), os.fsencode(folder / "train") + b"/caf\xe9.jpg")  # noqa: PTH104
    for read in (lambda: PairFolder(str(folder)), lambda: scan_folder(folder)):
        with pytest.raises(ValueError, match=r"train: the name of the picture caf\\xe9\.jpg is not UTF-8"):
            read()
    with pytest.raises(SystemExit, match=r"caf\\xe9\.jpg is not UTF-8"):
        pix2pix("data", "prepare", "derive", "--operation", "blur", folder / "train", "-o", tmp_path / "made")


@pytest.mark.parametrize(("kind", "name", "suffix"), [("AVIF", "a.jpg", ".avif"), ("JPEG2000", "a.png", ".jp2")])
def test_a_file_whose_suffix_is_that_of_another_format_is_told_its_own(tmp_path, kind, name, suffix):
    """Browsers save AVIF under the name that the address has."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / name, kind)
    for read in (open_picture, read_size):
        with pytest.raises(ValueError, match=rf"{name}: its content is {kind}, not that of .*\. Call it {suffix}\."):
            read(tmp_path / name)
