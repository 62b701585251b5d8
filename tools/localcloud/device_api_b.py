"""What modules ask over HTTP, generation B: as A, but encrypted with the product secret. Cloud manual, chapter 5.

    POST  /dev/<product key>/device  data=<hex of mac=…&passcode=…&type=normal>  -> hex of did=…
    GET   /dev/<product key>/device?did=<hex of the did>[&tls=1]                 -> hex of host=…&port=…&server_ts=…

AES-128-ECB, the key is the secret's 16 bytes, PKCS#7, lower-case hex. Some modules send no padding when the text fills
its blocks; answers are always padded. Errors come in clear: a module that cannot decrypt cannot read one anyway.
"""

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from . import device_api
from .errors import FORM_INVALID, PRODUCT_KEY_INVALID, ApiError
from .request import Request, Text

if TYPE_CHECKING:
    from .app import Cloud

_BLOCK = 16
# A form of a module is under 200 bytes.
MAX_HEX = 2048


async def register(request: Request, cloud: "Cloud") -> Text:
    """The did of a device, to the same rules as in generation A."""
    product_key, key = _product(request, cloud)
    form = Request("POST", request.path, {}, request.query, {}, _decrypted(key, request.form()), "", "").form()
    mac, passcode = device_api.word(form, "mac"), device_api.word(form, "passcode")
    did = await device_api.did_of(product_key, mac, passcode, cloud)
    return Text(encrypt(key, "did=%s" % did), status=201)


async def provision(request: Request, cloud: "Cloud") -> Text:
    """Where the broker is and what time it is; `tls=1` asks for the TLS port, and gets it if there is one."""
    _, key = _product(request, cloud)
    did = _decrypted(key, request.query, "did").decode("ascii", "replace")
    wants_tls = request.query.optional_text("tls", 1) == "1"
    port = cloud.mqtts_port if wants_tls and cloud.mqtts_port else cloud.mqtt_port
    return Text(encrypt(key, await device_api.provision_text(did, port, request, cloud)))


def encrypt(key: bytes, text: str) -> str:
    """Lower-case hex, with padding."""
    data = text.encode()
    pad = _BLOCK - len(data) % _BLOCK
    encryptor = Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305 -- what the modules speak
    return (encryptor.update(data + bytes((pad,)) * pad) + encryptor.finalize()).hex()


def decrypt(key: bytes, text: str) -> bytes:
    """What the hex says, padded or not; ValueError when it is no hex of whole blocks."""
    data = bytes.fromhex(text)
    if not data or len(data) % _BLOCK:
        raise ValueError
    decryptor = Cipher(AES(key), modes.ECB()).decryptor()  # noqa: S305 -- what the modules speak
    plain = decryptor.update(data) + decryptor.finalize()
    pad = plain[-1]
    if 0 < pad <= _BLOCK and plain.endswith(bytes((pad,)) * pad):
        plain = plain[:-pad]
    return plain.split(b"\0", 1)[0]


def _product(request: Request, cloud: "Cloud") -> tuple[str, bytes]:
    product_key = request.params["product_key"].lower()
    product = cloud.store.products.get(product_key)
    if product is None:
        # Not even with `products = "any"`: without the secret nothing can be read.
        cloud.log.warning(
            "a device asks for product %.32s, which is unknown: see `localcloud product add`", product_key
        )
        raise ApiError(PRODUCT_KEY_INVALID)
    return product_key, bytes.fromhex(product.secret)


def _decrypted(key: bytes, fields: "device_api.Fields", name: str = "data") -> bytes:
    try:
        return decrypt(key, fields.text(name, MAX_HEX))
    except ValueError:
        raise ApiError(FORM_INVALID, "%s: expected hex of whole blocks of 16 bytes" % name) from None
