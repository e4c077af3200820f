"""How good is the feed itself, this minute? quality.json: coverage, delays, sources, sums with their coverage."""

from __future__ import annotations

from dashboards.feed.records import QualityData, Slo
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import localized, of_minute


def quality(snapshot: Snapshot) -> bytes:
    run, health = snapshot.run, snapshot.run.quality
    return of_minute(
        snapshot,
        QualityData(
            minute=snapshot.local(run.minute),
            revision=run.revision,
            computed_at=snapshot.local(run.computed_at),
            clock=snapshot.local_or_none(run.clock),
            is_late=run.is_late,
            register_version=run.register_version,
            lots_total=health.lots_total,
            lots_by_freshness=health.lots_by_freshness,
            lots_by_status=health.lots_by_status,
            observed_to_minute_p50_s=health.observed_to_minute_p50_s,
            observed_to_minute_p95_s=health.observed_to_minute_p95_s,
            unregistered=health.unregistered,
            sources=localized(health.sources, snapshot),
            areas=run.areas,
            slo=Slo(),
        ),
    )
