"""The outcome of a run: lines for people, JUnit XML for machines. Pure."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from .run import FAIL, PASS, SKIP, Result

# What XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def result_line(result: Result) -> str:
    """One step in one line."""
    head = "%-4s  %-5s %-22s %s" % (result.verdict, result.section, result.name, result.text)
    if not result.section:
        head = "%-4s  %s" % (result.verdict, result.text)
    return "%s: %s" % (head, result.detail) if result.detail else head


def summary_lines(results: Sequence[Result]) -> list[str]:
    """How many of each, and once more each rule that was broken."""
    counts = [sum(result.verdict == verdict for result in results) for verdict in (PASS, FAIL, SKIP)]
    lines = ["%d passed, %d failed, %d skipped" % tuple(counts)]
    for result in results:
        if result.verdict == FAIL:
            where = " (serial manual, section %s)" % result.section if result.section else ""
            lines.append("broken: %s%s: %s" % (result.text, where, result.detail))
    return lines


def junit_xml(name: str, results: Sequence[Result]) -> str:
    """JUnit XML as build servers read it."""
    suite = ElementTree.Element(
        "testsuite",
        name=_clean(name),
        tests=str(len(results)),
        failures=str(sum(result.verdict == FAIL for result in results)),
        skipped=str(sum(result.verdict == SKIP for result in results)),
        errors="0",
        time="%.3f" % sum(result.seconds for result in results),
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_clean("section %s" % result.section if result.section else name),
            name=_clean(result.text if not result.section else "%s: %s" % (result.name, result.text)),
            time="%.3f" % result.seconds,
        )
        if result.verdict == FAIL:
            ElementTree.SubElement(case, "failure", message=_clean(result.detail))
        elif result.verdict == SKIP:
            ElementTree.SubElement(case, "skipped", message=_clean(result.detail))
        elif result.detail:
            ElementTree.SubElement(case, "system-out").text = _clean(result.detail)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
