"""The list that all files of the chip share: places of attributes and functions, in the place of names."""

import ast
from collections import Counter

HERE = "_here"


def as_place(number: int, context: ast.expr_context) -> ast.Subscript:
    """A place, as an expression."""
    return ast.Subscript(ast.Name(HERE, ast.Load()), ast.Constant(number), context)


def remark(name: str) -> ast.stmt:
    """For who looks up the line of a traceback: what a function was. Texts that stand alone are not compiled."""
    return ast.Expr(ast.Constant(name.strip("_").replace("__", ".") + "()"))


def drop_unread(trees: "dict[str, ast.Module]") -> None:
    """Places that nobody reads are not written either, nor what only such a place needed."""
    while True:
        read = {
            place_of(node)
            for tree in trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        }
        changed = [_Dropper(read).dropped(tree) for tree in trees.values()]
        if not any(changed):
            return


class _Dropper(ast.NodeTransformer):
    def __init__(self, read: "set[int | None]") -> None:
        self._read = read
        self._has_changed = False

    def dropped(self, tree: ast.Module) -> bool:
        self.visit(tree)
        return self._has_changed

    def visit_Assign(self, node: ast.Assign) -> "ast.stmt | None":
        kept = [target for target in node.targets if not self._is_unread(target)]
        if len(kept) == len(node.targets):
            return node
        self._has_changed = True
        node.targets = kept
        if kept:
            return node
        return None if _does_nothing(node.value) else ast.Expr(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> "ast.stmt | None":
        if not self._is_unread(node.target):
            return node
        self._has_changed = True
        return None if _does_nothing(node.value) else ast.Expr(node.value)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.If, ast.For, ast.While, ast.With, ast.Try, ast.ExceptHandler)):
            node.body = node.body or [ast.Pass()]
        return node

    def _is_unread(self, target: ast.expr) -> bool:
        place = place_of(target)
        return place is not None and place not in self._read


def _does_nothing(value: ast.expr) -> bool:
    plain = (ast.Constant, ast.Name, ast.Subscript, ast.expr_context)
    return all(isinstance(part, plain) for part in ast.walk(value))


def numbered_anew(trees: "dict[str, ast.Module]") -> int:
    """The places that are left without gaps, the most used first; how many they are."""
    nodes = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and place_of(node) is not None
    ]
    used = Counter(place_of(node) for node in nodes)
    order = {place: n for n, place in enumerate(sorted(used, key=lambda place: (-used[place], place)))}
    for node in nodes:
        node.slice = ast.Constant(order[place_of(node)])
    return len(order)


def place_of(node: ast.expr) -> "int | None":
    """The number of the place that an expression is; None when it is none."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == HERE:
        return node.slice.value  # type: ignore[attr-defined]
    return None
