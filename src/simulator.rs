//! Simulated cameras, healthy and broken: `streampulse demo`, and the fakes of every test.
//!
//! A [`Clip`] is a short piece of real video, split into pictures and packetised once; any number of cameras share it.
//! A [`SimulatedCamera`] says what a camera is: protocol, address, path, account, limits, what is broken about it.
//! [`Simulator::start`] listens for each of them and returns a handle, through which a camera breaks and heals
//! ([`Simulator::set_fault`]) and tells what its clients did ([`Simulator::counts`]).
//!
//! A camera is live: it has a clock of its own and a client joins wherever that clock is, in the middle of a group of
//! pictures. An idle camera is one listening socket and costs nothing; a session is one task with one timer.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};
//!
//! let gate = SimulatedCamera::rtsp("Gate", clips::pattern_h264()).auth(Auth::digest("admin", "p@ss:word/1"));
//! let simulator = Simulator::start(SimulatorOptions::new([gate])).await?;
//! let url = simulator.url("Gate"); // rtsp://127.1.0.1:41234/stream1
//! simulator.set_fault("Gate", Some(Fault::SilentAfterAccept)).await?;
//! assert_eq!(simulator.counts("Gate").sessions_open, 0);
//! # Ok(()) }
//! ```

mod auth;
mod camera;
mod clip;
pub mod clips;
mod connection;
mod counts;
mod crafted;
pub mod demo;
mod device;
mod fault;
mod hostile;
mod http;
mod media;
mod packetise;
mod reply;
mod request;
mod rtsp;
mod sdp;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use auth::{Auth, AuthScheme};
pub use camera::{ParameterSets, Protocol, SimulatedCamera, Start, Transports};
pub use clip::{Clip, ClipError};
pub use counts::{Counts, DeviceCounts};
pub use fault::{Fault, Method};

use crate::model::Credentials;
use crate::model::url::percent_encode;
use device::{CameraState, Device, Listener};

