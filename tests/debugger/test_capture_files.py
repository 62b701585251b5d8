"""What is made of captures, and what captures are made of: exports, the dissector, imports, the report."""

import csv
import json
import subprocess
from pathlib import Path

import pytest
from mcu_debugger.capture.csv_import import import_csv
from mcu_debugger.capture.hex_import import import_hex
from mcu_debugger.capture.load import load_capture
from mcu_debugger.capture.observed import observed_items
from mcu_debugger.capture.record import Chunk, Note
from mcu_debugger.capture.report import write_report
from mcu_debugger.capture.story import Story
from mcu_debugger.capture.writer import CaptureError, CaptureWriter
from mcu_debugger.observer import Observed, Observer
from testkit import captures
from testkit.debugger_process import ENVIRONMENT, plain_command
from testkit.parts import find
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

from mcu_proto.const import CMD_GET_INFO, CMD_HEARTBEAT, CMD_P0_DOWN, CMD_P0_UP, MCU, MODULE
from mcu_proto.datapoint import Schema
from mcu_proto.frame import Frame, encode_frame
from mcu_proto.mcu_message import build_device_info
from mcu_proto.message import DeviceInfo

PRODUCT = str(ROOT / "tools" / "demo" / "heatpump.json")
SCHEMA = Schema.from_definition(json.loads(Path(PRODUCT).read_text()))
SECRET = "00112233445566778899aabbccddeeff"
INFO = DeviceInfo("00000004", "00000002", "01000001", "01000002", SCHEMA.product_key, 0, 2, SECRET, b"apPwd=hunter22")


def run(*args):
    return subprocess.run(
        plain_command(*args),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=ENVIRONMENT,
    )


@pytest.fixture
def line(tmp_path):
    """A capture of a short life, with every kind of thing in it."""
    path = tmp_path / "line.jsonl"
    writer = CaptureWriter(str(path), "a short <life>")
    writer.open()
    at = 0

    def says(sender, *frames, after=1000):
        nonlocal at
        at += after
        writer.chunk(at, sender, b"".join(frames))

    says(MODULE, encode_frame(CMD_GET_INFO, 0))
    says(MCU, encode_frame(CMD_GET_INFO + 1, 0, build_device_info(INFO)))
    for n in range(20):
        says(MCU, encode_frame(CMD_P0_UP, n, SCHEMA.encode_report({"water_in": 20 + n, "power": n % 2})), after=100_000)
        says(MODULE, encode_frame(CMD_P0_UP + 1, n))
    writer.note(at, "the pump <hums>")
    says(MODULE, encode_frame(CMD_P0_DOWN, 1, SCHEMA.encode_control({"target_temp": 41.5})))
    says(MODULE, encode_frame(CMD_P0_DOWN, 1, SCHEMA.encode_control({"target_temp": 41.5})), after=200_000)
    says(MCU, encode_frame(CMD_P0_DOWN + 1, 1))
    # A stuffed frame, a wrong checksum, noise.
    says(MODULE, encode_frame(CMD_HEARTBEAT, 0xFF))
    says(MCU, b"boot\r\n", encode_frame(CMD_HEARTBEAT + 1, 0xFF)[:-1] + b"\x77")
    writer.close()
    return path


def tshark(tmp_path, path, *fields):
    lua = tmp_path / "mcu_serial.lua"
    lua.write_text(run("capture", "dissector").stdout)
    command = [find("tshark"), "-X", "lua_script:%s" % lua, "-r", str(path), "-T", "fields", "-E", "separator=/t"]
    for field in fields:
        command += ["-e", field]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Lua" not in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr
    return [row.split("\t") for row in result.stdout.splitlines()]


@pytest.mark.tshark
def test_wireshark_sees_every_frame_as_we_do(line, tmp_path):
    out = tmp_path / "line.pcapng"
    assert run("capture", "export", line, out).returncode == 0
    rows = tshark(tmp_path, out, "mcuserial.cmd", "mcuserial.sn", "mcuserial.direction", "mcuserial.request")
    seen = [item for item in observed_items(load_capture(str(line)), Observer()) if isinstance(item, Observed)]
    assert len(rows) == len(seen)
    for (cmd, sn, direction, answered), observed in zip(rows, seen, strict=True):
        if isinstance(observed.item, Frame):
            assert (int(cmd, 16), int(sn), int(direction)) == (observed.item.cmd, observed.item.sn, observed.sender)
            # Packets count as items do; ours times an ack from the last sending.
            assert bool(answered) == bool(observed.answers)


