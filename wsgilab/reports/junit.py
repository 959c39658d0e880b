"""A gate as JUnit XML, which CI systems show next to the tests.

A missed objective and a figure that got worse are failures, what was too noisy to say is an error, what could not be
judged was skipped. One suite for each server and rate. (Jenkins has a schema, which is as strict as any:
https://github.com/jenkinsci/xunit-plugin/tree/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd)
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from wsgilab.model.gate import FAILURES, Check, Gate
from wsgilab.model.outcomes import Outcome

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets)."""


def render(gate: Gate) -> str:
    """The XML document."""
    root = Element("testsuites", _counts("wsgilab gate", gate.checks))
    for place in gate.places:
        checks = gate.at(place)
        suite = SubElement(root, "testsuite", _counts(place, checks))
        suite.set("skipped", str(sum(check.outcome is Outcome.NOT_JUDGED for check in checks)))
        if gate.against:
            properties = SubElement(suite, "properties")
            for name, value in (("against", gate.against), ("tolerance", f"{gate.tolerance * 100:g} %")):
                SubElement(properties, "property", {"name": name, "value": _writable(value)})
        for check in checks:
            _case(suite, check)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _case(suite: Element, check: Check) -> None:
    case = SubElement(suite, "testcase", {"classname": _writable(check.place), "name": check.name})
    sentence = _writable(check.sentence)
    if check.outcome is Outcome.PASSED:
        SubElement(case, "system-out").text = sentence
        return
    if check.outcome is Outcome.NOT_JUDGED:
        SubElement(case, "skipped", {"message": sentence})
        return
    kind = "failure" if check.outcome in FAILURES else "error"
    SubElement(case, kind, {"type": check.outcome, "message": sentence}).text = sentence


def _counts(name: str, checks: tuple[Check, ...]) -> dict[str, str]:
    outcomes = [check.outcome for check in checks]
    return {
        "name": _writable(name),
        "tests": str(len(checks)),
        "failures": str(sum(outcome in FAILURES for outcome in outcomes)),
        "errors": str(outcomes.count(Outcome.NOISY)),
    }


def _writable(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
