"""Puts the numbers of the protocol where they are used, before the chip's files are compiled.

`from .const import CMD_RESET_MODULE` is right for people and dear on a chip: each name costs heap in the module that
defines it and again in each that imports it. MicroPython's compiler folds constants within a file only, so this does it
across files: every `NAME = const(...)` is replaced by its value wherever it is read, and the names go. Nothing else
changes; the tests run the folded files under MicroPython.
"""

import ast
from pathlib import Path

# Pure functions of integers that a value may be made of.
_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.LShift: lambda a, b: a << b,
    ast.BitOr: lambda a, b: a | b,
}


def fold(sources: "dict[str, str]") -> "dict[str, str]":
    """Module name -> folded source; all modules of the chip at once, because they read each other's constants."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    constants: dict[str, dict[str, int]] = {}
    # A constant may be made of another module's: as many rounds as it takes.
    while True:
        found = {name: _constants_of(name, tree, constants) for name, tree in trees.items()}
        if found == constants:
            break
        constants = found
    return {name: ast.unparse(_folded(name, tree, constants)) for name, tree in trees.items()}


def _constants_of(module: str, tree: ast.Module, constants: "dict[str, dict[str, int]]") -> "dict[str, int]":
    """Name -> value of the constants that a module defines at its top, or imports: others may have them from it."""
    found = _imported(module, tree, constants)
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = _value(node.value, found)
            if value is not None and name.strip("_").isupper():
                found[name] = value
    return found


def _value(node: ast.expr, known: "dict[str, int]") -> "int | None":
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const":
        return _value(node.args[0], known)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, known), _value(node.right, known)
        if left is not None and right is not None:
            return _OPERATORS[type(node.op)](left, right)
    return None


def _imported(module: str, tree: ast.AST, constants: "dict[str, dict[str, int]]") -> "dict[str, int]":
    """Name in this module -> value of the constants that it imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            values = constants.get(source_of(module, node), {})
            for alias in node.names:
                if alias.name in values:
                    found[alias.asname or alias.name] = values[alias.name]
    return found


def source_of(module: str, node: ast.ImportFrom) -> str:
    """The full name of the module that a `from ... import` reads."""
    if not node.level:
        return node.module or ""
    package = module.rsplit(".", node.level)[0]
    return "%s.%s" % (package, node.module) if node.module else package


def _folded(module: str, tree: ast.Module, constants: "dict[str, dict[str, int]]") -> ast.Module:
    folder = _Folder(module, tree, constants)
    return ast.fix_missing_locations(folder.visit(tree))


class _Folder(ast.NodeTransformer):
    def __init__(self, module: str, tree: ast.Module, constants: "dict[str, dict[str, int]]") -> None:
        self._module = module
        self._constants = constants
        self._values = {**_imported(module, tree, constants), **constants[module]}
        # Modules by the names they have here: `wire.CLOUD_REPORT`.
        self._modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    full = "%s.%s" % (source_of(module, node), alias.name)
                    if full in constants:
                        self._modules[alias.asname or alias.name] = full

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "ast.ImportFrom | None":
        values = self._constants.get(source_of(self._module, node), {})
        # `const` is the compiler's word, nothing is left for it to do.
        node.names = [alias for alias in node.names if alias.name not in values and alias.name != "const"]
        return node if node.names else None

    def visit_Try(self, node: ast.Try) -> "ast.AST | None":
        self.generic_visit(node)
        # The shim that gave CPython its `const`.
        return node if node.body else None

    def visit_Assign(self, node: ast.Assign) -> "ast.Assign | None":
        target = node.targets[0]
        if isinstance(target, ast.Name) and target.id in self._constants[self._module] and target.col_offset == 0:
            return None
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return ast.Constant(self._values[node.id])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name):
            values = self._constants.get(self._modules.get(node.value.id, ""), {})
            if node.attr in values:
                return ast.Constant(values[node.attr])
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "const":
            return node.args[0]
        # bytes((1, 2)) of known numbers is a constant too, and a shorter one.
        if isinstance(node.func, ast.Name) and node.func.id == "bytes" and len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, ast.Tuple) and all(
                isinstance(item, ast.Constant) and isinstance(item.value, int) for item in argument.elts
            ):
                return ast.Constant(bytes([item.value for item in argument.elts]))  # type: ignore[attr-defined]
        return node


def module_name(path: Path) -> str:
    """The name that a chip's file is imported by, from its path relative to where packages begin."""
    parts = list(path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
