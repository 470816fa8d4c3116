//! What DESCRIBE answers (RFC 4566, with the parameters of RFC 6184 section 8.2.1 and RFC 7798 section 7.1).

use std::fmt::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::camera::{ParameterSets, SimulatedCamera};
use super::fault::Fault;
use crate::model::Codec;

/// The control attribute of the one track, below the camera's path.
pub(super) const TRACK: &str = "trackID=0";

/// The session description of a camera.
pub(super) fn describe(camera: &SimulatedCamera, address: IpAddr, fault: Option<Fault>) -> String {
    let (version, any) = if address.is_ipv6() { ("IP6", "::") } else { ("IP4", "0.0.0.0") };
    let audio_only = fault.is_some_and(Fault::audio_only);
    let encoding = match camera.clip.codec() {
        _ if fault.is_some_and(Fault::unknown_codec) => "X-WAVELET",
        Codec::H264 => "H264",
        _ => "H265",
    };
    let payload_type = camera.payload_type;
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN {version} {address}\r\ns=Media\r\nc=IN {version} {any}\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n"
    );
    // Writing to a String cannot fail.
    let _infallible = if audio_only {
        write!(sdp, "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:{TRACK}\r\n")
    } else {
        write!(
            sdp,
            "m=video 0 RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {}/90000\r\n{}a=framerate:{}.000\r\na=control:{TRACK}\r\n",
            encoding,
            format_parameters(camera),
            camera.clip.fps(),
        )
    };
    sdp
}

/// The parameter sets of its clip as Base64: SPS, PPS, VPS, each empty when the codec has none.
pub(super) fn parameter_sets(camera: &SimulatedCamera) -> [String; 3] {
    let sets =
        |kind: u8| camera.clip.parameter_sets(kind).map(|set| STANDARD.encode(set)).collect::<Vec<_>>().join(",");
    match camera.clip.codec() {
        Codec::H264 => [sets(7), sets(8), String::new()],
        _ => [sets(33), sets(34), sets(32)],
    }
}

/// Profile, constraint flags and level of H.264 as six hexadecimal digits (RFC 6184 section 8.1); empty without an SPS.
pub(super) fn profile_level_id(camera: &SimulatedCamera) -> String {
    // They follow the NAL header.
    let level = camera.clip.parameter_sets(7).next().and_then(|sps| sps.get(1..4)).unwrap_or_default();
    level.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn format_parameters(camera: &SimulatedCamera) -> String {
    let payload_type = camera.payload_type;
    let [sps, pps, vps] = parameter_sets(camera);
    let in_sdp = camera.parameter_sets != ParameterSets::InBandOnly;
    match (camera.clip.codec(), in_sdp) {
        (Codec::H264, true) => format!(
            "a=fmtp:{payload_type} packetization-mode=1;profile-level-id={};sprop-parameter-sets={sps},{pps}\r\n",
            profile_level_id(camera)
        ),
        (Codec::H264, false) => format!("a=fmtp:{payload_type} packetization-mode=1\r\n"),
        (_, true) => format!("a=fmtp:{payload_type} sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}\r\n"),
        (_, false) => String::new(),
    }
}
