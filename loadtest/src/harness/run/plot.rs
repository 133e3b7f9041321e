//! Draws plots as SVG without scripts; colours come from a style that page and files share. Layer: harness; pure.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::figure::shown;

/// The size of a plot in its own units; a page scales it.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// The style of plots.
pub const STYLE: &str = include_str!("plot.css");

/// The heights of the title and of the legend above a plot that stands alone, and of the line below it.
const TITLE_HEIGHT: f64 = 30.0;
const LEGEND_HEIGHT: f64 = 18.0;
const BELOW: f64 = 22.0;
/// The space at the left and the right of a plot that stands alone.
const SIDE: f64 = 8.0;
/// The width at which a plot that stands alone is shown.
const SHOWN_WIDTH: f64 = 640.0;
/// The width of a character of a legend, at most.
const CHAR_WIDTH: f64 = 6.5;

/// The largest number of spans of a line that are drawn apart; more points are drawn as the lowest and the highest of each
/// span.
const SPANS_MAX: usize = 200;

/// A drawn plot.
#[derive(Debug)]
pub struct Drawing {
    /// The title.
    pub title: String,
    height: f64,
    body: String,
}

impl Drawing {
    fn new(title: &str, height: f64) -> Self {
        Self { title: title.to_owned(), height, body: String::new() }
    }

    /// Returns the plot for a page that has the style.
    pub fn inline(&self) -> String {
        let (title, body) = (escaped(&self.title), &self.body);
        format!("<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{title}\">{body}</svg>", self.height)
    }

    /// Returns the plot as a file of its own, with title, legend, and a line about the run.
    pub fn alone(&self, legend: &[&str], about: &str) -> String {
        let legend = if legend.len() > 1 { legend } else { &[] };
        let above = if legend.is_empty() { TITLE_HEIGHT } else { TITLE_HEIGHT + LEGEND_HEIGHT };
        let (title, width, height) = (escaped(&self.title), WIDTH + 2.0 * SIDE, above + self.height + BELOW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{:.0} 0 {width:.0} {height:.0}\" width=\"{SHOWN_WIDTH}\" \
             height=\"{:.0}\" role=\"img\" aria-label=\"{title}\">\n<style>\n{STYLE}</style>\n\
             <rect class=\"card\" x=\"{:.1}\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"6\"/>\n\
             <text class=\"title\" x=\"4\" y=\"20\">{title}</text>\n",
            -SIDE,
            height / width * SHOWN_WIDTH,
            0.5 - SIDE,
            width - 1.0,
            height - 1.0,
        );
        let mut left = 4.0;
        for (index, name) in legend.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<path class=\"line s{index}\" d=\"M{left:.1} 34h18\"/><text x=\"{:.1}\" y=\"38\">{}</text>",
                left + 24.0,
                escaped(name)
            );
            left += 44.0 + name.chars().count() as f64 * CHAR_WIDTH;
        }
        let _ = write!(
            svg,
            "<g transform=\"translate(0 {above})\">{}</g>\n<text x=\"4\" y=\"{:.0}\">{}</text>\n</svg>\n",
            self.body,
            height - 8.0,
            escaped(about)
        );
        svg
    }
}

/// A line of a plot.
pub struct Line<'l> {
    /// The name in the legend.
    pub name: &'l str,
    /// The points; a gap where the value is missing.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A mark on the horizontal axis.
pub struct Tick {
    /// The place.
    pub at: f64,
    /// The text under the mark.
    pub text: String,
}

/// Draws lines over an axis that begins at zero.
pub fn lines(title: &str, lines: &[Line<'_>], ticks: &[Tick]) -> Drawing {
    let all = || lines.iter().flat_map(|line| &line.points);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (from, to) = span(&mut all().map(|(x, _)| *x).chain(ticks.iter().map(|tick| tick.at)));
    let (_, highest) = span(&mut all().filter_map(|(_, y)| *y));
    let step = step(if highest.is_finite() { highest } else { 1.0 });
    let top = (highest.max(step) / step).ceil() * step;
    let x = |value: f64| LEFT + (value - from) / (to - from).max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let mut drawing = Drawing::new(title, HEIGHT);
    let svg = &mut drawing.body;
    let mut level = 0.0;
    while level <= top * 1.001 {
        let at = y(level);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 5.0,
            at + 4.0,
            shown(level)
        );
        level += step;
    }
    for tick in ticks {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(tick.at).clamp(LEFT, WIDTH - RIGHT - 12.0),
            HEIGHT - 8.0,
            escaped(&tick.text)
        );
    }
    for (index, line) in lines.iter().enumerate() {
        let (mut path, mut pen) = (String::new(), 'M');
        for (at, value) in thinned(&line.points) {
            let Some(value) = value else {
                pen = 'M';
                continue;
            };
            let _ = write!(path, "{pen}{:.1} {:.1}", x(at), y(value));
            pen = 'L';
        }
        let _ = write!(svg, "<path class=\"line s{index}\" d=\"{path}\"><title>{}</title></path>", escaped(line.name));
    }
    drawing
}

