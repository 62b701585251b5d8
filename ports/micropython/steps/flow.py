"""Which classes and namedtuples the value of an expression may be an object of, over all files of the chip at once.

The steps that do away with types must know every place where an object of one arrives. What flows where is followed
without regard to order: assignments, arguments, returns, attributes of objects, what is put into containers and taken
out. An answer may name too much, and never too little for code that hands objects on by these means. What is handed to
code that is not here is out of sight, and the caller's business.
"""

import ast

from .flow_program import Function, Program
from .flow_walk import Walk


class Flow:
    """`trees` is module name -> tree; they are not to change while answers are asked for."""

    def __init__(self, trees: "dict[str, ast.Module]") -> None:
        self._program = Program(trees)
        walks = [Walk(self._program, module) for module in trees]
        while self._program.has_more():
            for walk in walks:
                walk.module()

    def kinds(self, expression: ast.expr) -> "frozenset[str]":
        """Of "object:<module>.<class>", "tuple:<module>.<namedtuple>", the same with class, function, method and
        module, and "other". What is never reached has none; None is not told here.
        """
        return self._program.kinds(expression)

    def may_be_none(self, expression: ast.expr) -> bool:
        """Whether None may come; of what code that is not here gives, nothing is known."""
        return self._program.may_be_none(expression)

    def parts(self, expression: ast.expr) -> "frozenset[str]":
        """The same of what is in it: in a container, or in the fields of a namedtuple."""
        return self._program.parts_of(expression)

    @property
    def tuples(self) -> "dict[str, list[str]]":
        """<module>.<namedtuple> -> its fields."""
        return self._program.tuples

    @property
    def classes(self) -> "dict[str, tuple[str, ast.ClassDef]]":
        """<module>.<class> -> (module, its definition), of those at the top of a file."""
        return self._program.classes

    @property
    def functions(self) -> "dict[str, tuple[str, Function]]":
        """<module>.<function>, <module>.<class>.<method> -> (module, its definition); of others a key of its own."""
        return self._program.functions

    @property
    def bases(self) -> "dict[str, str]":
        """<module>.<class> -> the class of ours that it inherits from."""
        return self._program.bases
