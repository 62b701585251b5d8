"""Ed25519 signatures verified, RFC 8032, with SHA-512, FIPS 180-4, which MicroPython lacks. Loaded for a signature.

Nothing here is secret, so nothing takes care to need always the same time. Tables are computed: integers are exact, and
a table would lie in the heap for what is needed once in months.
"""

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_MASK = 0xFFFFFFFFFFFFFFFF
# The base point, encoded as keys are.
_BASE = b"\x58" + b"\x66" * 31


def is_signed(key, signature, message) -> bool:
    """Whether the 64 bytes `signature` are the one of `message` by the 32 bytes `key`."""
    if len(key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    d = -121665 * _power(121666, _P - 2) % _P
    point = _decode(key, d)
    if s >= _L or point is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + key + message), "little") % _L
    # s B - k A, both at once, must be R: bit by bit, from the highest.
    minus = (_P - point[0], point[1], 1, _P - point[3])
    base = _decode(_BASE, d)
    both = _add(base, minus, d)
    found = (0, 1, 1, 0)
    for i in range(252, -1, -1):
        found = _add(found, found, d)
        of_base, of_key = s >> i & 1, k >> i & 1
        if of_base or of_key:
            found = _add(found, both if of_base and of_key else base if of_base else minus, d)
    inverse = _power(found[2], _P - 2)
    y = found[1] * inverse % _P
    return (y | (found[0] * inverse % _P & 1) << 255).to_bytes(32, "little") == signature[:32]


def sha512(data) -> bytes:
    """The 64 bytes of SHA-512."""
    # The fractions of roots: square ones of the first eight primes, cube ones of eighty. As bytes: a long integer is
    # five times as large.
    constants = bytearray(640)
    state = []
    number = 1
    for at in range(0, 640, 8):
        number += 1
        while not all(number % factor for factor in range(2, number)):
            number += 1
        constants[at : at + 8] = (_root(number << 192, 3) & _MASK).to_bytes(8, "big")
        if at < 64:
            state.append(_root(number << 128, 2) & _MASK)
    size = len(data)
    data = bytes(data) + b"\x80" + bytes((111 - size) % 128 + 8) + (size * 8).to_bytes(8, "big")
    for at in range(0, len(data), 128):
        _block(data, at, state, constants)
    return b"".join([word.to_bytes(8, "big") for word in state])


def _block(data, at, state, constants):
    words = [int.from_bytes(data[i : i + 8], "big") for i in range(at, at + 128, 8)]
    a, b, c, d, e, f, g, h = state
    for i in range(80):
        # The last sixteen words are all that the next needs.
        word = words[i & 15]
        x, y = words[(i + 1) & 15], words[(i + 14) & 15]
        x = _turned(x, 1) ^ _turned(x, 8) ^ x >> 7
        y = _turned(y, 19) ^ _turned(y, 61) ^ y >> 6
        words[i & 15] = (word + x + words[(i + 9) & 15] + y) & _MASK
        x = h + (_turned(e, 14) ^ _turned(e, 18) ^ _turned(e, 41)) + (e & f ^ ~e & g)
        x += int.from_bytes(constants[i * 8 : i * 8 + 8], "big") + word
        y = (_turned(a, 28) ^ _turned(a, 34) ^ _turned(a, 39)) + (a & b ^ a & c ^ b & c)
        h, g, f, e, d, c, b, a = g, f, e, (d + x) & _MASK, c, b, a, (x + y) & _MASK
    added = (a, b, c, d, e, f, g, h)
    for i in range(8):
        state[i] = (state[i] + added[i]) & _MASK


def _turned(word, bits) -> int:
    """Rotated right; what is above 64 bits is masked by who sums up."""
    return (word >> bits | word << (64 - bits)) & _MASK


def _root(number, degree) -> int:
    """The largest integer whose power is not above `number`: bit by bit, as no float is exact enough."""
    found = 0
    for bit in range(71, -1, -1):
        more = found | 1 << bit
        if more**degree <= number:
            found = more
    return found


def _power(base, exponent) -> int:
    """Modulo p; not every chip's pow() takes three."""
    found = 1
    while exponent:
        if exponent & 1:
            found = found * base % _P
        base = base * base % _P
        exponent >>= 1
    return found


def _add(one, other, d) -> tuple:
    """Of two points in extended coordinates; right for equal ones too."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * d % _P
    z = 2 * z1 * z2 % _P
    e, f, g, h = b - a, z - c, z + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _decode(data, d) -> "tuple | None":
    """The point that 32 bytes stand for, None when they stand for none."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * _power(d * y * y + 1, _P - 2) % _P
    x = _power(square, (_P + 3) // 8)
    if x * x % _P != square:
        x = x * _power(2, (_P - 1) // 4) % _P
    if x * x % _P != square or (not x and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P
