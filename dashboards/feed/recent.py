"""What did the last hours say, for clients that come back with a sequence number? A ring of marks, one for each."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from dashboards.feed import delta
from dashboards.feed.edition import Edition
from dashboards.feed.encodings import Prepared, prepared
from dashboards.feed.files import JSON
from dashboards.feed.records import LotStatus
from dashboards.feed.views.status import records

SEQUENCES_KEPT = 180  # three hours, if something changes every minute
DOCUMENTS_KEPT = 64


class Said(msgspec.Struct, frozen=True):
    """The newest edition's records, and what they say."""

    edition: Edition
    records: tuple[LotStatus, ...]
    marks: delta.Marks


class Recent:
    """Of the minutes with one content_seq the first is kept: what moved since then is sent rather twice than never."""

    def __init__(self) -> None:
        self.now: Said | None = None
        self.marks: OrderedDict[int, delta.Marks] = OrderedDict()  # by content_seq
        self.documents: OrderedDict[int, Prepared] = OrderedDict()  # deltas of the newest edition, by since_seq

    def remember(self, edition: Edition) -> bytes | None:
        """Takes the newest edition; what it changed of the one before, None for the first of this process."""
        found = records(edition.snapshot)
        before, self.now = self.now, Said(edition, found, delta.marks(found))
        self.documents.clear()
        if before is None:
            return None
        self.keep(before.edition.snapshot.run.content_seq, before.marks)
        self.keep(edition.snapshot.run.content_seq, self.now.marks)
        lots = delta.changed(found, before.marks)
        return delta.document(edition.snapshot, before.edition.snapshot.run.content_seq, lots, is_full=False)

    def keep(self, content_seq: int, marks: delta.Marks) -> None:
        self.marks.setdefault(content_seq, marks)
        while len(self.marks) > SEQUENCES_KEPT:
            self.marks.popitem(last=False)

    def knows(self, content_seq: int) -> bool:
        return content_seq in self.marks

    def since(self, content_seq: int) -> Prepared | None:
        """lot_status.json with what changed since then; all lots when that is not known any more."""
        if self.now is None:
            return None
        if content_seq not in self.documents:
            before = self.marks.get(content_seq)
            lots = delta.changed(self.now.records, before or {})
            snapshot = self.now.edition.snapshot
            body = delta.document(snapshot, content_seq, lots, is_full=before is None)
            self.documents[content_seq] = prepared(body, JSON, snapshot.minute, "tick")
            while len(self.documents) > DOCUMENTS_KEPT:
                self.documents.popitem(last=False)
        return self.documents[content_seq]
