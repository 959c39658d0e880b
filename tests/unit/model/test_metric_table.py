"""One table names every figure, and everything that shows figures follows it."""

from __future__ import annotations

import ast

import pytest
from support import ROOT

from wsgilab.analysis.figures import MEASURES
from wsgilab.model.metrics import METRICS, TABLE, Metric, Place, shown
from wsgilab.reports import markdown, terminal

SHARED = {"wsgilab/model/metrics.py", "wsgilab/analysis/figures.py"}


def test_every_figure_of_a_load_is_measured() -> None:
    assert MEASURES.keys() == {metric.key for metric in shown(Place.LOAD)}


def test_what_is_compared_or_shown_is_measured() -> None:
    places = Place.WINDOW | Place.COLUMN | Place.COMPARED | Place.COST
    assert {metric.key for metric in shown(places)} <= MEASURES.keys()


def test_the_last_word_of_a_key_is_its_unit() -> None:
    for metric in TABLE:
        words = metric.key.lower().split("_")
        assert metric.unit.lower() in words


@pytest.mark.parametrize("metric", shown(Place.COLUMN), ids=lambda metric: metric.key)
def test_a_column_is_in_every_report(metric: Metric) -> None:
    assert metric.label in markdown.FIGURES
    assert metric.heading in terminal.FIGURES


@pytest.mark.parametrize(
    ("key", "name"), [("p99_ms", "p99"), ("cpu_ms_per_request", "CPU per request"), ("memory_mb", "memory")]
)
def test_inside_a_sentence_a_name_has_a_small_letter_unless_it_is_made_of_capitals(key: str, name: str) -> None:
    assert METRICS[key].name == name


def test_no_other_module_lists_metrics() -> None:
    """A tuple, list or dict of several keys is a second table, and would be forgotten when a metric is added."""
    for path in sorted((ROOT / "wsgilab").rglob("*.py")):
        if str(path.relative_to(ROOT)) in SHARED:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            listed = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else getattr(node, "keys", ())
            named = [item.value for item in listed if isinstance(item, ast.Constant) and item.value in METRICS]
            assert len(named) < 3, f"{path.name}:{node.lineno}: {named}"
