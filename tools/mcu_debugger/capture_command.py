"""`mcu-debugger capture`: look at captures, note, convert, import and report them."""

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import resources

from mcu_proto.const import MCU, MODULE

from .capture.observed import observed_items
from .capture.pcapng import pcapng_blocks
from .capture.reader import Damage
from .capture.record import Chunk, Head, Note
from .capture.report import write_report
from .capture.rewrite import rewrite
from .capture.story import Story
from .capture.table import frame_rows, value_rows
from .capture.writer import CaptureError
from .duration import DurationError, parse_duration
from .event_lines import observed_json, observed_lines
from .role_command import UsageError, product_of

_EXAMPLES = """\
examples:
  mcu-debugger capture show line.jsonl.gz --product heatpump.json
      every frame in words; --json for programs; what is damaged is told, the rest is shown
  mcu-debugger capture info line.jsonl.gz
  mcu-debugger capture note line.jsonl --at 12.5s 'the pump was switched on by hand'
  mcu-debugger capture export line.jsonl.gz line.pcapng
      for Wireshark; the dissector: mcu-debugger capture dissector > ~/.local/lib/wireshark/plugins/mcu_serial.lua
  mcu-debugger capture export line.jsonl.gz frames.csv
  mcu-debugger capture export line.jsonl.gz --product heatpump.json --values values.csv
      attributes over time, for a spreadsheet
  mcu-debugger capture import terminal.log line.jsonl --writer mcu
      a hex dump in which TX is the MCU; also CSV of a logic analyser: --channel 'Async Serial'=mcu
  mcu-debugger capture report line.jsonl.gz report.html --product heatpump.json
      one file to attach to a bug report: timeline, attributes, errors; secrets are not in it
exit: 0 good, 1 when the capture is damaged (what can be is done all the same)
"""


def add_capture(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "capture",
        help="captures: show, note, export, import, report",
        description="Look at captures and make other files of them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    show = _kind(kinds, "show", "its frames in words", _show)
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.add_argument("-v", action="store_true", dest="with_hex", help="show their bytes too")
    _kind(kinds, "info", "how much there is, and what is wrong with it", _info)
    note = _kind(kinds, "note", "add a remark", _note)
    note.add_argument("--at", default="0s", metavar="TIME", help="where, from its beginning (default 0s)")
    note.add_argument("text", metavar="TEXT", help="what to remember")
    export = _kind(kinds, "export", "make a .pcapng or .csv of it", _export)
    export.add_argument("out", metavar="OUT", help="file to write; its name tells the format")
    export.add_argument("--values", action="store_true", help="with .csv: attributes over time instead of frames")
    take = _kind(kinds, "import", "make a capture of a hex dump or a logic analyser's CSV", _import)
    take.add_argument("out", metavar="OUT", help="capture to write; .gz: compressed")
    report = _kind(kinds, "report", "make one HTML page of it", _report)
    report.add_argument("out", metavar="OUT", help="page to write")
    dissector = kinds.add_parser("dissector", help="print the dissector for Wireshark, in Lua")
    dissector.set_defaults(run=_dissector)


def _kind(kinds: argparse._SubParsersAction, name: str, about: str, run: object) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=about, description=about[:1].upper() + about[1:] + ".")
    parser.add_argument("file", metavar="FILE", help="capture, hex dump or CSV")
    parser.add_argument("--product", metavar="FILE", help="product definition: attributes by name")
    parser.add_argument(
        "--writer",
        choices=("module", "mcu"),
        default="module",
        help="hex dump: whose log it is, its TX (default module)",
    )
    parser.add_argument(
        "--channel", action="append", default=[], metavar="NAME=module|mcu", help="CSV: who is heard on a channel"
    )
    parser.set_defaults(run=run)
    return parser


def _story(args: argparse.Namespace) -> Story:
    """The capture; damage goes to standard error as it is met."""

    def tell(damage: Damage) -> None:
        print("mcu-debugger: %s line %d: %s" % (args.file, damage.line, damage.why), file=sys.stderr)

    origin = ({"module": MODULE, "mcu": MCU}[args.writer], dict(_channel(text) for text in args.channel))
    return Story(args.file, product_of(args.product)[1], tell, origin)


def _result(story: Story) -> int:
    return 1 if story.damaged else 0


