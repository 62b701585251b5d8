"""The vendor's machine-readable Open API 2.36 as an oracle: requests by the thousand, and whether an answer may be so.

The description knows success only. A refusal is right when status, code and message are one row of the error table.
"""

import copy
import functools
import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from localcloud.errors import ERRORS
from schemathesis import GenerationMode
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from testkit.cloud_running import APP_ID, RunningCloud
from testkit.patience import PATIENCE_S
from testkit.people import app_token
from testkit.repository import ROOT

FILE = ROOT / "tests" / "cloud" / "open_api_2_36.yml"
METHODS = ("get", "put", "post", "delete")

# Where the manual's examples and the answers that clients read differ from the description: (path in it, what is so).
CORRECTIONS = (
    (("definitions", "ErrorModel", "properties", "error_code"), {"type": "integer"}),
    (("definitions", "DeviceRTData", "properties", "objects", "items", "properties", "timestamp"), {"type": "number"}),
    (("definitions", "DeviceItem", "properties", "mesh_id"), {"type": "string", "x-nullable": True}),
    (("definitions", "DeviceItem", "properties", "gw_did"), {"type": "string", "x-nullable": True}),
    (("definitions", "BindingUserItem", "properties", "username"), {"type": "string", "x-nullable": True}),
    (("definitions", "BindingUserItem", "properties", "phone"), {"type": "string", "x-nullable": True}),
    (("definitions", "BindingUserItem", "properties", "email"), {"type": "string", "x-nullable": True}),
    (
        ("paths", "/app/devdata/{did}/latest", "get", "responses", "200", "schema", "properties", "updated_at"),
        {"type": "integer"},
    ),
)


def caller(cloud: RunningCloud, name: str, mac: str) -> dict[str, str]:
    """The headers of a new user of an app, bound to the device of that mac."""
    token = cloud.user(name)
    cloud.bind(token, mac)
    return {
        "X-Gizwits-Application-Id": APP_ID,
        "X-Gizwits-Application-Token": app_token(cloud),
        "X-Gizwits-User-token": token,
    }


def documented() -> list[tuple[str, str]]:
    """(method, path) of every operation of the description."""
    paths = _description()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in METHODS if method in item]


def fuzz(
    operation: tuple[str, str], base_url: str, headers: dict[str, str], did: str, cases: int, seed_: int
) -> dict[str, int]:
    """Sends that many requests, half of them wrong on purpose; how often each answer came, or AssertionError.

    All bear `headers`, which say who calls. Where the path names a device, every second request is about `did`.
    """
    described = _operation(operation)
    strategies = [described.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    if "{did}" in operation[1]:
        strategies.append(described.as_strategy(GenerationMode.POSITIVE, path_parameters={"did": did}))
        strategies.append(described.as_strategy(GenerationMode.NEGATIVE, path_parameters={"did": did}))
    answers: dict[str, int] = {}

    @seed(seed_)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(strategies))
    def run(case: Any) -> None:
        case.headers = {**(case.headers or {}), **headers}
        response = case.call(base_url=base_url, timeout=PATIENCE_S)
        words = _checked(case, response)
        answers[words] = answers.get(words, 0) + 1

    run()
    return dict(sorted(answers.items()))


def _checked(case: Any, response: Any) -> str:
    """The answer in a word; AssertionError when neither the description nor the error table allows it."""
    told = "%s\nHTTP %d %r" % (case.as_curl_command(), response.status_code, response.content[:500])
    kind = response.headers.get("content-type", [""])[0]
    if response.status_code < 300:
        documented_codes = case.operation.definition.raw["responses"]
        assert str(response.status_code) in documented_codes, "a status that is not documented\n" + told
        if response.status_code == 204:
            assert response.content == b"", told
            return "204"
        assert kind == "application/json", told
        try:
            case.validate_response(response, checks=[response_schema_conformance])
        except (FailureGroup, InvalidSchema) as error:
            raise AssertionError("%s\n%s" % (error, told)) from None
        return str(response.status_code)
    assert kind == "application/json", told
    body = json.loads(response.content)
    row = ERRORS.get(body.get("error_code"))
    assert row is not None, "no code of the table\n" + told
    assert (row.status, row.message) == (response.status_code, body["error_message"]), told
    assert response.status_code < 500, told
    return "%d %d" % (response.status_code, body["error_code"])


def _operation(operation: tuple[str, str]) -> Any:
    description = copy.deepcopy(_description())
    for place, value in CORRECTIONS:
        _set(description, place, value)
    method, path = operation
    return schemathesis.openapi.from_dict(description)[path][method]


@functools.cache
def _description() -> dict[str, Any]:
    loaded: dict[str, Any] = schemathesis.openapi.from_path(FILE).raw_schema
    return loaded


def _set(description: dict[str, Any], path: tuple[str, ...], value: dict[str, Any]) -> None:
    for name in path[:-1]:
        description = description[name]
    # A correction of what is not there would correct nothing, silently.
    assert path[-1] in description, path
    description[path[-1]] = value
