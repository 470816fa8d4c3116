//! Samples in the making, family by family.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::families::{ALL, Family};

/// The samples of one answer.
#[derive(Default)]
pub(super) struct Samples(HashMap<&'static str, Vec<Metric>>);

impl Samples {
    /// A gauge or counter; `labels` in the order of the family's.
    pub(super) fn put(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        let mut metric = labelled(family, labels);
        if family.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.push(family, metric);
    }

    /// A histogram: for each upper bound how many were not above it, then how many there were and all of them together.
    pub(super) fn put_histogram(
        &mut self,
        family: &'static Family,
        labels: &[&str],
        buckets: impl Iterator<Item = (Duration, u64)>,
        count: u64,
        sum: Duration,
    ) {
        let bucket = |(bound, count): (Duration, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.map(bucket).collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum.as_secs_f64());
        let mut metric = labelled(family, labels);
        metric.set_histogram(histogram);
        self.push(family, metric);
    }

    fn push(&mut self, family: &'static Family, metric: Metric) {
        self.0.entry(family.name).or_default().push(metric);
    }

    /// Every family that has a sample.
    pub(super) fn finish(mut self) -> Vec<MetricFamily> {
        let finished = |family: &&'static Family| {
            let metrics = self.0.remove(family.name)?;
            let mut finished = MetricFamily::default();
            finished.set_name(family.name.to_owned());
            finished.set_help(family.help.to_owned());
            finished.set_field_type(family.kind);
            finished.set_metric(metrics);
            Some(finished)
        };
        ALL.iter().filter_map(finished).collect()
    }
}

fn labelled(family: &Family, labels: &[&str]) -> Metric {
    debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
    Metric::from_label(family.labels.iter().zip(labels).map(|(name, value)| pair(name, value)).collect())
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
