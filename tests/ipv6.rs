//! Cameras with an IPv6 address.

mod common;

use std::net::{Ipv6Addr, SocketAddrV6};

use common::certificates::self_signed;
use common::service::PATIENCE;
use common::{pool, request};
use streampulse::model::{Outcome, Reason, Transport};
use streampulse::probe::Prober as _;
use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_over_ipv6() {
    let own = self_signed(&["::1"]);
    let auth = || Auth::basic("admin", "späce ü");
    let cameras = [
        SimulatedCamera::rtsp("rtsp", clips::gate()).auth(Auth::digest("admin", "p@ss")),
        SimulatedCamera::rtsp("rtsps", clips::gate()).tls(&own.chain, &own.key),
        SimulatedCamera::mjpeg("http", clips::pool_mjpeg()).auth(auth()),
        SimulatedCamera::mjpeg("https", clips::pool_mjpeg()).auth(auth()).tls(&own.chain, &own.key),
    ]
    .map(|camera| camera.address(Ipv6Addr::LOCALHOST));
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let pool = pool().await;
    for (name, transport) in [
        ("rtsp", Transport::Tcp),
        ("rtsp", Transport::Udp),
        ("rtsps", Transport::Tcp),
        // Again in the same worker: the TLS session is resumed.
        ("rtsps", Transport::Tcp),
        ("http", Transport::Auto),
        ("https", Transport::Auto),
        ("https", Transport::Auto),
    ] {
        let url = simulator.url_with_credentials(name);
        assert!(url.contains("[::1]:"), "{url}");
        let mut request = request(&format!("{name} {transport:?}"), &url);
        request.transport = transport;
        request.trust.authorities = Some(own.chain.as_str().into());
        let probed = pool.probe(request).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{name} {transport:?}: {:?}", probed.report);
    }
    pool.close().await;
    for name in simulator.names() {
        // The last of them may still lie in its socket.
        simulator.counts_when(name, PATIENCE, |counts| counts.sessions_open == 0).await.expect("an end");
    }
    let counts = simulator.total();
    assert_eq!(counts.teardowns, counts.sessions_opened, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_over_ipv6() {
    let cameras = [
        SimulatedCamera::rtsp("refused", clips::gate()).fault(Fault::ConnectionRefused),
        SimulatedCamera::mjpeg("refused too", clips::pool_mjpeg()).fault(Fault::ConnectionRefused),
        SimulatedCamera::rtsp("endless", clips::gate()).fault(Fault::EndlessHeader),
        SimulatedCamera::mjpeg("endless too", clips::pool_mjpeg()).fault(Fault::EndlessHeader),
        SimulatedCamera::rtsp("loop", clips::gate()).fault(Fault::RedirectsToItself),
        SimulatedCamera::mjpeg("loop too", clips::pool_mjpeg()).fault(Fault::RedirectsToItself),
    ]
    .map(|camera| camera.address(Ipv6Addr::LOCALHOST));
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let pool = pool().await;
    for (name, reason) in
        [("refused", Reason::ConnectionRefused), ("endless", Reason::ProtocolError), ("loop", Reason::RedirectLoop)]
    {
        for name in [name.to_owned(), format!("{name} too")] {
            let mut request = request(&name, &simulator.url(&name));
            request.timeout = std::time::Duration::from_secs(3);
            let probed = pool.probe(request).await;
            assert_eq!(probed.report.reason(), reason, "{name}: {:?}", probed.report);
        }
    }
    pool.close().await;
}

/// An interface with a link-local address: name, number, address.
fn link() -> Option<(String, u32, Ipv6Addr)> {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let &[address, number, _, scope, _, name] = fields.as_slice() else { return None };
        let address = u128::from_str_radix(address, 16).ok()?.into();
        (scope == "20").then_some((name.to_owned(), u32::from_str_radix(number, 16).ok()?, address))
    })
}

/// The simulator knows loopback only, so there is a door to it at the link-local address.
async fn door(camera: &str, scope_id: u32, address: Ipv6Addr) -> SocketAddrV6 {
    let camera = camera.split('/').nth(2).expect("an authority").to_owned();
    let listener = tokio::net::TcpListener::bind(SocketAddrV6::new(address, 0, 0, scope_id)).await.expect("bind");
    let std::net::SocketAddr::V6(at) = listener.local_addr().expect("address") else { panic!("IPv6") };
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let camera = camera.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(camera).await.expect("the camera");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_on_the_link() {
    let Some((name, scope_id, address)) = link() else {
        // `tests/faults.rs` connects to such an address in a network of its own, on every machine.
        eprintln!("NOT TESTED: no interface of this machine has a link-local address");
        return;
    };
    let own = self_signed(&[&address.to_string()]);
    let cameras = [
        SimulatedCamera::rtsp("rtsp", clips::gate()).auth(Auth::digest("admin", "p@ss")),
        SimulatedCamera::mjpeg("http", clips::pool_mjpeg()).auth(Auth::basic("admin", "p@ss")),
        SimulatedCamera::mjpeg("https", clips::pool_mjpeg()).tls(&own.chain, &own.key),
    ];
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let pool = pool().await;
    // Not `rtsps`: the GLib of Debian 12 asks for the interface as if it were a server's name, which rustls refuses.
    for camera in ["rtsp", "http", "https"] {
        let door = door(&simulator.url(camera), scope_id, address).await;
        let url = simulator.url_with_credentials(camera);
        let inside = simulator.url(camera).split('/').nth(2).expect("an authority").to_owned();
        let url = url.replace(&inside, &format!("[{address}%{name}]:{}", door.port()));
        let mut request = request(camera, &url);
        request.transport = Transport::Tcp;
        request.trust.authorities = Some(own.chain.as_str().into());
        let probed = pool.probe(request).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{url}: {:?}", probed.report);
    }
    pool.close().await;
}
