"""What does Prometheus see of a feed process? Read when it asks; the hot path only counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboards.feed.site import Site
from dashboards.feed.stream import Stream


class FeedCollector(Collector):
    def __init__(self, site: Site, stream: Stream) -> None:
        self.site = site
        self.stream = stream

    def collect(self) -> Iterator[Metric]:
        now = datetime.now(UTC)
        answers = CounterMetricFamily("citysense_feed_answers", "Prepared answers by status", labels=["status"])
        for status, count in sorted(self.site.served.items()):
            answers.add_metric([str(status)], count)
        yield answers
        yield GaugeMetricFamily("citysense_feed_stream_clients", "Clients of the stream", len(self.stream.clients))
        yield CounterMetricFamily("citysense_feed_stream_dropped", "Clients dropped as too slow", self.stream.dropped)
        yield GaugeMetricFamily("citysense_feed_limited_addresses", "Addresses known", len(self.site.limiter.buckets))
        yield GaugeMetricFamily("citysense_feed_stale", "1: marked stale", float(bool(self.site.stale_since(now))))
        edition = self.site.edition
        if edition is not None:
            age_s = (now - edition.minute).total_seconds()
            yield GaugeMetricFamily("citysense_feed_minute_age_seconds", "Age of the minute that is served", age_s)
            yield GaugeMetricFamily(
                "citysense_feed_content_seq", "content_seq that is served", edition.snapshot.run.content_seq
            )
        if self.site.published_after_tick_s is not None:
            yield GaugeMetricFamily(
                "citysense_feed_published_after_tick_seconds",
                "How long after its tick the newest minute was served",
                self.site.published_after_tick_s,
            )


def exposition(site: Site, stream: Stream) -> bytes:
    registry = CollectorRegistry()
    registry.register(FeedCollector(site, stream))
    return generate_latest(registry)
