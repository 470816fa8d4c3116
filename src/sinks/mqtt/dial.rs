//! The way to a broker, stage by stage: resolve, connect, TLS, WebSocket. Each has what is left of one deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::broker::Broker;
use super::failure::{Failure, Fault, Stage};
use super::packet::Version;
use super::tls::{self, OwnCertificate};
use super::wire::{Carrier, Duplex, Lost, MAX_WEBSOCKET_BYTES, Wire};
use crate::config::Mqtt;
use crate::sinks::dial as shared;

/// A connection on which nothing of MQTT was said yet.
pub(super) struct Dialled {
    pub(super) wire: Wire,
    pub(super) own_certificate: Option<Arc<OwnCertificate>>,
    pub(super) own_authority: bool,
}

/// Makes the connection.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn dial(mqtt: &Mqtt, broker: &Broker, deadline: Instant) -> Result<Dialled, Failure> {
    let own_authority = mqtt.ca_file.is_some();
    // A file that cannot be used is told before the broker is bothered.
    let client = if broker.is_tls() { Some(tls_client(mqtt, deadline).await?) } else { None };
    let addresses = addresses(broker, deadline).await?;
    let mut stream: Box<dyn Duplex> = Box::new(
        shared::connect(&addresses, deadline).await.map_err(|lapse| Failure::at(Stage::Connect, lapse.into()))?,
    );
    let mut own_certificate = None;
    if let Some(client) = client {
        let failed = |fault| Failure::at(Stage::Tls, fault);
        // What is no name for a certificate is none that can be resolved.
        let name = ServerName::try_from(broker.host.clone()).map_err(|_| failed(Fault::OtherName))?;
        let shaken = timeout_at(deadline, client.connector.connect(name, stream)).await;
        let shaken = shaken.map_err(|_| failed(Fault::Late))?;
        stream = Box::new(shaken.map_err(|error| failed(of_broken(error, Some(&client.own), own_authority)))?);
        own_certificate = Some(client.own);
    }
    let carrier = if broker.is_websocket() {
        let upgraded = timeout_at(deadline, upgrade(broker, stream)).await;
        let upgraded = upgraded.unwrap_or_else(|_| Err(Lapse::Fault(Fault::Late)));
        upgraded.map_err(|lapse| {
            let fault = match lapse {
                Lapse::Fault(fault) => fault,
                Lapse::Io(error) => of_broken(error, own_certificate.as_ref(), own_authority),
            };
            // With TLS 1.3 it is only now that a certificate is refused.
            let of_handshake = matches!(fault, Fault::CertificateWanted | Fault::CertificateRefused);
            Failure::at(if of_handshake { Stage::Tls } else { Stage::Connect }, fault)
        })?
    } else {
        Carrier::Plain(stream)
    };
    Ok(Dialled { wire: Wire::new(carrier, Version::of(mqtt)), own_certificate, own_authority })
}

async fn tls_client(mqtt: &Mqtt, deadline: Instant) -> Result<tls::Client, Failure> {
    let mqtt = mqtt.clone();
    let made = timeout_at(deadline, shared::in_a_thread("mqtt files", move || tls::client(&mqtt))).await;
    made.map_or(Err(Fault::Late), |made| made.unwrap_or_else(|lapse| Err(lapse.into())))
        .map_err(|fault| Failure::at(Stage::Tls, if fault == Fault::Late { files_hang() } else { fault }))
}

fn files_hang() -> Fault {
    let problem = "the files cannot be read in time; check the disk and the mount".to_owned();
    Fault::File { setting: "mqtt.ca_file, cert_file and key_file", problem }
}

async fn addresses(broker: &Broker, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
    let found = shared::addresses(&broker.host, broker.port, deadline, "mqtt resolve").await;
    found.map_err(|lapse| Failure::at(Stage::Resolve, lapse.into()))
}

impl From<shared::Lapse> for Fault {
    fn from(lapse: shared::Lapse) -> Self {
        match lapse {
            shared::Lapse::Late => Self::Late,
            shared::Lapse::NameUnknown => Self::NameUnknown,
            shared::Lapse::NoNameServer => Self::NoNameServer,
            shared::Lapse::Refused => Self::Refused,
            shared::Lapse::Unreachable(why) => Self::Unreachable(why),
            shared::Lapse::Overloaded => Self::Overloaded,
        }
    }
}

/// What it means that a connection broke where TLS may be the reason.
pub(super) fn of_broken(error: io::Error, own: Option<&Arc<OwnCertificate>>, own_authority: bool) -> Fault {
    let of_rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (of_rustls, own) {
        (Some(error), Some(own)) => match tls::fault(error, own) {
            Fault::UnknownIssuer { .. } => Fault::UnknownIssuer { own_authority },
            fault => fault,
        },
        _ => match Lost::from(error) {
            Lost::Broken(error) => Fault::Broken(shared::os_text(&error)),
            _ => of_closed(own),
        },
    }
}

/// What it means that the other side hung up before it said a word of MQTT.
pub(super) fn of_closed(own: Option<&Arc<OwnCertificate>>) -> Fault {
    own.and_then(|own| own.hung_up()).unwrap_or(Fault::Closed)
}

enum Lapse {
    Fault(Fault),
    Io(io::Error),
}

async fn upgrade(broker: &Broker, stream: Box<dyn Duplex>) -> Result<Carrier, Lapse> {
    let scheme = if broker.is_tls() { "wss" } else { "ws" };
    let request = format!("{scheme}://{}/mqtt", broker.authority()).into_client_request();
    let mut request = request.map_err(|_| Lapse::Fault(Fault::NameUnknown))?;
    // MQTT 3.1.1, section 6.
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    let limit = Some(MAX_WEBSOCKET_BYTES);
    let config = WebSocketConfig::default().max_message_size(limit).max_frame_size(limit).read_buffer_size(16 * 1024);
    let error = match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => return Ok(Carrier::WebSocket(Box::new(socket))),
        Err(error) => error,
    };
    Err(match error {
        Error::Io(error) => Lapse::Io(error),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => Lapse::Io(io::ErrorKind::UnexpectedEof.into()),
        Error::Http(answer) => Lapse::Fault(Fault::NotWebSocket(answer.status().as_u16())),
        _ => Lapse::Fault(Fault::OtherWebSocket),
    })
}
