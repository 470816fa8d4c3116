//! From one attempt to the verdict: where a camera redirects, and to which transport.

use std::net::SocketAddr;
use std::time::Instant;

use crate::model::{CameraUrl, Phases, Transport};
use crate::probe::classify::End;
use crate::probe::pipeline::receive::Received;
use crate::probe::protocol::Target;
use crate::probe::redirect::Journey;
use crate::probe::resolve::resolve;

/// Attempts, and again wherever the camera redirects to, until there is an end. The times of all of them add up.
pub fn travel<T>(
    target: &Target,
    deadline: Instant,
    mut attempt: impl FnMut(&Target, Transport) -> (Received, T),
) -> (Received, T) {
    let mut journey = CameraUrl::parse(&target.location).ok().map(|(url, _)| Journey::new(url));
    let mut target = target.clone();
    let mut on_the_way = Phases::default();
    loop {
        let (mut received, more) = try_transports(&target, &mut attempt);
        received.phases.iter().for_each(|(stage, took)| on_the_way.add(stage, took));
        received.phases = on_the_way;
        let Err((stage, End::Moved { location })) = &received.result else { return (received, more) };
        let addresses = |host: &str| match resolve(host, target.port, deadline) {
            Ok(addresses) => addresses.iter().map(SocketAddr::ip).collect(),
            Err(_) => Vec::new(),
        };
        match journey.as_mut().map(|journey| journey.follow(location, addresses)) {
            Some(Ok(step)) => target = target.moved(&step.url, step.with_credentials),
            refused => {
                let why = refused.and_then(Result::err).unwrap_or_default();
                received.result = Err((*stage, End::Redirect { why }));
                return (received, more);
            }
        }
    }
}

/// A camera that refuses TCP is asked for UDP in the same probe.
fn try_transports<T>(target: &Target, attempt: &mut impl FnMut(&Target, Transport) -> (Received, T)) -> (Received, T) {
    let first = if target.transport == Transport::Udp { Transport::Udp } else { Transport::Tcp };
    let tried = attempt(target, first);
    let refused = matches!(tried.0.result, Err((_, End::Status(461))));
    if refused && target.transport == Transport::Auto {
        return attempt(target, Transport::Udp);
    }
    tried
}