@pytest.mark.tshark
def test_wireshark_shows_fields_comments_and_what_is_wrong(line, tmp_path):
    out = tmp_path / "line.pcapng"
    run("capture", "export", line, out)
    fields = (
        "mcuserial.info.software",
        "mcuserial.action",
        "frame.comment",
        "_ws.expert.message",
        "frame.packet_flags_direction",
    )
    columns = list(zip(*tshark(tmp_path, out, *fields), strict=True))
    assert "01000002" in columns[0]
    assert {"0x04", "0x01"} <= set(columns[1])
    assert any("the pump <hums>" in comment for comment in columns[2])
    for message in ("Wrong checksum", "No whole frame", "Sent again"):
        assert any(message in shown for shown in columns[3])
    assert len(set(columns[4]) - {""}) == 2


@pytest.mark.tshark
@pytest.mark.parametrize("name", ["07-bad-frames", "09-time-module-info-bind", "11-mcu-ota"])
def test_wireshark_takes_what_was_recorded(name, tmp_path):
    out = tmp_path / "line.pcapng"
    result = run("capture", "export", captures.CAPTURES / (name + ".jsonl"), out)
    assert result.returncode == 0, result.stderr
    wrong = tshark(tmp_path, out, "_ws.lua.error")
    assert all(row in ([""], []) for row in wrong)


def test_no_secret_leaves_a_capture(line, tmp_path):
    for name in ("line.pcapng", "line.csv"):
        run("capture", "export", line, tmp_path / name)
    run("capture", "report", line, tmp_path / "line.html", "--product", PRODUCT)
    shown = run("capture", "show", line, "--json").stdout + run("capture", "show", line, "-v").stdout
    (tmp_path / "shown.txt").write_text(shown)
    for name in ("line.pcapng", "line.csv", "line.html", "shown.txt"):
        data = (tmp_path / name).read_bytes()
        assert data
        for secret in (SECRET.encode(), b"hunter22"):
            assert secret not in data
            assert secret.hex().encode() not in data
            assert secret.hex(" ").encode() not in data


def test_csv_has_a_row_for_every_frame(line, tmp_path):
    assert run("capture", "export", line, tmp_path / "frames.csv").returncode == 0
    rows = list(csv.DictReader((tmp_path / "frames.csv").read_text().splitlines()))
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("bad"), kinds.count("noise")) == (1, 1)
    (again,) = [row for row in rows if row["repeats"]]
    assert (again["cmd"], again["from"]) == ("03", "module")


def test_csv_of_values_has_a_column_for_every_attribute(line, tmp_path):
    out = tmp_path / "values.csv"
    assert run("capture", "export", line, out, "--values", "--product", PRODUCT).returncode == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["water_in"] for row in rows if row["from"] == "MCU"] == [str(20 + n) for n in range(20)]
    assert rows[-1]["target_temp"] == "41.5"
    assert rows[-1]["water_in"] == ""


def test_values_need_a_product(line, tmp_path):
    assert run("capture", "export", line, tmp_path / "values.csv", "--values").returncode == 2
    assert run("capture", "export", line, tmp_path / "line.doc").returncode == 2


def test_info_counts_and_note_is_kept(line):
    assert run("capture", "note", line, "--at", "1s", "a late thought").returncode == 0
    result = run("capture", "info", line)
    assert "1 bad frames, 1 sent again" in result.stdout
    assert "2 notes" in result.stdout
    assert "note: a late thought" in run("capture", "show", line).stdout


def test_damaged_capture_is_shown_and_told_and_exits_1(line):
    data = line.read_bytes()
    line.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 10 :])
    result = run("capture", "show", line)
    assert result.returncode == 1
    assert "its CRC is wrong" in result.stderr
    assert "heartbeat" in result.stdout


def test_report_is_one_page_with_everything_in_it(line, tmp_path):
    out = tmp_path / "report.html"
    assert run("capture", "report", line, out, "--product", PRODUCT).returncode == 0
    page = out.read_text()
    for text in ("a short &lt;life&gt;", "the pump &lt;hums&gt;", "water_in, 19 changes", "wrong checksum", "<svg"):
        assert text in page
    for outside in ("http:", "https:", "<script", "src=", "<link"):
        assert outside not in page


