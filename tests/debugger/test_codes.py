"""QR code, bind signature, identifiers, status word."""

import stat
import subprocess

import pytest
from mcu_debugger.codes import (
    CodeError,
    check_did,
    check_mac,
    find_kind,
    parse_status,
    qr_code,
    qr_text,
    signature,
    status_lines,
    write_image,
)
from testkit.debugger_process import ENVIRONMENT, plain_command
from testkit.patience import PATIENCE_S

KEY = "6f9c2d5b8e1a4073b7d4e6a1c05f3982"
DID = "2tqRa88FgaUS5AxgARVYug"


def run(*args, stdin=""):
    command = plain_command("codes", *args)
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, env=ENVIRONMENT)


def test_qr_code_says_what_apps_look_for():
    assert qr_text(KEY, DID, "ABCDEFGHIJ", "") == "product_key=%s&did=%s&passcode=ABCDEFGHIJ" % (KEY, DID)
    assert qr_text(KEY, "", "", "F0:FE:6B:00:00:01") == "product_key=%s&mac=f0fe6b000001" % KEY
    assert qr_text(KEY, DID, "a&b=c", "").endswith("passcode=a%26b%3Dc")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("123", DID, "P", ""), "32 hex digits"),
        ((KEY, "short", "P", ""), "22 letters and digits"),
        ((KEY, DID, "", ""), "passcode"),
        ((KEY, "", "", "01:00:5e:00:00:01"), "group address"),
        ((KEY, "", "", ""), "did and passcode, or its mac"),
    ],
)
def test_qr_code_of_what_no_app_could_bind_is_refused(arguments, text):
    with pytest.raises(CodeError, match=text):
        qr_text(*arguments)


@pytest.mark.parametrize(("name", "start"), [("label.png", b"\x89PNG"), ("label.svg", b"<?xml")])
def test_image_is_for_its_owner_only(tmp_path, name, start):
    path = tmp_path / name
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_image(qr_code("x"), str(path))
    assert path.read_bytes().startswith(start)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_image_of_another_kind_or_in_no_folder_is_refused(tmp_path):
    with pytest.raises(CodeError, match=r"\.png or \.svg"):
        write_image(qr_code("x"), str(tmp_path / "label.gif"))
    with pytest.raises(CodeError, match="cannot be written"):
        write_image(qr_code("x"), str(tmp_path / "none" / "label.png"))


def test_signature_is_the_md5_of_secret_and_time_in_lower_case():
    assert signature("AB" * 16, 1700000000) == signature("ab" * 16, 1700000000) == "f7230f63883cfcf1827726439c350880"
    with pytest.raises(CodeError, match="32 hex digits"):
        signature("ab", 1)


@pytest.mark.parametrize(
    ("text", "kind", "good"),
    [
        (KEY, "product key", True),
        (KEY.upper(), "product key", False),
        (KEY[:-1] + "g", "product key", False),
        (DID, "did", True),
        (DID[:-1] + "-", "nothing known", False),
        ("f0-fe-6b-00-00-01", "mac", True),
        ("f0fe6b00000g", "mac", False),
        ("490154203237518", "IMEI", True),
        ("490154203237519", "IMEI", False),
        ("what", "nothing known", False),
    ],
)
def test_an_identifier_is_known_by_its_looks_and_checked(text, kind, good):
    assert find_kind(text)[:2] == (kind, good)


def test_letters_that_are_easily_misread_are_pointed_out():
    assert "0 l" in check_did("0" + DID[1:-1] + "l").about
    assert "made up locally" in check_mac("021122334455").about


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("073a", "  online, no app is there"),
        ("0x0F3A", "  online, an app is there"),
        ("00 05", "  in network configuration, by SoftAP"),
        ("0004", "  in network configuration, by AirLink"),
        ("0712", "  has a network and no cloud"),
        ("0022", "  odd: cloud without a router"),
        ("8000", "  odd: reserved bits are set"),
        ("0700", "  the signal level counts only with a router (bit 4)"),
    ],
)
def test_status_word_is_told_bit_by_bit_and_as_a_whole(word, line):
    lines = status_lines(parse_status(word))
    assert line in lines
    assert len([each for each in lines if each.startswith("  bit")]) == 14


def test_text_that_is_no_status_word_is_refused():
    with pytest.raises(CodeError, match="4 hex digits"):
        parse_status("hello")


def test_command_shows_a_code_reads_the_secret_from_standard_input_and_exits_by_the_verdict(tmp_path):
    shown = run("qr", "--product-key", KEY, "--did", DID, stdin="ABCDEFGHIJ\n")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > 15
    written = run("qr", "--product-key", KEY, "--mac", "f0fe6b000001", "--output", tmp_path / "x.svg")
    assert (written.returncode, written.stdout) == (0, "")
    signed = run("sign", "--timestamp", 1700000000, stdin="ab" * 16)
    assert signed.stdout.splitlines()[1] == "X-Gizwits-Signature: " + signature("ab" * 16, 1700000000)
    assert run("check", KEY, DID).returncode == 0
    assert run("check", KEY, "what").returncode == 1
    assert run("status", "073a").stdout.startswith("073a\n")
    wrong = run("status", "zz")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
