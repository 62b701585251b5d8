"""Puts the longer texts of a file into one, of which each place takes its piece, before names are shortened.

MicroPython makes an object for every text that is not a name, when the file is loaded, and a row that points to it;
of read-only flash that is all that a text costs. What is said to people is said seldom: it can be cut out when it is.
"""

import ast

# MicroPython takes shorter ones for names.
_NAME_LENGTH = 10
_ALL = "_all_texts"


def pool(source: str) -> str:
    """The source of one file with its texts for people, those with spaces, in one."""
    tree = ast.parse(source)
    collector = _Collector()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [collector.visit(statement) for statement in _without_remark(node.body)] or [ast.Pass()]
    if not collector.whole:
        return source
    tree.body.append(ast.Assign([ast.Name(_ALL, ast.Store())], ast.Constant(collector.whole)))
    return ast.unparse(ast.fix_missing_locations(tree))


class _Collector(ast.NodeTransformer):
    def __init__(self) -> None:
        self.whole = ""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        text = node.value
        if not isinstance(text, str) or len(text) <= _NAME_LENGTH or " " not in text or not text.isascii():
            return node
        if text not in self.whole:
            self.whole += text
        at = self.whole.index(text)
        piece = ast.Slice(ast.Constant(at), ast.Constant(at + len(text)))
        return ast.Subscript(ast.Name(_ALL, ast.Load()), piece, ast.Load())

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return node


def _without_remark(body: "list[ast.stmt]") -> "list[ast.stmt]":
    first = body[0]
    is_remark = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_remark else body
