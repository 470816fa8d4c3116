//! Samples in the text format of Prometheus, version 0.0.4, family by family.
//!
//! Written straight into text: 1,000 streams have some 45,000 samples, and to make a tree of each of them first, as the
//! client libraries do, took 30 ms of every scrape.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write as _;
use std::time::Duration;

use super::families::{ALL, Family, Kind};

/// The samples of one answer.
pub(super) struct Samples(Vec<String>);

impl Samples {
    /// No sample yet.
    pub(super) fn new() -> Self {
        Self(vec![String::new(); ALL.len()])
    }

    /// A gauge or counter; `labels` in the order of the family's.
    pub(super) fn put(&mut self, family: &Family, labels: &[&str], value: f64) {
        let text = &mut self.0[family.index];
        write_sample(text, family, "", labels, None, value);
    }

    /// A histogram: for each upper bound how many were not above it, then how many there were and all of them together.
    pub(super) fn put_histogram(
        &mut self,
        family: &Family,
        labels: &[&str],
        buckets: impl Iterator<Item = (Duration, u64)>,
        count: u64,
        sum: Duration,
    ) {
        let text = &mut self.0[family.index];
        for (bound, below) in buckets {
            write_sample(text, family, "_bucket", labels, Some(bound.as_secs_f64()), float(below));
        }
        write_sample(text, family, "_bucket", labels, Some(f64::INFINITY), float(count));
        write_sample(text, family, "_sum", labels, None, sum.as_secs_f64());
        write_sample(text, family, "_count", labels, None, float(count));
    }

    /// Every family that has a sample, with its help and type.
    pub(super) fn finish(self) -> String {
        let mut text = String::with_capacity(self.0.iter().map(|samples| samples.len() + 256).sum());
        for (family, samples) in ALL.iter().zip(&self.0).filter(|(_, samples)| !samples.is_empty()) {
            let Family { name, help, kind, .. } = family;
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
            text.push_str(samples);
        }
        text
    }
}

fn write_sample(text: &mut String, family: &Family, ending: &str, labels: &[&str], bound: Option<f64>, value: f64) {
    debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
    debug_assert_eq!(family.kind == Kind::Histogram, !ending.is_empty(), "{}", family.name);
    text.push_str(family.name);
    text.push_str(ending);
    let mut before = '{';
    for (name, label) in family.labels.iter().zip(labels) {
        text.push(before);
        text.push_str(name);
        text.push_str("=\"");
        escape(text, label);
        text.push('"');
        before = ',';
    }
    if let Some(bound) = bound {
        text.push(before);
        text.push_str("le=\"");
        write_number(text, bound);
        text.push('"');
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    text.push(' ');
    write_number(text, value);
    text.push('\n');
}

/// A label's value: backslash, quote and line feed are escaped.
fn escape(text: &mut String, label: &str) {
    for c in label.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            _ => text.push(c),
        }
    }
}

/// As Go reads a float.
fn write_number(text: &mut String, value: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let _ = if value == f64::INFINITY {
        text.write_str("+Inf")
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        let whole = value as i64;
        write!(text, "{whole}")
    } else {
        write!(text, "{value}")
    };
}

/// A count as a sample.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::families as f;
    use super::*;

    #[test]
    fn samples_are_text() {
        let mut samples = Samples::new();
        samples.put(&f::SYSTEM_UP, &[], 1.0);
        samples.put(&f::STREAM_LATENCY, &["a \"b\" \\c\nd"], 12.5);
        samples.put(&f::STREAM_LATENCY, &["é"], -0.000_001);
        let buckets = [(Duration::from_millis(250), 2), (Duration::from_secs(1), 3)];
        samples.put_histogram(&f::DURATION, &["gate"], buckets.into_iter(), 4, Duration::from_millis(1_500));
        let text = samples.finish();
        let expected = "# HELP stream_latency_ms Time of the last good probe in milliseconds\n\
            # TYPE stream_latency_ms gauge\n\
            stream_latency_ms{stream=\"a \\\"b\\\" \\\\c\\nd\"} 12.5\n\
            stream_latency_ms{stream=\"é\"} -0.000001\n\
            # HELP system_up 1 while the monitor runs\n\
            # TYPE system_up gauge\n\
            system_up 1\n\
            # HELP streampulse_probe_duration_seconds Time of good probes, to the finished picture\n\
            # TYPE streampulse_probe_duration_seconds histogram\n\
            streampulse_probe_duration_seconds_bucket{stream_id=\"gate\",le=\"0.25\"} 2\n\
            streampulse_probe_duration_seconds_bucket{stream_id=\"gate\",le=\"1\"} 3\n\
            streampulse_probe_duration_seconds_bucket{stream_id=\"gate\",le=\"+Inf\"} 4\n\
            streampulse_probe_duration_seconds_sum{stream_id=\"gate\"} 1.5\n\
            streampulse_probe_duration_seconds_count{stream_id=\"gate\"} 4\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_family_has_its_place() {
        for (index, family) in ALL.iter().enumerate() {
            assert_eq!(family.index, index, "{}", family.name);
        }
    }
}
