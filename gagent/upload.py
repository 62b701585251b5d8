"""A file of the MCU goes up to the cloud: received in pieces, published as one report. Cloud manual, chapter 4.9.

The whole file is held in memory, so only a port with room for it asks for this (`max_upload` of the agent). The cloud
gets it as one 0x0091 whose P0 is the bare file; a file that is cut or has another md5 is not published.
"""

from mcu_proto.link import Failed
from mcu_proto.transfer import ENDED_DONE, Ended, Ready, StoreData
from mcu_proto.transfer_receiver import TransferReceiver

from .effects import NOTICE_UPLOAD_FAILED, Notice

_PIECE = 512


class Upload:
    """`publish(file, out)` takes a file that is whole; `md5(data)` gives 32 hex digits as bytes."""

    def __init__(self, link, max_size, md5, publish):
        self._receiver = TransferReceiver(link, _PIECE)
        self._max_size = max_size
        self._hash = md5
        self._publish = publish
        self._file = bytearray()
        self._md5 = b""

    def receive(self, frame, now, out):
        """A request of the MCU about big data."""
        self._digest(self._receiver.receive(frame, now), now, out)

    def handle_timeout(self, now, out):
        self._digest(self._receiver.handle_timeout(now), now, out)

    def next_timeout(self) -> "int | None":
        return self._receiver.next_timeout()

    def _digest(self, items, now, out):
        for item in items:
            if isinstance(item, Ready):
                self._begin(item, now, out)
            elif isinstance(item, StoreData):
                self._file.extend(item.data)
                self._digest(self._receiver.stored(now), now, out)
            elif isinstance(item, Ended):
                self._end(item.reason, now, out)
            elif not isinstance(item, Failed):
                out.append(item)

    def _begin(self, ready, now, out):
        self._file = bytearray()
        self._md5 = ready.md5
        if ready.size > self._max_size:
            self._refuse("%d bytes are too many, %d fit" % (ready.size, self._max_size), now, out)
        else:
            self._digest(self._receiver.accept(now), now, out)

    def _end(self, reason, now, out):
        file = bytes(self._file)
        self._file = bytearray()
        if reason != ENDED_DONE:
            out.append(Notice(NOTICE_UPLOAD_FAILED, reason))
        elif self._md5 and self._hash(file) != self._md5:
            self._refuse("its md5 is another", now, out)
        else:
            self._publish(file, out)

    def _refuse(self, why, now, out):
        out.append(Notice(NOTICE_UPLOAD_FAILED, why))
        out.extend([item for item in self._receiver.cancel(now) if not isinstance(item, Ended)])
