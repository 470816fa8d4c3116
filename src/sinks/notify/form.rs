//! The form of a message for each kind of receiver.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use serde_json::{Value, json};

use super::facts::IncidentFacts;
use super::message::{Kind, Message, Status};
use super::words::{one_line, shortened};
use crate::config::{Mail, Template, Webhook, template};

/// ntfy makes an attachment of a text with more than 4096 bytes.
const NTFY_CHARS: usize = 1000;
/// Discord refuses longer ones.
const DISCORD_TITLE_CHARS: usize = 256;
const DISCORD_TEXT_CHARS: usize = 4000;
/// Slack cuts longer ones.
const SLACK_CHARS: usize = 3000;
/// What Alertmanager is told of an open incident holds until it is told of the end, or so long.
const ALERT_HOLDS: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Subject and text of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) body: String,
}

/// The message as the webhook wants it.
///
/// # Errors
/// What is wrong with a template of the operator's.
pub(super) fn form(webhook: &Webhook, message: &Message) -> Result<Form, String> {
    let json = |value: Value| Form {
        content_type: "application/json".to_owned(),
        headers: Vec::new(),
        body: value.to_string(),
    };
    Ok(match &webhook.template {
        Template::Json => json(serde_json::to_value(message).map_err(|error| error.to_string())?),
        Template::Ntfy => ntfy(message),
        Template::Slack => json(slack(message)),
        Template::Discord => json(discord(message)),
        Template::Alertmanager => json(alerts(message)),
        Template::Own(text) => Form {
            content_type: webhook.content_type.clone(),
            headers: Vec::new(),
            body: filled(text, webhook.content_type.contains("json"), message)?,
        },
    })
}

/// The message as a mail.
///
/// # Errors
/// What is wrong with a template of the operator's.
pub(super) fn letter(mail: &Mail, message: &Message) -> Result<Letter, String> {
    let subject = match &mail.subject {
        Some(text) => filled(text, false, message)?,
        None => message.title.clone(),
    };
    let body = match &mail.body {
        Some(text) => filled(text, false, message)?,
        None => {
            let link = message.url.as_ref().map(|url| format!("\n\n{url}")).unwrap_or_default();
            let service = &message.service;
            format!("{}\n\n{}{link}\n\n-- \n{} on {}\n", message.title, message.text, service.name, service.host)
        }
    };
    Ok(Letter { subject: one_line(&subject, 200), body })
}

fn filled(text: &str, json: bool, message: &Message) -> Result<String, String> {
    let environment = template::environment(json);
    environment.render_str(text, Serde(message)).map_err(|error| template::why(&error))
}

/// <https://docs.ntfy.sh/publish/>: the text is the body, the rest is in headers.
fn ntfy(message: &Message) -> Form {
    let (priority, tag) = match (message.status, message.severity) {
        (Status::Firing, Some("down")) => ("high", "rotating_light"),
        (Status::Firing, _) => ("default", "warning"),
        (Status::Resolved, _) => ("default", "white_check_mark"),
        (Status::Info, _) => ("default", "information_source"),
    };
    let mut headers = vec![
        ("X-Title", header_text(&one_line(&message.title, 200))),
        ("X-Priority", priority.to_owned()),
        ("X-Tags", tag.to_owned()),
    ];
    headers.extend(message.url.as_ref().map(|url| ("X-Click", header_text(&one_line(url, 1000)))));
    let body = shortened(&message.text, NTFY_CHARS);
    Form { content_type: "text/plain; charset=utf-8".to_owned(), headers, body }
}

/// What is not ASCII goes into a header as RFC 2047 has it.
fn header_text(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?utf-8?b?{}?=", STANDARD.encode(text)) }
}

fn colour(message: &Message) -> u32 {
    match (message.status, message.severity) {
        (Status::Firing, Some("degraded")) => 0x00ef_6c00,
        (Status::Firing, _) => 0x00c6_2828,
        (Status::Resolved, _) => 0x002e_7d32,
        (Status::Info, _) => 0x0054_6e7a,
    }
}

/// Slack's attachments, which Mattermost takes, too. Without the three signs no text can mention a channel or be a link.
fn slack(message: &Message) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (title, text) = (escaped(&message.title), escaped(&shortened(&message.text, SLACK_CHARS)));
    json!({"attachments": [{
        "fallback": title,
        "color": format!("#{:06x}", colour(message)),
        "title": title,
        "title_link": message.url,
        "text": text,
        "footer": format!("StreamPulse on {}", escaped(&message.service.host)),
        "ts": message.at.as_second(),
    }]})
}

fn discord(message: &Message) -> Value {
    json!({
        "embeds": [{
            "title": shortened(&message.title, DISCORD_TITLE_CHARS),
            "description": shortened(&message.text, DISCORD_TEXT_CHARS),
            "url": message.url,
            "color": colour(message),
            "timestamp": message.at,
            "footer": {"text": format!("StreamPulse on {}", message.service.host)},
        }],
        // Whatever stands in a text, nobody is called.
        "allowed_mentions": {"parse": []},
    })
}

/// `POST /api/v2/alerts` of Alertmanager. The labels of an incident never change, so that its end finds its alert.
fn alerts(message: &Message) -> Value {
    let host = &message.service.host;
    if message.incidents.is_empty() {
        let holds = message.at + Duration::from_secs(60);
        let labels =
            json!({"alertname": "StreamPulseTest", "severity": "info", "service": "streampulse", "instance": host});
        let annotations = json!({"summary": message.title, "description": message.text});
        return match message.kind {
            Kind::Test => {
                json!([{"labels": labels, "annotations": annotations, "startsAt": message.at, "endsAt": holds}])
            }
            _ => json!([]),
        };
    }
    let alert = |facts: &IncidentFacts| {
        let (name, severity) =
            if facts.state == "down" { ("StreamPulseDown", "critical") } else { ("StreamPulseDegraded", "warning") };
        let mut alert = json!({
            "labels": {
                "alertname": name,
                "severity": severity,
                "service": "streampulse",
                "instance": host,
                "incident": facts.id.to_string(),
            },
            "annotations": {"summary": facts.title, "description": facts.text},
            "startsAt": facts.opened_at,
            "endsAt": facts.closed_at.unwrap_or(facts.opened_at.max(message.at) + ALERT_HOLDS),
        });
        if let Some(stream) = facts.streams.first() {
            alert["labels"]["stream"] = json!(stream.id);
        }
        if let Some(url) = &message.url {
            alert["generatorURL"] = json!(url);
        }
        alert
    };
    Value::Array(message.incidents.iter().map(alert).collect())
}

#[cfg(test)]
mod tests;
