"""docs/backbones.md says what the families do, and nothing in it is bad news."""

import family_table


def test_the_page_is_what_is_measured() -> None:
    assert family_table.PAGE.read_text() == family_table.page()


def test_every_family_that_is_rerouted_passes_every_check() -> None:
    lines = [line for line in family_table.page().splitlines() if "| equal" in line]
    assert lines
    assert not [line for line in lines if "| moves |" in line or "differ" in line]
