//! Where log lines go: to standard error, and with their weight where systemd's journal takes them.

use std::fmt;
use std::io::{IsTerminal as _, stderr};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Log lines go to standard error from now on. `STREAMPULSE_LOG` says which (default `info`).
pub fn to_stderr() {
    let filter = EnvFilter::try_from_env("STREAMPULSE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
    let _ = if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder
            .with_ansi(false)
            .event_format(ForJournal(Format::default().with_target(false).without_time()))
            .try_init()
    } else {
        builder.with_ansi(stderr().is_terminal()).try_init()
    };
}

/// The journal has a time of its own for every line, and reads how much it weighs from its beginning (sd-daemon(3)), so that
/// `journalctl -p warning` finds what matters.
struct ForJournal(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// As syslog(3) numbers them.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
