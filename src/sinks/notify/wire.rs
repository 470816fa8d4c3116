//! The way to a receiver, stage by stage: resolve, connect, TLS. Each has what is left of one deadline.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, Error};

use super::failure::{Failure, Fault, Stage};
use crate::config::Target;
use crate::sinks::dial::{Lapse, addresses, connect, in_a_thread, os_text};
use crate::sinks::tls::{self, NoHandshake};

/// Who is trusted.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    ca_file: Option<PathBuf>,
    takes_any: bool,
}

impl Trust {
    /// As the target's settings say.
    pub(super) fn of(target: &Target) -> Self {
        Self { ca_file: target.ca_file.clone(), takes_any: target.tls_insecure }
    }
}

/// A connection, encrypted or not.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn dial(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, Failure> {
    let found = addresses(host, port, deadline, "notify resolve").await;
    let found = found.map_err(|lapse| Failure::at(Stage::Resolve, lapse))?;
    connect(&found, deadline).await.map_err(|lapse| Failure::at(Stage::Connect, lapse))
}

/// Shakes hands on a connection.
///
/// # Errors
/// How it failed.
pub(super) async fn encrypt(stream: TcpStream, host: &str, trust: &Trust, deadline: Instant) -> Result<Wire, Failure> {
    let failed = |fault: Fault| Failure { stage: Stage::Tls, fault };
    let wanted = trust.clone();
    let made = timeout_at(deadline, in_a_thread("notify files", move || connector(&wanted))).await;
    let made = made.unwrap_or(Err(Lapse::Late)).map_err(|lapse| failed(lapse.into()))?;
    let connector = made.map_err(failed)?;
    // What is no name for a certificate is none that can be resolved.
    let name = ServerName::try_from(host.to_owned()).map_err(|_| failed(Fault::OtherName))?;
    let shaken = timeout_at(deadline, connector.connect(name, stream)).await;
    let shaken = shaken.map_err(|_| failed(Lapse::Late.into()))?;
    let stream = shaken.map_err(|error| failed(of_handshake(&error, trust.ca_file.is_some())))?;
    Ok(Wire::Tls(Box::new(stream)))
}

fn connector(trust: &Trust) -> Result<TlsConnector, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = tls::verifier(trust.ca_file.as_deref(), trust.takes_any, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Fault::Handshake(error.to_string()))?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_handshake(error: &io::Error, own_authority: bool) -> Fault {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return of_broken(error) };
    match NoHandshake::from(error) {
        NoHandshake::Expired => Fault::Expired,
        NoHandshake::NotYetValid => Fault::NotYetValid,
        NoHandshake::OtherName => Fault::OtherName,
        NoHandshake::UnknownIssuer => Fault::UnknownIssuer { own_authority },
        NoHandshake::NoCommonTls => Fault::NoCommonTls,
        NoHandshake::NoTls => Fault::NoTls,
        NoHandshake::BadCertificate(why) | NoHandshake::Other(why) => Fault::Handshake(why),
    }
}

/// What it means that a connection broke.
pub(super) fn of_broken(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Fault::Closed,
        _ => Fault::Broken(os_text(error)),
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Tls(_)) { "Wire(TLS)" } else { "Wire(plain)" })
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
