"""The journal: every change with record, context and decision, written, read and replayed.

from recloser.journal import Journal

journal = Journal("feed.jsonl")
ws = recloser.connect(url, observers=[journal])
"""

from recloser.journal.lines import Entry, RecordedError
from recloser.journal.reader import Reader
from recloser.journal.writer import Journal

__all__ = ["Entry", "Journal", "Reader", "RecordedError"]
