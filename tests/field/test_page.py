"""The page of other clients is made from the results of the runs."""

import json

from tests.field.clients.page import DATA, ENDS, PAGE, cell, filled


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run: python -m tests.field.clients"


def test_each_client_was_ended_in_each_way() -> None:
    results = json.loads(DATA.read_text(encoding="utf-8"))
    assert "recloser" in results
    for name, found in results.items():
        assert set(found["ends"]) == set(ENDS), name
        for end in ENDS:
            dials = found["ends"][end]["dials"]
            assert dials == sorted(dials)
            assert all(at >= 0 for at in dials)


def test_a_cell_says_when_it_dialled() -> None:
    assert cell([]) == "never"
    assert cell([0.5, 1.25]) == "0.5, 1.25"
    assert cell([1.0, 2.0, 3.0, 4.0]) == "1, 2, 3 ..."
    assert cell([0.01] * 51) == "51 dials"
