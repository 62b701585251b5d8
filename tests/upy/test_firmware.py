"""What `make firmware` makes: every profile in each of its forms, and the steps that make the sources small."""

import json
import subprocess
import sys
from pathlib import Path

import chip_tree
import firmware
import profiles
import pytest
from steps import bundle, shake, shorten
from testkit.repository import ROOT

NEEDS_TOOLS = pytest.mark.micropython


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("firmware")
    for name in ("esp8266", "esp32"):
        firmware.build(name, folder / name)
    return folder


@NEEDS_TOOLS
def test_a_profile_is_made_in_each_of_its_forms_and_no_other(made):
    forms = {"app.romfs", "app.files", "board", "freeze", "littlefs.img", "mpy"}
    assert {path.name for path in (made / "esp32").iterdir()} == forms
    assert {path.name for path in (made / "esp8266").iterdir()} == {"app.romfs", "board", "freeze"}


@NEEDS_TOOLS
def test_mip_finds_every_file_that_the_package_names(made):
    tree = made / "esp32" / "mpy"
    urls = json.loads((tree / "package.json").read_text())["urls"]
    assert {source for _, source in urls} == {
        path.relative_to(tree).as_posix() for path in tree.rglob("*.*") if path.name != "package.json"
    }
    # MicroPython runs these two by name, and only as sources.
    assert {"boot.py", "main.py"} <= {target for target, _ in urls}
    assert {target for target, _ in urls if target.endswith(".py")} == {"boot.py", "main.py"}


@NEEDS_TOOLS
def test_the_manifest_freezes_what_is_there(made):
    folder = made / "esp32" / "freeze"
    frozen, included = [], []

    def package(name, base_path, opt):
        assert (folder / base_path / name / "__init__.py").exists()
        frozen.append(name)

    def module(name, base_path, opt):
        assert (folder / base_path / name).exists()
        frozen.append(name)

    exec((folder / "manifest.py").read_text(), {"include": included.append, "package": package, "module": module})
    tops = {path.name for path in (folder / "sources").iterdir()}
    assert set(frozen) == tops
    assert included == ["$(PORT_DIR)/boards/manifest.py"]


@NEEDS_TOOLS
def test_a_littlefs_image_is_as_long_as_the_file_system(made):
    size = profiles.PROFILES["esp32"].littlefs_bytes
    assert (made / "esp32" / "littlefs.img").stat().st_size == size


@NEEDS_TOOLS
def test_an_image_that_its_partition_cannot_hold_is_refused(tmp_path, monkeypatch):
    small = profiles.PROFILES["esp8266"]._replace(romfs_bytes=1024)
    monkeypatch.setitem(profiles.PROFILES, "esp8266", small)
    with pytest.raises(chip_tree.FirmwareError, match="the partition of this profile has 1024"):
        firmware.build("esp8266", tmp_path / "esp8266")


def test_a_profile_has_what_its_program_imports_and_nothing_else():
    esp32 = chip_tree.files_of("esp32")
    assert {"main.py", "gagent/agent.py", "gagent_upy/onboarding.py", "gagent_upy/tls.py"} <= set(esp32)
    for name in ("mcu_proto/datapoint.py", "mcu_proto/names.py", "machine.py", "fold.py"):
        assert name not in esp32
    assert set(esp32) - set(chip_tree.files_of("esp8266")) == {"gagent_upy/tls.py", "gagent_upy/ed25519.py"}
    assert "gagent/subdevices.py" not in chip_tree.files_of("esp8266-small")


def test_the_files_of_a_chip_stay_loadable_by_name_when_they_are_loaded_late():
    texts = chip_tree.small(chip_tree.files_of("esp32"))
    assert {"gagent_chip.py", "gagent_upy/start.py", "gagent_upy/onboarding.py", "gagent_upy/tls.py"} <= set(texts)
    assert "gagent/agent.py" not in texts
    # No name of what was bundled is left over.
    assert "gagent.agent" not in "".join(texts.values())


