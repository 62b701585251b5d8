"""Capture files: what is written is read, whatever happened to the file between."""

import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcu_debugger.capture.load import load_capture
from mcu_debugger.capture.reader import Damage, read_capture, read_parts
from mcu_debugger.capture.record import Chunk, End, Head, Note, RecordError, decode_record, encode_record
from mcu_debugger.capture.rewrite import rewrite
from mcu_debugger.capture.writer import CaptureError, CaptureWriter, parts_of
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

from mcu_proto.const import MCU, MODULE

CHUNKS = [Chunk(n * 1000, (MODULE, MCU, None)[n % 3], Random(n).randbytes(n % 40 + 1)) for n in range(200)]


def write(path, records=CHUNKS, **options):
    writer = CaptureWriter(str(path), "a test", **options)
    writer.open()
    for record in records:
        if isinstance(record, Chunk):
            writer.chunk(*record)
        else:
            writer.note(*record)
    writer.close()
    assert writer.error is None
    return str(path)


def chunks_of(records):
    return [record for record in records if isinstance(record, Chunk)]


def damage_of(records):
    return [record for record in records if isinstance(record, Damage)]


RECORDS = st.one_of(
    st.builds(Chunk, st.integers(0, 2**50), st.sampled_from((MODULE, MCU, None)), st.binary(max_size=50)),
    st.builds(Note, st.integers(0, 2**50), st.text(max_size=30)),
    st.builds(Head, st.text(max_size=30), st.text(max_size=30)),
    st.builds(End, st.integers(0, 2**50)),
)


@given(st.integers(0, 2**40), RECORDS)
def test_record_comes_back_from_its_line(number, record):
    line = encode_record(number, record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_record(line) == (number, record)


@given(RECORDS, st.data())
def test_line_with_one_wrong_bit_is_no_record(record, data):
    line = bytearray(encode_record(7, record))
    at = data.draw(st.integers(0, len(line) - 2))
    line[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RecordError):
        decode_record(bytes(line))


@pytest.mark.parametrize("name", ["line.jsonl", "line.jsonl.gz", "line"])
def test_capture_is_read_as_it_was_written(tmp_path, name):
    path = write(tmp_path / name, [*CHUNKS, Note(5, "müde")])
    head, *rest = read_capture(path)
    assert head.title == "a test"
    assert rest == [*CHUNKS, Note(5, "müde")]
    assert Path(path).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith(".gz") else b'{"')


def test_capture_is_for_its_owner_only(tmp_path):
    path = write(tmp_path / "line.jsonl")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_file_that_is_cut_anywhere_is_read_up_to_there(tmp_path):
    path = write(tmp_path / "line.jsonl", CHUNKS[:20])
    whole = Path(path).read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in range(1, len(whole) - 1, 7):
        Path(path).write_bytes(whole[:size])
        complete = sum(1 for n in range(len(lines)) if len(b"".join(lines[: n + 1])) <= size)
        records = list(read_capture(path))
        # A line that lacks its line break only is whole.
        assert len(chunks_of(records)) in (max(complete - 1, 0), complete)
        assert damage_of(records)


def test_compressed_file_that_is_cut_is_read_up_to_there(tmp_path):
    path = write(tmp_path / "line.jsonl.gz")
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])
    records = list(read_capture(path))
    assert chunks_of(records) == CHUNKS[: len(chunks_of(records))]
    assert len(chunks_of(records)) > 50
    assert damage_of(records)


def test_damage_in_the_middle_is_told_and_reading_goes_on_behind_it(tmp_path):
    path = write(tmp_path / "line.jsonl")
    data = bytearray(Path(path).read_bytes())
    at = len(data) // 2
    data[at : at + 3] = b"\x00\x00\x00"
    Path(path).write_bytes(bytes(data))
    records = list(read_capture(path))
    (told,) = damage_of(records)
    assert "CRC" in told.why
    assert len(chunks_of(records)) == len(CHUNKS) - 1


