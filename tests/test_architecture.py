"""The direction of dependencies, and what the core may not do. Each rule is also tried on a bad example."""

import ast
import re
import sys
from collections import namedtuple

import pytest
from testkit.repository import ROOT, packages, sources, text_files

# `ours` and `libraries` name a package, which allows all of it, or one module of it.
Edges = namedtuple("Edges", "ours libraries")

# What each package may import besides itself and, outside the core, the standard library.
EDGES = {
    "mcu_proto": Edges((), ()),
    # Not mcu_proto.datapoint: P0 crosses the agent undecoded, and a chip has no room for it. Not names: for people.
    "gagent": Edges(
        (
            "mcu_proto.const",
            "mcu_proto.errors",
            "mcu_proto.frame",
            "mcu_proto.link",
            "mcu_proto.subdevice",
            "mcu_proto.transfer",
            "mcu_proto.transfer_receiver",
            "mcu_proto.transfer_sender",
            "mcu_proto.transaction",
            "mcu_proto.message",
            "mcu_proto.module_info",
        ),
        (),
    ),
    # frame and names: `-v` shows frames as words. datapoint: local features, on a gateway that has the room.
    "gagent_linux": Edges(
        (
            "gagent",
            "mcu_proto.const",
            "mcu_proto.datapoint",
            "mcu_proto.errors",
            "mcu_proto.frame",
            "mcu_proto.message",
            "mcu_proto.names",
        ),
        ("serial", "paho", "crcmod", "cryptography"),
    ),
    "gagent_upy": Edges(("gagent", "mcu_proto.const", "mcu_proto.errors"), ()),
    # What makes the chip's code small works on texts, whatever is in them.
    "steps": Edges((), ()),
    "mcu_debugger": Edges(("mcu_proto", "gagent.wire"), ("serial", "crcmod", "rich", "textual", "segno")),
    # The envelope and what a firmware signature covers are shared, because both ends must agree; session logic is not.
    "localcloud": Edges(
        (
            "mcu_proto.const",
            "mcu_proto.datapoint",
            "mcu_proto.errors",
            "mcu_proto.message",
            "mcu_proto.names",
            "gagent.firmware",
            "gagent.wire",
            "gagent.topics",
        ),
        ("starlette", "uvicorn", "h11", "sqlalchemy", "alembic", "paho", "amqtt", "argon2", "cryptography", "segno"),
    ),
}

CORE = ("mcu_proto", "gagent")
# What exists on both interpreters and does no I/O.
CORE_STDLIB = {"collections", "struct", "json", "binascii", "micropython"}
CORE_FORBIDDEN_CALLS = {"print", "open", "input", "exec", "eval", "compile", "__import__"}

Import = namedtuple("Import", "module line")


def imports_of(source, module, modules):
    """Every import in `source`, the text of `module`: absolute, and down to a module that is one of `modules`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = node.module or ""
            if node.level:
                parent = ".".join([*module.split(".")[: -node.level], *filter(None, [node.module])])
            for alias in node.names:
                name = "%s.%s" % (parent, alias.name)
                found.append(Import(name if name in modules else parent, node.lineno))
    return found


def forbidden_edges(source, module, modules):
    """Imports of `module` that the table does not allow."""
    package = module.split(".")[0]
    edges = EDGES[package]
    wrong = []
    for target, line in imports_of(source, module, modules):
        top = target.split(".")[0]
        if top in EDGES:
            allowed = top == package or any(_within(target, name) for name in edges.ours)
        elif package in CORE:
            allowed = top in CORE_STDLIB
        elif package == "gagent_upy":
            allowed = True  # MicroPython's own modules: the subset lint looks after them
        else:
            allowed = top in sys.stdlib_module_names or top in edges.libraries
        if not allowed:
            wrong.append("line %d: %s may not import %s" % (line, package, target))
    return wrong


def forbidden_in_core(source):
    """Statements and calls that the core may not contain."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            wrong.append("line %d: assert" % node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CORE_FORBIDDEN_CALLS:
            wrong.append("line %d: %s()" % (node.lineno, node.func.id))
        elif isinstance(node, (ast.Global, ast.AsyncFunctionDef)):
            wrong.append("line %d: %s" % (node.lineno, type(node).__name__))
    return wrong


def imports_in_package_init(source):
    """Imports of a core package's `__init__`, where each would cost heap on a chip that needs only one module."""
    return [
        "line %d" % node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]


