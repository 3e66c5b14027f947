"""A data set is downloaded whole and as it was the first time, or not at all, from servers that behave badly."""

import errno
import os
import re
import shutil
import tarfile
import threading
from collections import namedtuple

import pytest

from pix2pix.data.sources.folder import PairFolder
from pix2pix.datasets.download import download as downloading
from pix2pix.datasets.download import http_download, mirrors
from pix2pix.datasets.download.catalogue import CATALOGUE, lock_file
from pix2pix.datasets.download.pins import Pins
from tests.conftest import command, pix2pix, start_command, wait_until
from tests.datasets.download.archives import (
    archive,
    facades,
    member,
    picture,
    send,
    serve,
    stalling,
    stay_on_this_machine,
    well,
)

FACADES = CATALOGUE["facades"]


@pytest.fixture(scope="module")
def good() -> bytes:
    return facades()


@pytest.fixture(autouse=True)
def _this_machine_only(monkeypatch):
    stay_on_this_machine(monkeypatch, downloading)


def fetch(root, *answers):
    """Downloads facades from servers that answer so, and returns what each was asked for."""
    asked = []
    for answer in answers:
        with serve(answer) as server:
            asked.append(server.asked)
            downloading.download(FACADES, root, [server.url])
    return asked


def visible(root):
    return sorted(file.name for file in root.iterdir() if not file.name.startswith("."))


def test_a_data_set_is_downloaded_to_where_training_looks_for_it(tmp_path, good, capsys):
    with serve(well(good)) as server:
        pix2pix("data", "download", "facades", "--root", tmp_path, "--mirror", server.url)
    assert f"pix2pix train experiment=facades data.root={tmp_path}" in capsys.readouterr().out
    assert [len(PairFolder(str(tmp_path / "facades")).split(split)) for split in FACADES.splits] == [400, 100, 106]
    assert visible(tmp_path) == ["datasets.lock", "facades"]
    assert not (tmp_path / ".facades.tar.gz").exists()
    pin = Pins(lock_file(tmp_path)).read()["facades"]
    assert (pin["bytes"], len(str(pin["sha256"]))) == (len(good), 64)


def test_what_is_there_already_is_not_fetched_again(tmp_path, good):
    assert fetch(tmp_path, well(good), well(good))[1] == []


def test_a_set_that_is_incomplete_is_neither_trusted_nor_touched(tmp_path, good):
    (tmp_path / "facades" / "train").mkdir(parents=True)
    (tmp_path / "facades" / "train" / "1.jpg").write_bytes(picture())
    with pytest.raises(ValueError, match="train: 1 of 400 pairs"):
        fetch(tmp_path, well(good))
    assert (tmp_path / "facades" / "train" / "1.jpg").exists()


