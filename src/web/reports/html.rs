//! A report as a page, for the screen and for paper. It needs no script; its looks are in `static/style/report.css`.

mod bar;
mod incidents;
mod tables;

use super::markup::Markup;
use super::words::{counted, duration, moment, percent};
use super::{Form, Sheet, address};
use crate::health::report::Figures;
use crate::model::{Health, StateTimes};

/// The whole page.
pub(super) fn page(sheet: &Sheet) -> String {
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>Camera report, ")
        .text(sheet.month.in_words())
        .raw("</title>\n<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n")
        .raw("<link rel=\"stylesheet\" href=\"/style/report.css\">\n</head>\n<body>\n");
    navigation(&mut page, sheet);
    page.raw("<main>\n");
    head(&mut page, sheet);
    let is_empty = sheet.report.all.times.covered_ms() == 0;
    if is_empty {
        nothing_yet(&mut page, sheet);
    } else {
        figures(&mut page, sheet);
        tables::worst(&mut page, sheet);
        tables::streams(&mut page, sheet);
    }
    // Of a time in which nobody looked, it would be wrong to say that nothing happened.
    if !is_empty || !sheet.report.incidents.is_empty() {
        incidents::list(&mut page, sheet);
    }
    counting(&mut page, sheet);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

/// Where else to go: on a screen only.
fn navigation(page: &mut Markup, sheet: &Sheet) {
    let link = |page: &mut Markup, to: String, text: &str| {
        page.raw("<a href=\"").text(to).raw("\">").text(text).raw("</a>");
    };
    page.raw("<nav aria-label=\"Reports\">\n<a class=\"brand\" href=\"/\">")
        .raw("<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M1 8.5h3l1.5-4 2.5 7.5 2-5 1 1.5h4\"/></svg>StreamPulse</a>\n<span>");
    let [before, after] = sheet.beside;
    if let Some(month) = before {
        link(page, address(month, Form::Html), &format!("‹ {}", month.in_words()));
    }
    if let Some(month) = after {
        link(page, address(month, Form::Html), &format!("{} ›", month.in_words()));
    }
    page.raw("</span>\n<span>");
    link(page, address(sheet.month, Form::Csv), "Table (CSV)");
    link(page, address(sheet.month, Form::IncidentsCsv), "Incidents (CSV)");
    page.raw("</span>\n</nav>\n");
}

fn head(page: &mut Markup, sheet: &Sheet) {
    let period = &sheet.report.period;
    page.raw("<header>\n<p class=\"kind\">Camera report</p>\n<h1>").text(sheet.month.in_words());
    if period.is_so_far() {
        page.raw(" <span class=\"so-far\">so far</span>");
    }
    page.raw("</h1>\n<p class=\"facts\">");
    let made = moment(period.now, &sheet.zone);
    if period.is_so_far() {
        page.raw("The month still goes on; this is what it came to by ").text(&made).raw(".<br>");
    }
    page.raw("<span>").text(counted(sheet.report.streams.len(), "stream")).raw("</span> <span>Time zone ");
    page.text(&sheet.zone_name).raw("</span> ");
    if !period.is_so_far() {
        page.raw("<span>Made ").text(&made).raw("</span> ");
    }
    page.raw("<span>StreamPulse ").text(env!("CARGO_PKG_VERSION")).raw("</span></p>\n</header>\n");
}

fn nothing_yet(page: &mut Markup, sheet: &Sheet) {
    page.raw("<section class=\"empty\">\n<h2>Nothing is recorded yet</h2>\n<p>");
    page.text(if sheet.report.streams.is_empty() {
        "There are no streams. Add the cameras to config.yaml; from the first picture on they are in this report."
    } else {
        "No stream was watched in this month. From the first picture on they are in this report."
    });
    page.raw("</p>\n</section>\n");
}

/// The four figures that are read first.
fn figures(page: &mut Markup, sheet: &Sheet) {
    let all = &sheet.report.all;
    page.raw("<section class=\"figures\" aria-label=\"The month in four figures\">\n");
    let mut figure = |name: &'static str, value: String, meaning: String| {
        page.raw("<div>\n<h2>").raw(name).raw("</h2>\n<p class=\"value\">").text(value);
        page.raw("</p>\n<p>").text(meaning).raw("</p>\n</div>\n");
    };
    let down = match all.downtime() {
        none if none.is_zero() => "no stream was down".to_owned(),
        down => format!("the streams were down for {} in all", duration(down)),
    };
    figure(
        "Availability",
        availability(&all.times),
        match all.availability() {
            None => "No stream could be judged in this month.".to_owned(),
            Some(_) => format!("For this share of the judged time there was a usable picture; {down}."),
        },
    );
    figure("Incidents", (all.incidents_down + all.incidents_degraded).to_string(), incidents_in_words(all));
    let or_none = |value: Option<_>| value.map_or_else(|| "–".to_owned(), duration);
    let repaired = all.time_to_repair.count;
    figure(
        "Time to detect",
        or_none(all.time_to_detect.value()),
        if all.time_to_detect.count == 0 {
            "No outage began in this month.".to_owned()
        } else {
            "From the last good picture to the confirmed outage, on average.".to_owned()
        },
    );
    figure(
        "Time to repair",
        or_none(all.time_to_repair.value()),
        match (repaired, all.time_to_detect.count) {
            (0, 0) => "No outage began in this month.".to_owned(),
            (0, _) => "No outage that began in this month is over.".to_owned(),
            (1, _) => "From the confirmed outage to its end, of the one outage that is over.".to_owned(),
            _ => format!("From the confirmed outage to its end, on average of {repaired} outages that are over."),
        },
    );
    page.raw("</section>\n");
}

