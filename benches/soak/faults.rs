//! What breaks about the cameras of the soak.

use streampulse::simulator::{Fault, Method};

/// What a camera may do. No refused passwords: the account is left alone for half an hour after two of them. Nothing
/// that is only told by comparison with the past either.
pub const FAULTS: [Fault; 17] = [
    Fault::ConnectionRefused,
    Fault::SilentAfterAccept,
    Fault::ClosesAfterRequest,
    Fault::Drips,
    Fault::Garbage,
    Fault::EndlessHeader,
    Fault::EndlessBody,
    Fault::RedirectsToItself,
    Fault::Html,
    Fault::Status(404),
    Fault::Status(500),
    Fault::SilentTo(Method::Play),
    Fault::AudioOnly,
    Fault::UnknownCodec,
    Fault::DamagedPictures,
    Fault::DecoderBomb,
    Fault::NoKeyframe,
];

/// The same for a camera that speaks this protocol: MJPEG has no PLAY, and is silent to GET.
pub fn of_protocol(fault: Fault, is_mjpeg: bool) -> Fault {
    match fault {
        Fault::SilentTo(Method::Play) if is_mjpeg => Fault::SilentTo(Method::Get),
        other => other,
    }
}
