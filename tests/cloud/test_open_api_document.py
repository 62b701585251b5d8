"""OPEN_API.md against the table of routes, the vendor's description, and the tests it names."""

import re
from typing import NamedTuple

import pytest
from localcloud.routes import ROUTES
from testkit import open_api_schema
from testkit.repository import ROOT

TESTS = ROOT / "tests" / "cloud"
# Pages for people, which answers and mails lead to; what brokers and the console ask.
OTHERS = ("/captcha/", "/account/", "/broker/", "/console/")


class Row(NamedTuple):
    operation: tuple[str, str]
    word: str
    test: str


def _rows() -> list[Row]:
    text = (ROOT / "tools" / "localcloud" / "OPEN_API.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \| (\w*) ?\|", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^\| `", text, re.MULTILINE)), "a row that is not read"
    return [Row((method, path), word, test) for method, path, word, test in found]


ROWS = _rows()
SERVED = {(route.method, route.path) for route in ROUTES if not route.path.startswith(OTHERS)}


def test_no_endpoint_has_two_rows():
    operations = [row.operation for row in ROWS]
    assert sorted(operations) == sorted(set(operations))


def test_every_documented_endpoint_has_a_row():
    assert set(open_api_schema.documented()) <= {row.operation for row in ROWS}


def test_what_is_said_to_work_is_what_is_routed():
    assert {row.operation for row in ROWS if row.word != "not"} == SERVED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.operation))
def test_a_row_says_one_of_three_words_and_names_a_test_that_exists(row):
    assert row.word in ("works", "partly", "not")
    if row.word != "not":
        assert re.search(r"^def %s\(" % row.test, _all_tests(), re.MULTILINE), "no test %r" % row.test


@pytest.mark.parametrize("row", [row for row in ROWS if row.word == "not"], ids=lambda row: " ".join(row.operation))
def test_what_is_not_served_says_so(cloud, row):
    method, path = row.operation
    reply = cloud.app(method, re.sub(r"\{\w+\}", "1", path), token=cloud.user())
    assert (reply.status, reply.code) == (404, 9045)


def _all_tests() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(TESTS.glob("test_*.py")))
