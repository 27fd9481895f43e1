"""The journal: every change with record, context and decision, written, read and replayed.

from recloser.journal import Journal

journal = Journal("feed.jsonl")
ws = recloser.connect(url, observers=[journal])
"""

from recloser.journal.lines import JournalEntry, RecordedError
from recloser.journal.reader import Reader
from recloser.journal.writer import Journal

__all__ = ["Journal", "JournalEntry", "Reader", "RecordedError"]
