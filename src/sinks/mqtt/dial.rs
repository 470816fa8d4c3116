//! The way to a broker, stage by stage: resolve, connect, TLS, WebSocket. Each has what is left of one deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
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
use crate::probe::classify::End;
use crate::probe::resolve::resolve;

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
    let mut stream: Box<dyn Duplex> = Box::new(connect(&addresses, deadline).await?);
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
    let made = timeout_at(deadline, in_a_thread("mqtt files", move || tls::client(&mqtt))).await;
    made.unwrap_or(Err(Fault::Late))
        .map_err(|fault| Failure::at(Stage::Tls, if fault == Fault::Late { files_hang() } else { fault }))
}

fn files_hang() -> Fault {
    let problem = "the files cannot be read in time; check the disk and the mount".to_owned();
    Fault::File { setting: "mqtt.ca_file, cert_file and key_file", problem }
}

/// What blocks, in a thread that nobody waits for when it is not wanted any more.
async fn in_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (answer, answered) = oneshot::channel();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may wait any more.
        let _ = answer.send(work());
    });
    started.map_err(|_| Fault::Overloaded)?;
    answered.await.unwrap_or(Err(Fault::Overloaded))
}

async fn addresses(broker: &Broker, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
    let (host, port) = (broker.host.clone(), broker.port);
    let looked_up = in_a_thread("mqtt resolve", move || {
        resolve(&host, port, deadline.into_std()).map_err(|end| match end {
            End::NameUnknown => Fault::NameUnknown,
            End::NoNameServer => Fault::NoNameServer,
            End::Connect(errno) => Fault::Unreachable(errno.to_string()),
            End::Overloaded => Fault::Overloaded,
            _ => Fault::Late,
        })
    });
    let looked_up = timeout_at(deadline, looked_up).await.unwrap_or(Err(Fault::Late));
    looked_up.map_err(|fault| Failure::at(Stage::Resolve, fault))
}

/// The first address that answers; each has its share of the time.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Failure> {
    let mut last = Fault::Late;
    for (i, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / (addresses.len() - i) as u32;
        let fault = match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small packets that shall not wait for each other.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Fault::Refused,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Fault::Late,
            Ok(Err(error)) => Fault::Unreachable(os_text(&error)),
            Err(_) => Fault::Late,
        };
        // A broker that is there and refuses says more than an address without a way to it.
        if i == 0 || last != Fault::Refused {
            last = fault;
        }
    }
    Err(Failure::at(Stage::Connect, last))
}

/// What the operating system says, without its number.
pub(super) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
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
            Lost::Broken(error) => Fault::Broken(os_text(&error)),
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