def breaking(content, at, tag='"one"'):
    """Breaks every connection after `at` bytes, and honours ranges."""

    def answer(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        rest = content[start:]
        message = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        send(handler, rest[:at], status=206 if start else 200, length=len(rest), ETag=tag, **message)
        handler.connection.close()

    return answer


def test_broken_connections_are_continued_where_they_broke(tmp_path, good):
    [asked] = fetch(tmp_path, breaking(good, len(good) // 4))
    starts = [wanted for _, wanted, _ in asked]
    assert starts[0] is None
    assert len(starts) in {4, 5}
    assert starts[1] == f"bytes={len(good) // 4}-"
    assert {known for _, _, known in asked[1:]} == {'"one"'}


def test_a_server_without_ranges_starts_again(tmp_path, good):
    calls = []

    def answer(handler):
        calls.append(1)
        send(handler, good if len(calls) > 2 else good[:1000], length=len(good))

    fetch(tmp_path, answer)
    assert len(calls) == 3


def test_a_file_that_changed_in_between_is_not_glued_to_the_old_one(tmp_path, good):
    calls = []

    def answer(handler):
        calls.append(1)
        (breaking(bytes(len(good)), 1000, '"old"') if len(calls) == 1 else well(good, '"new"'))(handler)

    fetch(tmp_path, answer)
    assert (tmp_path / "facades").is_dir()


def test_another_part_than_was_asked_for_is_refused(tmp_path, good):
    def answer(handler):
        if handler.headers.get("Range"):
            send(handler, good[500:], status=206, Content_Range=f"bytes 500-{len(good) - 1}/{len(good)}")
        else:
            send(handler, good[:1000], length=len(good))

    with pytest.raises(OSError, match="another part than it was asked for"):
        fetch(tmp_path, answer)
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda handler: handler.send_error(404), "answers 404"),
        (lambda handler: handler.send_error(503), "Service Unavailable, 5 times in a row"),
        (lambda handler: send(handler, facades(), length=len(facades()) + 10), "the connection ended at"),
        (lambda handler: send(handler, facades()[:-500], length=None), "damaged, or cut short"),
        (lambda handler: send(handler, facades()[:2000]), "damaged, or cut short"),
        (lambda handler: send(handler, b"<!DOCTYPE html><p>Log in"), "not a gzip archive"),
        (lambda handler: send(handler, b"", length=10**12), "offers 1000000000000 bytes, but it has about 30 MB"),
        (lambda handler: send(handler, facades(train=399)), "train: 399 of 400 pairs"),
    ],
)
def test_a_server_that_does_not_deliver_is_named_and_nothing_is_left(tmp_path, answer, message):
    with pytest.raises(OSError, match=message):
        fetch(tmp_path, answer)
    assert visible(tmp_path) == []


def test_the_next_mirror_is_asked_when_one_fails(tmp_path, good, monkeypatch):
    bad = archive(member("facades/train/1.jpg", picture()))
    with (
        serve(lambda handler: handler.send_error(404)) as gone,
        serve(well(bad)) as wrong,
        serve(well(good)) as right,
    ):
        (tmp_path / "mirrors.txt").write_text(f"# of our group\n{right.url}\n")
        monkeypatch.setenv("PIX2PIX_MIRRORS", wrong.url)
        pix2pix("data", "download", "facades", "--root", tmp_path, "--mirror", f"{gone.url}/")
        assert [len(server.asked) for server in (gone, wrong, right)] == [1, 1, 1]
        assert right.asked[0][0] == "/facades.tar.gz"


def test_a_second_download_must_equal_the_first(tmp_path, good):
    fetch(tmp_path, well(good))
    first = lock_file(tmp_path).read_text()
    shutil.rmtree(tmp_path / "facades")
    changed = bytearray(good)
    changed[4] ^= 1  # the time stamp in gzip's header: same pictures, another file
    with pytest.raises(OSError, match="from the first download"):
        fetch(tmp_path, well(bytes(changed)))
    assert visible(tmp_path) == ["datasets.lock"]
    fetch(tmp_path, well(good))
    assert lock_file(tmp_path).read_text() == first


def test_a_full_disk_is_noticed_before_anything_is_fetched(tmp_path, good, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(mirrors.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 20 * 10**6))
    with pytest.raises(OSError, match=r"needs about 30 MB .* 20 MB are free"):
        fetch(tmp_path, well(good))
    assert visible(tmp_path) == []
    assert not (tmp_path / ".facades.tar.gz").exists()


@pytest.mark.parametrize("moment", ["downloading", "unpacking"])
def test_a_killed_download_leaves_nothing_that_looks_complete_and_is_continued(tmp_path, good, moment):
    half, ended = len(good) // 2, threading.Event()

    with serve(stalling(good, ended) if moment == "downloading" else well(good)) as server:
        with downloader(tmp_path, server.url, stop_unpacking=moment == "unpacking") as process:
            wait_until(lambda: size(tmp_path / ".facades.tar.gz") >= half, process)
            if moment == "unpacking":
                wait_until((tmp_path / ".facades.unpacking" / "facades" / "train").is_dir, process)
        ended.set()
        assert visible(tmp_path) == []
        downloading.download(FACADES, tmp_path, [server.url])
        assert server.asked[1:] == ([("/facades.tar.gz", f"bytes={half}-", '"one"')] if moment == "downloading" else [])
    assert FACADES.missing_pairs(tmp_path / "facades") == []
    assert not (tmp_path / ".facades.unpacking").exists()


