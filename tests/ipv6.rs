//! Cameras with an IPv6 address.

mod common;

use std::net::Ipv6Addr;

use common::certificates::self_signed;
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
