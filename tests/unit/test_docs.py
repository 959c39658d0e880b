"""What the documentation says is what is there."""

from __future__ import annotations

import re
from dataclasses import replace

import click
import pytest
from factories import RUN, story
from support import ROOT

from wsgilab.analysis.pipeline import analyse
from wsgilab.commands.cli import COMMANDS, lab
from wsgilab.commands.grammar import Command
from wsgilab.lab.servers import load_lab, read_services, settings_in
from wsgilab.lab.workloads import load_workloads
from wsgilab.model.metrics import TABLE
from wsgilab.model.outcomes import Difference, Rating

REFERENCE = (ROOT / "docs/reference.md").read_text()
README = (ROOT / "README.md").read_text()
TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "workshop/README.md",
    *sorted(path for folder in ("docs", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.md")),
]


def commands() -> dict[str, Command]:
    context = click.Context(lab)
    found = {name: lab.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if isinstance(command, Command)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_an_example_and_a_line_in_the_reference(name: str) -> None:
    command = commands()[name]
    assert re.search(rf"^\| `\./lab {name}\b", REFERENCE, re.MULTILINE)
    assert command.help
    assert f"./lab {name}" in command.example
    assert COMMANDS[name].about.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help_and_is_in_the_reference(name: str) -> None:
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts
            assert f"`{max(parameter.opts, key=len)}" in REFERENCE, parameter.opts


@pytest.mark.parametrize(
    "words", [["-k", "slo"], ["tests/unit", "-x"], ["--lf", "-q", "tests/unit/analysis/test_slo.py"], ["--debug"], []]
)
def test_the_test_command_hands_everything_to_pytest(words: list[str]) -> None:
    assert commands()["test"].make_context("./lab test", list(words)).params["words"] == tuple(words)


def test_every_server_stands_in_the_reference_with_its_settings() -> None:
    lab, services = load_lab(ROOT, {}), read_services(ROOT)
    for server in lab.servers.values():
        (row,) = re.findall(rf"^\| `{server.name}` .*$", REFERENCE, re.MULTILINE)
        assert f"| {server.concurrency} |" in row
        for setting in settings_in(services[server.name]):
            assert setting.startswith("LAB_") or f"`{setting}`" in row


def test_every_key_of_verdict_json_stands_in_the_reference() -> None:
    windows = story(rounds=1)
    windows[0] = replace(windows[0], void="k6 gave no result")
    verdict = analyse(windows, replace(RUN, rounds=1)).to_json()
    rows = [verdict["servers"][1], verdict["servers"][1]["loads"][0]]
    rows += [verdict[name][0] for name in ("comparisons", "claims", "void_windows", "windows")]
    for key in {key for each in (verdict, *rows) for key in each}:
        assert f"`{key}`" in REFERENCE, key


def test_the_reference_explains_every_figure_as_the_table_of_metrics_does() -> None:
    expected = [
        f"| `{metric.key}` | {metric.label} | {metric.unit} | "
        f"{'lower' if metric.lower_is_better else 'higher'} | {metric.explanation} |"
        for metric in TABLE
    ]
    assert re.findall(r"^\| `\w+` \|.*\| (?:lower|higher) \|.*$", REFERENCE, re.MULTILINE) == expected


def test_every_metric_of_an_exporter_stands_in_the_reference() -> None:
    source = (ROOT / "services/serve/collector.py").read_text()
    families = re.findall(r'(?:_gauge|_counter|\w+MetricFamily)\(\s*"(\w+)"', source)
    assert len(families) > 30
    for name in families:
        assert re.search(rf"`{name}(_total)?[`{{]", REFERENCE) or f"`{name.partition('_')[0]}_*`" in REFERENCE, name


def test_every_workload_stands_in_the_reference() -> None:
    for name in load_workloads():
        assert f"`{name}`" in REFERENCE


@pytest.mark.parametrize("path", TEXTS)
def test_links_between_documents_lead_somewhere(path) -> None:  # type: ignore[no-untyped-def]
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", TEXTS)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(path) -> None:  # type: ignore[no-untyped-def]
    """A | in a command needs a backslash, in a table even between backticks."""
    for table in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
        head, *rows = [re.sub(r"\\\|", "", row).count("|") for row in table.splitlines()]
        assert rows == [head] * len(rows), table


def test_the_readme_is_short_and_names_both_ways_to_start() -> None:
    assert len(README.splitlines()) <= 130
    for command in ("docker compose up", "./lab run", "./lab test"):
        assert command in README


def test_the_glossary_has_the_words_that_verdicts_use() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    for word in (Rating.INCONCLUSIVE, Difference.NOT_SHOWN, "void", "p50, p99", "objective, SLO", "floor", "`> 10 s`"):
        assert word in words
