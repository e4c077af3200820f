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
    """A client with a content_seq may hold any minute that had it, so a lot is left out only if all of them agree.

    Of the sequence number that was current when the process began, minutes may be missing here: it is known only
    once they have been learnt from the database.
    """

    def __init__(self) -> None:
        self.now: Said | None = None
        self.began_with: int | None = None
        self.marks: OrderedDict[int, delta.Marks] = OrderedDict()  # by content_seq
        self.missing: set[int] = set()  # not in the database either, when that was asked under the newest edition
        self.documents: OrderedDict[int, Prepared] = OrderedDict()  # deltas of the newest edition, by since_seq

    def remember(self, edition: Edition) -> bytes | None:
        """Takes the newest edition; what it changed of the one before, None for the first of this process."""
        found = records(edition.snapshot)
        before, self.now = self.now, Said(edition, found, delta.marks(found))
        self.documents.clear()
        self.missing.clear()
        seq = edition.snapshot.run.content_seq
        self._keep(seq, self.now.marks)
        if before is None:
            self.began_with = seq
            return None
        lots = delta.changed(found, before.marks)
        return delta.document(edition.snapshot, before.edition.snapshot.run.content_seq, lots, is_full=False)

    def learn(self, content_seq: int, found: delta.Marks | None) -> None:
        """What the database knows of a sequence number."""
        self.documents.pop(content_seq, None)
        if found is None:
            self.missing.add(content_seq)
            return
        self._keep(content_seq, found)
        if content_seq == self.began_with:
            self.began_with = None

    def knows(self, content_seq: int) -> bool:
        return content_seq in self.marks and content_seq != self.began_with

    def is_settled(self, content_seq: int) -> bool:
        """The database has nothing to add."""
        return self.knows(content_seq) or content_seq in self.missing

    def since(self, content_seq: int) -> Prepared | None:
        """lot_status.json with what changed since then; all lots when that is not known any more."""
        if self.now is None:
            return None
        if content_seq not in self.documents:
            before = self.marks[content_seq] if self.knows(content_seq) else None
            lots = delta.changed(self.now.records, before or {})
            snapshot = self.now.edition.snapshot
            body = delta.document(snapshot, content_seq, lots, is_full=before is None)
            self.documents[content_seq] = prepared(body, JSON, snapshot.minute, "tick")
            while len(self.documents) > DOCUMENTS_KEPT:
                self.documents.popitem(last=False)
        return self.documents[content_seq]

    def _keep(self, content_seq: int, found: delta.Marks) -> None:
        held = self.marks.get(content_seq)
        self.marks[content_seq] = found if held is None else delta.merged(found, held)
        while len(self.marks) > SEQUENCES_KEPT:
            self.marks.popitem(last=False)
