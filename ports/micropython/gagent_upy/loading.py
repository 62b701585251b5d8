"""Modules that are needed seldom give their room back: loaded by whoever needs them, let go of when that is done."""

import sys


def let_go(name):
    """The module `name`, "package.module", leaves the memory, if it is there; the next import loads it anew."""
    if sys.modules.pop(name, None) is not None:
        package, module = name.split(".")
        delattr(sys.modules[package], module)
