"""Every file that runs on a chip keeps to the MicroPython subset; every rule of the lint finds its bad line."""

import pytest
from testkit.micropython_subset import RULES, check
from testkit.repository import ROOT, chip_sources

SOURCES = {str(path.relative_to(ROOT)): path for path in chip_sources()}
# A port on a chip has its clock, and its waits may be fractions of a second.
IN_A_PORT = ("clock", "float")


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_keeps_to_the_subset(name):
    leave_out = IN_A_PORT if name.startswith("ports") else ()
    found = check(SOURCES[name].read_text(), leave_out)
    assert found == [], "\n".join("%s:%d: %s: %s" % (name, *finding) for finding in found)


# rule, a line that breaks it, the same thing said so that it does not.
EXAMPLES = [
    ("missing-module", "from dataclasses import dataclass", "from collections import namedtuple"),
    ("missing-module", "import os.path", "import os"),
    ("missing-module", "from os import path", "from os import rename"),
    ("unix-only-module", "import threading", "import select"),
    ("typing", "from typing import Any", "if TYPE_CHECKING:\n    from typing import Any"),
    ("typing", "from __future__ import annotations", "import json"),
    ("annotation", "def f(a) -> int | None: pass", "def f(a) -> 'int | None': pass"),
    ("annotation", "def f(a: Frame): pass", "from .frame import Frame\ndef f(a: Frame, b: list[int]) -> bytes: pass"),
    ("annotation", "x: Frame = 1", "x: 'Frame' = 1"),
    ("match", "match x:\n    case 1: pass", "match = x"),
    ("positional-only", "def f(a, /): pass", "def f(a, *, b): pass"),
    ("unpacking-in-a-literal", "x = [*a, 1]", "x = list(a) + [1]"),
    ("unpacking-in-a-literal", "x = (*a, 1)", "x, *y = a"),
    ("unpacking-in-a-literal", "x = {**a}", "f(**a)"),
    ("except-star", "try: pass\nexcept* ValueError: pass", "try: pass\nexcept (ValueError, OSError): pass"),
    ("parenthesised-with", "with (f() as a, g() as b):\n    pass", "with f() as a, g() as b:\n    pass"),
    ("parenthesised-with", "with (\n    f() as a,\n    g(),\n):\n    pass", "with (f)(1, 2), g() as b:\n    pass"),
    ("parenthesised-with", "with (f() as a):\n    pass", "with (f()) as a:\n    pass"),
    ("async-generator", "async def f():\n    yield 1", "def f():\n    yield 1"),
    ("async-comprehension", "async def f():\n    return [x async for x in y]", "x = [x for x in y]"),
    ("class-keyword", "class A(metaclass=B): pass", "class A(B): pass"),
    ("init-subclass", "class A:\n    def __init_subclass__(cls): pass", "class A:\n    def __init__(self): pass"),
    ("setattr", "class A:\n    def __setattr__(self, a, b): pass", "class A:\n    def __getattr__(self, a): pass"),
    ("two-native-bases", "class A(int, str): pass", "class A(B, Exception): pass"),
    ("slice-object", "x = slice(1, 2)", "x = y[1:2]"),
    ("step-slice", "x = y[::-1]", "x = y[1:]"),
    ("complex", "x = 1j", "x = 1"),
    ("not-implemented", "def f(): return NotImplemented", "raise NotImplementedError"),
    ("pow-of-three", "x = pow(a, b, c)", "x = pow(a, b)"),
    ("file-name", "x = __file__", "x = __name__"),
    ("partition", "x = y.partition('.')", "x = y.split('.', 1)"),
    ("splitlines", "x = y.splitlines()", "x = y.split('\\n')"),
    ("pad-text", "x = y.zfill(4)", "x = '%04d' % y"),
    ("pad-text", "x = y.ljust(4)", "x = '%-4s' % y"),
    ("remove-affix", "x = y.removeprefix('a')", "x = y.startswith('a')"),
    ("character-class", "x = y.isalnum()", "x = y.isdigit()"),
    ("letter-case", "x = y.title()", "x = y.upper()"),
    ("split-keyword", "x = y.split(maxsplit=1)", "x = y.split(None, 1)"),
    ("bit-length", "x = y.bit_length()", "x = self.bit_length()"),
    ("bytes-of-int-keyword", "x = int.from_bytes(y, 'big', signed=True)", "x = int.from_bytes(y, 'big')"),
    ("bytes-of-int-keyword", "x = y.to_bytes(length=2, byteorder='big')", "x = y.to_bytes(2, 'big')"),
    ("codec-errors", "x = y.decode(errors='replace')", "x = y.decode()"),
    ("codec-errors", "x = y.decode('utf-8', 'replace')", "x = wire.encode(CMD, p0)"),
    ("number-keyword", "x = int(y, base=16)", "x = int(y, 16)"),
    ("text-keyword", "x = str(y, encoding='ascii')", "x = str(y, 'ascii')"),
    ("zip-strict", "x = zip(a, b, strict=True)", "x = zip(a, b)"),
    ("struct-bool", "x = struct.pack('>?', 1)", "x = struct.pack('>B', 1)"),
    ("struct-class", "x = struct.Struct('>B')", "x = struct.unpack_from('>B', y, 2)"),
    ("struct-class", "from struct import error", "from struct import pack"),
    ("memoryview-method", "x = memoryview(y).tobytes()", "x = bytes(memoryview(y))"),
    ("bytearray-method", "b = bytearray(3)\nb.clear()", "b = []\nb.clear()"),
    ("bytearray-method", "self.b = bytearray()\nself.b.pop()", "self.b = bytearray()\nself.b[:1] = b''"),
    ("slice-deletion", "del b[:2]", "del b[2]"),
    ("namedtuple-extras", "x = y._replace(a=1)", "x = self._fields"),
    ("namedtuple-extras", "A = namedtuple('A', ('b',), defaults=(1,))", "A = namedtuple('A', ('b',))"),
    ("deque-length", "x = deque()", "x = deque((), 5)"),
    ("deque-length", "x = deque((), maxlen=5)", "x = collections.deque((), 5)"),
    ("missing-collection", "from collections import defaultdict", "from collections import OrderedDict"),
    ("json-extras", "x = json.dumps(y, indent=1)", "x = json.dumps(y, separators=(',', ':'))"),
    ("json-extras", "try: pass\nexcept json.JSONDecodeError: pass", "try: pass\nexcept ValueError: pass"),
    ("md5", "x = hashlib.md5(y)", "x = hashlib.sha256(y)"),
    ("hexdigest", "x = h.hexdigest()", "x = h.digest().hex()"),
    ("crc32", "x = binascii.crc32(y)", "x = binascii.hexlify(y)"),
    ("os-extras", "os.replace(a, b)", "os.rename(a, b)"),
    (
        "os-error-attribute",
        "try: pass\nexcept OSError as e: x = e.errno",
        "try: pass\nexcept OSError as e: x = e.args[0]",
    ),
    ("missing-exception", "try: pass\nexcept ConnectionError: pass", "try: pass\nexcept OSError: pass"),
    ("missing-exception", "try: pass\nexcept TimeoutError: pass", "try: pass\nexcept asyncio.TimeoutError: pass"),
    ("missing-exception", "raise FileNotFoundError", "raise ValueError"),
    ("missing-builtin", "x = vars(y)", "x = dir(y)"),
    ("raise-from", "raise ValueError from e", "raise ValueError(e.args)"),
    ("slots", "class A:\n    __slots__ = ('a',)", "class A:\n    slots = ('a',)"),
    ("private-import", "from .const import _HIDDEN", "from .const import SHOWN"),
    ("clock", "x = time.time()", "x = time.localtime(now)"),
    ("asyncio-missing", "x = asyncio.Queue()", "x = asyncio.Event()"),
    ("task-of-a-sleep", "asyncio.create_task(asyncio.sleep(1))", "asyncio.create_task(run())"),
    ("float", "x = 0.5", "x = 1"),
]


@pytest.mark.parametrize(("rule", "bad", "good"), EXAMPLES, ids=["%s-%s" % (row[0], row[1][:20]) for row in EXAMPLES])
def test_a_rule_finds_its_bad_line_and_leaves_the_good_one(rule, bad, good):
    assert {finding.rule for finding in check(bad)} == {rule}
    assert check(good) == []


def test_every_rule_has_an_example():
    assert {row[0] for row in EXAMPLES} == set(RULES)


def test_a_finding_names_the_line():
    assert check("x = 1\ny = x.zfill(2)")[0].line == 2


def test_a_rule_can_be_left_out():
    assert check("x = 0.5", leave_out=("float",)) == []
