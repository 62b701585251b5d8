"""Transactions 23 and 25: an MCU looks for firmware on behalf of another one. Serial manual, chapter 7.6.

Acks are empty and immediate; the outcome of a 23 comes as a 25.
"""

from collections import namedtuple

from .const import const
from .errors import RemoteError
from .text import padded, read_text

CHECK = const(1)
CHECK_RESULT = const(2)
DOWNLOAD = const(3)
DOWNLOAD_RESULT = const(4)

# 23: is there other firmware? With `compare` the module decides and downloads, else it tells what there is.
Check = namedtuple("Check", ("product_key", "did", "hard_ver", "soft_ver", "compare"))
# 23: download it.
Download = namedtuple("Download", ("url",))
# 25 after a Check with compare: 1 found (the download begins by itself), 0 nothing.
CheckResult = namedtuple("CheckResult", ("found",))
# 25 after a Check without compare.
Offer = namedtuple("Offer", ("soft_ver", "url"))
# 25 after a download, or when the check failed: 0 good, 1 failed.
DownloadResult = namedtuple("DownloadResult", ("error",))


def build_transaction(item) -> bytes:
    """The payload of a 23 or 25 from one of the tuples above."""
    if isinstance(item, Check):
        head = bytes((CHECK,)) + padded(item.product_key, 32) + padded(item.did, 32)
        return head + padded(item.hard_ver, 8) + padded(item.soft_ver, 8) + bytes((item.compare,))
    if isinstance(item, Download):
        return bytes((DOWNLOAD,)) + _with_length(item.url)
    if isinstance(item, CheckResult):
        return bytes((CHECK_RESULT, item.found))
    if isinstance(item, Offer):
        return bytes((CHECK_RESULT,)) + padded(item.soft_ver, 8) + _with_length(item.url)
    return bytes((DOWNLOAD_RESULT, item.error))


def parse_transaction(payload):
    """The tuple of a 23 or 25; RemoteError when it is cut or unknown."""
    kind = payload[0] if payload else 0
    n = len(payload)
    if kind == CHECK and n >= 82:
        texts = [read_text(payload, at, size) for at, size in ((1, 32), (33, 32), (65, 8), (73, 8))]
        return Check(texts[0], texts[1], texts[2], texts[3], payload[81])
    if kind == DOWNLOAD and n >= 3:
        return Download(_text(payload, 1))
    if kind == CHECK_RESULT and n >= 11:
        return Offer(read_text(payload, 1, 8), _text(payload, 9))
    if kind == CHECK_RESULT and n == 2:
        return CheckResult(payload[1])
    if kind == DOWNLOAD_RESULT and n >= 2:
        return DownloadResult(payload[1])
    raise RemoteError("transaction of kind %d and %d bytes" % (kind, n))


def _with_length(text) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _text(payload, at) -> str:
    size = payload[at] << 8 | payload[at + 1]
    if at + 2 + size > len(payload):
        raise RemoteError("url of %d bytes, %d are there" % (size, len(payload) - at - 2))
    return read_text(payload, at + 2, size)