def test_the_command_names_an_unknown_profile():
    command = [sys.executable, ROOT / "ports" / "micropython" / "firmware.py", "esp9999"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "no profile esp9999; there are: esp8266, esp8266-small, esp32, rp2, unix" in result.stderr


# Shake.

UNUSED = {
    "p.a": """
from p.b import gone, kept, passed_on
class Gone:
    pass
class Used:
    TABLE = {1: 2}
    def called(self):
        return kept()
    def never(self):
        return gone()
def runs():
    return Used().called()
EFFECT = runs()
""",
    "p.b": "def gone(): pass\ndef kept(): return 'by_text'\ndef passed_on(): pass\ndef by_text(): pass\n",
    "p.c": "def f():\n    from p import a\n    return a.passed_on()\nf()\n",
}


def test_what_nobody_names_goes_with_what_only_it_named():
    shaken = shake.shake(UNUSED)
    assert "Gone" not in shaken["p.a"] and "never" not in shaken["p.a"] and "TABLE" not in shaken["p.a"]
    assert "gone" not in shaken["p.a"] + shaken["p.b"]


def test_what_is_named_anywhere_stays():
    shaken = shake.shake(UNUSED)
    assert "def called" in shaken["p.a"] and "def kept" in shaken["p.b"]
    # Passed on to others; named in a text; done when the file is loaded.
    assert "import kept, passed_on" in shaken["p.a"]
    assert "def by_text" in shaken["p.b"] and "EFFECT = runs()" in shaken["p.a"]


def test_what_is_used_from_outside_can_be_kept():
    assert "class Gone" in shake.shake(UNUSED, frozenset(["Gone"]))["p.a"]


# Bundle.

APART = {
    "p.values": "LIMIT = 3\ndef number(x):\n    return x + LIMIT\nclass Thing:\n    def number(self): return 1\n",
    "p.other": "from .values import Thing, number as add\ndef number(values): return add(values), Thing().number()\n",
    "p.api": "from .values import LIMIT\ndef ask(): return LIMIT\n",
    "p.top": """
import json
from . import api, other, values
class Top(values.Thing):
    TABLE = {1: other.number}
    def run(self, api=api):
        number = self.TABLE[1](2)
        def inner():
            return number, values.number(1)
        from .late import late
        return inner(), api.ask(), late(), self.number(), json.dumps([number for number in (1, 2)])
""",
    "p.late": "from . import values as v\nfrom .other import number\ndef late(): return v.LIMIT, number(0)\n",
    "p.main": "from p.top import Top\nresult = Top().run()\n",
}
BUNDLED = ["p.top", "p.other", "p.values", "p.api"]


def ran(tmp_path: Path, sources: dict[str, str]) -> str:
    for name, text in sources.items():
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = [sys.executable, "-c", "from p import main; print(main.result)"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": "."}, capture_output=True, text=True)
    return done.stdout or done.stderr


def test_a_bundle_does_what_its_files_did(tmp_path):
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    bundled = bundle.bundle(APART, BUNDLED, "together")
    wanted = "(((5, 1), 4), 3, (3, (3, 1)), 1, '[1, 2]')\n"
    assert ran(tmp_path / "before", APART) == ran(tmp_path / "after", bundled) == wanted


def test_a_bundle_has_no_imports_within_and_the_rest_imports_from_it():
    bundled = bundle.bundle(APART, BUNDLED, "together")
    # A module that is handed around stays one.
    assert set(bundled) == {"together", "p.api", "p.late", "p.main"}
    assert "values" not in bundled["together"].replace("(values", "").replace("values)", "")
    assert "from together import Top" in bundled["p.main"]


# Shorten.

NAMES = """
_table = (1, 2)
class _First:
    def __init__(self):
        self._value = _table[0]
        self._only_here = 1
    def _step(self):
        return self._value + self._only_here + getattr(self, "_by_text")
    _by_text = 5
class _Second:
    def __init__(self, other):
        self._another = 3
        self._value = 2
    def read(self):
        return self._another + self._value + _First()._step() + _shared(self)
class _Child(_First):
    _KIND = 4
    def _grow(self):
        return self._value + self._KIND
def _shared(x):
    return x._another
result = _Second(0).read() + _Child()._grow() + _Child()._step()
"""


def test_short_names_do_what_the_long_ones_did(tmp_path):
    short = shorten.shorten({"p.main": NAMES, "p.public": "from p.main import result\n"})
    assert "_another" not in short["p.main"] and "_Second" not in short["p.main"] and "_by_text" in short["p.main"]
    assert ran(tmp_path, short) == "27\n"


def test_a_name_that_two_files_have_is_left_alone():
    assert "_both" in shorten.shorten({"a": "_both = 1\n", "b": "from a import _both\n"})["a"]


def test_what_a_step_cannot_do_is_one_line_that_names_the_place(tmp_path):
    odd = tmp_path / "odd.py"
    definition = "from collections import namedtuple\nPair = namedtuple('Pair', ('a', 'b'))\n"
    odd.write_text(definition + "for part in Pair(1, 2):\n    print(part)\n")
    files = chip_tree.files_of("unix") | {"gagent_upy/odd.py": odd}
    with pytest.raises(chip_tree.FirmwareError, match=r"step tuples: gagent_upy\.odd: .*Pair"):
        chip_tree.small(files)