/// Why a simulator did not start, or a call on it failed.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// Two cameras with this name.
    #[error("two simulated cameras are called {0:?}")]
    DuplicateName(String),
    /// No camera with this name.
    #[error("no simulated camera is called {0:?}")]
    NoSuchCamera(String),
    /// A clip that the camera's protocol cannot carry.
    #[error("simulated camera {0:?}: RTSP carries H.264 and H.265 here, HTTP carries MJPEG")]
    WrongClip(String),
    /// Not a certificate chain and its private key.
    #[error("simulated camera {0:?}: no PEM certificate chain with its private key")]
    BadCertificate(String),
    /// A socket could not be bound.
    #[error("cannot listen on {address} for simulated camera {camera:?}")]
    Listen {
        /// Whose.
        camera: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What to simulate.
#[derive(Clone, Debug, Default)]
pub struct SimulatorOptions {
    /// The cameras, each with a name of its own.
    pub cameras: Vec<SimulatedCamera>,
}

impl SimulatorOptions {
    /// These cameras.
    pub fn new(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Self {
        Self { cameras: cameras.into_iter().collect() }
    }
}

/// Device, port and scheme: cameras for which these are the same share a socket.
type Place = (String, u16, &'static str);

/// Running cameras. They end when this is dropped.
pub struct Simulator {
    cameras: HashMap<String, Arc<CameraState>>,
    order: Vec<String>,
    listeners: Vec<Arc<Listener>>,
    stop: CancellationToken,
}

impl Simulator {
    /// Listens for every camera. Cameras of the same device name share an address; so do their ports when they ask for
    /// the same one and speak the same protocol.
    ///
    /// # Errors
    /// [`SimulatorError`] when names collide, a clip does not fit or a socket cannot be bound.
    pub async fn start(options: SimulatorOptions) -> Result<Self, SimulatorError> {
        let stop = CancellationToken::new();
        let mut simulator = Self { cameras: HashMap::new(), order: Vec::new(), listeners: Vec::new(), stop };
        let mut devices: HashMap<String, Arc<Device>> = HashMap::new();
        let mut groups: Vec<(Place, Vec<SimulatedCamera>)> = Vec::new();
        for camera in options.cameras {
            if simulator.order.contains(&camera.name) {
                return Err(SimulatorError::DuplicateName(camera.name));
            }
            if !camera.clip_fits() {
                return Err(SimulatorError::WrongClip(camera.name));
            }
            simulator.order.push(camera.name.clone());
            let number = devices.len();
            devices
                .entry(camera.device_name().to_owned())
                .or_insert_with(|| Arc::new(Device::new(camera.address.unwrap_or_else(|| nth_address(number)))))
                .limit(camera.session_limit);
            let key = (camera.device_name().to_owned(), camera.port, camera.scheme());
            // Only cameras of a shared device can share a socket, so the search is short.
            let shared = camera.device.is_some().then(|| groups.iter_mut().find(|(k, _)| *k == key)).flatten();
            match shared {
                Some((_, cameras)) => cameras.push(camera),
                None => groups.push((key, vec![camera])),
            }
        }
        for ((device, port, _), cameras) in groups {
            let device = Arc::clone(&devices[&device]);
            let listener = Listener::start(device, port, cameras, simulator.stop.child_token()).await?;
            for camera in &listener.cameras {
                simulator.cameras.insert(camera.description.name.clone(), Arc::clone(camera));
            }
            simulator.listeners.push(listener);
        }
        Ok(simulator)
    }

    /// The names of the cameras, in the order they were given.
    pub fn names(&self) -> &[String] {
        &self.order
    }

    /// What a camera is.
    ///
    /// # Panics
    /// When there is no such camera, as do all that take a name and return no `Result`.
    pub fn camera(&self, name: &str) -> &SimulatedCamera {
        &self.state(name).description
    }

    /// Where a camera listens (or would, when it refuses connections).
    pub fn address(&self, name: &str) -> SocketAddr {
        self.state(name).address
    }

    /// The camera's address without credentials.
    pub fn url(&self, name: &str) -> String {
        self.url_for(name, None)
    }

    /// The camera's address with the credentials its clients are told, percent-encoded. They are those of its account
    /// unless [`SimulatedCamera::told`] says otherwise.
    pub fn url_with_credentials(&self, name: &str) -> String {
        let state = self.state(name);
        self.url_for(name, state.description.told_credentials())
    }

    fn url_for(&self, name: &str, credentials: Option<&Credentials>) -> String {
        let state = self.state(name);
        let userinfo = credentials.map_or_else(String::new, |c| {
            format!("{}:{}@", percent_encode(&c.username), percent_encode(c.password.expose()))
        });
        format!("{}://{userinfo}{}{}", state.description.scheme(), state.address, state.description.path)
    }

    /// What the clients of a camera did so far.
    pub fn counts(&self, name: &str) -> Counts {
        self.state(name).counts.read()
    }

    /// The sum over all cameras. `most_sessions_open` is the largest of any one camera.
    pub fn total(&self) -> Counts {
        self.cameras.values().fold(Counts::default(), |sum, camera| sum.plus(&camera.counts.read()))
    }

    /// The sessions of the device that a camera belongs to, over all its cameras.
    pub fn device_counts(&self, name: &str) -> DeviceCounts {
        self.state(name).device.counts()
    }

    /// Waits until the counts of a camera satisfy a condition: a test's way to wait for the end of a session.
    ///
    /// # Errors
    /// The counts as they were when the time was over.
    pub async fn counts_when(
        &self,
        name: &str,
        within: Duration,
        condition: impl Fn(&Counts) -> bool,
    ) -> Result<Counts, Counts> {
        let counts = &self.state(name).counts;
        let wait = async {
            loop {
                let changed = counts.changed();
                let now = counts.read();
                if condition(&now) {
                    return now;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, wait).await.map_err(|_| counts.read())
    }

    /// Breaks a camera, or heals it with `None`. Its open sessions end, as with a camera that restarts.
    ///
    /// # Errors
    /// No such camera; or its port was taken by another program while it refused connections.
    pub async fn set_fault(&self, name: &str, fault: Option<Fault>) -> Result<(), SimulatorError> {
        let camera = self.cameras.get(name).ok_or_else(|| SimulatorError::NoSuchCamera(name.to_owned()))?;
        camera.set_fault(fault);
        let listener = self.listeners.iter().find(|l| l.cameras.iter().any(|c| Arc::ptr_eq(c, camera)));
        match listener {
            Some(listener) => listener.apply_faults().await,
            None => Ok(()),
        }
    }

    fn state(&self, name: &str) -> &CameraState {
        self.cameras.get(name).unwrap_or_else(|| panic!("no simulated camera is called {name:?}"))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Addresses from 127.1.0.1 upwards, 250 to a /24.
fn nth_address(number: usize) -> IpAddr {
    let [_, _, high, low] = u32::try_from(number / 250 * 256 + number % 250 + 1).unwrap_or(1).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

#[cfg(test)]
mod tests;
