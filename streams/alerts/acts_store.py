"""Acts of people about alerts in the database: who has an alert in hand. SQL only.

Whatever topic brings them, they are the same, so the ledger applies them, not the topic's domain. They lock no alert:
partitions are applied in any order, and an act may come before its alert does.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.alerts import AlertAcknowledged
from sql.connect import Connection
from sql.named import named

_SQL = named("alerts")


def acknowledge(connection: Connection, acts: Sequence[AlertAcknowledged]) -> None:
    """Acts in the order of the log: the first about an alert counts, a repeat changes nothing. No new revision.

    One about an alert that is not here is kept: the alert may be on its way, or an exercise, which no table has.
    """
    _SQL.acknowledge(
        connection,
        action_ids=[act.action_id for act in acts],
        alert_ids=[act.alert_id for act in acts],
        ats=[act.at for act in acts],
        whos=[act.by for act in acts],
        endpoints=[act.endpoint for act in acts],
        notes=[act.note for act in acts],
        revisions=[act.revision for act in acts],
        receiveds=[act.received_at for act in acts],
    )