def test_lines_that_are_missing_are_missed(tmp_path):
    path = write(tmp_path / "line.jsonl")
    lines = Path(path).read_bytes().splitlines(keepends=True)
    Path(path).write_bytes(b"".join(lines[:50] + lines[53:]))
    (told,) = damage_of(read_capture(path))
    assert told == Damage(51, "3 lines are missing before it")


def test_garbage_in_place_of_lines_costs_only_itself(tmp_path):
    path = write(tmp_path / "line.jsonl")
    data = Path(path).read_bytes()
    Path(path).write_bytes(data + Random(1).randbytes(100_000) + b"\n" + data)
    records = list(read_capture(path))
    assert chunks_of(records) == CHUNKS * 2
    assert damage_of(records)


def test_compressed_data_that_is_damaged_is_told(tmp_path):
    path = write(tmp_path / "line.jsonl.gz")
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 0xFF
    Path(path).write_bytes(bytes(data))
    assert damage_of(read_capture(path))


def test_parts_are_of_a_size_and_are_read_as_one(tmp_path):
    for name in ("line.jsonl", "packed.jsonl.gz"):
        path = write(tmp_path / name, part_size=2000)
        assert len(parts_of(path)) > 5
        assert all(not damage_of(read_capture(part)) for part in parts_of(path))
        assert chunks_of(read_parts(path)) == CHUNKS


def test_only_so_many_parts_are_kept(tmp_path):
    path = write(tmp_path / "line.jsonl", part_size=2000, keep=2)
    assert len(parts_of(path)) == 2
    kept = chunks_of(read_parts(path))
    assert kept == CHUNKS[-len(kept) :]


def test_parts_that_were_joined_by_hand_are_read(tmp_path):
    path = write(tmp_path / "line.jsonl.gz", part_size=2000)
    joined = b"".join(Path(part).read_bytes() for part in [*parts_of(path), path])
    (tmp_path / "joined.gz").write_bytes(joined)
    records = list(read_capture(str(tmp_path / "joined.gz")))
    assert chunks_of(records) == CHUNKS
    assert damage_of(records) == []


_FULL = """
import resource, sys
from mcu_debugger.capture.writer import CaptureWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
writer = CaptureWriter(sys.argv[1], "a test")
writer.open()
for n in range(20_000):
    writer.chunk(n, 1, b"%d" % n)
writer.close()
print(writer.error)
"""


@pytest.mark.parametrize("name", ["line.jsonl", "line.jsonl.gz"])
def test_disk_that_fails_ends_the_capture_and_nothing_else(tmp_path, name):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tools")))}
    path = str(tmp_path / name)
    command = [sys.executable, "-c", _FULL, path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment)
    assert result.stdout == "capture %s ended: File too large\n" % path
    assert len(chunks_of(read_capture(path))) > 100


def test_capture_that_cannot_be_made_or_read_says_so(tmp_path):
    with pytest.raises(CaptureError, match="cannot be written"):
        CaptureWriter(str(tmp_path / "no" / "folder"), "").open()
    with pytest.raises(CaptureError, match="cannot be read"):
        list(read_capture(str(tmp_path / "nothing")))
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(CaptureError, match="empty"):
        load_capture(str(tmp_path / "empty"))


def test_remark_goes_where_its_time_is_and_the_rest_stays(tmp_path):
    path = write(tmp_path / "line.jsonl.gz")
    rewrite(read_parts(path), path, "", Note(50_500, "here"))
    records = list(read_capture(path))
    assert chunks_of(records) == CHUNKS
    assert damage_of(records) == []
    at = records.index(Note(50_500, "here"))
    assert (records[at - 1].time_us, records[at + 1].time_us) == (50_000, 51_000)
    assert next(record for record in records[1:] if isinstance(record, Head)).title == "a test"


def test_gzip_of_others_is_read_too(tmp_path):
    path = write(tmp_path / "line.jsonl")
    with gzip.open(tmp_path / "packed.gz", "wb") as file:
        file.write(Path(path).read_bytes())
    assert chunks_of(read_capture(str(tmp_path / "packed.gz"))) == CHUNKS
