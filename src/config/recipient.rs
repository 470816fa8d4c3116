//! Where a message goes, and in which form: a webhook or mail.

use std::fmt;

use http::Uri;

use crate::model::{Credentials, Secret};

/// How a target is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipient {
    /// HTTP POST.
    Web(Webhook),
    /// SMTP.
    Mail(Mail),
}

impl Recipient {
    /// Whether there is TLS on the way to it.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Web(webhook) => webhook.url.is_tls(),
            Self::Mail(mail) => mail.tls != MailTls::None,
        }
    }
}

impl fmt::Display for Recipient {
    /// Scheme, host and port: what may be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(webhook) => webhook.url.fmt(f),
            Self::Mail(mail) => mail.fmt(f),
        }
    }
}

/// A webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Where to.
    pub url: WebAddress,
    /// What is sent.
    pub template: Template,
    /// Of a template of one's own.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// Signs each message.
    pub secret: Option<Secret>,
}

/// Mail by SMTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Name or IP address.
    pub host: String,
    /// Default by [`Self::tls`].
    pub port: u16,
    /// Default STARTTLS.
    pub tls: MailTls,
    /// For signing in.
    pub account: Option<Credentials>,
    /// A mail address.
    pub from: String,
    /// Mail addresses, at least one.
    pub to: Vec<String>,
    /// Template of the subject.
    pub subject: Option<String>,
    /// Template of the text.
    pub body: Option<String>,
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == MailTls::Implicit { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}", authority(&self.host, self.port))
    }
}

/// `host:port`, an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How mail is encrypted on the way to its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// After a first word in the clear, RFC 3207; nothing is sent when the server does not offer it.
    #[default]
    StartTls,
    /// From the first byte on, RFC 8314.
    Implicit,
    /// Not at all.
    None,
}

impl MailTls {
    /// Every value, as written in the configuration.
    pub const NAMES: [&'static str; 3] = ["starttls", "implicit", "none"];

    /// Reads one of [`Self::NAMES`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .zip([Self::StartTls, Self::Implicit, Self::None])
            .find(|(name, _)| **name == text)
            .map(|p| p.1)
    }

    /// Where servers wait for it.
    pub fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// What is sent to a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// Everything, for programs.
    #[default]
    Json,
    /// ntfy: text with headers.
    Ntfy,
    /// Slack, Mattermost and whoever takes their messages.
    Slack,
    /// Discord.
    Discord,
    /// Alertmanager, API v2.
    Alertmanager,
    /// The operator's own.
    Own(String),
}

impl Template {
    /// Every one with a name, as written in the configuration.
    pub const NAMES: [&'static str; 5] = ["json", "ntfy", "slack", "discord", "alertmanager"];

    /// Reads one of [`Self::NAMES`].
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Json, Self::Ntfy, Self::Slack, Self::Discord, Self::Alertmanager];
        Self::NAMES.iter().zip(all).find(|(name, _)| **name == text).map(|(_, template)| template)
    }
}

/// An address of the web that may be a secret as a whole: it prints as scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub struct WebAddress {
    is_tls: bool,
    host: String,
    port: u16,
    path: Secret,
}

impl WebAddress {
    /// Reads an address with `http` or `https`.
    ///
    /// # Errors
    /// One clause, without anything of the address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "is no web address (it is not shown); write https://host/path";
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WRONG),
        };
        let authority = uri.authority().ok_or(WRONG)?;
        if authority.as_str().contains('@') {
            return Err("holds user and password; write them as a header: Authorization");
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        // A colon without a number after it would be read as the default port.
        let has_odd_port = authority.port().is_some() && authority.port_u16().is_none_or(|port| port == 0);
        if host.is_empty() || has_odd_port {
            return Err(WRONG);
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { is_tls, host, port, path: Secret::new(path) })
    }

    /// True for `https`.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The one of the scheme, when none is written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query: the secret part.
    pub fn path(&self) -> &Secret {
        &self.path
    }

    /// What stands in the header `Host`: without the port of the scheme.
    pub fn authority(&self) -> String {
        let is_default = self.port == if self.is_tls { 443 } else { 80 };
        let with_port = authority(&self.host, self.port);
        let without = || with_port.rsplit_once(':').map(|(host, _)| host.to_owned());
        if is_default { without().unwrap_or_default() } else { with_port }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Debug for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_scheme_and_host_only() {
        for (text, shown, host, port) in [
            ("https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com", "hooks.slack.com", 443),
            ("http://ntfy.lan:8080/hunter2?x=hunter2", "http://ntfy.lan:8080", "ntfy.lan", 8080),
            ("https://[2001:db8::7]:9093/api", "https://[2001:db8::7]:9093", "2001:db8::7", 9093),
            ("https://[2001:db8::7]", "https://[2001:db8::7]", "2001:db8::7", 443),
        ] {
            let address = WebAddress::parse(text).expect(text);
            assert_eq!((address.to_string().as_str(), address.host(), address.port()), (shown, host, port));
            assert!(!format!("{address:?} {address}").contains("hunter2"));
        }
        for wrong in ["ftp://a/b", "a/b", "https://", "https://u:hunter2@a/", "https:///x", "https://a:0/", "x y"] {
            assert!(!WebAddress::parse(wrong).expect_err(wrong).contains("hunter2"));
        }
    }
}
