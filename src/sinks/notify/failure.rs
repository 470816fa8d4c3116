//! What may go wrong on the way to a receiver and with it: a sentence for a person, and the next step.

use std::time::Duration;

use crate::sinks::dial::Lapse;
use crate::sinks::tls::{NoTrust, of_file};

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The message's form.
    Template,
    /// The host's address.
    Resolve,
    /// TCP.
    Connect,
    /// The handshake, and before it the file that it needs.
    Tls,
    /// Signing in to a mail server.
    Login,
    /// The message, and the answer to it.
    Send,
}

impl Stage {
    /// The text of the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Send => "send",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection.
    Lapse(Lapse),
    /// The other side hung up.
    Closed,
    /// The connection broke, as the operating system says.
    Broken(String),
    /// `ca_file`: what is wrong with it, and behind `; ` what to do.
    File(String),
    /// This machine has no authorities.
    NoAuthorities,
    /// The other side does not speak TLS.
    NoTls,
    /// No version or cipher in common.
    NoCommonTls,
    /// The certificate: signed by a stranger.
    UnknownIssuer { own_authority: bool },
    /// The certificate: over.
    Expired,
    /// The certificate: not begun.
    NotYetValid,
    /// The certificate: for another name.
    OtherName,
    /// The certificate, or the handshake: something else.
    Handshake(String),
    /// The template cannot be filled.
    Template(String),
    /// What answers is no web server.
    NotHttp,
    /// The web server answers with another status than 2xx: what it says beside, and when to come again.
    Status { code: u16, says: String, retry_after: Option<Duration> },
    /// The web server names another address: its host.
    Redirect { code: u16, to: Option<String> },
    /// What answers is no mail server, or speaks in a way that is not understood.
    NotSmtp,
    /// The mail server does not offer STARTTLS.
    NoStartTls,
    /// The mail server does not offer a way to sign in that is known.
    NoLogin,
    /// The mail server refuses: its code, and what it says beside.
    Refused { code: u16, says: String },
    /// The mail cannot be made.
    Mail(String),
}

/// What happened, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) fault: Fault,
}

/// When it makes sense to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It may pass by itself.
    Soon,
    /// Not before this time.
    After(Duration),
    /// Somebody has to do something.
    Slowly,
}

/// A receiver may not make us wait longer than that.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The receiver, as far as it may be named.
pub(super) struct Receiver<'a> {
    /// Scheme, host and port.
    pub(super) to: &'a str,
    pub(super) kind: Kind,
}

/// What is sent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message by HTTP.
    Webhook,
    /// A message by mail.
    Mail,
    /// A sign of life.
    Watchdog,
}

impl Failure {
    pub(super) fn at(stage: Stage, fault: impl Into<Fault>) -> Self {
        Self { stage, fault: fault.into() }
    }

    /// When to try again.
    pub(super) fn again(&self) -> Again {
        match &self.fault {
            Fault::Status { retry_after: Some(after), .. } => Again::After((*after).min(LONGEST_RETRY_AFTER)),
            Fault::Status { code: 408 | 425 | 429 | 500.., .. } => Again::Soon,
            Fault::Refused { code: 400..500, .. } => Again::Soon,
            Fault::Status { .. }
            | Fault::Redirect { .. }
            | Fault::Refused { .. }
            | Fault::Template(_)
            | Fault::Mail(_)
            | Fault::NoStartTls
            | Fault::NoLogin => Again::Slowly,
            _ => Again::Soon,
        }
    }

