"""The demo's product definition is one that the platform could have made: its rules for ids and positions."""

import json
from math import ceil, log2

from testkit.repository import ROOT

from mcu_proto.datapoint import Schema

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
ATTRS = PRODUCT["entities"][0]["attrs"]
TYPES = ("status_writable", "status_readonly", "alert", "fault")
DATA_TYPES = ("bool", "enum", "uint8", "uint16", "uint32", "binary")


def test_ids_count_in_the_platforms_order():
    order = [(TYPES.index(row["type"]), DATA_TYPES.index(row["data_type"])) for row in ATTRS]
    assert order == sorted(order)
    assert [row["id"] for row in ATTRS] == list(range(len(ATTRS)))
    assert {row["type"] for row in ATTRS} == set(TYPES)
    assert {row["data_type"] for row in ATTRS} == set(DATA_TYPES)


def test_positions_are_those_the_platform_computes():
    offset = 0
    for group in TYPES:
        bit = 0
        for row in ATTRS:
            if row["type"] == group and row["data_type"] in ("bool", "enum"):
                length = ceil(log2(len(row["enum"]))) if row["data_type"] == "enum" else 1
                assert row["position"] == {"byte_offset": offset, "bit_offset": bit, "len": length, "unit": "bit"}
                bit += length
        offset += ceil(bit / 8)
        for row in ATTRS:
            if row["type"] == group and row["data_type"] not in ("bool", "enum"):
                length = {"uint8": 1, "uint16": 2, "uint32": 4, "binary": row["position"]["len"]}[row["data_type"]]
                assert row["position"] == {"byte_offset": offset, "bit_offset": 0, "len": length, "unit": "byte"}
                offset += length


def test_schema_accepts_it():
    schema = Schema.from_definition(PRODUCT)
    assert schema.product_key == PRODUCT["product_key"]
    assert len(schema.product_key) == 32
