"""Functions from a syntax node to True when it is something; the rules of `micropython_subset` are made of these."""

import ast
import builtins
from collections import namedtuple
from collections.abc import Callable

# Of a whole file: `bytearrays` are names assigned a bytearray, `bound` names bound at the top level, `errors` names of
# caught exceptions, `lines` the source text.
Facts = namedtuple("Facts", "bytearrays bound errors lines")
Checker = Callable[[ast.AST, Facts], bool]


def facts_of(tree: ast.Module, source: str) -> Facts:
    """What the checkers must know of the file."""
    bytearrays: set[str] = set()
    errors: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and called(node.value) == "bytearray":
            bytearrays |= {_last_name(target) for target in node.targets}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            errors.add(node.name)
    bound: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            bound.add(statement.name)
        elif isinstance(statement, ast.Assign):
            bound |= {_last_name(target) for target in statement.targets}
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            bound |= {alias.asname or alias.name for alias in statement.names}
    return Facts(bytearrays, bound, errors, source.splitlines())


def called(node: ast.AST) -> str:
    """The last name of what a call calls, "" when it is no call."""
    return _last_name(node.func) if isinstance(node, ast.Call) else ""


def kind(*kinds: type) -> Checker:
    return lambda node, facts: isinstance(node, kinds)


def imports(*modules: str) -> Checker:
    """import module, from module import ..., and their submodules."""

    def broken(node: ast.AST, facts: Facts) -> bool:
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = ["%s.%s" % (node.module, alias.name) for alias in node.names]
        else:
            return False
        return any(name == module or name.startswith(module + ".") for name in found for module in modules)

    return broken


def attributes(*names: str) -> Checker:
    """value.name, but not self.name: that is an attribute of our own."""
    return lambda node, facts: (
        isinstance(node, ast.Attribute) and node.attr in names and getattr(node.value, "id", "") != "self"
    )


def attributes_of(owner: str, *names: str) -> Checker:
    """owner.name, and `from owner import name`."""

    def broken(node: ast.AST, facts: Facts) -> bool:
        if isinstance(node, ast.ImportFrom):
            return node.module == owner and any(alias.name in names for alias in node.names)
        return isinstance(node, ast.Attribute) and node.attr in names and _last_name(node.value) == owner

    return broken


def names(*names: str) -> Checker:
    return lambda node, facts: isinstance(node, ast.Name) and node.id in names


def keyword(function: str, *keywords: str) -> Checker:
    """function(..., keyword=...)."""
    return lambda node, facts: called(node) == function and bool(_keywords(node) & set(keywords))


def any_of(*checkers: Checker) -> Checker:
    return lambda node, facts: any(checker(node, facts) for checker in checkers)


def defines(*names: str) -> Checker:
    return lambda node, facts: isinstance(node, ast.FunctionDef) and node.name in names


def positional_only(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.arguments) and bool(node.posonlyargs)


def unpacking_in_a_literal(node: ast.AST, facts: Facts) -> bool:
    if isinstance(node, ast.Dict):
        return None in node.keys
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)) or isinstance(getattr(node, "ctx", None), ast.Store):
        return False
    return any(isinstance(element, ast.Starred) for element in node.elts)


def async_generator(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.AsyncFunctionDef) and any(
        isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in ast.walk(node)
    )


def async_comprehension(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.comprehension) and bool(node.is_async)


def parenthesised_with(node: ast.AST, facts: Facts) -> bool:
    """The parenthesis that opens after `with` is still open where the last item ends."""
    if not isinstance(node, (ast.With, ast.AsyncWith)):
        return False
    last = node.items[-1].optional_vars or node.items[-1].context_expr
    if len(node.items) == 1 and last is node.items[0].context_expr:
        return False
    lines = facts.lines[node.lineno - 1 : last.end_lineno]
    lines[-1] = lines[-1][: last.end_col_offset]
    head = "\n".join(lines)[node.col_offset :].split("with", 1)[1].lstrip()
    depth = 0
    for mark in head:
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            return False
    return True


def class_keyword(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.ClassDef) and bool(node.keywords)


def two_native_bases(node: ast.AST, facts: Facts) -> bool:
    if not isinstance(node, ast.ClassDef):
        return False
    return sum(isinstance(base, ast.Name) and hasattr(builtins, base.id) for base in node.bases) > 1


def calls(function: str) -> Checker:
    return lambda node, facts: called(node) == function


def step_slice(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Slice) and node.step is not None


def complex_literal(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, complex)


def float_literal(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def pow_of_three(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Call) and called(node) == "pow" and len(node.args) + len(node.keywords) == 3


def from_bytes_keyword(node: ast.AST, facts: Facts) -> bool:
    return called(node) in ("from_bytes", "to_bytes") and bool(_keywords(node))


def codec_errors(node: ast.AST, facts: Facts) -> bool:
    """text.encode() and data.decode() with more than an encoding; a second argument after text is the errors."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr not in ("decode", "encode"):
        return False
    second = len(node.args) > 1 and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    return second or bool(_keywords(node) & {"errors", "encoding"})


def struct_bool(node: ast.AST, facts: Facts) -> bool:
    if not isinstance(node, ast.Call) or called(node) not in (
        "pack",
        "pack_into",
        "unpack",
        "unpack_from",
        "calcsize",
    ):
        return False
    layout = node.args[0] if node.args else None
    return isinstance(layout, ast.Constant) and isinstance(layout.value, str) and "?" in layout.value


def deque_without_length(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Call) and called(node) == "deque" and (len(node.args) < 2 or bool(node.keywords))


def slice_deletion(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Delete) and any(
        isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice) for target in node.targets
    )


def bytearray_method(node: ast.AST, facts: Facts) -> bool:
    methods = ("clear", "pop", "insert", "remove", "reverse", "copy")
    return isinstance(node, ast.Attribute) and node.attr in methods and _last_name(node.value) in facts.bytearrays


def annotation(node: ast.AST, facts: Facts) -> bool:
    """An annotation that is neither text nor made of builtins and of names this file binds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        found = node.returns
    else:
        found = node.annotation if isinstance(node, (ast.arg, ast.AnnAssign)) else None
    if found is None:
        return False
    for part in ast.walk(found):
        if isinstance(part, (ast.BinOp, ast.Attribute)):
            return True
        if isinstance(part, ast.Name) and not hasattr(builtins, part.id) and part.id not in facts.bound:
            return True
    return False


def os_error_attribute(node: ast.AST, facts: Facts) -> bool:
    missing = ("errno", "strerror", "filename")
    return isinstance(node, ast.Attribute) and node.attr in missing and _last_name(node.value) in facts.errors


def raise_from(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Raise) and node.cause is not None


def slots(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.Assign) and any(_last_name(target) == "__slots__" for target in node.targets)


def private_import(node: ast.AST, facts: Facts) -> bool:
    return isinstance(node, ast.ImportFrom) and any(
        alias.name.startswith("_") and not alias.name.startswith("__") for alias in node.names
    )


def task_of_a_sleep(node: ast.AST, facts: Facts) -> bool:
    if not isinstance(node, ast.Call) or called(node) not in ("create_task", "wait_for") or not node.args:
        return False
    return called(node.args[0]) == "sleep"


def _last_name(node: ast.AST) -> str:
    """`x` of x and of self.x, "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _keywords(node: ast.AST) -> set[str]:
    return {keyword.arg or "**" for keyword in node.keywords} if isinstance(node, ast.Call) else set()
