"""Leaves out what a profile's files define and nobody uses, after the constants were folded.

The core serves modules, MCUs, simulators and gateways; a chip is one module. What stays is what the files do when they
are loaded, and, of functions, classes and tables at the top of a file and of methods and tables of a class, those whose
name appears in what stays. A name that appears there keeps everything that bears it: too much may stay, nothing that is
used goes. An empty exception that nobody tells from others is the one it is derived from.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator

from . import exceptions, fold

# Calls that do nothing but make a value.
_PURE = {"namedtuple", "bytes", "bytearray", "tuple", "frozenset"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def shake(sources: "dict[str, str]", keep: "frozenset[str]" = frozenset()) -> "dict[str, str]":
    """Module name -> source without what is unused; all modules of the chip at once. `keep` is used from outside."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    steps = (_without_unused, _without_unused_imports, exceptions.without_untold)
    while any(step(trees, keep) for step in steps):
        pass
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def _without_unused(trees: "dict[str, ast.Module]", keep: "frozenset[str]") -> bool:
    """True when something went."""
    live = _live(trees, keep)
    gone = False
    for tree in trees.values():
        for body in _bodies(tree):
            for node in list(body):
                if _waits(node) and _defined(node) not in live:
                    body.remove(node)
                    gone = True
            if not body:
                body.append(ast.Pass())
    return gone


def _live(trees: "dict[str, ast.Module]", keep: "frozenset[str]") -> "set[str]":
    """Names that appear in what stays."""
    waiting = defaultdict(list)
    live: set[str] = set()
    pending = set(keep)
    # A class stays with its methods in wait for their names.
    bodies = [tree.body for tree in trees.values()]
    while bodies or pending:
        for node in bodies.pop() if bodies else ():
            if not _waits(node):
                pending |= _uses(node)
            elif _defined(node) in live:
                pending |= _own_uses(node, bodies)
            else:
                waiting[_defined(node)].append(node)
        name = pending.pop() if pending else ""
        live.add(name)
        for node in waiting.pop(name, ()):
            pending |= _own_uses(node, bodies)
    return live


def _own_uses(node: ast.stmt, bodies: "list[list[ast.stmt]]") -> "set[str]":
    """Of a definition that stays; the body of a class goes into `bodies`."""
    if not isinstance(node, ast.ClassDef):
        return _uses(node)
    bodies.append(node.body)
    return {name for part in (*node.bases, *node.keywords, *node.decorator_list) for name in _uses(part)}


def _waits(node: ast.stmt) -> bool:
    """Whether a statement does nothing until somebody names what it defines."""
    name = _defined(node)
    return bool(name) and not name.startswith("__")


def _bodies(tree: ast.Module) -> "Iterator[list[ast.stmt]]":
    """The statements of the file and of its classes."""
    yield tree.body
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.body


def _defined(node: ast.stmt) -> str:
    """The name that a statement does nothing but define, or ""."""
    if isinstance(node, _DEFINITIONS):
        return "" if node.decorator_list and not isinstance(node, ast.FunctionDef) else node.name
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id if _is_pure(node.value) else ""
    return ""


def _is_pure(value: ast.expr) -> bool:
    return all(
        isinstance(node.func, ast.Name) and node.func.id in _PURE
        for node in ast.walk(value)
        if isinstance(node, ast.Call)
    )


def _uses(tree: ast.AST) -> "set[str]":
    """Names that are read: as a name, an attribute, from an import, or as text that may be one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def _without_unused_imports(trees: "dict[str, ast.Module]", keep: "frozenset[str]") -> bool:
    """Imports of names that nobody reads go; True when some did. Others may read what a file imported from it."""
    from_outside = set(keep)
    imported = defaultdict(set)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                from_outside.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                imported[fold.source_of(module, node)].update(alias.name for alias in node.names)
    gone = False
    for module, tree in trees.items():
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | from_outside | imported[module]
        for body in _blocks(tree):
            for node in [node for node in body if isinstance(node, ast.ImportFrom)]:
                left = [alias for alias in node.names if (alias.asname or alias.name) in read]
                gone = gone or len(left) < len(node.names)
                node.names = left
                if not left:
                    body.remove(node)
            if not body:
                body.append(ast.Pass())
    return gone


def _blocks(tree: ast.Module) -> "Iterator[list[ast.stmt]]":
    """Every list of statements that is not empty."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            body = getattr(node, part, None)
            if isinstance(body, list) and body:
                yield body
