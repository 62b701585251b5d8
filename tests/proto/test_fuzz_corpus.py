"""The corpus of the fuzz targets, run through the same functions without a fuzzer; and what fuzzing found, by rule."""

import tracemalloc

import pytest
from fuzz.corpus import read_corpus
from fuzz.targets import TARGETS

from mcu_proto.datapoint import Schema, decimal
from mcu_proto.errors import AttrError

UINT8 = {"id": 0, "name": "level", "type": "status_writable", "data_type": "uint8"}
# Ten times what the largest definition of the corpus needs, far below what a hostile one could ask for without limits.
MEMORY = 64 << 20


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_corpus_of_a_target_passes(target):
    inputs = read_corpus(target)
    assert inputs
    for data in inputs:
        TARGETS[target](data)


def test_no_definition_of_the_corpus_needs_much_memory():
    tracemalloc.start()
    try:
        for data in read_corpus("definition"):
            TARGETS["definition"](data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


# Found by the targets `definition`, `layout` and `number`.


def _schema(**uint_spec):
    return Schema.from_definition({"product_key": "k", "entities": [{"attrs": [{**UINT8, "uint_spec": uint_spec}]}]})


@pytest.mark.parametrize("key", ["min", "max"])
@pytest.mark.parametrize("limit", [float("inf"), float("-inf"), float("nan")])
def test_a_limit_that_is_no_number_names_the_attribute(key, limit):
    with pytest.raises(AttrError, match="level: has the limit"):
        _schema(**{key: limit})


def test_a_raw_value_below_zero_is_refused_whatever_the_minimum():
    schema = _schema(min=-3)
    assert schema.encode_report({"level": 0}) == b"\x04\x00"
    with pytest.raises(AttrError, match="level: -1 is not within 0 to 255"):
        schema.encode_report({"level": -1})


@pytest.mark.parametrize("ratio", [10**5000, "1" * 400, 1e300], ids=["int", "text", "float"])
def test_a_ratio_beyond_any_number_is_refused(ratio):
    with pytest.raises(AttrError, match=r"level: .*beyond any datapoint"):
        _schema(ratio=ratio, addition=0.5)


@pytest.mark.parametrize("text", ["1e", ".2e", "1.5 e3", "1e 5", ".-5", "1_0", "1._5", "+-5", "", ".", "e5"])
def test_text_that_only_looks_like_a_number_is_refused(text):
    with pytest.raises(AttrError, match="is no number"):
        decimal("level", text)


def test_a_huge_value_is_refused_in_one_line():
    with pytest.raises(AttrError, match="beyond any datapoint") as error:
        _schema().encode_control({"level": 10**5000})
    assert len(str(error.value)) < 100
