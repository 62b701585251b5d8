"""The text in the QR code of a device: made, read, forged."""

import pytest
from localcloud.qr_code import MAX_CONTENT, MacCode, PasscodeCode, QrCodeError, make_content, parse_content

PRODUCT_KEY = "a1" * 16
SECRET = "5e" * 16
MAC = "virtual:site"


def _opened(text: str) -> str:
    code = parse_content(text)
    assert isinstance(code, MacCode)
    return code.mac(SECRET)


def test_a_code_names_the_product_and_hides_the_address():
    text = make_content(PRODUCT_KEY, SECRET, MAC)
    assert text.startswith("type=device&product_key=%s&code=" % PRODUCT_KEY)
    assert MAC not in text
    assert _opened(text) == MAC


def test_no_two_codes_of_one_device_are_alike():
    assert make_content(PRODUCT_KEY, SECRET, MAC) != make_content(PRODUCT_KEY, SECRET, MAC)


def test_a_code_may_stand_behind_an_address():
    assert _opened("https://cloud.example/bind?" + make_content(PRODUCT_KEY, SECRET, MAC)) == MAC


def test_a_code_made_with_another_secret_does_not_open():
    with pytest.raises(QrCodeError, match="secret of this product"):
        _opened(make_content(PRODUCT_KEY, "00" * 16, MAC))


def test_a_code_of_one_product_does_not_open_for_another():
    with pytest.raises(QrCodeError, match="secret of this product"):
        _opened(make_content("b2" * 16, SECRET, MAC).replace("b2" * 16, PRODUCT_KEY))


def test_a_changed_code_does_not_open():
    text = make_content(PRODUCT_KEY, SECRET, MAC)
    with pytest.raises(QrCodeError):
        _opened(text[:-3] + ("AAA" if text[-3:] != "AAA" else "BBB"))


def test_the_code_of_an_older_app_is_did_and_passcode():
    text = "http://www.example.com?product_key=%s&did=abc&passcode=XYZ" % PRODUCT_KEY
    assert parse_content(text) == PasscodeCode("abc", "XYZ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello", "expected type=device"),
        ("product_key=%s&mac=112233445566" % PRODUCT_KEY, "expected type=device"),
        ("type=share&code=60a6cacabe4046f4aa25ac1f79d81a4f", "invitation to share"),
        ("product_key=%s&code=AAAA" % PRODUCT_KEY, "too short"),
        ("product_key=%s&code=A" % PRODUCT_KEY, "base64url"),
        ("x" * (MAX_CONTENT + 1), "longer than"),
    ],
)
def test_what_is_no_code_of_a_device_says_why(text, why):
    with pytest.raises(QrCodeError, match=why):
        parse_content(text)