def test_report_of_a_damaged_capture_says_so(line, tmp_path):
    data = line.read_bytes()
    line.write_bytes(data[: len(data) // 2])
    story = Story(str(line), SCHEMA, lambda damage: None)
    write_report(
        str(tmp_path / "r.html"), "line", observed_items(load_capture(str(line)), story.observer), story.observer
    )
    assert "The file is damaged" in (tmp_path / "r.html").read_text()


def test_report_of_a_long_capture_stays_small(tmp_path):
    def forever():
        for n in range(30_000):
            report = SCHEMA.encode_report({"water_in": n % 1000 / 10})
            yield Chunk(n * 3000, MCU, encode_frame(CMD_P0_UP, n & 0xFF, report))
            yield Chunk(n * 3000 + 1000, MODULE, encode_frame(CMD_P0_UP + 1, n & 0xFF)[: 9 - n % 2])

    observer = Observer(SCHEMA)
    write_report(str(tmp_path / "r.html"), "long", observed_items(forever(), observer), observer)
    assert (tmp_path / "r.html").stat().st_size < 1_500_000


BEAT, ACK = encode_frame(CMD_HEARTBEAT, 0x1A), encode_frame(CMD_HEARTBEAT + 1, 0x1A)


@pytest.mark.parametrize(
    "text",
    [
        "TX: ff ff 00 05 07 1a 00 00 26\nRX: ff ff 00 05 08 1a 00 00 27",
        "[0.001] > ffff0005071a000026\n[0.002] < FFFF0005081A000027",
        "12:00:00.001 module 0xff 0xff 0x00 0x05 0x07 0x1a 0x00 0x00 0x26\n12:00:00.002 mcu ff,ff,00,05,08,1a,00,00,27",
        "2026-02-25 12:00:00.001 tx ff ff 00 05 07 1a 00 00 26\n2026-02-25 12:00:00.002 rx ff ff 00 05 08 1a 00 00 27",
        "# a comment\nsent ff ff 00 05 07 1a 00 00 26 | .......&\n\nreceived ff ff 00 05 08 1a 00 00 27",
    ],
)
def test_hex_dump_tells_bytes_direction_and_time(text):
    chunks = list(import_hex(text.splitlines(), MODULE))
    assert [(chunk.sender, chunk.data) for chunk in chunks] == [(MODULE, BEAT), (MCU, ACK)]
    assert chunks[1].time_us - chunks[0].time_us == 1000


def test_hex_dump_of_an_mcu_says_tx_of_its_own():
    (chunk,) = import_hex(["TX: 01"], MCU)
    assert chunk.sender == MCU


def test_xxd_is_read_without_its_offsets_and_text():
    text = "00000000: ffff 0005 071a 0000 26ff ff00 0508 1a00  ....... ab cd\n"
    text += "00000010: 0027                                     .'"
    assert b"".join(chunk.data for chunk in import_hex(text.splitlines(), MODULE)) == BEAT + ACK


def csv_lines(header, rows):
    return [header, *rows]


def test_csv_of_a_logic_analyser_joins_bytes_and_knows_its_channels():
    rows = ["Module TX,data,%.6f,0.0001,0x%02X" % (0.1 + n * 0.001, b) for n, b in enumerate(BEAT)]
    rows += ["MCU,data,%.6f,0.0001,0x%02X" % (0.2 + n * 0.001, b) for n, b in enumerate(ACK)]
    chunks = list(import_csv(csv_lines("name,type,start_time,duration,data", rows), {}))
    assert [(chunk.sender, chunk.data) for chunk in chunks] == [(MODULE, BEAT), (MCU, ACK)]
    assert chunks[1].time_us == 100_000
    chunks = list(import_csv(csv_lines("name,type,start_time,duration,data", rows), {"Module TX": MCU, "MCU": MODULE}))
    assert [chunk.sender for chunk in chunks] == [MCU, MODULE]


def test_csv_of_one_channel_has_no_sender():
    rows = ["%.6f,0x%02X,," % (n * 0.001, b) for n, b in enumerate(BEAT)]
    (chunk,) = import_csv(csv_lines("Time [s],Value,Parity Error,Framing Error", rows), {})
    assert (chunk.sender, chunk.data) == (None, BEAT)


@pytest.mark.parametrize("lines", [["a,b,c"], ["Time [s],Value", "soon,0xFF"]])
def test_csv_that_is_none_says_what_was_expected(lines):
    with pytest.raises(CaptureError):
        list(import_csv(lines, {}))


def test_imported_dump_becomes_a_capture(tmp_path):
    (tmp_path / "dump.log").write_text("TX: ff ff 00 05 07 1a 00 00 26\nRX: ff ff 00 05 08 1a 00 00 27\n")
    out = tmp_path / "line.jsonl.gz"
    assert run("capture", "import", tmp_path / "dump.log", out).returncode == 0
    assert [c.data for c in load_capture(str(out)) if isinstance(c, Chunk)] == [BEAT, ACK]
    # It is not written over.
    assert run("capture", "import", tmp_path / "dump.log", out).returncode == 2


@pytest.mark.parametrize("name", captures.names())
def test_recordings_are_captures_too(name):
    frames = sum(len(write.data) for write in captures.serial(name))
    chunks = [
        record for record in load_capture(str(captures.CAPTURES / (name + ".jsonl"))) if isinstance(record, Chunk)
    ]
    assert sum(len(chunk.data) for chunk in chunks) == frames
    assert not any(isinstance(record, Note) for record in chunks)