fn incidents_in_words(all: &Figures) -> String {
    let (down, degraded, open) = (all.incidents_down, all.incidents_degraded, all.incidents_open);
    let kinds = match (down, degraded) {
        (0, 0) => return "No incident in this month.".to_owned(),
        (_, 0) => "In each, one or more streams gave no picture".to_owned(),
        (0, _) => "In each, something was wrong with a picture".to_owned(),
        _ => format!("{down} with no picture and {degraded} with a poor one"),
    };
    match open {
        0 => format!("{kinds}; all are over."),
        1 => format!("{kinds}; one is still open."),
        _ => format!("{kinds}; {open} are still open."),
    }
}

/// How it is counted, so that nobody has to ask.
fn counting(page: &mut Markup, sheet: &Sheet) {
    let all = &sheet.report.all;
    page.raw("<footer>\n<h2>How this is counted</h2>\n")
        .raw("<p><b>Availability</b> is the time a stream was up or degraded over the time it was up, degraded or down. ")
        .raw("Up is a picture that was decoded and looked at; degraded is a picture with something wrong in it; down is ")
        .raw("confirmed by a second look. Percentages are rounded down.</p>\n");
    page.raw(
        "<p>Time in which StreamPulse could not tell (unknown) and announced work (maintenance) count neither way",
    );
    if all.times.covered_ms() > 0 {
        page.raw(": ").text(duration(of(&all.times, Health::Unknown))).raw(" and ");
        page.text(duration(of(&all.times, Health::Maintenance))).raw(" of all streams in this month");
    }
    page.raw(".</p>\n<p><b>Watched</b> is the share of ")
        .raw(if sheet.report.period.is_so_far() { "what has passed of the month" } else { "the month" })
        .raw(" in which a stream was looked at");
    if all.times.covered_ms() > 0 {
        page.raw(": ").text(covered(all)).raw(" of all");
    }
    page.raw(". A stream that was added or removed within it was watched for a part of it.</p>\n")
        .raw("<p>An <b>incident</b> lasts from the confirmed failure to the recovery, and takes all streams together that fail ")
        .raw("for one cause. Those that were open in the month are counted and listed, also when they began before it. ")
        .raw("Times to detect and to repair are means over the outages of incidents that were opened in it, a stream at a ")
        .raw("time; one that is not over yet has no time to repair. The longest outage is that of one stream, within the ")
        .raw("month; it goes on while the stream is unknown.</p>\n</footer>\n");
}

fn of(times: &StateTimes, health: Health) -> std::time::Duration {
    std::time::Duration::from_millis(times.ms(health))
}

/// Of the time that was judged.
fn availability(times: &StateTimes) -> String {
    let available = times.ms(Health::Up) + times.ms(Health::Degraded);
    percent(available, available + times.ms(Health::Down))
}

/// Of the time that there was.
fn covered(figures: &Figures) -> String {
    let window_ms = u64::try_from(figures.window.as_millis()).unwrap_or(u64::MAX);
    percent(figures.times.covered_ms().min(window_ms), window_ms)
}