/// Returns no more points than a plot can show: of many, the lowest and the highest of each span, in their order.
fn thinned(points: &[(f64, Option<f64>)]) -> Vec<(f64, Option<f64>)> {
    if points.len() <= 2 * SPANS_MAX {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * SPANS_MAX);
    for span in points.chunks(points.len().div_ceil(SPANS_MAX)) {
        let known = || span.iter().filter(|(_, value)| value.is_some());
        let low = known().min_by(|(_, one), (_, other)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        let high = known().max_by(|(_, one), (_, other)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        match (low, high) {
            (Some(low), Some(high)) if low.0 < high.0 => kept.extend([*low, *high]),
            (Some(low), Some(high)) if low.0 > high.0 => kept.extend([*high, *low]),
            (Some(only), _) => kept.push(*only),
            _ => kept.extend(span.first()),
        }
    }
    kept
}

/// A bar from nothing to the median, and a mark at 99 %.
pub struct Bar<'b> {
    /// The name.
    pub name: &'b str,
    /// The median and the 99 % in milliseconds; `None` if the stage was not measured.
    pub took: Option<(f64, f64)>,
    /// True for a pause that is meant.
    pub intended: bool,
}

/// The lowest and the highest time on the logarithmic axis of bars, in milliseconds.
const BARS_FROM: f64 = 0.1;
const BAR_HEIGHT: f64 = 34.0;

/// Draws bars on a logarithmic axis.
pub fn bars(title: &str, bars: &[Bar<'_>]) -> Drawing {
    let longest = bars.iter().filter_map(|bar| bar.took).map(|(_, p99)| p99).fold(1.0, f64::max);
    let decades = (longest / BARS_FROM).log10().ceil().max(1.0);
    let x = |ms: f64| 4.0 + (ms.max(BARS_FROM) / BARS_FROM).log10() / decades * (WIDTH - 14.0);
    let height = bars.len() as f64 * BAR_HEIGHT + 22.0;
    let mut drawing = Drawing::new(title, height);
    let svg = &mut drawing.body;
    for decade in 0..=decades as i32 {
        let ms = BARS_FROM * 10_f64.powi(decade);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" y1=\"0\" x2=\"{0:.1}\" y2=\"{1:.1}\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"middle\">{4} ms</text>",
            x(ms),
            height - 18.0,
            x(ms).clamp(26.0, WIDTH - 26.0),
            height - 5.0,
            shown(ms)
        );
    }
    for (index, bar) in bars.iter().enumerate() {
        let top = index as f64 * BAR_HEIGHT;
        let label = match bar.took {
            Some((p50, p99)) => format!("{}: {} · {} ms", bar.name, shown(p50), shown(p99)),
            None => format!("{}: not measured", bar.name),
        };
        let _ = write!(svg, "<text class=\"label\" x=\"5\" y=\"{:.1}\">{}</text>", top + 13.0, escaped(&label));
        if let Some((p50, p99)) = bar.took {
            let class = if bar.intended { "bar meant" } else { "bar" };
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"4\" y=\"{:.1}\" width=\"{:.1}\" height=\"9\" rx=\"2\"/>\
                 <line class=\"far\" x1=\"{:.1}\" y1=\"{4:.1}\" x2=\"{:.1}\" y2=\"{4:.1}\"/>",
                top + 18.0,
                (x(p50) - 4.0).max(1.0),
                x(p50),
                x(p99),
                top + 22.5
            );
        }
    }
    drawing
}

/// Returns a round step that divides a height into three to six parts.
fn step(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    // A little less, so that a span that is a hair over a round one keeps its step.
    let rough = highest / 4.0 * 0.999;
    let decade = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * decade).find(|step| *step >= rough).unwrap_or(decade)
}

/// Returns marks for a time that begins at zero, in seconds, minutes or hours.
pub fn time_ticks(seconds: f64) -> Vec<Tick> {
    let (unit, word) = match seconds {
        long if long >= 3.0 * 3600.0 => (3600.0, "h"),
        middle if middle >= 180.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    let step = step(seconds / unit);
    let count = (seconds / unit / step).floor() as u32;
    let tick = |turn: u32| {
        let at = f64::from(turn) * step;
        Tick { at: at * unit, text: format!("{} {word}", shown(at)) }
    };
    (0..=count).map(tick).collect()
}

/// Returns where a share lies on an axis of nines: 0 at none, 1 at 90 %, 2 at 99 %.
pub fn nines(share: f64, count: u64) -> f64 {
    let most = (count.max(2) as f64).log10();
    if share >= 1.0 { most } else { (-(1.0 - share).log10()).min(most) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        assert_eq!([4.0, 9.0, 130.0, 0.03, 0.0].map(step), [1.0, 2.5, 50.0, 0.01, 1.0]);
        let ticks: Vec<String> = time_ticks(600.0).into_iter().map(|tick| tick.text).collect();
        assert_eq!(ticks, ["0 min", "2.50 min", "5 min", "7.50 min", "10 min"]);
    }

    #[test]
    fn a_long_line_keeps_its_peaks_and_its_gaps() {
        let value = |at: u32| match at {
            1_234 => Some(900.0),
            2_000..2_200 => None,
            _ => Some(f64::from(at % 7)),
        };
        let points: Vec<_> = (0..3_600).map(|at| (f64::from(at), value(at))).collect();
        let thinned = thinned(&points);
        assert!(thinned.len() <= 2 * SPANS_MAX, "{} points", thinned.len());
        assert!(thinned.contains(&(1_234.0, Some(900.0))) && thinned.iter().any(|(_, value)| value.is_none()));
        assert!(thinned.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn nines_end_where_the_count_ends() {
        assert_eq!((nines(0.0, 1000), nines(0.9, 1000).round(), nines(1.0, 1000)), (0.0, 1.0, 3.0));
        assert_eq!(nines(0.9999, 100), 2.0);
    }

    #[test]
    fn a_missing_value_is_a_gap_and_text_is_escaped() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(3.0))];
        let svg = lines("<a & b>", &[Line { name: "x", points }], &time_ticks(2.0)).inline();
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(svg.contains("aria-label=\"&lt;a &amp; b&gt;\"") && !svg.contains("NaN"), "{svg}");
    }
}
