"""What a MicroPython program may not contain: a lint over the syntax tree, because no compiler and no unix build tells.

The unix build has more than an ESP8266 (`str.partition`, `hashlib.md5`, ...) and CPython has more than both.
"""

import ast
import builtins
from collections import namedtuple
from collections.abc import Iterable, Iterator

from . import syntax

Finding = namedtuple("Finding", "line rule instead")
# `broken(node, facts)` is True for a node that breaks the rule; `instead` says why and what to write.
Rule = namedtuple("Rule", "broken instead")


def check(source: str, leave_out: tuple[str, ...] = ()) -> list[Finding]:
    """Every finding in `source`, by line; rules named in `leave_out` do not apply."""
    tree = ast.parse(source)
    facts = syntax.facts_of(tree, source)
    rules = [(name, rule) for name, rule in RULES.items() if name not in leave_out]
    found = [
        Finding(getattr(node, "lineno", 0), name, rule.instead)
        for node in _reachable(tree)
        for name, rule in rules
        if rule.broken(node, facts)
    ]
    return sorted(found)


def _reachable(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING:`, which never run."""
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        children = node.orelse
    for child in children:
        yield from _reachable(child)


_EXCEPTIONS = (
    "ArithmeticError AssertionError AttributeError EOFError ImportError IndentationError IndexError KeyError "
    "LookupError MemoryError NameError NotImplementedError OSError OverflowError RuntimeError SyntaxError "
    "TypeError UnicodeError ValueError ZeroDivisionError"
).split()
_MISSING_EXCEPTIONS = [
    name for name in dir(builtins) if name.endswith(("Error", "Warning", "Group")) and name not in _EXCEPTIONS
]

RULES: dict[str, Rule] = {
    "missing-module": Rule(
        syntax.imports(
            *"abc base64 contextlib copy dataclasses datetime enum functools hmac itertools logging os.path".split(),
            *"pathlib string traceback types unittest uuid weakref".split(),
        ),
        "not on MicroPython: tuples, const ints, binascii, plain code",
    ),
    "unix-only-module": Rule(
        syntax.imports("termios", "_thread", "threading", "subprocess", "signal", "ffi"),
        "not on a chip, whatever the unix build has",
    ),
    "typing": Rule(
        syntax.imports("typing", "__future__", "collections.abc"),
        "not on MicroPython: builtins or quoted text as annotations, or under `if TYPE_CHECKING:`",
    ),
    "annotation": Rule(syntax.annotation, "builtins and names of this file; quote a union or anything else"),
    "match": Rule(syntax.kind(ast.Match), "SyntaxError on MicroPython: if and elif"),
    "positional-only": Rule(syntax.positional_only, "SyntaxError on MicroPython: leave the slash out"),
    "unpacking-in-a-literal": Rule(syntax.unpacking_in_a_literal, "SyntaxError on MicroPython: list(a) + b, update()"),
    "except-star": Rule(syntax.kind(ast.TryStar), "SyntaxError on MicroPython: a loop"),
    "parenthesised-with": Rule(syntax.parenthesised_with, "SyntaxError on MicroPython: no parentheses, or nested"),
    "async-generator": Rule(syntax.async_generator, "broken on MicroPython: a class with __anext__"),
    "async-comprehension": Rule(syntax.async_comprehension, "SyntaxError on MicroPython: a loop"),
    "class-keyword": Rule(syntax.class_keyword, "TypeError on MicroPython: no metaclass, no class keywords"),
    "init-subclass": Rule(syntax.defines("__init_subclass__"), "never called on MicroPython"),
    "setattr": Rule(syntax.defines("__setattr__", "__delattr__"), "not in an ESP8266 build: a method of another name"),
    "two-native-bases": Rule(syntax.two_native_bases, "TypeError on MicroPython: one native base"),
    "slice-object": Rule(
        syntax.calls("slice"),
        "TypeError on MicroPython: keep start and stop",
    ),
    "step-slice": Rule(syntax.step_slice, "not on MicroPython for bytes and str: reversed(), or a loop over range()"),
    "complex": Rule(syntax.any_of(syntax.complex_literal, syntax.names("complex")), "not in an ESP8266 build"),
    "not-implemented": Rule(syntax.names("NotImplemented"), "not in an ESP8266 build: raise, or return False"),
    "pow-of-three": Rule(syntax.pow_of_three, "not in an ESP8266 build: pow(a, b) % c"),
    "file-name": Rule(syntax.names("__file__"), "not on a chip: the port knows its paths"),
    "partition": Rule(syntax.attributes("partition", "rpartition"), "not in an ESP8266 build: split(x, 1)"),
    "splitlines": Rule(syntax.attributes("splitlines"), "not in an ESP8266 build: split('\\n')"),
    "pad-text": Rule(
        syntax.attributes("center", "ljust", "rjust", "zfill", "expandtabs"),
        "not on MicroPython: % formatting, '%-8s' or '%04d'",
    ),
    "remove-affix": Rule(
        syntax.attributes("removeprefix", "removesuffix"), "not on MicroPython: startswith(), a slice"
    ),
    "character-class": Rule(
        syntax.attributes("isalnum", "isascii", "isdecimal", "isidentifier", "isnumeric", "isprintable", "istitle"),
        "not on MicroPython: isalpha() and isdigit(), or compare with a set of characters",
    ),
    "letter-case": Rule(
        syntax.attributes("capitalize", "casefold", "swapcase", "title", "translate", "maketrans", "format_map"),
        "not on MicroPython: lower() and upper()",
    ),
    "split-keyword": Rule(
        syntax.any_of(syntax.keyword("split", "sep", "maxsplit"), syntax.keyword("rsplit", "sep", "maxsplit")),
        "TypeError on MicroPython: split(sep, n) by position",
    ),
    "bit-length": Rule(
        syntax.attributes("bit_length", "bit_count", "as_integer_ratio", "is_integer"),
        "not on MicroPython: a loop with >>, or //",
    ),
    "bytes-of-int-keyword": Rule(
        syntax.from_bytes_keyword, 'no keywords before 1.29, never signed: (v & 0xFFFF).to_bytes(2, "big")'
    ),
    "codec-errors": Rule(syntax.codec_errors, "new in 1.29: decode() under try: except UnicodeError"),
    "number-keyword": Rule(
        syntax.any_of(syntax.keyword("int", "base"), syntax.keyword("sum", "start")), "TypeError: by position"
    ),
    "text-keyword": Rule(
        syntax.any_of(syntax.keyword("str", "encoding", "errors"), syntax.keyword("bytes", "encoding", "errors")),
        "not on MicroPython: str(data, 'utf-8'), or decode()",
    ),
    "zip-strict": Rule(syntax.keyword("zip", "strict"), "TypeError on MicroPython: compare the lengths first"),
    "struct-bool": Rule(syntax.struct_bool, "bad typecode on MicroPython: B"),
    "struct-class": Rule(
        syntax.attributes_of("struct", "Struct", "iter_unpack", "error"),
        "not on MicroPython: struct.pack and unpack_from; ValueError",
    ),
    "memoryview-method": Rule(
        syntax.attributes("cast", "tobytes", "release", "tolist", "itemsize"), "not on MicroPython: bytes(view)"
    ),
    "bytearray-method": Rule(syntax.bytearray_method, "not on MicroPython: b[:n] = b'', or an index of your own"),
    "slice-deletion": Rule(syntax.slice_deletion, "TypeError on MicroPython for a bytearray: b[:n] = b''"),
    "namedtuple-extras": Rule(
        syntax.any_of(
            syntax.attributes("_replace", "_asdict", "_make", "_fields", "_field_defaults"),
            syntax.keyword("namedtuple", "defaults", "rename", "module"),
        ),
        "not on MicroPython: give every field; make a new one",
    ),
    "deque-length": Rule(syntax.deque_without_length, "TypeError on MicroPython: deque((), n)"),
    "missing-collection": Rule(
        syntax.attributes_of("collections", "defaultdict", "Counter", "ChainMap", "UserDict", "UserList", "UserString"),
        "not on MicroPython: dict.get and setdefault",
    ),
    "json-extras": Rule(
        syntax.any_of(
            syntax.attributes("JSONDecodeError", "JSONEncoder", "JSONDecoder"),
            syntax.keyword("dumps", "indent", "sort_keys", "default", "ensure_ascii", "cls"),
            syntax.keyword("dump", "indent", "sort_keys", "default", "ensure_ascii", "cls"),
            syntax.keyword("loads", "object_hook", "parse_float", "parse_int", "cls"),
        ),
        "not on MicroPython: dumps(x), loads(x), ValueError",
    ),
    "md5": Rule(
        syntax.attributes_of("hashlib", "md5", "new", "file_digest"), "not in an ESP8266 build: the port hashes"
    ),
    "hexdigest": Rule(syntax.attributes("hexdigest"), "not on MicroPython: binascii.hexlify(h.digest())"),
    "crc32": Rule(syntax.attributes_of("binascii", "crc32"), "not in an ESP8266 build: the port hashes"),
    "os-extras": Rule(
        syntax.any_of(syntax.attributes_of("os", "replace", "fsync"), syntax.attributes("fsync", "fileno")),
        "not on MicroPython: os.rename replaces, flush() and os.sync()",
    ),
    "os-error-attribute": Rule(syntax.os_error_attribute, "not on MicroPython: error.args[0]"),
    "missing-exception": Rule(
        syntax.names(
            *_MISSING_EXCEPTIONS,
        ),
        "not on MicroPython: OSError, ValueError, UnicodeError, asyncio.TimeoutError",
    ),
    "missing-builtin": Rule(
        syntax.names("ascii", "format", "vars", "aiter", "anext", "breakpoint", "exit", "quit"),
        "not on MicroPython: % formatting, getattr()",
    ),
    "raise-from": Rule(
        syntax.any_of(syntax.raise_from, syntax.attributes("__cause__", "__context__", "__traceback__")),
        "MicroPython drops the chain and prints a warning: put the cause into the message",
    ),
    "slots": Rule(syntax.slots, "not enforced on MicroPython and saves nothing: plain attributes"),
    "private-import": Rule(syntax.private_import, "a const whose name begins with _ vanishes when compiled"),
    "clock": Rule(
        syntax.attributes_of("time", "time", "monotonic", "perf_counter", "time_ns", "ticks_ms", "ticks_us"),
        "not the same on both sides: time comes in as `now`",
    ),
    "asyncio-missing": Rule(
        syntax.any_of(
            syntax.attributes_of("asyncio", "Queue", "Semaphore", "Condition", "TaskGroup", "timeout", "to_thread"),
            syntax.attributes("call_later", "call_soon", "add_reader", "add_writer", "readuntil"),
            syntax.attributes(
                "is_closing", "at_eof", "create_datagram_endpoint", "DatagramProtocol", "add_done_callback"
            ),
        ),
        "not on MicroPython: Event and a deque, a polling task",
    ),
    "task-of-a-sleep": Rule(syntax.task_of_a_sleep, "TypeError on MicroPython: wrap it in a coroutine of your own"),
    "float": Rule(syntax.float_literal, "30 bits on an ESP8266: scaled integers"),
}
