//! Running devices: their sockets, their cameras and the sessions they serve.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::camera::{Protocol, SimulatedCamera};
use super::connection::{Connection, SESSION_TIMEOUT};
use super::counts::{DeviceCounts, LiveCounts, SlotTicket, Slots};
use super::fault::{Fault, Method, OnAccept};
use super::{SimulatorError, hostile, http, rtsp, wire};

/// What has an address of its own.
#[derive(Debug)]
pub(super) struct Device {
    ip: IpAddr,
    slots: Arc<Slots>,
}

impl Device {
    pub(super) fn new(ip: IpAddr) -> Self {
        Self { ip, slots: Arc::default() }
    }

    pub(super) fn limit(&self, sessions: Option<usize>) {
        if let Some(sessions) = sessions {
            self.slots.limit(sessions);
        }
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.ip
    }

    pub(super) fn counts(&self) -> DeviceCounts {
        self.slots.read()
    }
}

/// A running camera.
#[derive(Debug)]
pub(super) struct CameraState {
    pub(super) description: SimulatedCamera,
    pub(super) device: Arc<Device>,
    pub(super) address: SocketAddr,
    pub(super) counts: LiveCounts,
    /// When its first picture was taken.
    pub(super) epoch: Instant,
    /// Of its Digest challenge.
    pub(super) nonce: String,
    condition: Mutex<Condition>,
}

/// What is broken now, and what ends with the next change of that.
#[derive(Debug)]
struct Condition {
    fault: Option<Fault>,
    until: CancellationToken,
}

impl CameraState {
    fn new(description: SimulatedCamera, device: Arc<Device>, address: SocketAddr) -> Self {
        // Cameras are not in step: each began somewhere within the last minute.
        let phase = random_u64() % 60_000;
        let now = Instant::now();
        let fault = description.fault;
        Self {
            description,
            device,
            address,
            counts: LiveCounts::default(),
            epoch: now.checked_sub(Duration::from_millis(phase)).unwrap_or(now),
            nonce: format!("{:016x}{:016x}", random_u64(), random_u64()),
            condition: Mutex::new(Condition { fault, until: CancellationToken::new() }),
        }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).fault
    }

    /// The status and `Location` with which it answers this request, when it redirects.
    pub(super) fn redirects(&self, method: Method) -> Option<(u16, String)> {
        let camera = &self.description;
        self.fault().and_then(|fault| fault.redirects(method, camera.scheme(), self.address, &camera.path))
    }

    /// Cancelled when the fault changes.
    pub(super) fn until(&self) -> CancellationToken {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).until.clone()
    }

    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        let mut condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        condition.until.cancel();
        *condition = Condition { fault, until: CancellationToken::new() };
    }

    /// Its address without credentials.
    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", self.description.scheme(), self.address, self.description.path)
    }

    /// Opens a session, or `None` when the device is busy. It ends when the ticket is dropped.
    pub(super) fn open_session(self: &Arc<Self>) -> Option<SessionTicket> {
        let Some(slot) = self.device.slots.take() else {
            self.counts.update(|c| c.refused_busy += 1);
            return None;
        };
        self.counts.update(|c| {
            match self.description.protocol {
                Protocol::Rtsp => {
                    c.sessions_opened += 1;
                    c.sessions_open += 1;
                }
                Protocol::HttpMjpeg => {
                    c.http_sessions_opened += 1;
                    c.http_sessions_open += 1;
                }
            }
            c.most_sessions_open = c.most_sessions_open.max(c.sessions_open + c.http_sessions_open);
        });
        Some(SessionTicket { camera: Arc::clone(self), slot: Some(slot), until: self.until() })
    }
}

/// An open session.
#[derive(Debug)]
pub(super) struct SessionTicket {
    camera: Arc<CameraState>,
    slot: Option<SlotTicket>,
    until: CancellationToken,
}

impl Drop for SessionTicket {
    fn drop(&mut self) {
        // First the slot, so that whoever waits for the count finds the device free.
        self.slot = None;
        self.camera.counts.update(|c| match self.camera.description.protocol {
            Protocol::Rtsp => {
                c.sessions_open -= 1;
                c.sessions_cut += usize::from(self.until.is_cancelled());
            }
            Protocol::HttpMjpeg => c.http_sessions_open -= 1,
        });
    }
}

