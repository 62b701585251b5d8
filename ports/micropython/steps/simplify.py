"""Writes constant tuples as something that needs no object, after the files were bundled.

A constant tuple is an object of a chip's heap, made when its file is loaded. `x in (3, 4)` becomes two comparisons, a
loop over small numbers one over bytes, and a table of which numbers go with which, `x in ((1, 2), (0,))[i]`, the bits
of a few bytes, where every call says that `x` is such a number.
"""

import ast
import copy
from collections import defaultdict

from . import scopes

# Tests that are longer stay what they are.
_MOST = 4
# A tuple of fewer numbers is no larger than bytes.
_FEWEST = 3
# So many different numbers have their bits in a byte.
_BITS = 8
# With these, to read something twice may be to read two things.
_NOT_PLAIN = ("property", "__getattr__", "__getitem__", "__eq__")


def simplify(sources: "dict[str, str]") -> "dict[str, str]":
    """Module name -> source with fewer constant tuples; all modules of the chip at once."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    rewriter = _Rewriter(_is_plain(trees), _numbers_given(trees))
    return {name: ast.unparse(ast.fix_missing_locations(rewriter.visit(tree))) for name, tree in trees.items()}


class _Rewriter(ast.NodeTransformer):
    """`numbers` are the arguments of functions, by their names, that are small numbers in every call."""

    def __init__(self, is_plain: bool, numbers: "dict[str, set[str]]") -> None:
        self._is_plain = is_plain
        self._numbers = numbers
        self._small: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        before, self._small = self._small, self._numbers.get(node.name, set())
        self.generic_visit(node)
        self._small = before
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        values = _constants(node.iter)
        if isinstance(node.target, ast.Name) and len(values) >= _FEWEST and all(_is_below(v, 256) for v in values):
            node.iter = ast.Constant(bytes(values))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return node
        return self._compared(node) or self._looked_up(node) or node

    def _compared(self, node: ast.Compare) -> "ast.expr | None":
        """As comparisons with each."""
        values = _constants(node.comparators[0])
        if not 0 < len(values) <= _MOST or not self._is_plain or not _is_repeatable(node.left):
            return None
        is_in = isinstance(node.ops[0], ast.In)
        operator = ast.Eq() if is_in else ast.NotEq()
        parts: list[ast.expr] = [
            ast.Compare(copy.deepcopy(node.left), [operator], [ast.Constant(value)]) for value in values
        ]
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.Or() if is_in else ast.And(), parts)

    def _looked_up(self, node: ast.Compare) -> "ast.expr | None":
        """As a bit of a byte."""
        table = node.comparators[0]
        if not isinstance(table, ast.Subscript) or not isinstance(table.value, ast.Tuple):
            return None
        rows = [_constants(row) for row in table.value.elts if isinstance(row, ast.Tuple)]
        are_small = all(_is_below(value, _BITS) for row in rows for value in row)
        if len(rows) < len(table.value.elts) or not all(rows) or isinstance(table.slice, ast.Slice):
            return None
        if not are_small or not isinstance(node.left, ast.Name) or node.left.id not in self._small:
            return None
        bits = bytes([sum(1 << value for value in set(row)) for row in rows])
        bit = ast.BinOp(ast.Subscript(ast.Constant(bits), table.slice, ast.Load()), ast.RShift(), node.left)
        operator = ast.NotEq() if isinstance(node.ops[0], ast.In) else ast.Eq()
        return ast.Compare(ast.BinOp(bit, ast.BitAnd(), ast.Constant(1)), [operator], [ast.Constant(0)])


def _constants(node: ast.expr) -> "list":
    """The values of a tuple of numbers, texts and bytes; empty when it is another."""
    if not isinstance(node, ast.Tuple):
        return []
    values = [item.value for item in node.elts if isinstance(item, ast.Constant)]
    is_constant = len(values) == len(node.elts) and all(type(value) in (int, str, bytes) for value in values)
    return values if is_constant else []


def _is_below(value: object, end: int) -> bool:
    return type(value) is int and 0 <= value < end


def _is_repeatable(node: ast.expr) -> bool:
    """Whether reading it twice is reading it once."""
    if isinstance(node, ast.Subscript):
        index = node.slice
        is_fixed = isinstance(index, ast.Constant) or (
            isinstance(index, ast.Slice)
            and all(part is None or isinstance(part, ast.Constant) for part in (index.lower, index.upper, index.step))
        )
        return is_fixed and _is_repeatable(node.value)
    if isinstance(node, ast.Attribute):
        return _is_repeatable(node.value)
    return isinstance(node, ast.Name)


def _is_plain(trees: "dict[str, ast.Module]") -> bool:
    """Whether objects of ours are what they are read as."""
    names = {
        name
        for tree in trees.values()
        for node in ast.walk(tree)
        for name in (getattr(node, "id", ""), getattr(node, "name", ""))
    }
    return not names & set(_NOT_PLAIN)


def _numbers_given(trees: "dict[str, ast.Module]") -> "dict[str, set[str]]":
    """Name of a function -> its arguments that are constants below _BITS whoever calls it, and are never rebound."""
    functions = defaultdict(list)
    mentions: defaultdict[str, list[ast.AST]] = defaultdict(list)
    calls = {}
    for tree in trees.values():
        methods = {id(item) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                functions[node.name].append((node, id(node) in methods))
            elif isinstance(node, ast.Call):
                calls[id(node.func)] = node
            elif isinstance(node, ast.alias):
                mentions[node.name].append(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                mentions[node.value].append(node)
            for name in (getattr(node, "id", None), getattr(node, "attr", None)):
                if name is not None:
                    mentions[name].append(node)
    found = {}
    for name, definitions in functions.items():
        function, is_method = definitions[0]
        if len(definitions) > 1 or not name.startswith("_") or name.endswith("__") or function.decorator_list:
            continue
        if not mentions[name] or any(id(node) not in calls for node in mentions[name]):
            continue
        names = [item.arg for item in function.args.args][is_method:]
        stored = scopes.bound_inside(ast.Module(function.body, [])) | scopes.bound_in(ast.Module(function.body, []))
        given = [calls[id(node)] for node in mentions[name]]
        found[name] = {
            item
            for place, item in enumerate(names)
            if item not in stored
            and all(len(call.args) > place and _is_small(call.args[: place + 1]) for call in given)
        }
    return found


def _is_small(values: "list[ast.expr]") -> bool:
    """The last of some arguments that are given one by one."""
    last = values[-1]
    is_plain = not any(isinstance(value, ast.Starred) for value in values)
    return is_plain and isinstance(last, ast.Constant) and _is_below(last.value, _BITS)
