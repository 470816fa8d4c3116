//! Where a stream's month went, as a bar.

use super::super::markup::Markup;
use super::super::words::duration;
use crate::health::report::Figures;
use crate::model::Health;

/// Units of a bar's width.
const WIDTH: u64 = 1_000;

/// What a person must not miss is at least so wide.
const LEAST: u64 = 12;

/// Parts of a bar from left to right, and their names in the style sheet.
const PARTS: [(Health, &str, &str); 5] = [
    (Health::Up, "up", "up"),
    (Health::Degraded, "degraded", "degraded"),
    (Health::Down, "down", "down"),
    (Health::Unknown, "unknown", "unknown"),
    (Health::Maintenance, "maintenance", "maintenance"),
];

/// The bar of one stream; what is empty at its end was not watched.
pub(super) fn bar(page: &mut Markup, figures: &Figures) {
    page.raw("<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    let mut is_first = true;
    for (health, _, word) in PARTS {
        let length = super::of(&figures.times, health);
        if !length.is_zero() {
            page.raw(if std::mem::take(&mut is_first) { "" } else { ", " }).raw(word).raw(" ").text(duration(length));
        }
    }
    page.raw("\"><rect class=\"ground\" width=\"1000\" height=\"10\"/>");
    let mut x = 0;
    for ((_, class, _), width) in PARTS.into_iter().zip(widths(figures)) {
        if width > 0 {
            page.raw("<rect class=\"").raw(class).raw("\" x=\"").text(x).raw("\" width=\"").text(width);
            page.raw("\" height=\"10\"/>");
        }
        x += width;
    }
    page.raw("</svg>");
}

/// What the colours mean.
pub(super) fn legend(page: &mut Markup) {
    page.raw("<p class=\"legend\">");
    for (_, class, word) in PARTS {
        page.raw("<span><i class=\"").raw(class).raw("\"></i>").raw(word).raw("</span> ");
    }
    page.raw("<span><i></i>not watched</span></p>\n");
}

/// In units of [`WIDTH`], together at most that; what makes room for the least is the widest.
fn widths(figures: &Figures) -> [u64; PARTS.len()] {
    let window_ms =
        u64::try_from(figures.window.as_millis()).unwrap_or(u64::MAX).max(figures.times.covered_ms()).max(1);
    let mut widths = PARTS.map(|(health, ..)| {
        let ms = figures.times.ms(health);
        let width = ms.saturating_mul(WIDTH) / window_ms;
        if ms > 0 && health != Health::Up { width.max(LEAST) } else { width }
    });
    let too_much = widths.iter().sum::<u64>().saturating_sub(WIDTH);
    if let Some(widest) = widths.iter_mut().max() {
        *widest -= too_much.min(*widest);
    }
    widths
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::StateTimes;

    fn of(window_s: u64, parts: &[(Health, u64)]) -> [u64; 5] {
        let mut times = StateTimes::default();
        parts.iter().for_each(|(health, seconds)| times.add_ms(*health, seconds * 1000));
        widths(&Figures { times, window: Duration::from_secs(window_s), ..Figures::default() })
    }

    #[test]
    fn a_bar_shows_what_must_not_be_missed() {
        assert_eq!(of(1000, &[(Health::Up, 500), (Health::Down, 250)]), [500, 0, 250, 0, 0]);
        assert_eq!(of(100_000, &[(Health::Up, 99_999), (Health::Down, 1)]), [988, 0, 12, 0, 0]);
        assert_eq!(of(0, &[]), [0; 5]);
        assert_eq!(of(0, &[(Health::Down, 5)]), [0, 0, 1000, 0, 0]);
    }
}
