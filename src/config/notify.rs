//! `notify:`: whom to tell of incidents and transitions, by webhook or by mail.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::keys;
use super::reader::{Range, Rule, Section, shown_text};
use super::recipient::{Mail, MailTls, Recipient, Template, WebAddress, Webhook};
use super::template;
use crate::model::{Credentials, Health, Secret};

/// `notify:`
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Where people reach the dashboard, without a slash at its end.
    pub dashboard_url: Option<String>,
    /// Asked again and again while all is well.
    pub watchdog_url: Option<WebAddress>,
    /// 10 s to 1 h, default 60 s.
    pub watchdog_interval: Duration,
    /// In the order of the file.
    pub targets: Vec<Arc<Target>>,
}

impl Default for Notify {
    fn default() -> Self {
        let watchdog_interval = Duration::from_secs(60);
        Self { dashboard_url: None, watchdog_url: None, watchdog_interval, targets: Vec::new() }
    }
}

/// One of `notify.targets:`
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Unique.
    pub name: String,
    /// False: nothing waits for it either.
    pub enabled: bool,
    /// By which way, in which form.
    pub to: Recipient,
    /// Incidents are told.
    pub incidents: bool,
    /// Announced transitions are told.
    pub transitions: bool,
    /// Of `down` and `degraded`.
    pub severities: Vec<Health>,
    /// Streams of these groups; empty: all.
    pub groups: Vec<String>,
    /// Told again after this time while it is open and nobody has acknowledged it.
    pub remind: Option<Duration>,
    /// Incidents are collected so long, default 15 s.
    pub wait: Duration,
    /// PEM.
    pub ca_file: Option<PathBuf>,
    /// True: any certificate is taken. Default false.
    pub tls_insecure: bool,
}

pub(super) fn notify(root: &Section<'_>) -> Notify {
    let section = root.section("notify", keys::NOTIFY);
    let default = Notify::default();
    let dashboard_url = section.text("dashboard_url").and_then(|text| match WebAddress::parse(text) {
        Ok(_) => Some(text.trim_end_matches('/').to_owned()),
        Err(message) => {
            section.problem("dashboard_url", message);
            None
        }
    });
    let interval = Range::seconds(10.0, 3600.0);
    let mut names = HashSet::new();
    let targets = section.list("targets").iter().enumerate().filter_map(|(i, node)| {
        let section = Section::new(node, format!("notify.targets[{i}]"), keys::NOTIFY_TARGET, root.findings);
        target(&section, &mut names).map(Arc::new)
    });
    let targets = targets.collect();
    Notify {
        dashboard_url,
        watchdog_url: web_address(&section, "watchdog_url"),
        watchdog_interval: section.duration(
            "watchdog_interval_seconds",
            default.watchdog_interval,
            interval,
            Rule::Ours,
        ),
        targets,
    }
}

/// An address that is a secret itself, so it is not shown.
fn web_address(section: &Section<'_>, key: &str) -> Option<WebAddress> {
    match WebAddress::parse(section.secret(key)?.trim()) {
        Ok(address) => Some(address),
        Err(message) => {
            section.problem(key, message);
            None
        }
    }
}

/// One target; `None` when it lacks what nothing can stand in for.
pub(super) fn target(section: &Section<'_>, names: &mut HashSet<String>) -> Option<Target> {
    let name = name(section, names);
    let to = recipient(section);
    let events = words(section, "events", &["incidents", "transitions"], &["incidents"]);
    let severities = words(section, "severities", &["down", "degraded"], &["down", "degraded"]);
    if events.contains(&"transitions") && section.text("template") == Some("alertmanager") {
        section.problem("events", "has transitions, which are no alerts; give Alertmanager incidents only");
    }
    let minutes = Range::whole(1, 43_200);
    let remind = section.has("remind_minutes").then(|| section.integer("remind_minutes", 60, minutes, Rule::Ours));
    let wait = section.duration("wait_seconds", Duration::from_secs(15), Range::seconds(0.0, 600.0), Rule::Ours);
    Some(Target {
        name: name?,
        enabled: section.boolean("enabled", true, Rule::Ours),
        incidents: events.contains(&"incidents"),
        transitions: events.contains(&"transitions"),
        severities: severities.into_iter().filter_map(Health::parse).collect(),
        groups: section.texts("groups"),
        remind: remind.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        wait,
        ca_file: section.text("ca_file").map(PathBuf::from),
        tls_insecure: section.boolean("tls_insecure", false, Rule::Ours),
        to: to?,
    })
}

fn name(section: &Section<'_>, names: &mut HashSet<String>) -> Option<String> {
    let Some(name) = section.text("name") else {
        section.missing("name", "give every target a name");
        return None;
    };
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.len() > 64 || !name.chars().all(is_good) {
        section.problem("name", format!("{} is no name; a name is 1 to 64 of a-z, 0-9, _ and -", shown_text(name)));
        return None;
    }
    if !names.insert(name.to_owned()) {
        section.problem("name", format!("{} is also the name of another target", shown_text(name)));
        return None;
    }
    Some(name.to_owned())
}

