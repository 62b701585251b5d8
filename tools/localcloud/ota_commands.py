"""`localcloud ota …`: firmware images, who gets them, and how far each device is."""

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from . import ota_orders, ota_text
from .app import open_cloud_store
from .command_line import command, listing
from .ota_orders import KIND_NAMES, KINDS, OtaError
from .ota_signing import SigningError, load_key, make_key
from .settings import Settings
from .store.firmware import Firmware, PushRule
from .store.store import Store
from .store.upgrades import DONE, Summary

_WATCH_S = 1.0
_BAR = 24


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Adds `ota` and what it can do."""
    ota = commands.add_parser(
        "ota",
        help="firmware over the air: add, verify, push, watch",
        description="Firmware for modules and MCUs: add it, try it on one device, push it by rules, watch it arrive.",
        epilog="the way of an image:\n"
        "  localcloud ota keygen                              once: the key that signs what is added from then on\n"
        "  localcloud ota add pump.bin --product KEY --kind mcu --hard 00000001 --soft 00000002\n"
        "  localcloud ota verify 1 DID                        one device gets it first\n"
        "  localcloud ota push 1 --percent 10                 then others, when that one runs it\n"
        "  localcloud ota status 1 --watch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, what: str, example: str, run: Any) -> argparse.ArgumentParser:
        parser = command(ota.add_parser, what, example, name=name, parents=[shared])
        parser.set_defaults(command=run)
        return parser

    add("keygen", "Make the key that signs firmware. Prints its public half.", "localcloud ota keygen", _keygen)
    add("key", "Print the public key that agents may be told to require.", "localcloud ota key", _key)
    new = add(
        "add",
        "Add an image, signed if there is a key. Prints its number.",
        "localcloud ota add pump.bin --product KEY --kind mcu --hard 00000001 --soft 00000002",
        _add,
    )
    new.add_argument("image", type=Path, metavar="FILE", help="the image; .hex goes line by line to MCUs that ask so")
    new.add_argument("--product", required=True, metavar="KEY", help="product key")
    new.add_argument("--kind", required=True, choices=KINDS, help="whose firmware it is")
    new.add_argument("--hard", required=True, metavar="8CHARS", help="hardware version it is for")
    new.add_argument("--soft", required=True, metavar="8CHARS", help="its software version, greater than what runs")
    listing(ota, "List images: number, product, kind, versions, size, state.", [shared]).set_defaults(command=_list)
    test = add("verify", "Try an image on one device first.", "localcloud ota verify 1 gG4KXJtJ4xYb2yqTtGsDhK", _verify)
    test.add_argument("number", type=int, metavar="NUMBER")
    test.add_argument("did", metavar="DID")
    push = add(
        "push",
        "Start a rule that gives a verified image to devices. Prints the rule's number.",
        "localcloud ota push 1\n  localcloud ota push 1 --percent 5 --window 02:00-05:00 --until 2027-01-31\n"
        "  localcloud ota push 1 --from-version 00000001 --macs macs.txt",
        _push,
    )
    push.add_argument("number", type=int, metavar="NUMBER")
    push.add_argument("--from-version", action="append", default=[], metavar="8CHARS", help="only to those that run it")
    push.add_argument("--macs", type=Path, metavar="FILE", help="only to these addresses, one a line")
    push.add_argument("--since", metavar="DATE", help="not before: 2027-01-01 or 2027-01-01T08:00 (now)")
    push.add_argument("--until", metavar="DATE", help="not after (no end)")
    push.add_argument("--window", default="", metavar="HH:MM-HH:MM", help="only at these hours, this machine's time")
    push.add_argument("--percent", type=int, default=100, metavar="N", help="only to so many of a hundred devices")
    for name, what, run in (("start", "Start a stopped rule again.", _start), ("stop", "Stop a rule.", _stop)):
        rule = add(name, what, "localcloud ota %s 1" % name, run)
        rule.add_argument("rule", type=int, metavar="RULE")
    status = add("status", "How far the devices are.", "localcloud ota status 1 --watch", _status)
    status.add_argument("number", type=int, metavar="NUMBER")
    status.add_argument("--watch", action="store_true", help="until all are done, or Ctrl-C")
    export = add("export", "Every device's result as CSV.", "localcloud ota export 1 > result.csv", _export)
    export.add_argument("number", type=int, metavar="NUMBER")
    remove = add("remove", "Remove an image with its rules and results.", "localcloud ota remove 1", _remove)
    remove.add_argument("number", type=int, metavar="NUMBER")


def _keygen(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)):  # makes the directory, readable by this user only
        print(make_key(settings.data_dir).public)
    print("what is added from now on is signed; back the key up with `localcloud backup`", file=sys.stderr)


def _key(args: argparse.Namespace, settings: Settings) -> None:
    key = load_key(settings.data_dir)
    if key is None:
        raise SigningError("there is no signing key: make one with `localcloud ota keygen`")
    print(key.public)


def _add(args: argparse.Namespace, settings: Settings) -> None:
    try:
        content = args.image.read_bytes()
    except OSError as error:
        raise OtaError("image %s: %s" % (args.image, error.strerror)) from None
    with contextlib.closing(open_cloud_store(settings)) as store:
        firmware = ota_orders.add_firmware(
            store,
            settings.data_dir,
            content,
            args.product.lower(),
            args.kind,
            (args.hard, args.soft),
            args.image.name,
        )
    print(firmware.id)
    signed = "signed" if firmware.signature else "not signed (see `localcloud ota keygen`)"
    print("%d bytes, md5 %s, %s" % (firmware.size, firmware.md5, signed), file=sys.stderr)


def _list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for firmware in store.firmware.all():
            print(_line(firmware))
            for rule in store.firmware.rules(firmware.id):
                print("   " + ota_text.rule_line(rule))


def _line(firmware: Firmware) -> str:
    return "%d  %s  %s  hardware %s  software %s  %d bytes  %s  %s" % (
        firmware.id,
        firmware.product_key,
        KIND_NAMES[firmware.kind],
        firmware.hard_version,
        firmware.soft_version,
        firmware.size,
        "signed" if firmware.signature else "unsigned",
        ota_text.standing(firmware),
    )


def _verify(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        device = ota_orders.set_test(store, args.number, args.did)
    print("device %s (%s) gets it as soon as it asks" % (device.did, device.mac), file=sys.stderr)


def _push(args: argparse.Namespace, settings: Settings) -> None:
    first, end = ota_text.parse_window(args.window)
    rule = PushRule(
        args.number,
        time.time() if args.since is None else ota_text.parse_date(args.since),
        tuple(args.from_version),
        _macs(args.macs),
        None if args.until is None else ota_text.parse_date(args.until),
        first,
        end,
        args.percent,
    )
    with contextlib.closing(open_cloud_store(settings)) as store:
        print(ota_orders.add_rule(store, rule).id)
    print(
        "devices on line are told within seconds, the others when they come: `localcloud ota status`", file=sys.stderr
    )


def _start(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        ota_orders.set_running(store, args.rule, True)


def _stop(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        ota_orders.set_running(store, args.rule, False)


def _status(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        firmware = ota_orders.firmware_of(store, args.number)
        if args.watch:
            _watch(store, firmware)
            return
        print(_line(firmware))
        for result in store.upgrades.results(firmware.id):
            print("%s  %-9s  %3d %%  %s" % (result.did, result.state, result.percent, result.detail))
        print(_summary(store.upgrades.summary(firmware.id)))


def _watch(store: Store, firmware: Firmware) -> None:
    while True:
        summary = store.upgrades.summary(firmware.id)
        bar = ("#" * int(summary.percent * _BAR / 100)).ljust(_BAR, ".")
        print("\r[%s] %s\033[K" % (bar, _summary(summary)), end="", file=sys.stderr, flush=True)
        if summary.total and summary.counts.get(DONE) == summary.total:
            print(file=sys.stderr)
            return
        time.sleep(_WATCH_S)


def _summary(summary: Summary) -> str:
    return ", ".join("%d %s" % (count, state) for state, count in summary.counts.items()) or "nobody was told yet"


def _export(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        firmware = ota_orders.firmware_of(store, args.number)
        print(ota_text.table(store.upgrades.results(firmware.id)), end="")


def _remove(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        ota_orders.remove(store, args.number)


def _macs(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        return ota_text.parse_addresses(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise OtaError("addresses %s: %s" % (path, getattr(error, "strerror", "no text"))) from None
    except OtaError as error:
        raise OtaError("file %s: %s" % (path, error)) from None
