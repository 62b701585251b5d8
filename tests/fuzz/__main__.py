"""Runs the fuzz targets, guided by coverage: `make fuzz`, or `PYTHONPATH=tests python -m fuzz --help`.

The corpus in the repository is one file for each target, an input in base64 on each line. A run unpacks it into
build/fuzz/TARGET, where the fuzzer adds what it finds; `keep` brings the smallest set with the same coverage back.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from fuzz.corpus import CORPUS, read_corpus, write_corpus
from fuzz.targets import TARGETS

WORK = Path("build/fuzz")
# Inputs that need more than this are a finding: no peer may cost us so much.
LIMITS = ["-timeout=10", "-rss_limit_mb=700", "-max_len=2200"]

EPILOG = """examples:
  python -m fuzz run --seconds 60               every target for a minute
  python -m fuzz run --seconds 600 link frame   two of them for ten minutes
  python -m fuzz replay build/fuzz/link-crash-0a1b   one input again, with its traceback
  python -m fuzz keep link                      what the fuzzer found, minimised, into the corpus
"""


def main(argv):
    """0 when nothing was found, 1 when something was, 2 when the command was wrong."""
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="fuzz each target in turn")
    run.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    keep = commands.add_parser("keep", help="minimise what was found and put it into the corpus")
    for command in (run, keep):
        command.add_argument("targets", nargs="*", metavar="TARGET", help="of %s (default: all)" % ", ".join(TARGETS))
    replay = commands.add_parser("replay", help="one input again")
    replay.add_argument("file", type=Path, help="as the fuzzer wrote it: build/fuzz/TARGET-...")
    arguments = parser.parse_args(argv)
    if arguments.command == "replay":
        return _replay(arguments.file)
    unknown = sorted(set(arguments.targets) - set(TARGETS))
    if unknown:
        parser.error("no target %s, there are %s" % (", ".join(unknown), ", ".join(TARGETS)))
    if importlib.util.find_spec("atheris") is None:
        print("the fuzzer is not installed: pip install -e '.[fuzz]', or make fuzz", file=sys.stderr)
        return 2
    broken = 0
    for target in arguments.targets or TARGETS:
        broken += _run(target, arguments.seconds) if arguments.command == "run" else _keep(target)
    return 1 if broken else 0


def _run(target, seconds):
    """One target for a while; 1 when it broke, with what the fuzzer said."""
    folder = _unpack(target)
    command = _child(target, "-max_total_time=%d" % seconds, "-artifact_prefix=%s/%s-" % (WORK, target), str(folder))
    log = WORK / (target + ".log")
    with log.open("wb") as file:
        broke = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    if broke:
        print(text[-4000:], file=sys.stderr)
        print("%-10s BROKEN, see %s" % (target, log), flush=True)
        return 1
    inputs = re.findall(r"^Done (\d+) runs", text, re.MULTILINE)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    print(
        "%-10s survived %s inputs; coverage %s, features %s, corpus %s" % (target, inputs[-1], *coverage[-1]),
        flush=True,
    )
    return 0


def _keep(target):
    """The smallest set with the coverage of everything found; 1 when an input of it breaks the target."""
    folder = _unpack(target)
    kept = WORK / (target + "-kept")
    kept.mkdir(exist_ok=True)
    for file in kept.iterdir():
        file.unlink()
    broke = subprocess.run(_child(target, "-merge=1", str(kept), str(folder)), capture_output=True).returncode
    inputs = [file.read_bytes() for file in kept.iterdir()]
    if broke or not inputs:
        print("%-10s cannot be minimised: run it first" % target, file=sys.stderr)
        return 1
    write_corpus(target, inputs)
    print("%-10s %d inputs, %d bytes in %s" % (target, len(inputs), sum(map(len, inputs)), CORPUS))
    return 0


def _replay(path):
    target = path.name.split("-", 1)[0]
    if target not in TARGETS:
        print("%s: the name should begin with a target: %s" % (path, ", ".join(TARGETS)), file=sys.stderr)
        return 2
    TARGETS[target](path.read_bytes())
    print("%s: nothing wrong" % path)
    return 0


def _unpack(target):
    folder = WORK / target
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(read_corpus(target)):
        (folder / ("kept-%04d" % i)).write_bytes(data)
    return folder


def _child(target, *options):
    words = CORPUS / (target + ".dict")
    extra = ["-dict=%s" % words] if words.exists() else []
    return [sys.executable, "-m", "fuzz.child", target, *LIMITS, *extra, *options]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
