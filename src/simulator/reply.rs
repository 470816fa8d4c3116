//! Answers of other cameras, played as they are written. Real ones write them in many ways.

use super::camera::SimulatedCamera;
use super::fault::Method;
use super::sdp;

/// A whole answer as text: the status line, headers, an empty line, the body.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    method: Method,
    code: Option<u16>,
    text: String,
}

impl Reply {
    pub(super) fn new(method: Method, text: String) -> Self {
        let code = text.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
        Self { method, code, text }
    }

    /// The text with its `{names}` filled in.
    fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut text = values.iter().fold(self.text.clone(), |text, (name, value)| text.replace(name, value));
        if let Some(at) = text.find("\r\n\r\n") {
            let length = text.len() - (at + 4);
            text = text.replace("{length}", &length.to_string());
        }
        text
    }
}

impl SimulatedCamera {
    /// What it answers in place of an answer of its own with this status, if anything.
    pub(super) fn reply_to(&self, method: Method, code: u16) -> Option<&Reply> {
        self.replies.iter().find(|reply| reply.method == method && reply.code == Some(code))
    }

    /// The text of a reply over RTSP. `own` is the header lines of the answer that it takes the place of.
    pub(super) fn fill(&self, reply: &Reply, address: &str, sequence: &str, nonce: &str, own: &str) -> String {
        let [sps, pps, vps] = sdp::parameter_sets(self);
        let level = sdp::profile_level_id(self);
        reply.fill(&[
            ("{cseq}", sequence),
            ("{host}", address),
            ("{path}", &self.path),
            ("{nonce}", nonce),
            ("{sps}", &sps),
            ("{pps}", &pps),
            ("{vps}", &vps),
            ("{level}", &level),
            ("{own}\r\n", own),
        ])
    }

    /// True for the path of a track of a camera with replies of its own, which may name its tracks anyhow.
    pub(super) fn owns_track(&self, path: &str) -> bool {
        let own = self.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        !self.replies.is_empty() && path.starts_with(own)
    }

    /// Head, and each part before and behind its picture, of a reply to GET.
    pub(super) fn multipart(reply: &Reply) -> Option<(String, &str, &str)> {
        let (head, part) = reply.text.split_once("\r\n\r\n")?;
        let (before, behind) = part.split_once("{jpeg}")?;
        Some((format!("{head}\r\n\r\n"), before, behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_filled_in_and_counts_its_own_body() {
        let reply = Reply::new(Method::Describe, "RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\nv={x}\r\n".into());
        assert_eq!(reply.code, Some(200));
        assert_eq!(reply.fill(&[("{x}", "0")]), "RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n");
        assert_eq!(Reply::new(Method::Describe, "nonsense".into()).code, None);
    }
}
