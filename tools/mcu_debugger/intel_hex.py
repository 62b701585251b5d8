"""Intel HEX text: the image in it.

Records 00 are data, 01 the end, 02 and 04 the upper address; 03 and 05, where to start, are passed over.
"""

# An image that spans more has holes that no MCU of this kind has.
_MAX_SPAN = 16 * 1024 * 1024


class HexFileError(Exception):
    """Text that is no Intel HEX; the text names the line."""


def parse_intel_hex(text: bytes) -> bytes:
    """The bytes from the lowest address to the highest, gaps as ff."""
    memory: list[tuple[int, bytes]] = []
    base = 0
    for number, line in enumerate(text.split(b"\n"), 1):
        line = line.strip()
        if not line:
            continue
        kind, address, data = _record(line, number)
        if kind == 0:
            memory.append((base + address, data))
        elif kind == 1:
            return _joined(memory)
        elif kind in (2, 4):
            base = int.from_bytes(data, "big") << (4 if kind == 2 else 16)
    raise HexFileError("HEX file without its last record :00000001FF: it is cut")


def _record(line: bytes, number: int) -> tuple[int, int, bytes]:
    if line[:1] != b":":
        raise HexFileError("line %d of the HEX file does not begin with a colon" % number)
    try:
        record = bytes.fromhex(line[1:].decode("ascii"))
    except ValueError:
        raise HexFileError("line %d of the HEX file is not hex" % number) from None
    if len(record) < 5 or len(record) != record[0] + 5:
        raise HexFileError("line %d of the HEX file has not the length it says" % number)
    if sum(record) & 0xFF:
        raise HexFileError("line %d of the HEX file has a wrong checksum" % number)
    return record[3], record[1] << 8 | record[2], record[4:-1]


def _joined(memory: list[tuple[int, bytes]]) -> bytes:
    if not memory:
        return b""
    low = min(address for address, _ in memory)
    high = max(address + len(data) for address, data in memory)
    if high - low > _MAX_SPAN:
        raise HexFileError("HEX file spans %d bytes, at most %d are an image" % (high - low, _MAX_SPAN))
    image = bytearray(b"\xff" * (high - low))
    for address, data in memory:
        image[address - low : address - low + len(data)] = data
    return bytes(image)
