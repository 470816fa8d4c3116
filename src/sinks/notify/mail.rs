//! A mail by SMTP. Messages and commands are lettre's; the connection and its encryption are ours.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use jiff::Timestamp;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Fault, Stage};
use super::form::Letter;
use super::wire::{Trust, Wire, dial, encrypt, of_broken};
use super::words::one_line;
use crate::config::{Mail, MailTls};
use crate::sinks::dial::Lapse;

/// A server says some hundred bytes to each command; more than all of these together is none.
const MAX_INCOMING_BYTES: usize = 256 * 1024;
/// Longest answer before the encryption begins.
const MAX_REPLY_BYTES: usize = 8 * 1024;
/// What of an answer is shown.
const SHOWN_CHARS: usize = 120;

/// Who sends it, and as which.
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    pub(super) host: &'a str,
    pub(super) at: Timestamp,
}

/// Sends a mail; all of it before the deadline.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn send(
    mail: &Mail,
    trust: &Trust,
    letter: Letter,
    envelope: &Envelope<'_>,
    deadline: Instant,
) -> Result<(), Failure> {
    let message = written(mail, letter, envelope).map_err(|fault| Failure { stage: Stage::Template, fault })?;
    let mut stream = dial(&mail.host, mail.port, deadline).await?;
    let (wire, greeting) = match mail.tls {
        MailTls::None => (Wire::Plain(stream), ""),
        MailTls::Implicit => (encrypt(stream, &mail.host, trust, deadline).await?, ""),
        MailTls::StartTls => {
            let begun = timeout_at(deadline, start_tls(&mut stream, envelope.host)).await;
            let begun = begun.unwrap_or(Err(Fault::Lapse(Lapse::Late)));
            begun.map_err(|fault| Failure { stage: Stage::Tls, fault })?;
            // The greeting was before the encryption; lettre waits for one.
            (encrypt(stream, &mail.host, trust, deadline).await?, "220 encrypted\r\n")
        }
    };
    let stream = Bounded { wire, greeting: greeting.as_bytes(), left: MAX_INCOMING_BYTES };
    let spoken = timeout_at(deadline, speak(stream, mail, &message, envelope.host)).await;
    spoken.unwrap_or(Err(Failure::at(Stage::Send, Lapse::Late)))
}

async fn speak(stream: Bounded, mail: &Mail, message: &lettre::Message, host: &str) -> Result<(), Failure> {
    let hello = ClientId::Domain(host.to_owned());
    let connected = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
    let mut connection = connected.map_err(|error| failure(Stage::Send, &error))?;
    if let Some(account) = &mail.account {
        let credentials = Credentials::new(account.username.clone(), account.password.expose().to_owned());
        let signed_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
        signed_in.map_err(|error| failure(Stage::Login, &error))?;
    }
    let sent = connection.send(message.envelope(), &message.formatted()).await;
    sent.map_err(|error| failure(Stage::Send, &error))?;
    // The mail is with the server, whatever becomes of the goodbye.
    let _ = connection.quit().await;
    Ok(())
}

fn failure(stage: Stage, error: &Error) -> Failure {
    let source = std::error::Error::source(error);
    let fault = if let Some(code) = error.status() {
        let says = source.map(ToString::to_string).unwrap_or_default();
        Fault::Refused { code: code.into(), says: one_line(says.trim_end_matches('.'), SHOWN_CHARS) }
    } else if let Some(error) = source.and_then(|source| source.downcast_ref::<io::Error>()) {
        of_broken(error)
    } else if error.is_client() && stage == Stage::Login {
        Fault::NoLogin
    } else if error.is_client() {
        Fault::Mail(source.map_or_else(|| error.to_string(), ToString::to_string))
    } else if error.is_response() {
        Fault::NotSmtp
    } else {
        Fault::Closed
    };
    Failure { stage, fault }
}

fn written(mail: &Mail, letter: Letter, envelope: &Envelope<'_>) -> Result<lettre::Message, Fault> {
    let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| Fault::Mail(error.to_string()));
    let mut builder = lettre::Message::builder()
        .from(mailbox(&mail.from)?)
        .subject(letter.subject)
        .date(envelope.at.into())
        .message_id(Some(format!("<{}@{}>", envelope.id, envelope.host)))
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    let mut message = builder.body(letter.body).map_err(|error| Fault::Mail(error.to_string()))?;
    // RFC 3834: nobody answers it by a machine.
    let headers = [("X-StreamPulse-Id", envelope.id), ("Auto-Submitted", "auto-generated")];
    for (name, value) in headers {
        let name = HeaderName::new_from_ascii_str(name);
        message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
    }
    Ok(message)
}

/// Up to the answer to STARTTLS, RFC 3207, without a byte of what follows it.
async fn start_tls(stream: &mut TcpStream, host: &str) -> Result<(), Fault> {
    let greeting = reply(stream).await?;
    if !greeting.starts_with("220") {
        return Err(refused(&greeting));
    }
    command(stream, &format!("EHLO {host}\r\n")).await?;
    let offers = reply(stream).await?;
    if !offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
        return Err(Fault::NoStartTls);
    }
    command(stream, "STARTTLS\r\n").await?;
    let answer = reply(stream).await?;
    if answer.starts_with("220") { Ok(()) } else { Err(refused(&answer)) }
}

fn refused(reply: &str) -> Fault {
    let code = reply.get(..3).and_then(|code| code.parse().ok());
    let says = one_line(reply.get(4..).unwrap_or_default().trim_end_matches(['.', '\r', '\n']), SHOWN_CHARS);
    code.map_or(Fault::NotSmtp, |code| Fault::Refused { code, says })
}

async fn command(stream: &mut TcpStream, text: &str) -> Result<(), Fault> {
    stream.write_all(text.as_bytes()).await.map_err(|error| of_broken(&error))
}

/// A reply of one line or several, RFC 5321 section 4.2.1.
async fn reply(stream: &mut TcpStream) -> Result<String, Fault> {
    let (mut text, mut line) = (String::new(), Vec::new());
    for _ in 0..MAX_REPLY_BYTES {
        // One by one: what comes behind the reply may be of TLS.
        let byte = stream.read_u8().await.map_err(|error| of_broken(&error))?;
        line.push(byte);
        if byte != b'\n' {
            continue;
        }
        let said = String::from_utf8_lossy(&line).into_owned();
        if !line.iter().take(3).all(u8::is_ascii_digit) || line.len() < 5 {
            return Err(Fault::NotSmtp);
        }
        let is_last = line[3] != b'-';
        text.push_str(&said);
        line.clear();
        if is_last {
            return Ok(text);
        }
    }
    Err(Fault::NotSmtp)
}

/// A connection of which only so much is read, behind a greeting that is ours.
struct Bounded {
    wire: Wire,
    greeting: &'static [u8],
    left: usize,
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wire.fmt(f)
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.wire {
            Wire::Plain(stream) => stream.peer_addr(),
            Wire::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buf.remaining()));
            buf.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the server says more than a mail server does")));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.wire).poll_read(cx, buf);
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