def machine_paths(text):
    """Names of the place where this was written: the repository stands alone."""
    return [match.group() for match in re.finditer(r"(?<![\w.-])/%s\b(?!-)|\.\./%s\b" % ("work", "shared"), text)]


def _within(target, name):
    return target == name or target.startswith(name + ".")


def _modules():
    """Module name -> path of every module of every package of ours."""
    found = {}
    for package, folder in packages().items():
        for path in sources(folder):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = _modules()
# An `__init__` is resolved from inside its package.
NAMED = {name + ".__init__" if path.name == "__init__.py" else name: path for name, path in MODULES.items()}


@pytest.mark.parametrize("module", NAMED)
def test_a_package_imports_only_what_the_table_allows(module):
    assert forbidden_edges(NAMED[module].read_text(), module, MODULES) == []


@pytest.mark.parametrize("module", [module for module in MODULES if module.split(".")[0] in CORE])
def test_the_core_asserts_nothing_prints_nothing_and_opens_nothing(module):
    assert forbidden_in_core(MODULES[module].read_text()) == []


@pytest.mark.parametrize("package", CORE)
def test_a_core_package_imports_nothing_by_itself(package):
    assert imports_in_package_init(MODULES[package].read_text()) == []


def test_every_package_has_its_row_in_the_table():
    assert set(packages()) <= set(EDGES)


@pytest.mark.parametrize("folder", ["ports", "ports/linux", "ports/micropython", "tools", "tests"])
def test_a_plain_folder_is_no_package(folder):
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_folder_of_the_tests_hides_a_package():
    folders = {path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()}
    assert folders & (set(EDGES) | {"demo", "bench"}) == set()


def test_nothing_names_the_machine_it_was_written_on():
    found = {str(path.relative_to(ROOT)): machine_paths(text) for path, text in text_files()}
    assert {path: names for path, names in found.items() if names} == {}


_KNOWN = {"gagent.wire", "gagent.agent", "mcu_proto.datapoint", "mcu_proto.frame", "localcloud.api.users"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mcu_proto.frame", "from gagent import wire"),
        ("mcu_proto.frame", "import time"),
        ("mcu_proto.frame", "def f():\n    import logging"),
        ("gagent.cloud", "import socket"),
        ("gagent.cloud", "from mcu_proto import datapoint"),
        ("gagent.cloud", "from mcu_proto.datapoint import Schema"),
        ("gagent.cloud", "import gagent_linux.storage"),
        ("gagent_linux.runner", "from mcu_proto.link import McuLink"),
        ("gagent_linux.runner", "import rich"),
        ("mcu_debugger.view", "from gagent.agent import Agent"),
        ("mcu_debugger.view", "from localcloud import routes"),
        ("localcloud.relay", "from gagent import agent"),
        ("localcloud.relay", "import gagent"),
        ("localcloud.api.users", "import serial"),
    ],
)
def test_the_table_finds_a_wrong_edge(module, source):
    assert len(forbidden_edges(source, module, _KNOWN)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mcu_proto.link", "from .frame import Frame\nfrom collections import namedtuple"),
        ("gagent.cloud", "from mcu_proto.errors import RemoteError\nfrom . import wire"),
        ("gagent_linux.runner", "import asyncio\nimport serial\nfrom gagent.agent import Agent"),
        ("localcloud.relay", "from gagent import wire\nfrom mcu_proto import datapoint\nimport paho.mqtt.client"),
        ("localcloud.api.users", "from .. import store\nfrom ..errors import ApiError\nfrom . import devices"),
        ("localcloud.api.__init__", "from . import users\nfrom .. import store"),
    ],
)
def test_the_table_leaves_a_right_edge_alone(module, source):
    assert forbidden_edges(source, module, _KNOWN) == []


@pytest.mark.parametrize("source", ["assert x", "print(1)", "f = open('x')", "global x", "async def f(): pass"])
def test_the_core_rules_find_a_bad_line(source):
    assert len(forbidden_in_core(source)) == 1


def test_the_init_rule_finds_an_import():
    assert imports_in_package_init("from .frame import Frame") == ["line 1"]


def test_the_path_rule_finds_a_path_and_leaves_words_alone():
    bad = "see /%s/main and ../%s/x" % ("work", "shared")
    assert machine_paths(bad) == ["/" + "work", "../" + "shared"]
    assert machine_paths("a/%s, /%sflows, the %s network" % ("work", "work", "shared")) == []
