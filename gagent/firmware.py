"""What a firmware image says of itself, and what its signature covers: one place for both ends, agent and cloud.

The heads below come with the image (cloud manual, device side, chapter 3.7). `Firmware-MD5` and `Soft-Version` are the
vendor's; the rest is ours, and an original module does not look at it. The signature is Ed25519 over `signed_message`.
"""

HEAD_MD5 = "firmware-md5"  # 32 hex digits
HEAD_SOFT_VERSION = "soft-version"
HEAD_HARD_VERSION = "hard-version"
HEAD_NAME = "content-disposition"  # its file name says whether the image is .bin or .hex
HEAD_KEY = "firmware-key"  # Ed25519 public key, 64 hex digits
HEAD_SIGNATURE = "firmware-signature"  # 128 hex digits
HEADS = (HEAD_MD5, HEAD_SOFT_VERSION, HEAD_HARD_VERSION, HEAD_NAME, HEAD_KEY, HEAD_SIGNATURE)

# The vendor's kinds of firmware.
KIND_MODULE = 1
KIND_MCU = 2

VERSION_LENGTH = 8


def signed_message(product_key, kind, hard_version, soft_version, size, sha256) -> bytes:
    """What the operator of the cloud signs; `sha256` are the 64 hex digits of the image."""
    return (
        "gagent firmware 1\n%s\n%d\n%s\n%s\n%d\n%s\n" % (product_key, kind, hard_version, soft_version, size, sha256)
    ).encode()


def is_newer(offered, current) -> bool:
    """Whether an offered software version may replace the current one: eight characters, and greater as ASCII."""
    return len(offered) == VERSION_LENGTH and offered > current


def build_progress(percent, kind, hard_version, soft_version, what) -> bytes:
    """The body of 0x022C: flags (2), length (2), percent (1), and with a length (2) each `hard,soft` and a text."""
    data = bytes((percent,)) + _counted(hard_version + "," + soft_version) + _counted(what[:100])
    return (1 << kind).to_bytes(2, "big") + _counted(data)


def _counted(data) -> bytes:
    data = data if isinstance(data, bytes) else data.encode()
    return len(data).to_bytes(2, "big") + data
