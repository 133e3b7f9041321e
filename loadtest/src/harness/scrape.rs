//! Reads the product's Prometheus metrics: counters, and histograms of a time window. Layer: harness.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_world::people::http::{self, HttpError};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Reads `/metrics` of each node.
///
/// # Errors
/// A node does not answer, or answers with an error.
pub async fn scrape(client: &reqwest::Client, urls: &[String]) -> Result<Vec<String>, HttpError> {
    let mut texts = Vec::new();
    for url in urls {
        let url = format!("{url}/metrics");
        let response = http::send(client.get(&url).timeout(ANSWER_WITHIN), &url).await?;
        let unreadable = |error: reqwest::Error| error.without_url().to_string();
        texts.push(response.text().await.map_err(|error| HttpError::NoAnswer { url, reason: unreadable(error) })?);
    }
    Ok(texts)
}

/// Sums a metric over all texts and labels; 0 if the metric has no value yet.
pub fn total(texts: &[String], name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    texts.iter().flat_map(|text| text.lines()).filter_map(value).sum()
}

/// Sums a metric over all texts by the value of a label.
pub fn by_label(texts: &[String], name: &str, label: &str) -> BTreeMap<String, f64> {
    let (start, label) = (format!("{name}{{"), format!("{label}=\""));
    let mut sums = BTreeMap::new();
    for line in texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with(&start)) {
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        let of = line.split_once(&label).and_then(|(_, rest)| rest.split_once('"'));
        if let (Some(value), Some((of, _))) = (value, of) {
            *sums.entry(of.to_owned()).or_default() += value;
        }
    }
    sums
}

/// Returns every bucket of a histogram in a metrics text, whatever its labels, as bound in seconds and count.
pub fn histograms(text: &str, name: &str) -> Vec<(f64, f64)> {
    let bucket = format!("{name}_bucket{{");
    let lines = text.lines().filter(|line| line.starts_with(&bucket));
    lines
        .filter_map(|line| {
            let (_, rest) = line.split_once("le=\"")?;
            let (bound, rest) = rest.split_once('"')?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, rest.rsplit(' ').next()?.parse().ok()?))
        })
        .collect()
}

/// A histogram of a time window, over all nodes.
#[derive(Debug, Default)]
pub struct Buckets {
    /// Count up to each bound in seconds; the key is the bits of the bound, which sort as positive numbers do.
    upto: BTreeMap<u64, f64>,
    /// The number of values.
    pub count: f64,
}

impl Buckets {
    /// Returns what a histogram gained between two readings of all nodes.
    pub fn between(before: &[String], after: &[String], name: &str) -> Self {
        let mut buckets = Self::default();
        for (texts, sign) in [(before, -1.0), (after, 1.0)] {
            for text in texts {
                for (bound, count) in histograms(text, name) {
                    *buckets.upto.entry(bound.to_bits()).or_default() += sign * count;
                    if bound.is_infinite() {
                        buckets.count += sign * count;
                    }
                }
            }
        }
        buckets
    }

    /// Returns the lowest bound up to which this share of the values lies, in milliseconds; 0 without values.
    pub fn within_ms(&self, share: f64) -> f64 {
        let wanted = self.count * share;
        let bound = self.upto.iter().find(|(_, count)| **count >= wanted && **count > 0.0);
        bound.map_or(0.0, |(bound, _)| f64::from_bits(*bound) * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_lies_under_the_bound_that_reaches_it() {
        let text = |low: u32, all: u32| {
            vec![format!(
                "# TYPE x_seconds histogram\nx_seconds_bucket{{statement=\"a\",le=\"0.005\"}} {low}\n\
                 x_seconds_bucket{{statement=\"a\",le=\"+Inf\"}} {all}\nx_seconds_count{{statement=\"a\"}} {all}\n"
            )]
        };
        let buckets = Buckets::between(&text(10, 10), &text(109, 110), "x_seconds");
        assert!((buckets.within_ms(0.99) - 5.0).abs() < f64::EPSILON, "{buckets:?}");
        assert!(buckets.within_ms(1.0).is_infinite());
        assert!((buckets.count - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_counter_is_summed_over_labels_and_nodes_and_not_mixed_with_longer_names() {
        let texts = ["# HELP x_total y\nx_total{a=\"1\"} 2\nx_total{a=\"2\"} 3\nx_total_more 9\n", "x_total 5\n"];
        let texts = texts.map(str::to_owned);
        assert!((total(&texts, "x_total") - 10.0).abs() < f64::EPSILON);
        let sums =
            by_label(&texts, "x_total", "a").into_iter().map(|(of, sum)| format!("{of} {sum}")).collect::<Vec<_>>();
        assert_eq!(sums, ["1 2", "2 3"]);
    }
}