def downloader(root, url, stop_unpacking):
    """The command in a process of its own; on request it halts in the middle of unpacking, to be killed there."""
    halt = "import tarfile, time; tarfile.copyfileobj = lambda *a, **k: time.sleep(60)"
    words = ["data", "download", "facades", "--root", root, "--mirror", url]
    return start_command(*words, first=halt if stop_unpacking else "", env=os.environ | {"no_proxy": "127.0.0.1"})


def size(file):
    return file.stat().st_size if file.exists() else 0


def test_two_downloads_at_once_are_one(tmp_path, good):
    with serve(well(good)) as server:
        both = [threading.Thread(target=downloading.download, args=(FACADES, tmp_path, [server.url])) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert len(server.asked) == 1


def test_the_list_names_terms_and_what_is_here(tmp_path, good, capsys, monkeypatch):
    fetch(tmp_path, well(good))
    monkeypatch.setenv("PIX2PIX_DATA", str(tmp_path))
    pix2pix("data", "list")
    output = capsys.readouterr().out
    assert (
        f"facades  400 train / 100 val / 106 test  about 30 MB  A photo, B label map  in {tmp_path}/facades\n" in output
    )
    assert output.count("(http") == len(CATALOGUE)


def test_unknown_names_and_odd_mirrors_are_refused(tmp_path):
    assert "Choose from facades, maps" in command("data", "download", "facade", cwd=tmp_path).stderr
    result = command("data", "download", "facades", "--mirror", "ftp://x", cwd=tmp_path)
    assert "pix2pix: mirror 'ftp://x': not an http or https URL" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_lock_file_that_was_spoilt_is_named(tmp_path, good):
    lock_file(tmp_path).write_text("{")
    with pytest.raises(OSError, match="not JSON"):
        fetch(tmp_path, well(good))


def endless(handler):
    """Says no length and never ends."""
    send(handler, b"\x1f\x8b", length=None)
    while True:
        handler.wfile.write(bytes(2**16))


def send_chunks(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Content-Length", "1000")  # which does not count
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(2**16) + b"\r\n")


def of_no_length(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "many")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(2**16))


@pytest.mark.parametrize("answer", [endless, send_chunks, of_no_length])
def test_a_download_without_an_end_stops_at_the_limit_and_the_next_mirror_is_asked(tmp_path, good, monkeypatch, answer):
    monkeypatch.setattr(type(FACADES), "max_archive_bytes", 10**6)
    with serve(answer) as bad, serve(well(good)) as right:
        with pytest.raises(OSError, match=r"sends more than 1000000 bytes. Nothing of it is kept"):
            downloading.download(FACADES, tmp_path, [bad.url])
        assert not list(tmp_path.glob(".*gz*"))
        downloading.download(FACADES, tmp_path, [bad.url, right.url])
    assert FACADES.missing_pairs(tmp_path / "facades") == []


def by_the_letter(handler):
    send(handler, b"\x1f\x8b", length=10**6)
    for _ in range(40):
        handler.wfile.write(b"x")
        ONE_BY_ONE.wait(0.05)


