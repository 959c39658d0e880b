"""The first sentences of a report: which server to use, and why."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from factories import FIGURES, MODELS, RUN, SERVERS, Model, inside_of, load_result, story, window

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import analyse
from wsgilab.analysis.recommendation import answer as build
from wsgilab.model.interval import Interval
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import LoadRow
from wsgilab.model.window import Window


def answer(windows: list[Window], servers: list[ServerFacts] | None = None, **more: Any) -> list[str]:
    return list(analyse(windows, replace(RUN, servers=SERVERS if servers is None else servers, **more)).answer)


def of(*names: str, rates: tuple[float, ...] = (100.0, 250.0)) -> list[Window]:
    return [each for each in story(rates=rates) if each.plan.server in names]


def facts(*names: str) -> list[ServerFacts]:
    return [each for each in SERVERS if each.name in names]


def test_the_default_run_begins_with_the_cause_and_then_says_what_to_use() -> None:
    said = answer(story())
    assert said[0] == (
        "250 rps of 22.4 ms each need at least 6 slots: gunicorn has 4, dev-single and uwsgi-single have 1."
    )
    assert said[1] == "With these settings, use uwsgi."
    assert said[2].startswith("It kept p99<250ms up to 250 rps, the highest rate offered: p99 2")
    assert said[3] == "uWSGI is in maintenance mode: it gets fixes, no features."
    assert said[4].startswith("dev did as well, but is made for development: ")
    assert said[5] == (
        "This run compares settings as much as servers. With equal slots: "
        "./lab run --slots 8 --servers gunicorn,uwsgi --rate 250"
    )
    assert len(said) == 6


def test_a_command_that_would_tell_names_the_workload_where_it_is_not_the_usual_one() -> None:
    said = analyse(of("gunicorn", "uwsgi"), replace(RUN, workload="/orders?page=2")).answer
    assert said[-1].endswith("--servers gunicorn,uwsgi --workload '/orders?page=2' --rate 250")


def test_servers_with_the_same_slots_are_told_apart_and_no_command_is_needed() -> None:
    eight = Model(replace(MODELS["gunicorn"].facts, name="eight", variant_of="gunicorn", slots=8), 22.4, 3.4, 200.0)
    MODELS["eight"] = eight
    try:
        windows = [window(name, rate, n) for n in (1, 2, 3) for rate in (100.0, 250.0) for name in ("eight", "uwsgi")]
    finally:
        del MODELS["eight"]
    said = answer([*windows, *of("gunicorn")], [eight.facts, *facts("gunicorn", "uwsgi")])
    assert said[0] == "250 rps of 22.4 ms each need at least 6 slots: gunicorn has 4."
    assert said[-1] == "With 8 slots each (eight and uwsgi), at 250 rps: uwsgi uses less CPU per request than eight."


def test_the_development_server_is_recommended_only_where_there_is_no_other() -> None:
    said = answer(of("dev", "gunicorn", rates=(250.0,)), facts("dev", "gunicorn"))
    assert said[:2] == [
        "250 rps of 22.3 ms each need at least 6 slots: gunicorn has 4.",
        "gunicorn was not shown to keep p99<250ms.",
    ]
    assert "use dev" not in " ".join(said).lower()
    assert answer(of("dev"), facts("dev"))[0] == "Use dev."
    assert answer(of("dev"), facts("dev"))[-1].startswith("dev is made for development")


def test_a_variant_of_the_development_server_is_one_too() -> None:
    twin = replace(facts("dev")[0], name="twin", variant_of="dev")
    windows = [replace(each, plan=replace(each.plan, server="twin")) for each in of("dev")]
    assert answer([*windows, *of("uwsgi")], [twin, *facts("uwsgi")])[0] == "Use uwsgi."


def test_a_server_is_recommended_up_to_the_rate_that_it_kept_and_the_rest_is_said() -> None:
    said = answer(of("gunicorn", "uwsgi-single"), facts("gunicorn", "uwsgi-single"))
    assert said[0] == "250 rps of 22.4 ms each need at least 6 slots: gunicorn has 4, uwsgi-single has 1."
    assert said[1] == "With these settings, use gunicorn, up to 100 rps."
    assert said[2].startswith("It kept p99<250ms up to 100 rps: p99 ")


def test_a_rate_above_one_that_was_missed_does_not_count() -> None:
    windows = [
        replace(each, died="killed by signal 9", load=None) if each.plan.rate_rps == 100 else each
        for each in of("uwsgi")
    ]
    said = answer(windows, facts("uwsgi"))
    assert said[0] == "uwsgi was not shown to keep p99<250ms."


def test_several_are_named_together_and_the_best_of_them_where_it_is_shown() -> None:
    frugal = Model(replace(MODELS["uwsgi"].facts, name="frugal"), 22.4, 1.0, 90.0)
    MODELS["frugal"] = frugal
    try:
        windows = [window(name, 100.0, number) for number in range(1, 6) for name in ("gunicorn", "uwsgi", "frugal")]
    finally:
        del MODELS["frugal"]
    said = answer(windows, [*facts("gunicorn", "uwsgi"), frugal.facts])
    assert said[0] == "Use gunicorn, uwsgi or frugal."
    assert said[1].startswith("They kept p99<250ms at 100 rps: p99 gunicorn ")
    assert "Of these, frugal has the least CPU per request." in said
    assert not [each for each in said if "lowest p99" in each], "the three are equal in that"


def test_where_nothing_is_decided_more_rounds_are_asked_for() -> None:
    near = [
        replace(each, load=scaled(each, factor))
        for each, factor in zip(of("uwsgi", rates=(100.0,)), (6, 9, 14), strict=True)
    ]
    said = answer(near, facts("uwsgi"))
    assert said == [
        "uwsgi was not shown to keep p99<250ms.",
        "At 100 rps uwsgi is undecided, and more rounds may settle it.",
    ]


def test_where_none_of_several_kept_the_objective_it_is_said_once() -> None:
    said = answer(of("gunicorn", "uwsgi-single", rates=(250.0,)), facts("gunicorn", "uwsgi-single"))
    assert "No server was shown to keep p99<250ms." in said


def scaled(measured: Window, factor: float) -> Any:
    assert measured.load
    return replace(measured.load, ladder_ms={rung: ms * factor for rung, ms in measured.load.ladder_ms.items()})


def test_a_server_of_which_every_window_was_void_is_not_called_bad() -> None:
    windows = [
        replace(each, void="k6 gave no result")
        if each.plan.server == "gunicorn" and each.plan.rate_rps == 250
        else each
        for each in story()
    ]
    said = answer(windows)
    assert said[1] == "With these settings, use uwsgi."
    assert "Nothing is known of gunicorn at 250 rps: every window was void." in said


def test_slots_that_would_have_been_enough_are_not_called_too_few() -> None:
    late = [replace(each, load=scaled(each, 90)) for each in of("gunicorn", rates=(100.0,))]
    said = answer(late, facts("gunicorn"))
    assert said == [
        "gunicorn missed the objective at 100 rps, and nothing measured explains it.",
        "gunicorn was not shown to keep p99<250ms.",
    ]


def test_a_capacity_below_the_best_ones_range_is_as_good_where_its_own_range_reaches_it() -> None:
    nothing = analyse([], replace(RUN, servers=facts("gunicorn", "uwsgi"), command="capacity", rounds=0))
    found = (Interval(153.0, 150.0, 170.0), Interval(165.0, 160.0, 170.0))
    measured = LoadRow(100.0, 1, 0, "good", "", dict.fromkeys(FIGURES))
    rows = (
        replace(row, capacity_rps=each, loads=(measured,)) for row, each in zip(nothing.servers, found, strict=True)
    )
    assert build(replace(nothing, servers=tuple(rows)))[0] == "uwsgi and gunicorn carry the most."


def test_one_window_each_is_called_a_first_look() -> None:
    assert answer(story(rounds=1))[-1] == "One window each and no intervals: a first look."
    assert "first look" not in " ".join(answer(story(rounds=2)))


def test_without_a_valid_window_there_is_no_answer() -> None:
    assert answer([]) == []
    assert answer([replace(each, void="k6 gave no result") for each in story(rounds=1)]) == []


def searched(*names: str) -> list[str]:
    rates = (25.0, 100.0, 150.0, 190.0, 280.0, 300.0)
    windows = [window(name, rate, number) for number, rate in enumerate(rates, 1) for name in names]
    return answer(windows, facts(*names), command="capacity", goal=Goal(coarse_s=6.0, fine_s=6.0))


def test_a_search_ranks_what_each_carries() -> None:
    said = searched("dev-single", "gunicorn", "uwsgi", "dev")
    assert said[0] == "uwsgi carries the most."
    assert re.match(r"Highest rate that keeps p99<250ms: dev 300 rps, uwsgi 300 rps, gunicorn 150 rps \(", said[1])
    assert said[2] == "Limited by slots: uwsgi (8) and gunicorn (4); by CPU: dev."
    assert said[3] == "uWSGI is in maintenance mode: it gets fixes, no features."
    assert said[4].startswith("dev did as well, but is made for development")
    assert searched("gunicorn")[0].startswith("Highest rate that keeps p99<250ms: gunicorn 150 rps")


def test_searches_whose_brackets_overlap_are_not_ranked() -> None:
    said = searched("gunicorn", "uwsgi-single")
    assert said[0] == "gunicorn carries the most."
    twice = answer_of_twins()
    assert twice[0] == "gunicorn and twin carry the most."
    assert twice[2] == "The ranges of gunicorn and twin overlap: none of them is shown to carry more than another."


def answer_of_twins() -> list[str]:
    windows = [window("gunicorn", rate, number) for number, rate in enumerate((25.0, 100.0, 150.0, 250.0), 1)]
    twins = [replace(each, plan=replace(each.plan, server="twin")) for each in windows]
    two = [*facts("gunicorn"), replace(facts("gunicorn")[0], name="twin")]
    return answer([*windows, *twins], two, command="capacity", goal=Goal(coarse_s=6.0, fine_s=6.0))


def with_cause(statuses: dict[str, int], name: str, rate_rps: float = 250.0) -> list[Window]:
    return [
        replace(each, load=load_result([], 600, statuses=statuses, **{"total_ok": 0}))
        for each in of(name, rates=(rate_rps,))
    ]


def test_what_every_server_owes_to_the_app_recommends_none() -> None:
    windows = [*with_cause({"500": 600}, "gunicorn"), *with_cause({"500": 600}, "uwsgi")]
    assert answer(windows, facts("gunicorn", "uwsgi")) == [
        "Under every server: HTTP 500.",
        "The cause lies in the app, so no server is recommended.",
    ]


def test_a_server_that_was_lucky_with_the_app_is_not_recommended_over_it() -> None:
    died = [inside_of(each, worker_ends={"exit 1": 5}) for each in of("gunicorn", rates=(250.0,))]
    said = answer([*died, *of("uwsgi", rates=(250.0,))], facts("gunicorn", "uwsgi"))
    assert said[:2] == [
        "gunicorn: workers died 15 times (exit status 1).",
        "uwsgi kept the objective, but the cause lies in the app, so no server is recommended.",
    ]


def test_cpu_is_named_with_the_figures_of_the_server_that_needs_least_of_it() -> None:
    def busy(name: str, cpu_ms: float) -> list[Window]:
        late = [replace(each, load=scaled(each, 40)) for each in of(name, rates=(250.0,))]
        return [replace(each, usage=replace(each.usage, cpu_ms_per_request=cpu_ms)) for each in late]  # type: ignore[type-var]

    said = answer([*busy("dev", 5.2), *busy("uwsgi", 4.4)], facts("dev", "uwsgi"))
    assert said[0].startswith("dev and uwsgi are limited by CPU: 1 CPU ÷ 4.40 ms CPU per request = 227 rps, 250 rps")
    assert said[0].endswith(" offered (uwsgi, which needs the least).")
    alone = answer(busy("uwsgi", 4.4), facts("uwsgi"))
    assert alone[0] == "uwsgi is limited by CPU: 1 CPU ÷ 4.40 ms CPU per request = 227 rps, 250 rps offered."
