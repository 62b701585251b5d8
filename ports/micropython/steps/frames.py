"""How large the frame of a call is, in words, about as MicroPython's compiler makes it."""

import ast

# What the iterator of a loop, a `try` and a `with` keep beside what is computed.
_ITERATOR = 4
_HANDLER = 4
_CONTEXT = 7
_BLOCKS = ("body", "orelse", "finalbody")


def stack_of(body: "list[ast.stmt]") -> int:
    """The most that statements have on the stack at once."""
    return max((_of_statement(statement) for statement in body), default=0)


def _of_statement(statement: ast.stmt) -> int:
    kept = 0
    if isinstance(statement, ast.For):
        kept = _ITERATOR
    elif isinstance(statement, ast.Try):
        kept = _HANDLER * (bool(statement.handlers) + bool(statement.finalbody))
    elif isinstance(statement, ast.With):
        kept = _CONTEXT
    parts = list(ast.iter_child_nodes(statement))
    if isinstance(statement, ast.Assign):
        parts = [statement.value, *statement.targets]
    deepest = _of_expressions(parts)
    for block in _BLOCKS:
        deepest = max(deepest, kept + stack_of(getattr(statement, block, None) or []))
    for handler in getattr(statement, "handlers", ()):
        deepest = max(deepest, kept + 2 + stack_of(handler.body))
    return deepest


def _of_expressions(nodes: "list[ast.AST]") -> int:
    """Each is computed on top of those before it."""
    found = below = 0
    for node in nodes:
        if not isinstance(node, (ast.expr, ast.keyword, ast.withitem)):
            continue
        # The name of a keyword is one; a method is two, the function and its object.
        below += isinstance(node, ast.keyword)
        extra = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        inner = extra + _of_expressions(list(ast.iter_child_nodes(node)))
        is_stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        found = max(found, below + max(inner, not is_stored))
        below += 1
    return found