def header_by_the_letter(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    for _ in range(60):
        handler.wfile.write(b"x")
        ONE_BY_ONE.wait(0.05)


ONE_BY_ONE = threading.Event()


@pytest.mark.parametrize(
    ("answer", "message"),
    [(by_the_letter, r"too slow, \d+ bytes"), (header_by_the_letter, "no whole answer within 0.3 s, 5 times")],
)
def test_a_mirror_that_sends_letter_by_letter_is_given_up(tmp_path, good, monkeypatch, caplog, answer, message):
    monkeypatch.setattr(http_download, "TIMEOUT", 0.3)
    caplog.set_level("INFO")
    with serve(answer) as slow, serve(well(good)) as right:
        monkeypatch.setattr(http_download, "ATTEMPTS", 5)
        downloading.download(FACADES, tmp_path, [slow.url, right.url])
    assert re.search(message, caplog.text)


def test_a_mirror_that_breaks_off_after_every_byte_is_given_up(tmp_path, good):
    with pytest.raises(OSError, match="5 times in a row"):
        fetch(tmp_path, breaking(good, 10))


@pytest.mark.parametrize("target", ["ftp://127.0.0.1:9/x", "file:///etc/passwd", "data:text/plain,x"])
def test_a_redirect_that_leaves_the_web_is_refused(tmp_path, target):
    def answer(handler):
        send(handler, b"", status=302, Location=target)

    with pytest.raises(OSError, match=r"no web address|not allowed|answers 302"):
        fetch(tmp_path, answer)
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    "bad",
    [
        [member("facades/train/" + "n" * 300 + ".jpg", b"x")],
        [member("facades/x", b"x"), member("facades/x", type=tarfile.DIRTYPE)],
        [member("facades/x", type=tarfile.DIRTYPE), member("facades/x", b"x")],
        [member("facades/" + "d/" * 1500 + "1.jpg", b"x")],
        [member("facades/caf\udce9.jpg", b"x")],
        [member("facades/\x1b]0;title\x07.jpg", b"x")],
        [member("facades/x", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    ],
    ids=["long", "folder-for-file", "file-for-folder", "deep", "no-utf8", "control", "link"],
)
def test_after_an_archive_that_cannot_be_unpacked_nothing_is_left_and_the_next_mirror_is_asked(tmp_path, good, bad):
    with serve(well(archive(*bad))) as wrong, serve(well(good)) as right:
        with pytest.raises(OSError, match=r"\.facades\.tar\.gz: .*is kept|in the archive twice"):
            downloading.download(FACADES, tmp_path, [wrong.url])
        assert [file.name for file in tmp_path.iterdir()] == [".facades.downloading"]
        downloading.download(FACADES, tmp_path, [wrong.url, right.url])
    assert FACADES.missing_pairs(tmp_path / "facades") == []


def test_the_next_attempt_says_how_much_room_an_unfinished_download_takes(tmp_path, good, monkeypatch):
    with serve(breaking(good, len(good) // 2)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(http_download, "ATTEMPTS", 1)
            with pytest.raises(OSError, match=r"times in a row"):
                downloading.download(FACADES, tmp_path, [server.url])
        usage = namedtuple("usage", "total used free")
        with monkeypatch.context() as patch:
            patch.setattr(downloading.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 0))
            with pytest.raises(OSError, match=r"0 MB are free \(an unfinished download, .*gz, takes 0 MB"):
                downloading.download(FACADES, tmp_path, [server.url])


def test_a_full_disk_is_said_in_words(tmp_path):
    class Full:
        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"the disk is full; 0 MB have arrived. Free some space"):
        http_download._write_chunk(Full(), b"x", tmp_path / ".facades.tar.gz")


def test_a_mirror_gets_the_login_of_its_host_and_the_one_it_leads_to_does_not(tmp_path, good, monkeypatch):
    seen = []

    def note(answer):
        def noting(handler):
            seen.append(handler.headers.get("Authorization"))
            answer(handler)

        return noting

    with serve(note(well(good))) as storage:

        def leads(handler):
            send(handler, b"", status=302, Location=f"{storage.url}/facades.tar.gz")

        with serve(note(leads)) as mirror:
            monkeypatch.setenv("PIX2PIX_LOGINS", mirror.url.replace("://", "://user:pw@"))
            downloading.download(FACADES, tmp_path, [mirror.url])
    assert seen == ["Basic dXNlcjpwdw==", None]
    assert "pw" not in lock_file(tmp_path).read_text()


def test_a_mirror_that_wants_a_login_is_told_with_where_to_put_it(tmp_path):
    with pytest.raises(OSError, match=r"answers 401 .*PIX2PIX_LOGINS="):
        fetch(tmp_path, lambda handler: handler.send_error(401))
