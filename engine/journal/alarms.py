"""Alarms in the past: the rates of closes in a journal that were out of the ordinary."""

from dataclasses import dataclass, field, replace

from recloser.fsm.decisions import Retry
from recloser.journal.lines import JournalEntry
from recloser.statistics.detector import CloseAlarm, Detector
from recloser.statistics.kinds import end_kind, is_first_end


@dataclass(slots=True)
class PastAlarms:
    """Finds alarms in entries as they come; all engines of the file are one group.

    Times are those of the entries, in seconds since the epoch.
    """

    found: list[CloseAlarm] = field(default_factory=list)
    """Every alarm in the order of its beginning; `cleared` is None where it lasts to the end."""
    _detector: Detector = field(default_factory=Detector)

    def add(self, entry: JournalEntry) -> None:
        """Take one entry into account."""
        for alarm in self._detector.advance(entry.time):
            if alarm.cleared is None:
                self.found.append(alarm)
            else:
                [at] = [
                    at for at, each in enumerate(self.found) if replace(alarm, cleared=None) == each
                ]
                self.found[at] = alarm
        change = entry.change
        if change.close is not None and is_first_end(change):
            refresh = isinstance(change.decision, Retry) and change.decision.refresh
            self._detector.add(end_kind(change.close), entry.time, refresh=refresh)
