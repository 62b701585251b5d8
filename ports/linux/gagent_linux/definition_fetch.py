"""A product's definition from the cloud, once: asked until it comes, then kept. Open API manual, GET /app/datapoint."""

import asyncio
import os
import ssl
from collections.abc import Callable
from urllib.parse import quote

from gagent import effects as e
from gagent.backoff import Backoff

from .definition_store import MAX_BYTES, Definition, DefinitionError, DefinitionStore
from .http_client import HttpClient
from .log import PortLog


class DefinitionFetch:
    """`on_definition(product key, definition)` once for each `want`, unless another one or `stop` came before."""

    def __init__(
        self,
        store: DefinitionStore,
        api: str,
        app_id: str,
        on_definition: Callable[[str, Definition], None],
        log: PortLog,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._store = store
        self._api = api
        self._app_id = app_id
        self._on_definition = on_definition
        self._log = log
        self._http = HttpClient(
            self._answered,
            self._failed,
            tls=tls,
            headers={"X-Gizwits-Application-Id": app_id},
            max_body=MAX_BYTES,
        )
        self._backoff = Backoff(os.urandom)
        self._retry: asyncio.TimerHandle | None = None
        self._product_key = ""
        self._ref = 0
        self._trouble = ""

    def want(self, product_key: str) -> None:
        """Find the definition of `product_key`: the kept one, or the cloud's."""
        self.stop()
        self._product_key = product_key
        self._trouble = ""
        kept = self._store.load(product_key)
        if kept is not None:
            self._on_definition(product_key, kept)
        elif self._app_id:
            self._ask()
        else:
            self._log.warning(
                "no definition of product key %.40s, only raw P0 is bridged: name its file in `product` of the port, "
                "or set `app_id` of [bridge] to have it fetched from the cloud",
                product_key,
            )

    def stop(self) -> None:
        """Give up what is under way."""
        self._ref += 1
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def close(self) -> None:
        """The same, for good."""
        self.stop()
        self._http.close()

    def _ask(self) -> None:
        self._retry = None
        self._ref += 1
        url = "%s/app/datapoint?product_key=%s" % (self._api, quote(self._product_key, safe=""))
        self._http.request(e.HttpRequest(self._ref, "GET", url, b""))

    def _answered(self, ref: int, status: int, body: bytes) -> None:
        if ref != self._ref:
            return
        if status != 200:
            self._failed(ref, "HTTP %d: %.200r" % (status, body))
            return
        try:
            definition = self._store.keep(self._product_key, body)
        except DefinitionError as error:
            self._failed(ref, str(error))
            return
        self._log.info("definition of product key %s fetched and kept", self._product_key)
        self._on_definition(self._product_key, definition)

    def _failed(self, ref: int, reason: str) -> None:
        if ref != self._ref:
            return
        wait = self._backoff.delay(int(asyncio.get_running_loop().time() * 1000))
        self._retry = asyncio.get_running_loop().call_later(wait / 1000, self._ask)
        if reason != self._trouble:
            self._trouble = reason
            self._log.warning(
                "no definition of product key %.40s from the cloud, only raw P0 is bridged: %s; trying again, check "
                "`api`, and `app_id` of [bridge]",
                self._product_key,
                reason,
            )
