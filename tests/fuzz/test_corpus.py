"""What the fuzzer has found worth keeping is read again without a fault."""

from pathlib import Path

import pytest

from tests.fuzz.source import Source
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 4096


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_of_a_target_is_read_without_a_fault(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert files, "a target without a corpus begins from nothing"
    for each in files:
        TARGETS[name](each.read_bytes())
    TARGETS[name](b"")


def test_the_corpus_is_small_and_of_targets_that_there_are() -> None:
    assert {each.name for each in CORPUS.iterdir()} == set(TARGETS)
    assert all(each.stat().st_size <= LARGEST for each in CORPUS.rglob("*") if each.is_file())


def test_a_source_ends_in_zeros_and_empty_texts() -> None:
    source = Source(b"\x01\x02\x03ab\xff")
    assert (source.flag(), source.number(2), source.choice("xyz")) == (True, 0x0203, "y")
    assert source.text() == "\udcff"
    assert (source.number(), source.text(), source.rest(), source.flag()) == (0, "", b"", False)