/// One port of a device and the cameras behind it.
pub(super) struct Listener {
    pub(super) cameras: Vec<Arc<CameraState>>,
    address: SocketAddr,
    protocol: Protocol,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    accepting: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    pub(super) async fn start(
        device: Arc<Device>,
        port: u16,
        cameras: Vec<SimulatedCamera>,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, SimulatorError> {
        let protocol = cameras.first().map_or(Protocol::Rtsp, |camera| camera.protocol);
        let wanted = SocketAddr::new(device.ip(), port);
        let failed = |source| SimulatorError::Listen {
            camera: cameras.first().map(|c| c.name.clone()).unwrap_or_default(),
            address: wanted,
            source,
        };
        let tls = match cameras.iter().find_map(|c| c.tls.as_ref().map(|identity| (c, identity))) {
            None => None,
            Some((camera, identity)) => {
                Some(identity.acceptor().ok_or_else(|| SimulatorError::BadCertificate(camera.name.clone()))?)
            }
        };
        // Bound in any case, so that a camera that refuses connections has a port too.
        let socket = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let cameras =
            cameras.into_iter().map(|c| Arc::new(CameraState::new(c, Arc::clone(&device), address))).collect();
        let listener =
            Arc::new(Self { cameras, address, protocol, tls, stop, accepting: tokio::sync::Mutex::new(None) });
        if !listener.refuses_connections() {
            *listener.accepting.lock().await = Some(listener.accept(socket));
        }
        Ok(listener)
    }

    fn refuses_connections(&self) -> bool {
        self.cameras.iter().any(|c| c.fault().is_some_and(Fault::refuses_connections))
    }

    /// Listens or ceases to, as the faults of its cameras now say.
    pub(super) async fn apply_faults(self: &Arc<Self>) -> Result<(), SimulatorError> {
        let mut accepting = self.accepting.lock().await;
        if self.refuses_connections() {
            if let Some(task) = accepting.take() {
                task.abort();
                // The socket is closed when the task is gone; that it was aborted is no news.
                let _aborted = task.await;
            }
        } else if accepting.is_none() {
            let socket = TcpListener::bind(self.address).await.map_err(|source| SimulatorError::Listen {
                camera: self.cameras.first().map(|c| c.description.name.clone()).unwrap_or_default(),
                address: self.address,
                source,
            })?;
            *accepting = Some(self.accept(socket));
        }
        Ok(())
    }

    fn accept(self: &Arc<Self>, socket: TcpListener) -> JoinHandle<()> {
        let listener = Arc::clone(self);
        tokio::spawn(async move {
            let stop = listener.stop.clone();
            let accept = async {
                loop {
                    match socket.accept().await {
                        Ok((stream, _)) => listener.serve(stream),
                        // No descriptors left, most likely: wait for some to be closed.
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
            };
            stop.run_until_cancelled(accept).await;
        })
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) {
        let listener = Arc::clone(self);
        tokio::spawn(async move {
            let stop = listener.stop.clone();
            stop.run_until_cancelled(async {
                // A connection that ends with an error has ended: nobody is interested why.
                let _ended = listener.converse(stream).await;
            })
            .await;
        });
    }

    async fn converse(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        // Until a request names a camera of a shared port, the first one stands for the connection.
        let only = if let [only] = self.cameras.as_slice() { Some(Arc::clone(only)) } else { None };
        if let Some(camera) = &only {
            camera.counts.update(|c| c.connections += 1);
        }
        let broken = self.cameras.iter().find(|c| Fault::on_accept(c.fault()) != OnAccept::Serve);
        let Some(standing_for) = broken.or(self.cameras.first()) else { return Ok(()) };
        let until = standing_for.until();
        let on_accept = Fault::on_accept(standing_for.fault());
        let peer = stream.peer_addr()?;
        // Who says nothing does not shake hands either.
        let tls = self.tls.as_ref().filter(|_| on_accept != OnAccept::Silence);
        let handshake = until.run_until_cancelled(wire::open(stream, tls));
        let wire = tokio::time::timeout(SESSION_TIMEOUT, handshake).await.map_err(|_| io::ErrorKind::TimedOut)?;
        let Some(wire) = wire else { return Ok(()) };
        let connection = Connection::new(wire?, peer, until.clone());
        match on_accept {
            OnAccept::Silence => connection.be_silent().await,
            OnAccept::Close => hostile::close(connection).await,
            OnAccept::Drip => hostile::drip(connection, self.protocol).await,
            OnAccept::Garbage => hostile::garbage(connection).await,
            OnAccept::EndlessHeader => hostile::endless_header(connection, self.protocol).await,
            OnAccept::EndlessBody => hostile::endless_body(connection).await,
            OnAccept::Html => http::answer_page(connection).await,
            OnAccept::Serve => match self.protocol {
                Protocol::Rtsp => rtsp::serve(connection, &self.cameras, only).await,
                Protocol::HttpMjpeg => http::serve(connection, &self.cameras, only).await,
            },
        }
    }
}

/// Good enough for sequence numbers, phases and nonces; the seed is the system's.
pub(super) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
