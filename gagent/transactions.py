"""An MCU looks for firmware on behalf of others: requests 23, results 25. Serial manual, chapter 7.6.

    23 01 check ──▶ GET /dev/ota/v4.1/latest ──┬─ other version, compare ─▶ 25 02 01, download ──▶ 25 04 00, then 19
                                               ├─ the same, compare ──────▶ 25 02 00
                                               ├─ told only ──────────────▶ 25 02 version, url
    23 03 download url ──▶ download ───────────┴─ nothing, or no cloud ───▶ 25 04 01

Other firmware is taken, not only newer: what the others run is the MCU's business.
"""

from mcu_proto.errors import RemoteError
from mcu_proto.transaction import (
    Check,
    CheckResult,
    Download,
    DownloadResult,
    Offer,
    build_transaction,
    parse_transaction,
)

from . import device_api
from .effects import NOTICE_IGNORED, Notice


class Transactions:
    """`request(request, out)` asks the cloud and gives a ref, `send(payload, now, out)` sends a 25, `fetch(version,
    url, check, done, now, out)` downloads and hands over, and calls `done(is_good, now, out)` in between."""

    def __init__(self, request, send, fetch):
        self._request = request
        self._send = send
        self._fetch = fetch
        self._check = None
        self._ref = 0

    def receive(self, frame, online, now, out):
        """A 23, acked already."""
        try:
            item = parse_transaction(frame.payload)
        except RemoteError as error:
            out.append(Notice(NOTICE_IGNORED, str(error)))
            return
        if isinstance(item, Check):
            self._check = item
        if not online or not isinstance(item, (Check, Download)):
            self._done(False, now, out)
        elif isinstance(item, Download):
            self._fetch("", item.url, self._check, self._done, now, out)
        else:
            request = device_api.latest_firmware(item.product_key, item.hard_ver, item.soft_ver)
            self._ref = self._request(request, out)

    def http_response(self, ref, status, body, now, out) -> bool:
        """The answer to HttpRequest `ref`; False when the request was not ours."""
        if not ref or ref != self._ref:
            return False
        self._ref = 0
        version, url = device_api.parse_firmware(status, body)
        check = self._check
        if not version:
            self._done(False, now, out)
        elif not check.compare:
            self._tell(Offer(version, url), now, out)
        elif version == check.soft_ver:
            self._tell(CheckResult(0), now, out)
        else:
            self._tell(CheckResult(1), now, out)
            self._fetch(version, url, check, self._done, now, out)
        return True

    def http_failed(self, ref, now, out) -> bool:
        """HttpRequest `ref` got no answer; False when the request was not ours."""
        return self.http_response(ref, 0, b"", now, out)

    def _done(self, is_good, now, out):
        self._tell(DownloadResult(0 if is_good else 1), now, out)

    def _tell(self, item, now, out):
        self._send(build_transaction(item), now, out)
