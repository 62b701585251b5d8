"""A program of the operator's that does what this cloud cannot: send an SMS, ask another company who somebody is.

It gets one JSON object on stdin and answers with its exit status; what it writes to stdout is a JSON object or nothing.
It runs without a shell, and what is secret in the object is in no argument, which every user of the machine could read.
"""

import asyncio
import contextlib
import json
from typing import Any

# Seconds. An app waits for the answer, and most give up after ten.
TIMEOUT = 8.0
MAX_OUTPUT = 65536


class HookError(Exception):
    """The program could not be run, failed, or answered nonsense; says which, and nothing of what it was given."""


class HookRefusal(Exception):
    """The program ran and said no: exit status 1."""


async def run_hook(command: tuple[str, ...], what: dict[str, Any]) -> dict[str, Any]:
    """What the program answers to `what`; HookRefusal or HookError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise HookError("%s cannot be run: %s" % (command[0], error.strerror)) from None
    try:
        output, _ = await asyncio.wait_for(process.communicate(json.dumps(what).encode()), TIMEOUT)
    except TimeoutError:
        raise HookError("%s did not end within %d s" % (command[0], TIMEOUT)) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 1:
        raise HookRefusal
    if process.returncode != 0:
        raise HookError("%s ended with status %s" % (command[0], process.returncode))
    return _object(command[0], output)


def _object(program: str, output: bytes) -> dict[str, Any]:
    if not output.strip():
        return {}
    try:
        value = json.loads(output[:MAX_OUTPUT])
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HookError("%s wrote something else than a JSON object to stdout" % program)
    return value
