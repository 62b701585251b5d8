"""The conversation about firmware: offered, downloaded, verified, handed over. Cloud manual, 3.6, 3.7 and 8.1.

    IDLE ── offer ──▶ DOWNLOADING ── image ──▶ (verified) ─┬─ of the MCU ───▶ SENDING ── all acked ──▶ PROVING
     ▲                    │ failed                │ no      └─ of the module ▶ INSTALLING                │
     ├────────────────────┴───────────────────────┴───────────────────────────────────── other version ──┤
     └────────────────────────────────────────────────────────────────────────────────── offered version ┘

The port owns the bytes: it streams them to its firmware store, hashing, goes on where a download broke off, and answers
at once when the image is there already, which is how a transfer begins again without a second download. Nothing is
handed over before size, version, md5 and signature are right. A stopped, cut or refused upgrade leaves what runs as it
is; after a wait that doubles the cloud is asked again.

It survives: the MCU or the module losing power at any byte, images that are cut, damaged, wrong or old, and a cloud
that signs once and then no more.
"""

from collections import namedtuple

from mcu_proto.const import const
from mcu_proto.link import FAIL_QUEUE_FULL, Failed
from mcu_proto.transfer import ENDED_DONE, ENDED_UNCONFIRMED, Ended, NeedData
from mcu_proto.transfer_sender import TransferSender

from .effects import (
    NOTICE_FIRMWARE_DONE,
    NOTICE_FIRMWARE_FAILED,
    NOTICE_FIRMWARE_UNSIGNED,
    Notice,
    SaveConfig,
)
from .firmware import (
    HEAD_HARD_VERSION,
    HEAD_KEY,
    HEAD_MD5,
    HEAD_NAME,
    HEAD_SIGNATURE,
    HEAD_SOFT_VERSION,
    KIND_MCU,
    KIND_MODULE,
    build_progress,
    is_newer,
    signed_message,
)

# Effects of this conversation; a port that allows no firmware needs none of them.
#
# Fetch the image at `url` into the firmware store, at most `max_size` bytes, going on where an earlier Download of the
# same version and url broke off. Answer: Progress now and then, and Image or FirmwareFailed.
Download = namedtuple("Download", ("kind", "version", "url", "max_size"))
# Read the stored image of the MCU; answer: FirmwareData or FirmwareFailed.
ReadFirmware = namedtuple("ReadFirmware", ("offset", "size"))
# The stored image of this kind is of no use (any more).
DropFirmware = namedtuple("DropFirmware", ("kind",))
# Switch to the stored image of the module and start anew; answer only when that cannot be: FirmwareFailed.
InstallFirmware = namedtuple("InstallFirmware", ("version",))

# Their answers, the events of `Agent.firmware`.
#
# So many bytes of a Download are there, of `size`.
Progress = namedtuple("Progress", ("done", "size"))
# What the port stored: its size, md5 and sha256 as hex digits, and the heads it came with (see `firmware`), by name.
Image = namedtuple("Image", ("size", "md5", "sha256", "heads"))
# What ReadFirmware asked for.
FirmwareData = namedtuple("FirmwareData", ("data",))
# It could not be carried out; `why` is text for people.
FirmwareFailed = namedtuple("FirmwareFailed", ("why",))

IDLE = const(0)
DOWNLOADING = const(1)
SENDING = const(2)
PROVING = const(3)
INSTALLING = const(4)
_STATES = ("idle", "downloading", "sending", "proving", "installing")

# How an image without a signature is met. WARN becomes REQUIRE for a product of which a signed one was seen.
SIGNATURES_OFF = const(0)
SIGNATURES_WARN = const(1)
SIGNATURES_REQUIRE = const(2)

# After a failure the cloud is asked again: 5 s, doubling to an hour.
_FIRST_WAIT = const(5000)
_LONGEST_WAIT = const(3600000)
# An MCU that has its image restarts the module; one that does not is asked for its version after this.
_PROVING_TIME = const(30000)
# A piece that found no place among the controls is tried again.
_AGAIN_AFTER = const(200)


