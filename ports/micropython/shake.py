"""Leaves out what a profile's files define and nobody uses, after the constants were folded.

The core serves modules, MCUs, simulators and gateways; a chip is one module. What is left out: functions, classes and
tables at the top of a file, methods and tables of a class, and imports, whose name appears nowhere else in all files.
A name that appears anywhere keeps everything that bears it: too much may stay, nothing that is used goes.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator

import fold

# Calls that do nothing but make a value.
_PURE = {"namedtuple", "bytes", "bytearray", "tuple", "frozenset"}
_MANY = 4
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def shake(sources: "dict[str, str]", keep: "frozenset[str]" = frozenset()) -> "dict[str, str]":
    """Module name -> source without what is unused; all modules of the chip at once. `keep` is used from outside."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    while _without_unused_imports(trees, keep) or _without_unused(trees, keep):
        pass
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def _without_unused(trees: "dict[str, ast.Module]", keep: "frozenset[str]") -> bool:
    """True when something went."""
    used = sum((_uses(tree) for tree in trees.values()), Counter(dict.fromkeys(keep, 1)))
    gone = False
    for tree in trees.values():
        for body in _bodies(tree):
            for node in list(body):
                name = _defined(node)
                # A look inside is dear, and nothing names itself that often.
                if name and not name.startswith("__") and used[name] < _MANY and used[name] <= _uses(node)[name]:
                    body.remove(node)
                    gone = True
            if not body:
                body.append(ast.Pass())
    return gone


def _bodies(tree: ast.Module) -> "Iterator[list[ast.stmt]]":
    """The statements of the file and of its classes."""
    yield tree.body
    for node in ast.walk(tree):
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


def _uses(tree: ast.AST) -> "Counter[str]":
    """How often each name is read: as a name, an attribute, from an import, or as text that may be one."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found[node.id] += 1
        elif isinstance(node, ast.Attribute):
            found[node.attr] += 1
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.value] += 1
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
