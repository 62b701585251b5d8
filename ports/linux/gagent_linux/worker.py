"""One blocking call in a thread of its own; what comes of it is handed to the event loop.

For what cannot be had without blocking: name resolution, HTTP, opening a serial port over the network. The threads are
daemons, so a resolver that hangs for a minute does not keep the process from stopping within two seconds.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any


async def run(function: Callable, *args: Any, discard: Callable[[Any], object] | None = None) -> Any:
    """What `function(*args)` returns or raises; when the caller was cancelled before, `discard(result)` gets it."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    threading.Thread(target=_work, args=(loop, future, function, args, discard), daemon=True).start()
    return await future


def _work(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future, function: Callable, args: tuple, discard: Callable | None
) -> None:
    result: Any = None
    error: BaseException | None = None
    try:
        result = function(*args)
    except BaseException as e:  # not swallowed: it is raised where the result is awaited
        error = e
    try:
        loop.call_soon_threadsafe(_hand_over, future, result, error, discard)
    except RuntimeError:  # the loop is closed: nobody waits any more
        _drop(result, error, discard)


def _hand_over(future: asyncio.Future, result: Any, error: BaseException | None, discard: Callable | None) -> None:
    if future.cancelled():
        _drop(result, error, discard)
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _drop(result: Any, error: BaseException | None, discard: Callable | None) -> None:
    if discard is not None and error is None:
        discard(result)