def _show(args: argparse.Namespace) -> int:
    story = _story(args)
    for item in story.items():
        if isinstance(item, Note) and args.json:
            print(json.dumps({"t": item.time_us / 1e6, "kind": "note", "text": item.text}, ensure_ascii=False))
        elif isinstance(item, Note):
            print("%9.3f  note: %s" % (item.time_us / 1e6, item.text))
        elif args.json:
            print(json.dumps(observed_json(item), ensure_ascii=False))
        else:
            head, *facts = observed_lines(item, story.schema, args.with_hex)
            print("%9.3f  %s" % (item.time_us / 1e6, head))
            for fact in facts:
                print(" " * 11 + fact)
    return _result(story)


def _info(args: argparse.Namespace) -> int:
    story = _story(args)
    last_us = chunks = notes = 0
    for record in _observing(story):
        if isinstance(record, Head):
            print("%s, begun %s" % (record.title, record.began))
        elif isinstance(record, Note):
            notes += 1
        elif isinstance(record, Chunk):
            chunks += 1
        last_us = max(last_us, getattr(record, "time_us", 0))
    counts = story.observer.counts
    print("%.3f s, %d chunks, %d notes" % (last_us / 1e6, chunks, notes))
    for sender, name in ((MODULE, "module"), (MCU, "MCU")):
        print("%-6s  %d frames, %d bytes" % (name, counts.frames[sender], counts.bytes[sender]))
    print(
        "errors  %d bad frames, %d sent again, %d unanswered, %d complaints, %d bytes of noise"
        % (sum(counts.bad.values()), counts.repeats, counts.unanswered, counts.complaints, counts.noise_bytes)
    )
    if story.damaged:
        print("damage  %d places in the file" % story.damaged)
    return _result(story)


def _observing(story: Story) -> Iterator[Head | Chunk | Note]:
    time_us = 0
    for record in story.records():
        if isinstance(record, Chunk):
            time_us = max(time_us, record.time_us)
            story.observer.feed(time_us, record.sender, record.data)
        yield record
    story.observer.flush(time_us)


def _note(args: argparse.Namespace) -> int:
    try:
        at_us = parse_duration(args.at) * 1000
    except DurationError as e:
        raise UsageError("--at: %s" % e) from None
    story = _story(args)
    rewrite(story.records(), args.file, "", Note(at_us, args.text))
    return _result(story)


def _import(args: argparse.Namespace) -> int:
    if os.path.exists(args.out):
        raise UsageError("%s is there already; name a file that is not" % args.out)
    story = _story(args)
    rewrite(story.records(), args.out, "imported from %s" % os.path.basename(args.file), None)
    return _result(story)


def _export(args: argparse.Namespace) -> int:
    story = _story(args)
    if args.out.endswith(".pcapng"):
        _write_bytes(args.out, pcapng_blocks(story.items(), lambda: story.began_us))
    elif args.out.endswith(".csv"):
        if args.values and story.schema is None:
            raise UsageError("--values needs --product FILE: it tells the attributes apart")
        rows = (value_rows if args.values else frame_rows)(story.items(), story.schema)
        _write_rows(args.out, rows)
    else:
        raise UsageError("%s: expected a name that ends with .pcapng or .csv" % args.out)
    return _result(story)


def _report(args: argparse.Namespace) -> int:
    story = _story(args)
    items = _with_damage(story)
    write_report(args.out, os.path.basename(args.file), items, story.observer)
    return _result(story)


def _with_damage(story: Story) -> Iterator[tuple]:
    """Items, and the damage between them, for a page that tells of it."""
    found: list[Damage] = []
    tell = story.tell

    def keep(damage: Damage) -> None:
        tell(damage)
        found.append(damage)

    story.tell = keep
    yield from observed_items(story.records(), story.observer)
    yield from found


def _dissector(args: argparse.Namespace) -> int:
    sys.stdout.write(resources.files("mcu_debugger.capture").joinpath("mcu_serial.lua").read_text(encoding="utf-8"))
    return 0


def _write_bytes(path: str, blocks: Iterable[bytes]) -> None:
    try:
        with open(path, "wb") as file:
            for block in blocks:
                file.write(block)
    except OSError as e:
        raise CaptureError("%s cannot be written: %s" % (path, e.strerror)) from None


def _write_rows(path: str, rows: Iterable[list]) -> None:
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    except OSError as e:
        raise CaptureError("%s cannot be written: %s" % (path, e.strerror)) from None


def _channel(text: str) -> tuple[str, int]:
    name, _, end = text.rpartition("=")
    if not name or end not in ("module", "mcu"):
        raise UsageError("--channel %s: expected NAME=module or NAME=mcu" % text)
    return name, MODULE if end == "module" else MCU
