"""`localcloud device list|qr`: which devices there are, and the QR code that binds one."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

import segno

from . import qr_code
from .app import open_cloud_store
from .catalog import CatalogError
from .command_line import command, listing
from .settings import Settings


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Adds `device` and what it can do."""
    devices = commands.add_parser("device", help="list devices, make their QR codes").add_subparsers(required=True)
    listing(devices, "List devices in use: did, product key, mac, and online or offline.", [shared]).set_defaults(
        command=_list
    )
    qr = command(
        devices.add_parser,
        "Make the QR code with which an app binds a device. Prints what it says; on a terminal draws it as well. The "
        "device need not be there yet: the code can be printed where it is made.",
        "localcloud device qr 0123456789abcdef0123456789abcdef 021122334455\n"
        "  localcloud device qr 0123456789abcdef0123456789abcdef 021122334455 --svg lamp.svg",
        name="qr",
        parents=[shared],
    )
    qr.add_argument("product_key", metavar="PRODUCT_KEY", help="a product of `localcloud product list`")
    qr.add_argument("mac", metavar="MAC", help="the address the device registers with")
    qr.add_argument("--svg", type=Path, metavar="FILE", help="write the code as a drawing")
    qr.set_defaults(command=_qr)


def _list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        found = [device for device in store.devices.all() if not device.is_disabled]
        online = store.device_sessions.online([device.did for device in found])
    for device in found:
        state = "online" if device.did in online else "offline"
        print("%s %s %s %s" % (device.did, device.product_key or "-", device.mac or "-", state))


def _qr(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        product = store.products.get(args.product_key.lower())
    if product is None:
        raise CatalogError("product %s is not known: see `localcloud product list`" % args.product_key)
    content = qr_code.make_content(product.product_key, product.secret, args.mac)
    drawing = segno.make(content)
    if args.svg is not None:
        try:
            drawing.save(str(args.svg), kind="svg", scale=4)
        except OSError as error:
            raise CatalogError("drawing %s: %s" % (args.svg, error.strerror)) from None
    print(content)
    if sys.stdout.isatty():
        drawing.terminal(compact=True)
