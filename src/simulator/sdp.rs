//! What DESCRIBE answers (RFC 4566, with the parameters of RFC 6184 section 8.2.1 and RFC 7798 section 7.1).

use std::fmt::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::camera::{ParameterSets, SimulatedCamera};
use super::fault::Fault;
use super::packetise::PAYLOAD_TYPE;
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
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN {version} {address}\r\ns=Media\r\nc=IN {version} {any}\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n"
    );
    // Writing to a String cannot fail.
    let _infallible = if audio_only {
        write!(sdp, "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:{TRACK}\r\n")
    } else {
        write!(
            sdp,
            "m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} {}/90000\r\n{}a=framerate:{}.000\r\na=control:{TRACK}\r\n",
            encoding,
            format_parameters(camera),
            camera.clip.fps(),
        )
    };
    sdp
}

fn format_parameters(camera: &SimulatedCamera) -> String {
    let clip = &camera.clip;
    let sets = |kind: u8| clip.parameter_sets(kind).map(|set| STANDARD.encode(set)).collect::<Vec<_>>().join(",");
    let in_sdp = camera.parameter_sets != ParameterSets::InBandOnly;
    match (clip.codec(), in_sdp) {
        (Codec::H264, true) => {
            // profile_idc, the constraint flags and level_idc follow the NAL header.
            let level: String = clip
                .parameter_sets(7)
                .next()
                .and_then(|sps| sps.get(1..4))
                .unwrap_or_default()
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect();
            format!(
                "a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={level};sprop-parameter-sets={},{}\r\n",
                sets(7),
                sets(8)
            )
        }
        (Codec::H264, false) => format!("a=fmtp:{PAYLOAD_TYPE} packetization-mode=1\r\n"),
        (_, true) => {
            format!("a=fmtp:{PAYLOAD_TYPE} sprop-vps={};sprop-sps={};sprop-pps={}\r\n", sets(32), sets(33), sets(34))
        }
        (_, false) => String::new(),
    }
}
