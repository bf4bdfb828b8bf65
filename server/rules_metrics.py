"""What each rule did, for /metrics."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.rules import Rules


class RulesCollector(Collector):
    """The counts of the rules that hold now; one that leaves the file leaves the metrics."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        matched = _family("logstore_rule_records_matched", "Records that a rule's condition held for.")
        dropped = _family("logstore_rule_records_dropped", "Records that a rule dropped, sampling included.")
        changed = _family("logstore_rule_records_changed", "Records that a rule masked, labelled, routed or parsed.")
        seconds = _family("logstore_rule_seconds", "Processor time that a rule took.")
        for name, count in self._rules.counts().items():
            matched.add_metric([name], count.matched)
            dropped.add_metric([name], count.dropped)
            changed.add_metric([name], count.changed)
            seconds.add_metric([name], count.seconds)
        yield from (matched, dropped, changed, seconds)
        failures = "Changes of the rules file that were not taken; the former rules hold."
        yield CounterMetricFamily("logstore_rules_reload_failures", failures, self._rules.failures)


def _family(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=["rule"])
