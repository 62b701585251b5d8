"""Puts the longer texts of a file into one, and its bytes, of which each place takes its piece, before names shrink.

MicroPython makes an object for every text that is not a name, and for all bytes, when the file is loaded, and a row
that points to it; of read-only flash that is all that a text costs. What is needed seldom can be cut out when it is:
what is said to people, and whatever stands in no loop and is not needed `often`.
"""

import ast

# MicroPython takes shorter ones for names.
_NAME_LENGTH = 10
# A longer one is a table that somebody looks into: cut out, it would be a copy of the whole each time.
_LONGEST = 200
_TEXTS = "_all_texts"
_BYTES = "_all_bytes"


def pool(source: str, often: "frozenset[str | bytes]" = frozenset()) -> str:
    """The source of one file with one text and one row of bytes."""
    tree = ast.parse(source)
    collector = _Collector(often)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [collector.visit(statement) for statement in _without_remark(node.body)] or [ast.Pass()]
    for name, whole in ((_TEXTS, collector.texts), (_BYTES, collector.bytes)):
        if whole:
            tree.body.append(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(whole)))
    return ast.unparse(ast.fix_missing_locations(tree))


class _Collector(ast.NodeTransformer):
    def __init__(self, often: "frozenset[str | bytes]") -> None:
        self.texts = ""
        self.bytes = b""
        self._often = often
        self._loops = 0

    def visit_For(self, node: ast.For) -> ast.For:
        node.iter = self.visit(node.iter)
        self._loops += 1
        node.body = [self.visit(statement) for statement in node.body]
        node.orelse = [self.visit(statement) for statement in node.orelse]
        self._loops -= 1
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        # What comes from inlined functions is run once.
        is_loop = not isinstance(node.test, ast.Constant)
        self._loops += is_loop
        self.generic_visit(node)
        self._loops -= is_loop
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if value in self._often:
            return node
        if isinstance(value, str) and _NAME_LENGTH < len(value) <= _LONGEST and value.isascii():
            if self._loops and " " not in value:
                return node
            if value not in self.texts:
                self.texts += value
            return _piece(_TEXTS, self.texts.index(value), len(value))
        if isinstance(value, bytes) and value and not self._loops:
            if value not in self.bytes:
                self.bytes += value
            return _piece(_BYTES, self.bytes.index(value), len(value))
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return node


def _piece(name: str, at: int, length: int) -> ast.Subscript:
    return ast.Subscript(ast.Name(name, ast.Load()), ast.Slice(ast.Constant(at), ast.Constant(at + length)), ast.Load())


def _without_remark(body: "list[ast.stmt]") -> "list[ast.stmt]":
    first = body[0]
    is_remark = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_remark else body
