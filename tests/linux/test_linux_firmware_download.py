"""Firmware from a server that sends what it likes: the image, or a reason; what broke off is gone on with."""

import hashlib
import os

import pytest
from gagent_linux.firmware_download import DownloadError, FirmwareDownload
from gagent_linux.firmware_store import FirmwareStore
from gagent_linux.worker import run
from testkit.heard import in_loop
from testkit.raw_server import read_request, serving

from gagent.firmware import KIND_MCU
from gagent.ota import Download, Image

IMAGE = os.urandom(100_000)
SIZE = len(IMAGE)
MD5 = hashlib.md5(IMAGE).hexdigest()
LIMIT = 200_000


def head(length=SIZE, status="200 OK", md5=MD5, more=""):
    return (
        "HTTP/1.1 %s\r\nContent-Length: %d\r\nFirmware-MD5: %s\r\nSoft-Version: 00000002\r\n%s\r\n"
        % (status, length, md5, more)
    ).encode()


class Server:
    """Answers each request with the next of `answers`: pieces of bytes, or a function of the requested offset."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.ranges = []

    async def __call__(self, reader, writer):
        request, _ = await read_request(reader)
        lines = [line.split(": ", 1)[1] for line in request.split("\r\n") if line.lower().startswith("range:")]
        self.ranges.append(lines[0] if lines else None)
        answer = self.answers.pop(0)
        at = int(lines[0][len("bytes=") : -1]) if lines else 0
        for piece in answer(at) if callable(answer) else answer:
            writer.write(piece)
            await writer.drain()


def whole(at):
    """A server that knows Range."""
    if not at:
        return [head(), IMAGE]
    span = "Content-Range: bytes %d-%d/%d\r\n" % (at, len(IMAGE) - 1, len(IMAGE))
    return [head(len(IMAGE) - at, "206 Partial Content", more=span), IMAGE[at:]]


def fetch(store, *answers, version="00000002", path="/7", limit=LIMIT, tries=1):
    """What each of so many downloads came to, and the ranges that were asked for."""

    async def scene():
        server = Server(*answers)
        outcomes = []
        async with serving(server) as port:
            for _ in range(tries):
                order = Download(KIND_MCU, version, "http://127.0.0.1:%d%s" % (port, path), limit)
                try:
                    outcomes.append(await run(FirmwareDownload(order, store, None, lambda done, size: None).run))
                except DownloadError as error:
                    outcomes.append(str(error))
        return outcomes, server.ranges

    return in_loop(scene())


@pytest.fixture
def store(tmp_path):
    return FirmwareStore(str(tmp_path), "mcu")


def content(store):
    return store.read(KIND_MCU, 0, LIMIT)


def test_an_image_is_stored_and_hashed_with_its_heads(store):
    (image,), _ = fetch(store, [head(), IMAGE])
    sha256 = hashlib.sha256(IMAGE).hexdigest()
    assert image == Image(len(IMAGE), MD5, sha256, {"firmware-md5": MD5, "soft-version": "00000002"})
    assert content(store) == IMAGE
    assert os.stat(store.image_path(KIND_MCU)).st_mode & 0o077 == 0


@pytest.mark.parametrize("cut", [1, 7, 40, 90])
def test_head_and_body_may_come_in_any_segments(store, cut):
    data = head(200) + IMAGE[:200]
    (image,), _ = fetch(store, [data[i : i + cut] for i in range(0, len(data), cut)])
    assert image.size == 200 and content(store) == IMAGE[:200]


def test_a_broken_download_goes_on_where_it_broke(store):
    outcomes, ranges = fetch(store, [head(), IMAGE[:40_000]], whole, tries=2)
    assert outcomes[0].startswith("cut short at byte 40000")
    assert outcomes[1].md5 == MD5 and content(store) == IMAGE
    assert ranges == [None, "bytes=40000-"]


def test_a_whole_image_is_not_asked_for_again(store):
    outcomes, _ = fetch(store, whole)
    # The server is gone by now.
    order = Download(KIND_MCU, "00000002", store.origin(KIND_MCU).url, LIMIT)
    assert FirmwareDownload(order, store, None, lambda done, size: None).run() == outcomes[0]


def test_a_server_without_range_sends_it_all_again(store):
    outcomes, _ = fetch(store, [head(), IMAGE[:40_000]], [head(), IMAGE], tries=2)
    assert outcomes[1].md5 == MD5 and content(store) == IMAGE


def test_another_image_under_the_same_url_begins_anew(store):
    other = bytes(100_000)
    md5 = hashlib.md5(other).hexdigest()
    span = "Content-Range: bytes 40000-99999/100000\r\n"
    outcomes, ranges = fetch(
        store,
        [head(), IMAGE[:40_000]],
        [head(60_000, "206 Partial Content", md5, span), other[40_000:]],
        [head(md5=md5), other],
        tries=3,
    )
    assert "another image" in outcomes[1]
    assert outcomes[2].md5 == md5 and content(store) == other
    assert ranges == [None, "bytes=40000-", None]


def test_another_version_forgets_what_was_begun(store):
    fetch(store, [head(), IMAGE[:40_000]])
    outcomes, ranges = fetch(store, whole, version="00000003")
    assert outcomes[0].md5 == MD5 and ranges == [None]


WRONG = {
    "not-there": ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "HTTP 404"),
    "too-large": ([head(LIMIT + 1)], "200001 bytes, 1 to 200000"),
    "empty": ([head(0)], "0 bytes"),
    "no-length": ([b"HTTP/1.1 200 OK\r\n\r\n", IMAGE], "Content-Length"),
    "no-http": ([b"\x00\x01\x02\r\n\r\n"], "not HTTP"),
    "closed": ([], "closed the connection"),
    "range-unasked": ([head(10, "206 Partial Content"), IMAGE[:10]], "another image"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_image_is_refused_with_a_reason_and_tried_again(store, what):
    answer, words = WRONG[what]
    outcomes, _ = fetch(store, answer, whole, tries=2)
    assert words in outcomes[0]
    assert outcomes[1].md5 == MD5


def test_more_than_announced_is_not_read(store):
    (image,), _ = fetch(store, [head(1000), IMAGE])
    assert image.size == 1000 and content(store) == IMAGE[:1000]


def test_a_folder_that_cannot_be_written_is_named(store, tmp_path):
    (tmp_path / "mcu.firmware").write_text("in the way")
    outcomes, _ = fetch(store, whole)
    assert "mcu.firmware" in outcomes[0]


def test_an_origin_cut_by_a_power_cut_begins_anew(store):
    fetch(store, [head(), IMAGE[:40_000]])
    with open(os.path.join(store.folder, "mcu.json"), "r+b") as file:
        file.truncate(20)
    outcomes, ranges = fetch(store, whole)
    assert outcomes[0].md5 == MD5 and ranges == [None]


def test_bytes_damaged_on_disk_are_seen_in_the_hash(store):
    fetch(store, [head(), IMAGE[:40_000]])
    with open(store.image_path(KIND_MCU), "r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2\3")
    assert store.digests(KIND_MCU)[0].hexdigest() != hashlib.md5(IMAGE[:40_000]).hexdigest()