class OtaSession:
    """`max_size` is the largest image in bytes. `check(kind, out)` asks the cloud for firmware, `ask_mcu(now, out)`
    begins the handshake anew, `tell(progress, out)` sends the cloud what `build_progress` made."""

    def __init__(self, config, link, crypto, max_size, check, ask_mcu, tell):
        self._config = config
        self._link = link
        self._crypto = crypto
        self._max_size = max_size
        self._check = check
        self._ask_mcu = ask_mcu
        self._tell = tell
        self.state = IDLE
        self._offer = self._next = None
        # Who hears of an image for another device, and of which product it is.
        self._done = None
        self._product_key = ""
        # Of the MCU or the module that the offer is for.
        self._hard_version = ""
        self._image_size = 0
        self._percent = 0
        self._asked = 0
        self._why = ""
        self._sender = None
        self._again_at = None
        self._proven_by = None
        self._retry_at = None
        self._wait = _FIRST_WAIT

    def offered(self, offer, versions, now, out):
        """The cloud offers `offer` (kind, version, url) to what runs `versions` (hardware, software) now."""
        if self.state != IDLE:
            if self._offer.kind != offer.kind:
                self._next = (offer, versions)
            return
        if offer.version == versions[1]:
            return
        if not is_newer(offer.version, versions[1]):
            why = "%s is offered, 8 characters and newer than %s are expected" % (offer.version, versions[1])
            out.append(Notice(NOTICE_FIRMWARE_FAILED, why))
            return
        self._begin(offer, self._config.product_key, versions[0], None, out)

    def fetch(self, offer, product_key, hard_version, done, now, out):
        """An MCU wants `offer` for another device: handed over like its own. `done(is_good, now, out)` hears whether
        the image is good; an offer without a version takes what comes."""
        if self.state == IDLE:
            self._begin(offer, product_key, hard_version, done, out)
        else:
            done(False, now, out)

    def answered(self, event, now, out):
        """An answer of the port; what nobody asked for (any more) is ignored."""
        if isinstance(event, FirmwareData):
            self._on_data(event.data, now, out)
        elif isinstance(event, Progress):
            if self.state == DOWNLOADING and event.size > 0:
                self._show(event.done, event.size, "downloading", out)
        elif isinstance(event, Image):
            self._on_image(event, now, out)
        else:
            self._on_failed(event.why, now, out)

    def receive(self, frame, now, out):
        """CMD_READY (held) or CMD_STOP_RECEIVING of the MCU."""
        if self._sender is None:
            # The MCU is in a transfer of which we know nothing: a sender without a file tells it that it ended.
            self._sender = TransferSender(self._link, 0, b"")
        self._digest(self._sender.receive(frame, now), now, out)

    def acked(self, token, now, out):
        """An Acked of the link that may be ours: the MCU took a piece."""
        if self._owns(token):
            self._digest(self._sender.acked(token, now), now, out)
            if self.state == SENDING:
                self._show(self._sender.progress(), self._image_size, "installing", out)

    def unacked(self, failed, now, out):
        """A Failed of the link that may be ours."""
        if not self._owns(failed.token):
            return
        if failed.reason == FAIL_QUEUE_FULL:
            # Controls go first; the piece has time.
            self._again_at = now + _AGAIN_AFTER
        else:
            self._digest(self._sender.failed(failed.token, now), now, out)

    def mcu_lost(self):
        """The MCU restarts, or is gone: what it runs when it is back tells how far the transfer came."""
        self._sender = self._again_at = None
        if self.state == SENDING:
            self.state = PROVING

    def mcu_ready(self, soft_version, now, out):
        """A handshake is done: whether an MCU took its image is proven by the version it tells."""
        if self.state != PROVING:
            return
        offer = self._offer
        if self._done is not None or soft_version != offer.version:
            self._fail("the MCU runs %s after it was sent %s" % (soft_version, offer.version), now, out)
            return
        out.append(DropFirmware(offer.kind))
        out.append(Notice(NOTICE_FIRMWARE_DONE, offer.version))
        self._wait = _FIRST_WAIT
        self._say(100, "done", out)
        self._rest(now, out)

    def handle_timeout(self, now, out):
        if self._sender is not None:
            self._digest(self._sender.handle_timeout(now), now, out)
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            self._digest(self._sender.again(), now, out)
        if self._proven_by is not None and now >= self._proven_by:
            self._proven_by = None
            self._ask_mcu(now, out)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            for kind in (KIND_MODULE, KIND_MCU):
                self._check(kind, out)

    def next_timeout(self) -> "int | None":
        first = None if self._sender is None else self._sender.next_timeout()
        for at in (self._again_at, self._proven_by, self._retry_at):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def snapshot(self) -> dict:
        """What is or was last under way, for status pages; {} when nothing ever was."""
        offer = self._offer
        if offer is None:
            return {}
        return {
            "kind": "mcu" if offer.kind == KIND_MCU else "module",
            "version": offer.version,
            "state": _STATES[self.state],
            "percent": self._percent,
            "failed": self._why,
        }

    def _owns(self, token) -> bool:
        return self._sender is not None and self._sender.owns(token)

    def _begin(self, offer, product_key, hard_version, done, out):
        self._offer = offer
        self._product_key = product_key
        self._hard_version = hard_version
        self._done = done
        self.state = DOWNLOADING
        self._why = ""
        self._say(0, "downloading", out)
        out.append(Download(offer.kind, offer.version, offer.url, self._max_size))

    def _on_data(self, data, now, out):
        if self.state != SENDING or self._sender is None:
            return
        if len(data) == self._asked:
            self._digest(self._sender.give(data, now), now, out)
        else:
            self._on_failed("the stored image ends early", now, out)

    def _on_image(self, image, now, out):
        """The image is in the store, whole as far as the port can tell."""
        if self.state != DOWNLOADING:
            return
        why = self._fault(image, out)
        if why:
            out.append(DropFirmware(self._offer.kind))
            self._fail(why, now, out)
            return
        if self._done is not None:
            self._done(True, now, out)
        if self._offer.kind == KIND_MCU:
            self._send(image, now, out)
        else:
            self.state = INSTALLING
            self._say(100, "installing", out)
            out.append(InstallFirmware(self._offer.version))

    def _on_failed(self, why, now, out):
        if self._sender is not None:
            out.extend([item for item in self._sender.cancel(now) if not isinstance(item, Ended)])
        if self.state == DOWNLOADING or self.state == SENDING or self.state == INSTALLING:
            self._fail(why, now, out)

    def _fault(self, image, out) -> str:
        """What is wrong with the image, "" for nothing."""
        offer, heads, hard_version = self._offer, image.heads, self._hard_version
        version = offer.version or heads.get(HEAD_SOFT_VERSION, "")
        md5, signature = heads.get(HEAD_MD5, "").lower(), heads.get(HEAD_SIGNATURE, "")
        if not 0 < image.size <= self._max_size:
            return "an image of %d bytes, 1 to %d are expected" % (image.size, self._max_size)
        if len(md5) != 32 and not signature:
            return "it comes without md5 and signature: nothing tells whether it is whole"
        if len(md5) == 32 and md5 != image.md5:
            return "its md5 is %s, %s is expected" % (image.md5, md5)
        if heads.get(HEAD_SOFT_VERSION, version) != version:
            return "it is version %.16s, %s was offered" % (heads[HEAD_SOFT_VERSION], version)
        if heads.get(HEAD_HARD_VERSION, hard_version) != hard_version:
            return "it is for hardware %.16s, this is %s" % (heads[HEAD_HARD_VERSION], hard_version)
        return self._signature_fault(image, version, signature, out)

    def _signature_fault(self, image, version, signature, out) -> str:
        config, offer = self._config, self._offer
        if config.signatures == SIGNATURES_OFF:
            return ""
        product_key = self._product_key
        trusted = config.firmware_key or config.firmware_keys.get(product_key, "")
        if not signature:
            if trusted or config.signatures == SIGNATURES_REQUIRE:
                return "it is not signed, and a signature is required"
            out.append(Notice(NOTICE_FIRMWARE_UNSIGNED, version))
            return ""
        key = image.heads.get(HEAD_KEY, "").lower()
        if not trusted and config.signatures == SIGNATURES_REQUIRE:
            return "it is signed, but no key is trusted: the settings need the public key of the cloud's operator"
        if trusted and key != trusted:
            return "it is signed with key %.16s, trusted is %.16s" % (key, trusted)
        message = signed_message(product_key, offer.kind, self._hard_version, version, image.size, image.sha256)
        if not self._crypto.is_signed(key, signature, message):
            return "its signature is not one of this product, kind, hardware, version and content"
        if not trusted:
            # Who signed the first image of a product decides who may sign the next.
            config.firmware_keys[product_key] = key
            out.append(SaveConfig(config.to_record()))
        return ""

    def _send(self, image, now, out):
        self.state = SENDING
        self._image_size = image.size
        self._say(0, "installing", out)
        is_hex = image.heads.get(HEAD_NAME, "").lower().find(".hex") >= 0
        self._sender = TransferSender(self._link, image.size, image.md5.encode(), is_hex)
        self._digest(self._sender.start(now), now, out)

    def _digest(self, items, now, out):
        for item in items:
            if isinstance(item, NeedData):
                if self.state == IDLE:
                    # The MCU got ready after we had given up; the image is still there.
                    self.state = SENDING
                    self._retry_at = None
                self._asked = item.size
                out.append(ReadFirmware(item.offset, item.size))
            elif isinstance(item, Ended):
                if self.state == SENDING:
                    self._on_ended(item.reason, now, out)
            elif isinstance(item, Failed):
                self.unacked(item, now, out)
            else:
                out.append(item)

    def _on_ended(self, reason, now, out):
        if reason != ENDED_DONE and reason != ENDED_UNCONFIRMED:
            self._fail("the MCU did not take it all (%d)" % reason, now, out)
        elif self._done is not None:
            # The MCU passes it on; whether it arrives there is not told.
            out.append(DropFirmware(KIND_MCU))
            self._say(100, "done", out)
            self._rest(now, out)
        else:
            self.state = PROVING
            self._proven_by = now + _PROVING_TIME

    def _fail(self, why, now, out):
        """This time it came to nothing: what runs goes on, the cloud is asked again later."""
        self._why = why
        out.append(Notice(NOTICE_FIRMWARE_FAILED, why))
        if self._done is None:
            self._retry_at = now + self._wait
            self._wait = min(self._wait * 2, _LONGEST_WAIT)
        elif self.state == DOWNLOADING:
            self._done(False, now, out)
        self._say(self._percent, "failed: " + why, out)
        self._rest(now, out)

    def _rest(self, now, out):
        self.state = IDLE
        self._done = self._proven_by = None
        waiting, self._next = self._next, None
        if waiting is not None:
            self.offered(waiting[0], waiting[1], now, out)

    def _show(self, done, size, what, out):
        percent = done * 100 // size
        # Every tenth is news enough for an app.
        if percent // 10 != self._percent // 10:
            self._say(percent, what, out)
        self._percent = percent

    def _say(self, percent, what, out):
        self._percent = percent
        offer = self._offer
        self._tell(build_progress(percent, offer.kind, self._hard_version, offer.version, what), out)
