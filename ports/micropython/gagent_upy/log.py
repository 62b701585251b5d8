"""What the port says: one line for each thing worth knowing, never with a secret in it.

Printed, or written to a UART of its own where what print() goes to has become the MCU's line.
"""

import sys

# By NOTICE_*, from 1, each with its end; in one text because a table of texts costs heap.
_NOTICES = (
    "the MCU does not answer: check its power, the wiring (TX to RX) and the baud rate|MCU is there, product key|"
    "MCU lost:|bad frame:|new identity for product key|registered, did|online, did|offline, code|the cloud refused:|"
    "the cloud cannot be reached:|next try in ms|control not taken by the MCU:|ignored:|"
    "the MCU asked for a factory reset|the MCU asked for a restart|a file of the MCU goes up, bytes|"
    "a file of the MCU did not come through:|sub-device|firmware is offered:|firmware runs:|firmware not taken:|"
    "firmware is not signed:|"
)
# A peer's text is shown this far.
_MAX_TEXT = 120


class Log:
    """`uart` is None where print() is right."""

    def __init__(self, uart=None):
        self._uart = uart

    def say(self, text):
        """One line; what is not printable comes from a peer and is shown as a dot."""
        # In place: a list of characters would take eight times the room.
        data = bytearray(text.encode())
        for i in range(len(data)):
            if not 32 <= data[i] < 127:
                data[i] = 46
        text = str(data, "ascii")
        if self._uart is None:
            print(text)
        else:
            self._uart.write(text + "\r\n")

    def notice(self, notice):
        """One line for a `Notice`."""
        # Nothing but its own words is copied.
        words = _NOTICES
        start = 0
        for _ in range(notice.code - 1):
            start = words.find("|", start) + 1
        self.say("%s %s" % (words[start : words.find("|", start)], str(notice.detail)[:_MAX_TEXT]))

    def error(self, error):
        """Where an error of ours happened."""
        sys.print_exception(error, self._uart or sys.stdout)
