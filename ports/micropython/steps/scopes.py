"""Which names a function, a class or a file binds: what the step that bundles files must know before it renames."""

import ast
from collections import deque
from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


def nodes_of(scope: ast.AST) -> "Iterator[ast.AST]":
    """Every node of a scope, the names of those within it included, but nothing inside them."""
    pending = deque(ast.iter_child_nodes(scope))
    while pending:
        node = pending.popleft()
        yield node
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)


def bound_in(scope: ast.AST) -> "set[str]":
    """Names that a function, a class or a module binds itself."""
    found = set()
    declared = set()
    for node in nodes_of(scope):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
            found.add(node.name or "")
        elif isinstance(node, ast.arg) and isinstance(scope, _FUNCTIONS):
            found.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            declared |= set(node.names)
    return found - declared - {""}


def bound_inside(tree: ast.Module) -> "set[str]":
    """Names that functions of a module bind."""
    return {name for node in ast.walk(tree) if isinstance(node, _SCOPES) for name in bound_in(node)}


def bound_at_top(tree: ast.Module) -> "set[str]":
    """Names that a module defines; what it imports is another's."""
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for node in nodes_of(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    return bound_in(tree) - imported


class Renamer(ast.NodeTransformer):
    """Gives the names that statements bind and read other ones; an attribute is not a name."""

    def __init__(self, new: "dict[str, str]") -> None:
        self.new = new

    def visit_Name(self, node: ast.Name) -> ast.expr:
        node.id = self.new.get(node.id, node.id)
        return node

    def visit_alias(self, node: ast.alias) -> ast.alias:
        bound = node.asname or node.name
        new = self.new.get(bound, bound)
        node.asname = None if new == node.name else new
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        node.name = node.name and self.new[node.name]
        self.generic_visit(node)
        return node


def bindings(tree: ast.AST) -> "Iterator[str]":
    """Every name that is bound, anywhere in it, as often as it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)):
            yield node.name or ""
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names


def free(name: str, taken: "set[str]") -> str:
    """The name, or one like it that is none of the taken."""
    while name in taken:
        name += "_"
    return name


def is_text(node: ast.stmt) -> bool:
    """A remark: a constant that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
