//! One message to one target.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::failure::{Failure, Fault, Kind, Receiver, Stage};
use super::form::{form, letter};
use super::http::{Post, post};
use super::mail::{self, Envelope};
use super::message::Message;
use super::signature::signature;
use super::wire::Trust;
use crate::config::{Recipient, Target};

/// For a webhook, from the name to the answer.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(10);
/// For a mail: some servers look at a sender for a while before they greet it.
const MAIL_DEADLINE: Duration = Duration::from_secs(30);

/// Sends a message; `Ok` once the receiver has taken it.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn deliver(target: &Target, message: &Message, now: Timestamp) -> Result<(), Failure> {
    let trust = Trust::of(target);
    let no_form = |why| Failure::at(Stage::Template, Fault::Template(why));
    match &target.to {
        Recipient::Web(webhook) => {
            let form = form(webhook, message).map_err(no_form)?;
            let body = bytes::Bytes::from(form.body);
            let own = [("X-StreamPulse-Id", message.id.clone())];
            let signed = webhook
                .secret
                .as_ref()
                .map(|secret| ("X-StreamPulse-Signature", signature(secret, now.as_second(), &body)));
            let fixed = own.into_iter().chain(signed).chain(form.headers).map(|(name, value)| (name.to_owned(), value));
            let further = webhook.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
            let headers = fixed.chain(further).collect();
            let sent = Post { content_type: form.content_type, headers, body };
            post(&webhook.url, &trust, sent, Instant::now() + WEBHOOK_DEADLINE).await
        }
        Recipient::Mail(mail) => {
            let letter = letter(mail, message).map_err(no_form)?;
            let envelope = Envelope { id: &message.id, host: &message.service.host, at: now };
            mail::send(mail, &trust, letter, &envelope, Instant::now() + MAIL_DEADLINE).await
        }
    }
}

/// What went wrong, for a person.
pub(super) fn words(target: &Target, failure: &Failure) -> (String, String) {
    let to = target.to.to_string();
    let kind = match target.to {
        Recipient::Web(_) => Kind::Webhook,
        Recipient::Mail(_) => Kind::Mail,
    };
    failure.words(&Receiver { to: &to, kind })
}
