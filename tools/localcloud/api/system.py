"""Open API manual, System Information: the version, the error table."""

from typing import TYPE_CHECKING

from ..errors import ERRORS
from ..request import Json, Request

if TYPE_CHECKING:
    from ..app import Cloud

# The edition of the Open API whose shapes are served.
VERSION = "2.36.0"


async def status(request: Request, cloud: "Cloud") -> Json:
    return Json({"status": {"version": VERSION}})


async def errors(request: Request, cloud: "Cloud") -> Json:
    return Json(
        [{"status": row.status, "error_code": code, "error_message": row.message} for code, row in ERRORS.items()]
    )
