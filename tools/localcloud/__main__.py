"""The `localcloud` command: runs the cloud, adds products, apps and users.

stdout is the result, stderr the story. Exit status: 0 good, 1 failed, 2 misused.
"""

import argparse
import asyncio
import contextlib
import getpass
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from . import catalog
from .app import Cloud, open_cloud_store
from .broker import BrokerError
from .http_server import ListenError
from .settings import BROKERS, Settings, SettingsError, default_data_dir, read_settings
from .store.database import StoreError
from .store.products import BOOLS

_FLAGS = ("data_dir", "http_host", "http_port", "mqtt_port", "broker", "advertised_host")


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
    except (BrokerError, ListenError, StoreError, catalog.CatalogError) as error:
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
    cloud.log.info("MQTT broker (%s) on mqtt://%s:%d", settings.broker, host, cloud.mqtt_port)
    cloud.log.info("device API on http://%s:%d/dev/devices", host, cloud.http_port)
    cloud.log.info("Open API on http://%s:%d/app", host, cloud.http_port)
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
        product, is_new = catalog.add_product(store, definition, args.secret, args.name, args.bools)
    print(product.product_key)
    print("%s product %s" % ("added" if is_new else "replaced", product.name), file=sys.stderr)


def _product_list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for product in store.products.all():
            print("%s %s" % (product.product_key, product.name))


def _app_add(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        print(catalog.add_app(store, args.name, args.app_id).app_id)


def _app_list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for app in store.products.all_apps():
            print(("%s %s" % (app.app_id, app.name)).rstrip())


def _user_add(args: argparse.Namespace, settings: Settings) -> None:
    # Never an argument: every user of the machine could read it there.
    if sys.stdin.isatty():
        password = getpass.getpass("password of %s: " % args.username)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with contextlib.closing(open_cloud_store(settings)) as store:
        print(catalog.add_user(store, args.username, password))


def _parser() -> argparse.ArgumentParser:
    parser = _command(
        argparse.ArgumentParser,
        "A self-hosted cloud for GAgent modules and Open API apps.",
        "localcloud product add lamp.json --secret 0123456789abcdef0123456789abcdef\n  localcloud run --http-port 8080",
        prog="localcloud",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); flags win over it")
    shared.add_argument(
        "--data", type=Path, dest="data_dir", metavar="DIR", help="database and broker files (%s)" % default_data_dir()
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(
        commands.add_parser,
        "Run the cloud until Ctrl-C or SIGTERM.",
        "localcloud run --data ./cloud --http-port 8080 --mqtt-port 1883\n"
        "  localcloud run --config /etc/localcloud.toml --broker mosquitto",
        name="run",
        parents=[shared],
    )
    run.add_argument("--host", dest="http_host", help="address to listen on, HTTP and MQTT (all addresses)")
    run.add_argument("--http-port", type=int, metavar="PORT", help="HTTP port (8080; original modules need 80)")
    run.add_argument("--mqtt-port", type=int, metavar="PORT", help="MQTT port (1883)")
    run.add_argument("--broker", choices=BROKERS, help="embedded (in this process) or mosquitto (must be installed)")
    run.add_argument(
        "--advertised-host", metavar="HOST", help="what devices are told to connect to (the address they came to)"
    )
    run.set_defaults(command=_run)

    products = commands.add_parser("product", help="add and list products").add_subparsers(required=True)
    add = _command(
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
    add.set_defaults(command=_product_add)
    _list(products, "List products: key and name.", [shared]).set_defaults(command=_product_list)

    apps = commands.add_parser("app", help="add and list apps").add_subparsers(required=True)
    add = _command(
        apps.add_parser,
        'Add an app id, a new one unless given. Prints it. Needed only with the setting apps = "listed".',
        "localcloud app add --name phone\n  localcloud app add 0123456789abcdef0123456789abcdef",
        name="add",
        parents=[shared],
    )
    add.add_argument("app_id", nargs="?", default="", metavar="APPID", help="32 hex digits")
    add.add_argument("--name", default="", help="for your own use")
    add.set_defaults(command=_app_add)
    _list(apps, "List apps: id and name.", [shared]).set_defaults(command=_app_list)

    users = commands.add_parser("user", help="add users").add_subparsers(required=True)
    add = _command(
        users.add_parser,
        "Add a user with a name and a password, asked for or read from the first line of stdin. Prints the uid.",
        "localcloud user add anna\n  localcloud user add anna < password-file",
        name="add",
        parents=[shared],
    )
    add.add_argument("username", metavar="NAME", help="what the user logs in with")
    add.set_defaults(command=_user_add)
    return parser


def _command(make: Any, what: str, examples: str, **options: Any) -> argparse.ArgumentParser:
    """A parser that teaches: `what` in its help, examples below."""
    if make is not argparse.ArgumentParser:
        options["help"] = what
    parser: argparse.ArgumentParser = make(
        description=what,
        epilog="examples:\n  " + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    return parser


def _list(commands: Any, what: str, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser("list", help=what, description=what, parents=parents)
    return parser


if __name__ == "__main__":
    sys.exit(main())
