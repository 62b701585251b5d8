"""Modules that a chip needs seldom: loaded, let go of, loaded again; what they took is given back."""

import asyncio

import pytest
from testkit import upy_program

pytestmark = pytest.mark.micropython

PROGRAM = """
import gc
import sys

import gagent_upy
from gagent_upy.loading import let_go


def in_use():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


def load():
    from gagent_upy import storage

    return storage.load("nothing")


# The first time its names are learnt, for good.
load()
let_go("gagent_upy.storage")
before = in_use()
load()
while_loaded = in_use()
let_go("gagent_upy.storage")
let_go("gagent_upy.storage")
print(hasattr(gagent_upy, "storage"), "gagent_upy.storage" in sys.modules)
print(while_loaded - before > 500, in_use() - before <= 64)
print(load())
"""


def test_a_module_that_was_let_go_of_gives_its_room_back_and_can_be_loaded_again(tmp_path):
    gone, room, found = asyncio.run(upy_program.run(PROGRAM, tmp_path))
    assert gone == "False False"
    assert room == "True True"
    assert found == "(None, 0)"


def test_letting_go_of_what_is_not_loaded_is_harmless(tmp_path):
    program = "from gagent_upy.loading import let_go\nlet_go('gagent_upy.nothing')\nprint('well')"
    assert asyncio.run(upy_program.run(program, tmp_path)) == ["well"]
