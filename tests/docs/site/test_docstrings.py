"""The plain style of docstrings becomes what Sphinx reads."""

import pytest

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def translate():
    pytest.importorskip("sphinx")
    from tests.docs.test_reading_order import load

    return load("docstrings").translate


@pytest.mark.parametrize(
    ("plain", "becomes"),
    [
        ("Ask `Close`.", "Ask :py:obj:`Close <Close>`."),
        ("As `ws.move()` does.", "As :py:obj:`ws.move() <ws.move>` does."),
        ("See `a ==\nb`.", "See ``a == b``."),
        ("The `Close`s.", "The :py:obj:`Close <Close>`\\ s."),
        ("So:\n\n    x = `1`", "So:\n\n.. code-block:: python\n\n    x = `1`"),
        (">>> f(`x`)\n1", ">>> f(`x`)\n1"),
        ("url, seed: what\n    goes in.", "``url``, ``seed``\n    what\n    goes in."),
        ("url: one\nmore\nseed: two", "``url``\n    one\n    more\n``seed``\n    two"),
        ("other: stays prose", "other: stays prose"),
    ],
)
def test_a_docstring(translate, plain: str, becomes: str) -> None:
    assert translate(plain, frozenset({"url", "seed"})) == becomes
