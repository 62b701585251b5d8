"""Which names a function, a class or a file binds: what the step that bundles files must know before it renames."""

import ast
from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


def nodes_of(scope: ast.AST) -> "Iterator[ast.AST]":
    """Every node of a scope, the names of those within it included, but nothing inside them."""
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop(0)
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
    return found - declared


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
