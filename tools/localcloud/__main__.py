"""The `localcloud` command: runs the cloud, adds products and apps. Other subcommands have files of their own.

stdout is the result, stderr the story. Exit status: 0 good, 1 failed, 2 misused.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path

from . import (
    backup_commands,
    catalog,
    certificate_commands,
    device_commands,
    operator_commands,
    ota_commands,
    people_commands,
)
from .app import Cloud, open_cloud_store
from .broker import BrokerError
from .certificate import CertificateError
from .command_line import command, listing
from .listener import ListenError
from .ota_orders import OtaError
from .ota_signing import SigningError
from .settings import Settings, SettingsError, default_data_dir, read_settings
from .store.database import StoreError
from .store.products import BOOLS
from .websocket_session import PATH

_FLAGS = (
    "data_dir",
    "http_host",
    "http_port",
    "mqtt_port",
    "ws_port",
    "wss_port",
    "https_port",
    "mqtts_port",
    "broker",
    "advertised_host",
)


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    args = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        flags = {name: getattr(args, name, None) for name in _FLAGS}
        settings = read_settings(args.config, {**flags, "mqtt_host": flags["http_host"]})
        args.command(args, settings)
    except SettingsError as error:
        print("localcloud: %s" % error, file=sys.stderr)
        return 2
    except (
        BrokerError,
        CertificateError,
        ListenError,
        StoreError,
        catalog.CatalogError,
        OtaError,
        SigningError,
    ) as error:
        print("localcloud: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _run(args: argparse.Namespace, settings: Settings) -> None:
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    cloud = Cloud(settings)
    await cloud.start()
    host = settings.advertised_host or ("127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host)
    cloud.log.info("data in %s", settings.data_dir)
    # A URL holds a password.
    kind = "of somebody else" if "://" in settings.broker else settings.broker
    cloud.log.info("MQTT broker (%s) on mqtt://%s:%d", kind, host, cloud.mqtt_port)
    cloud.log.info("device API on http://%s:%d/dev/devices", host, cloud.http_port)
    cloud.log.info("Open API on http://%s:%d/app", host, cloud.http_port)
    cloud.log.info("WebSocket API on ws://%s:%d%s", host, cloud.websocket.port, PATH)
    cloud.log.info("web console on http://%s:%d/", host, cloud.http_port)
    if cloud.store.operators.password_hash() is None:
        cloud.log.info("its operator's pages are closed: set a password with `localcloud console password`")
    if cloud.tls is not None:
        ports = (cloud.https_port, cloud.mqtts_port, cloud.websocket.tls_port)
        cloud.log.info("with TLS: HTTPS on port %d, MQTT on port %d, WebSocket on port %d", *ports)
    products = cloud.store.products.all()
    if not products:
        cloud.log.info("no product yet: devices cannot register; add one with `localcloud product add`")
    for product in products:
        cloud.log.info("product %s %s", product.product_key, product.name)
    cloud.log.info("ready; Ctrl-C stops")
    await stop.wait()
    cloud.log.info("stopping")
    await cloud.stop()
    cloud.log.info("stopped; everything is stored")


def _product_add(args: argparse.Namespace, settings: Settings) -> None:
    try:
        definition = json.loads(args.definition.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise catalog.CatalogError("product definition %s: %s" % (args.definition, error)) from None
    with contextlib.closing(open_cloud_store(settings)) as store:
        product, is_new = catalog.add_product(store, definition, args.secret, args.name, args.bools, args.sharing)
    print(product.product_key)
    print("%s product %s" % ("added" if is_new else "replaced", product.name), file=sys.stderr)


def _product_list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for product in store.products.all():
            print("%s %s" % (product.product_key, product.name))


def _app_add(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        print(catalog.add_app(store, args.name, args.app_id, args.secret).app_id)


def _app_list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for app in store.products.all_apps():
            print(("%s %s" % (app.app_id, app.name)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = command(
        argparse.ArgumentParser,
        "A self-hosted cloud for GAgent modules and Open API apps.",
        "localcloud product add lamp.json --secret 0123456789abcdef0123456789abcdef\n  localcloud run",
        prog="localcloud",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); flags win over it")
    shared.add_argument(
        "--data", type=Path, dest="data_dir", metavar="DIR", help="database and broker files (%s)" % default_data_dir()
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = command(
        commands.add_parser,
        "Run the cloud until Ctrl-C or SIGTERM.",
        "localcloud run --data ./cloud --http-port 80 --mqtt-port 1883\n"
        "  localcloud run --config /etc/localcloud.toml --broker mosquitto",
        name="run",
        parents=[shared],
    )
    run.add_argument("--host", dest="http_host", help="address to listen on, HTTP and MQTT (all addresses)")
    run.add_argument("--http-port", type=int, metavar="PORT", help="HTTP port (8000; original modules need 80)")
    run.add_argument("--mqtt-port", type=int, metavar="PORT", help="MQTT port (1883)")
    run.add_argument("--ws-port", type=int, metavar="PORT", help="WebSocket port (8080)")
    run.add_argument("--wss-port", type=int, metavar="PORT", help="WebSocket port with TLS (8880)")
    run.add_argument("--https-port", type=int, metavar="PORT", help="HTTPS port (8443), with a certificate")
    run.add_argument("--mqtts-port", type=int, metavar="PORT", help="MQTT port with TLS (8883), with a certificate")
    run.add_argument("--broker", help="embedded (in this process), mosquitto (must be installed), or a URL: see README")
    run.add_argument(
        "--advertised-host", metavar="HOST", help="what devices are told to connect to (the address they came to)"
    )
    run.set_defaults(command=_run)

    products = commands.add_parser("product", help="add and list products").add_subparsers(required=True)
    add = command(
        products.add_parser,
        "Add a product, or replace the one of the same key. Prints its product key.",
        "localcloud product add lamp.json --secret 0123456789abcdef0123456789abcdef --name Lamp",
        name="add",
        parents=[shared],
    )
    add.add_argument("definition", type=Path, metavar="DEFINITION.json", help="what GET /app/datapoint serves")
    add.add_argument("--secret", required=True, metavar="HEX", help="product secret, 32 hex digits")
    add.add_argument("--name", default="", help="what apps call it (the definition's name)")
    add.add_argument("--bools", choices=BOOLS, default="number", help="show bools as 0 and 1, or as false and true")
    add.add_argument("--sharing", action="store_true", help="the first user of a device owns it, others are let in")
    add.set_defaults(command=_product_add)
    listing(products, "List products: key and name.", [shared]).set_defaults(command=_product_list)

    device_commands.add_commands(commands, shared)

    apps = commands.add_parser("app", help="add and list apps").add_subparsers(required=True)
    add = command(
        apps.add_parser,
        'Add an app id, a new one unless given. Prints it. Needed only with the setting apps = "listed".',
        "localcloud app add --name phone\n  localcloud app add 0123456789abcdef0123456789abcdef",
        name="add",
        parents=[shared],
    )
    add.add_argument("app_id", nargs="?", default="", metavar="APPID", help="32 hex digits")
    add.add_argument("--name", default="", help="for your own use")
    add.add_argument("--secret", help="app secret; who asks for codes for this app must then know it")
    add.set_defaults(command=_app_add)
    listing(apps, "List apps: id and name.", [shared]).set_defaults(command=_app_list)

    ota_commands.add_commands(commands, shared)
    people_commands.add_commands(commands, shared)
    backup_commands.add_commands(commands, shared)
    operator_commands.add_commands(commands, shared)
    certificate_commands.add_commands(commands, shared)
    return parser


if __name__ == "__main__":
    sys.exit(main())