/// Some of a few words; `default` when the key is absent.
fn words(section: &Section<'_>, key: &str, known: &[&'static str], default: &[&'static str]) -> Vec<&'static str> {
    let given = section.texts(key);
    for word in given.iter().filter(|word| !known.contains(&word.as_str())) {
        section.problem(key, format!("{} is not one of {}", shown_text(word), known.join(", ")));
    }
    if given.is_empty() {
        return default.to_vec();
    }
    known.iter().copied().filter(|word| given.iter().any(|given| given == word)).collect()
}

const OF_WEBHOOKS: [&str; 4] = ["template", "content_type", "headers", "secret"];
const OF_MAIL: [&str; 3] = ["from", "to", "subject"];

fn recipient(section: &Section<'_>) -> Option<Recipient> {
    let (of_others, kind) = match (section.has("url"), section.has("smtp")) {
        (true, true) => {
            section.problem("smtp", "is given beside url; a target has one of the two: make two targets");
            return None;
        }
        (false, false) => {
            section.missing("url", "write the webhook's address, or smtp with from and to for mail");
            return None;
        }
        (true, false) => (OF_MAIL.as_slice(), "mail"),
        (false, true) => (OF_WEBHOOKS.as_slice(), "webhooks"),
    };
    for key in of_others.iter().filter(|key| section.has(key)) {
        section.problem(key, format!("is for {kind}; take it out"));
    }
    if section.has("url") { webhook(section).map(Recipient::Web) } else { mail(section).map(Recipient::Mail) }
}

fn webhook(section: &Section<'_>) -> Option<Webhook> {
    let url = web_address(section, "url");
    let named = section.choice("template", &Template::NAMES).and_then(Template::parse);
    let body = own_template(section, "body", true);
    if section.has("template") && section.has("body") {
        section.problem("body", "is given beside template; a target has one of the two");
    }
    if section.has("content_type") && !section.has("body") {
        section.problem("content_type", "is for a body of your own; take it out");
    }
    let content_type = section.text("content_type").unwrap_or("application/json").to_owned();
    if HeaderValue::from_str(&content_type).is_err() {
        section.problem("content_type", "is no content type; write one such as text/plain; charset=utf-8");
    }
    let headers = section.secret_pairs("headers");
    for (name, value) in &headers {
        let ours = ["host", "content-length", "content-type", "connection", "transfer-encoding"];
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
            section.problem("headers", format!("{} is no header with a value", shown_text(name)));
        } else if ours.contains(&name.to_ascii_lowercase().as_str()) {
            section.problem("headers", format!("{} is set by StreamPulse; take it out", shown_text(name)));
        }
    }
    Some(Webhook {
        url: url?,
        template: body.map(Template::Own).or(named).unwrap_or_default(),
        content_type,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect(),
        secret: section.secret("secret").map(Secret::new),
    })
}

/// A template of the operator's: one that is broken is told when the file is read.
fn own_template(section: &Section<'_>, key: &str, json: bool) -> Option<String> {
    let text = section.lines(key)?;
    if let Err(why) = template::check(text, json) {
        section.problem(key, format!("is no template: {why}; see docs/notifications.md"));
    }
    Some(text.to_owned())
}

fn mail(section: &Section<'_>) -> Option<Mail> {
    let smtp = section.section("smtp", keys::NOTIFY_SMTP);
    let tls = smtp.choice("tls", &MailTls::NAMES).and_then(MailTls::parse).unwrap_or_default();
    let port = smtp.integer("port", tls.default_port().into(), Range::whole(1, 65_535), Rule::Ours);
    let host = smtp.text("host").map(|host| host.trim_matches(['[', ']']).to_owned());
    match &host {
        None => smtp.missing("host", "write the mail server's name"),
        Some(host) if host.contains(['/', '@']) || host.contains(char::is_whitespace) => {
            smtp.problem("host", "is no host name; write only a name or an IP address");
        }
        Some(_) => {}
    }
    let account = match (smtp.text("username"), smtp.secret("password")) {
        (Some(username), Some(password)) => Some(Credentials::new(username, password)),
        (None, None) => None,
        (Some(_), None) => {
            smtp.missing("password", "an account needs both username and password");
            None
        }
        (None, Some(_)) => {
            smtp.missing("username", "an account needs both username and password");
            None
        }
    };
    if account.is_some() && tls == MailTls::None {
        smtp.warning("tls", "is none: user and password go unencrypted; use starttls or implicit");
    }
    let is_address = |text: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c);
        text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
            && !text.contains(odd)
    };
    let from = section.text("from").map(str::to_owned);
    let to = section.texts("to");
    if from.is_none() {
        section.missing("from", "write the sender's mail address");
    }
    if to.is_empty() {
        section.missing("to", "write the mail addresses of whoever shall be told");
    }
    let wrong = |text: &&String| !is_address(text);
    if from.as_ref().is_some_and(|from| wrong(&from)) {
        section.problem("from", "is no mail address; write it as name@example.org");
    }
    if to.iter().any(|text| wrong(&text)) {
        section.problem("to", "holds what is no mail address; write each as name@example.org");
    }
    Some(Mail {
        host: host?,
        port: u16::try_from(port).unwrap_or(tls.default_port()),
        tls,
        account,
        from: from?,
        to,
        subject: own_template(section, "subject", false),
        body: own_template(section, "body", false),
    })
}

#[cfg(test)]
mod tests;