    /// What happened, in one sentence, and the next step in another.
    pub(super) fn words(&self, receiver: &Receiver<'_>) -> (String, String) {
        let to = receiver.to;
        let (setting, server) = match receiver.kind {
            Kind::Webhook => ("url", "web server"),
            Kind::Mail => ("smtp.host and smtp.port", "mail server"),
            Kind::Watchdog => ("notify.watchdog_url", "web server"),
        };
        let (message, next_step): (String, String) = match (&self.fault, self.stage) {
            (Fault::Lapse(lapse), stage) => of_lapse(lapse, stage, to, setting),
            (Fault::Closed, Stage::Tls) | (Fault::NoTls, _) => (
                format!("{to} does not speak TLS."),
                format!("Check {setting}: it must be the port on which the {server} speaks TLS."),
            ),
            (Fault::Closed, _) => (
                format!("{to} closes the connection without an answer."),
                format!("Check {setting}, and look into the {server}'s log."),
            ),
            (Fault::Broken(why), _) => (
                format!("The connection to {to} broke: {why}."),
                format!("Check the network to the {server}, and look into its log."),
            ),
            (Fault::File(problem), _) => of_file("ca_file", problem),
            (Fault::NoAuthorities, _) => (
                "This machine has no certificates of authorities, so that no server can be trusted.".into(),
                "Install them (apt install ca-certificates), or name the server's authority as ca_file.".into(),
            ),
            (Fault::NoCommonTls, _) => (
                format!("{to} and StreamPulse have no version or cipher of TLS in common."),
                "Let the server speak TLS 1.2 or 1.3.".into(),
            ),
            (Fault::UnknownIssuer { own_authority: true }, _) => (
                format!("The certificate of {to} is not signed by the authority in ca_file."),
                "Let the target's ca_file name the authority that signed it.".into(),
            ),
            (Fault::UnknownIssuer { own_authority: false }, _) => (
                format!("The certificate of {to} is signed by an authority that this machine does not trust."),
                "Name the server's authority as ca_file of the target.".into(),
            ),
            (Fault::Expired, _) => (
                format!("The certificate of {to} has expired."),
                "Renew it; if it is still good, set the clock of this machine.".into(),
            ),
            (Fault::NotYetValid, _) => (
                format!("The certificate of {to} is not valid yet."),
                "Set the clock of this machine; if it is right, wait, or make a new certificate.".into(),
            ),
            (Fault::OtherName, _) => (
                format!("The certificate of {to} is for another name."),
                format!("Let {setting} have a name that is in the certificate as subjectAltName."),
            ),
            (Fault::Handshake(why), _) => {
                (format!("The TLS handshake with {to} failed: {why}."), format!("Look into the {server}'s log."))
            }
            (Fault::Template(why), _) => (
                format!("The template cannot be filled: {why}."),
                "Correct body or subject of the target; the variables are in docs/notifications.md.".into(),
            ),
            (Fault::NotHttp, _) => {
                (format!("What answers at {to} is no web server."), format!("Check {setting}: scheme, host and port."))
            }
            (Fault::Status { code, says, .. }, _) if receiver.kind == Kind::Watchdog => (
                format!("{to} answers with {code}{}.", beside(says)),
                format!("Check {setting}, and what the server says; it is called again."),
            ),
            (Fault::Status { code, says, .. }, _) => of_status(*code, says, to),
            (Fault::Redirect { code, to: elsewhere }, _) => (
                match elsewhere {
                    Some(elsewhere) => {
                        format!("{to} answers with {code} and sends us to {elsewhere}, which is not followed.")
                    }
                    None => format!("{to} answers with {code} and sends us elsewhere, which is not followed."),
                },
                format!("Write the address that it leads to as {setting}."),
            ),
            (Fault::NotSmtp, _) => (
                format!("What answers at {to} is no mail server, or one that speaks TLS at once."),
                "Check smtp.port and smtp.tls: 587 with starttls, 465 with implicit, 25 with none are usual.".into(),
            ),
            (Fault::NoStartTls, _) => (
                format!("{to} does not offer STARTTLS, so nothing was sent."),
                "Set smtp.tls: implicit with port 465; or none, if nobody can listen in between.".into(),
            ),
            (Fault::NoLogin, _) => (
                format!("{to} offers no way to sign in that StreamPulse knows."),
                "Let it offer PLAIN or LOGIN (some do so only under TLS), or take smtp.username and smtp.password out."
                    .into(),
            ),
            (Fault::Refused { code, says }, Stage::Login) => (
                format!("{to} refuses user or password ({code}{}).", beside(says)),
                "Check smtp.username and smtp.password; some services want a password of its own for each program."
                    .into(),
            ),
            (Fault::Refused { code, says }, _) => (
                format!("{to} does not take the mail ({code}{}).", beside(says)),
                "Check from and to of the target, and what the server says; many take only senders that they know."
                    .into(),
            ),
            (Fault::Mail(why), _) => {
                (format!("The mail cannot be made: {why}."), "Check from and to of the target.".into())
            }
        };
        (message, next_step)
    }
}

fn of_lapse(lapse: &Lapse, stage: Stage, to: &str, setting: &str) -> (String, String) {
    let name_server = "Check the network and the name server of this machine.".to_owned();
    match (lapse, stage) {
        (Lapse::Late, Stage::Resolve) => ("The name server does not answer in time.".into(), name_server),
        (Lapse::Late, Stage::Connect) => (
            format!("{to} does not answer."),
            format!("Check {setting}; a firewall that drops packets looks like this, too."),
        ),
        (Lapse::Late, Stage::Tls) => (
            format!("{to} takes the connection and does not answer the TLS handshake."),
            format!("Check {setting}: it must be the port on which the server speaks TLS."),
        ),
        (Lapse::Late, _) => (
            format!("{to} takes the connection and does not answer in time."),
            "Look whether the server is overloaded; a port for TLS looks like this, too.".into(),
        ),
        (Lapse::NameUnknown, _) => (
            format!("There is no host of the name in {to}."),
            format!("Check {setting}, and that this machine's name server knows the name."),
        ),
        (Lapse::NoNameServer, _) => ("No name server answers.".into(), name_server),
        (Lapse::Refused, _) => {
            (format!("{to} refuses connections."), format!("Start the server, or correct {setting}."))
        }
        (Lapse::Unreachable(why), _) => (
            format!("There is no way to {to}: {why}."),
            format!("Check {setting}, the network between, and its firewalls."),
        ),
        (Lapse::Overloaded, _) => (
            "This machine has too much to do to open a connection.".into(),
            "Look for what uses up its memory, processes or open files.".into(),
        ),
    }
}

fn of_status(code: u16, says: &str, to: &str) -> (String, String) {
    let message = format!("{to} answers with {code}{}.", beside(says));
    let next_step = match code {
        401 | 403 => "Check the address and the headers: the receiver does not let this message in.",
        404 | 410 => "Check url: the receiver knows no such address (any more); make the webhook anew there.",
        400 | 415 | 422 => "Check template or body: the receiver does not understand this message.",
        413 => "Check body: the receiver finds the message too large.",
        429 => "Wait; if it comes again and again, tell this target of less: severities, groups, wait_seconds.",
        408 | 425 | 500.. => "Look into the receiver's log; the message is sent again.",
        _ => "Check url and template, and what the receiver says.",
    };
    (message, next_step.to_owned())
}

/// What the other side says beside a number.
fn beside(says: &str) -> String {
    if says.is_empty() { String::new() } else { format!(": {says}") }
}

impl From<Lapse> for Fault {
    fn from(lapse: Lapse) -> Self {
        Self::Lapse(lapse)
    }
}

impl From<NoTrust> for Fault {
    fn from(error: NoTrust) -> Self {
        match error {
            NoTrust::File(problem) => Self::File(problem),
            NoTrust::NoAuthorities => Self::NoAuthorities,
        }
    }
}
