"""What does an error of a transaction mean for its batch: wait, stop, or look for the row at fault?"""

from __future__ import annotations

from enum import Enum

import psycopg


class Verdict(Enum):
    TRANSIENT = "transient"  # hold the batch, back off, try again; Kafka waits
    TIMEOUT = "timeout"  # transient twice; the third time on one batch a row is at fault
    STOP = "stop"  # the worker exits and an alert says why: no row is at fault
    DATA = "data"  # a row is at fault: bisect to it


class StopWorker(Exception):
    """The log and the database do not fit together, or the code does not fit the schema: a person must look."""


class GapError(StopWorker):
    """Records are missing between the fence and what Kafka delivers. Reading starts again from the fence."""


# SQLSTATE classes and codes, PostgreSQL 17 appendix A. 08 connection, 40 rollback, 53 resources, 55P03 lock not
# available, 57P01-57P03 shutdown and start, 25P03 idle session ended; 42 and 28 syntax, schema and rights.
_TRANSIENT_CLASSES = ("08", "40", "53")
_TRANSIENT_CODES = ("55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
_STOP_CLASSES = ("42", "28", "3D", "3F", "0A", "25")
_TIMEOUT = "57014"


def classify(error: BaseException) -> Verdict:
    """The verdict. The class alone must not decide: an over-long key and a time-out are both OperationalError."""
    if isinstance(error, StopWorker):
        return Verdict.STOP
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
            return Verdict.TRANSIENT if lost else Verdict.DATA
        if state == _TIMEOUT:
            return Verdict.TIMEOUT
        if state in _TRANSIENT_CODES or state[:2] in _TRANSIENT_CLASSES:
            return Verdict.TRANSIENT
        if state[:2] in _STOP_CLASSES:
            return Verdict.STOP
    return Verdict.DATA
