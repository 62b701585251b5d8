"""What the files beside the bundle take from it, and under which names."""

import ast
from collections import Counter, defaultdict

from . import fold, scopes


class Imported:
    """`uses` are the places where others name something of the bundle; `unclear` is named in no clear way."""

    def __init__(self, trees: "dict[str, ast.Module]", bundle: str) -> None:
        self.uses: defaultdict[str, list[ast.expr]] = defaultdict(list)
        # Texts may name anything.
        self.unclear: set[str] = set()
        self._imports: list[ast.ImportFrom] = []
        for module, tree in trees.items():
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            self.unclear |= {text for text in texts if isinstance(text, str)}
            if module != bundle:
                self._read(module, tree, bundle)

    def replace(self, names: "set[str]", new: str) -> None:
        """Let the imports of `names` be one of `new`."""
        for node in self._imports:
            left = [alias for alias in node.names if alias.name not in names]
            if len(left) < len(node.names):
                node.names = [*left, ast.alias(new)]

    def _read(self, module: str, tree: ast.Module, bundle: str) -> None:
        bound = Counter(scopes.bindings(tree))
        named: dict[str, str] = {}
        whole = set()
        imported: Counter[str] = Counter()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and fold.source_of(module, node) == bundle:
                self._imports.append(node)
                for alias in node.names:
                    own = alias.asname or alias.name
                    if named.setdefault(own, alias.name) != alias.name:
                        self.unclear |= {alias.name, named[own]}
                    imported[own] += 1
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == bundle:
                        whole.add(alias.asname or alias.name)
                        imported[alias.asname or alias.name] += 1
        self.unclear |= {of for own, of in named.items() if bound[own] > imported[own]}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in named:
                self.uses[named[node.id]].append(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole:
                self.uses[node.attr].append(node)
                if bound[node.value.id] > imported[node.value.id]:
                    self.unclear.add(node.attr)


def forget(tree: ast.Module, module: str, bundle: str, names: "set[str]") -> None:
    """Let a file import these from the bundle no more."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            block: list[ast.stmt] = getattr(node, part, None) or []
            for item in list(block) if isinstance(block, list) else ():
                if isinstance(item, ast.ImportFrom) and fold.source_of(module, item) == bundle:
                    item.names = [alias for alias in item.names if alias.name not in names]
                    if not item.names:
                        block.remove(item)
                        block += [] if block else [ast.Pass()]
