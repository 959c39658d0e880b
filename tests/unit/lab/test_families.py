"""Every setting that a tuning may try is a variant that compose.yaml can make."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.analysis.tuning import space
from wsgilab.errors import UsageError
from wsgilab.lab import families, variants
from wsgilab.lab.servers import load_lab
from wsgilab.model.tuning import Setting


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_setting_has_the_slots_that_it_says(family: str) -> None:
    settings = space.settings_of(family, 1)
    lab = variants.add(load_lab(ROOT, {}), [families.variant_of(setting) for setting in settings])
    assert {lab.servers[setting.name].slots == setting.slots for setting in settings} == {True}


def test_todays_default_is_what_compose_yaml_has() -> None:
    lab = load_lab(ROOT, {})
    for family in families.FAMILIES:
        assert families.default_of(family, lab).slots == lab.servers[family].slots


def test_todays_default_is_what_the_user_has_set() -> None:
    assert families.default_of("gunicorn", load_lab(ROOT, {"GUNICORN_WORKERS": "7"})) == Setting("gunicorn", "sync", 7)


def test_all_is_every_family() -> None:
    assert families.families_of("all") == ("gunicorn", "uwsgi")


def test_a_server_that_has_nothing_to_tune_is_refused() -> None:
    with pytest.raises(UsageError, match="no server 'gunicron' to tune"):
        families.families_of("gunicron")
