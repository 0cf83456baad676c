"""Every property of re-routing on every family, and the page that says so."""

import pytest

from tests.support import family_table, properties, tiny_models
from tests.support.tiny_models import ANY, FAMILIES, IGNORING, MORE, OTHERS, PARTLY

REFUSED = family_table.REFUSED.strip()

TINY = (*FAMILIES, *MORE, *PARTLY)


FOUR = ("llama", "gemma3", "gpt_oss", "cohere2")
"""Those that are tried on every change: plain, sliding, with sinks, and of mixed positions."""
EVERY_FIFTH = OTHERS[::5]
"""Of the other families, those that are tried on every change."""


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=[pytest.mark.slow] * (name not in FOUR)) for name in TINY),
        *properties.REAL_CASES,
    ],
)
def test_every_property_holds_as_the_page_says(name: str) -> None:
    assert family_table.row(name) in family_table.PAGE.read_text().splitlines()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in EVERY_FIFTH else pytest.mark.nightly)
        for name in (*OTHERS, *IGNORING)
    ],
)
def test_other_families_are_what_the_page_says(name: str) -> None:
    assert family_table.row(name) in family_table.PAGE.read_text().splitlines()


@pytest.mark.nightly
@pytest.mark.parametrize("of", [of for of in properties.PROPERTIES if of not in properties.QUICK])
@pytest.mark.parametrize("name", OTHERS)
def test_slower_property_holds_on_other_families(name: str, of: str) -> None:
    assert properties.outcome(name, of)


def test_the_page_has_a_row_for_each_family_and_no_other() -> None:
    lines = family_table.PAGE.read_text().splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    named = sorted(name for name in rows if name != "family")
    assert named == sorted([*properties.REAL, *TINY, *ANY])
    refused = lines[lines.index(REFUSED) : lines.index(family_table.FILES.split("\n")[0])]
    assert sum(line.startswith("- ") for line in refused) == len(IGNORING)
    assert family_table.PAGE.read_text().endswith(f"\n{family_table.FILES}")


@pytest.mark.parametrize("name", TINY)
def test_rerouting_changes_the_plain_model(name: str) -> None:
    """Else every property would hold with nothing done at all."""
    case = properties.case(name)
    ids, lengths = case.tokens(tiny_models.LONG)
    plain = case.run(ids, lengths).final
    for form in properties.FORMS:
        moved = case.run(ids, lengths, case.plan("window"), form=form).final
        assert ((moved - plain).norm(dim=-1) > 1e-3 * plain.norm(dim=-1)).all()


@pytest.mark.parametrize("name", TINY)
def test_the_key_at_first_is_another_key(name: str) -> None:
    case = properties.case(name)
    positions = case.backbone.key_positions
    assert positions == (("own",) if name in ("gpt2", "opt") else ("own", "first"))


@pytest.mark.slow
@pytest.mark.weights
def test_smollm2_as_mistral_without_a_window_is_smollm2() -> None:
    llama, mistral = (properties.case(name) for name in properties.REAL[:2])
    ids, lengths = llama.tokens(tiny_models.WINDOW - 1, 3)
    for name in llama.layer_sets:
        a, b = (case.run(ids, lengths, case.plan(name)).final for case in (llama, mistral))
        assert (a - b).abs().max() <= 1e-5 * a.abs().max()


@pytest.mark.parametrize("name", [name for name in TINY if name not in PARTLY])
def test_every_layer_is_reached(name: str) -> None:
    assert properties.case(name).backbone.reroutable == tuple(range(tiny_models.LAYERS))


@pytest.mark.parametrize("name", IGNORING)
def test_families_that_ignore_the_interface_run_as_they_are(name: str) -> None:
    case = properties.case(name)
    assert not case.backbone.reroutable
    assert case.backbone.refusal
    assert not case.backbone.key_positions
    ids, lengths = case.tokens(tiny_models.LONG)
    result = case.run(ids, lengths).final
    assert (result - case.plain(ids, use_cache=False).last_hidden_state).abs().max() < 1e-4
