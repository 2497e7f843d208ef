//! Metrics in the Prometheus text format. Streams add their sums once, when they end; nothing here is touched per frame.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::event::StreamCounters;
use crate::domain::{Direction, Disposition, ReasonCode};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndLabels {
    direction: &'static str,
    disposition: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabel {
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RuleLabel {
    reason: String,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
pub enum Vendor {
    Twilio,
    ElevenLabs,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VendorLabels {
    vendor: Vendor,
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusalLabel {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ListLabel {
    list: String,
}

/// All metrics of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls_started: Family<DirectionLabel, Counter>,
    calls_ended: Family<EndLabels, Counter>,
    decisions: Family<DecisionLabel, Counter>,
    denials: Family<RuleLabel, Counter>,
    refused_signatures: Family<RefusalLabel, Counter>,
    vendor_seconds: Family<VendorLabels, Histogram>,
    call_seconds: Histogram,
    agent_ready_seconds: Histogram,
    audio_bytes: Family<DirectionLabel, Counter>,
    dropped_bytes: Counter,
    barge_ins: Counter,
    malformed_messages: Counter,
    list_age_days: Family<ListLabel, Gauge>,
    lists_unreadable: Gauge,
    /// Calls that have not ended.
    pub live_calls: Gauge,
    /// Media streams that are open.
    pub open_streams: Gauge,
    /// Events that wait for the journal's writer.
    pub journal_depth: Gauge,
    /// Interim events dropped because the journal's lane was full.
    pub interim_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("clearline");
        let seconds = || Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let metrics = Self {
            calls_started: Family::default(),
            calls_ended: Family::default(),
            decisions: Family::default(),
            denials: Family::default(),
            refused_signatures: Family::default(),
            vendor_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            call_seconds: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            agent_ready_seconds: seconds(),
            audio_bytes: Family::default(),
            dropped_bytes: Counter::default(),
            barge_ins: Counter::default(),
            malformed_messages: Counter::default(),
            list_age_days: Family::default(),
            lists_unreadable: Gauge::default(),
            live_calls: Gauge::default(),
            open_streams: Gauge::default(),
            journal_depth: Gauge::default(),
            interim_dropped: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("calls_started", "Calls created", self.calls_started.clone());
        registry.register("calls_ended", "Calls ended, by disposition", self.calls_ended.clone());
        registry.register("decisions", "Answers of the compliance gate", self.decisions.clone());
        registry.register("denials", "Reasons of denials", self.denials.clone());
        registry.register(
            "refused_signatures",
            "Webhooks refused for their signature",
            self.refused_signatures.clone(),
        );
        registry.register_with_unit(
            "vendor_request",
            "Time of vendor API requests",
            Unit::Seconds,
            self.vendor_seconds.clone(),
        );
        registry.register_with_unit("call", "Duration of answered calls", Unit::Seconds, self.call_seconds.clone());
        registry.register_with_unit(
            "agent_ready",
            "From a stream's start to the agent's first message",
            Unit::Seconds,
            self.agent_ready_seconds.clone(),
        );
        registry.register("audio_bytes", "Bytes of mu-law audio carried", self.audio_bytes.clone());
        registry.register(
            "caller_dropped_bytes",
            "Caller audio dropped because an agent was slow",
            self.dropped_bytes.clone(),
        );
        registry.register("barge_ins", "Times a caller talked over the agent", self.barge_ins.clone());
        registry.register("malformed_messages", "Messages that could not be read", self.malformed_messages.clone());
        registry.register("list_age_days", "Age of each do-not-call list", self.list_age_days.clone());
        registry.register(
            "lists_unreadable",
            "1 while the manifest of the do-not-call lists is missing or damaged",
            self.lists_unreadable.clone(),
        );
        registry.register("live_calls", "Calls that have not ended", self.live_calls.clone());
        registry.register("open_streams", "Media streams that are open", self.open_streams.clone());
        registry.register("journal_depth", "Events waiting for the journal's writer", self.journal_depth.clone());
        registry.register("interim_dropped", "Interim events dropped", self.interim_dropped.clone());
    }

    pub fn call_started(&self, direction: Direction) {
        self.calls_started.get_or_create(&DirectionLabel { direction: direction_label(direction) }).inc();
        self.live_calls.inc();
    }

    /// `answered_s` is the time since the call was answered, in seconds, where it was.
    pub fn call_ended(&self, direction: Direction, disposition: Disposition, answered_s: Option<f64>) {
        let labels = EndLabels { direction: direction_label(direction), disposition: disposition.as_str() };
        self.calls_ended.get_or_create(&labels).inc();
        self.live_calls.dec();
        if let Some(seconds) = answered_s {
            self.call_seconds.observe(seconds);
        }
    }

    pub fn decided(&self, allowed: bool, reasons: impl IntoIterator<Item = ReasonCode>) {
        self.decisions.get_or_create(&DecisionLabel { decision: if allowed { "allow" } else { "deny" } }).inc();
        for reason in reasons {
            self.denials.get_or_create(&RuleLabel { reason: reason.to_string() }).inc();
        }
    }

    /// `route` is one of our own route patterns, so that a stranger cannot make up labels.
    pub fn signature_refused(&self, route: &'static str) {
        self.refused_signatures.get_or_create(&RefusalLabel { route }).inc();
    }

    pub fn vendor_request(&self, vendor: Vendor, operation: &'static str, seconds: f64) {
        self.vendor_seconds.get_or_create(&VendorLabels { vendor, operation }).observe(seconds);
    }

    pub fn agent_ready(&self, seconds: f64) {
        self.agent_ready_seconds.observe(seconds);
    }

    pub fn stream_ended(&self, counters: &StreamCounters) {
        self.audio_bytes.get_or_create(&DirectionLabel { direction: "inbound" }).inc_by(counters.caller_bytes);
        self.audio_bytes.get_or_create(&DirectionLabel { direction: "outbound" }).inc_by(counters.agent_bytes);
        self.dropped_bytes.inc_by(counters.caller_dropped_bytes);
        self.barge_ins.inc_by(counters.barge_ins.into());
        self.malformed_messages.inc_by(counters.malformed_messages.into());
    }

    /// What lists are in force and how old each is; `None` where that cannot be read.
    pub fn lists(&self, ages: Option<impl IntoIterator<Item = (String, i64)>>) {
        self.list_age_days.clear();
        self.lists_unreadable.set(ages.is_none().into());
        for (list, days) in ages.into_iter().flatten() {
            self.list_age_days.get_or_create(&ListLabel { list }).set(days);
        }
    }

    /// The exposition text of `/metrics`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String does not fail");
        text
    }
}

fn direction_label(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.call_started(Direction::Outbound);
        metrics.decided(false, [ReasonCode::InternalDnc]);
        metrics.call_ended(Direction::Outbound, Disposition::Blocked, None);
        let text = metrics.render();
        assert!(
            text.contains("clearline_calls_ended_total{direction=\"outbound\",disposition=\"blocked\"} 1"),
            "{text}"
        );
        assert!(text.contains("clearline_denials_total{reason=\"INTERNAL_DNC\"} 1"), "{text}");
        assert!(text.contains("clearline_live_calls 0"), "{text}");
    }
}
