//! Reads the streams: each on its own first, then what they are to each other (names, ids, parents).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::ca_file::read_ca_file;
use super::keys;
use super::reader::{Range, Rule, Section, shown_text};
use super::sections::{HEARTBEAT, TIMEOUT};
use super::suggest::did_you_mean;
use crate::model::{
    CameraUrl, Codec, Credentials, Expect, Fingerprint, PictureChecks, Scheme, Secret, Stream, StreamId, Transport,
    Trust,
};

/// Unknown parents for which the nearest stream is looked for.
const MAX_SUGGESTIONS: usize = 20;

/// What holds for a stream that does not say otherwise.
pub(super) struct Defaults {
    pub(super) heartbeat: Duration,
    pub(super) rtsp_timeout: Duration,
    pub(super) http_timeout: Duration,
}

/// A stream as far as it could be read.
struct Draft<'a> {
    section: Section<'a>,
    name: Option<&'a str>,
    given_id: Option<StreamId>,
    id: Option<StreamId>,
    url: Option<(CameraUrl, Option<Credentials>)>,
    parent: Option<StreamId>,
}

pub(super) fn streams(root: &Section<'_>, defaults: &Defaults) -> Vec<Arc<Stream>> {
    if !root.has("streams") {
        root.warning("streams", "no streams are listed, so nothing will be probed");
    }
    let mut drafts: Vec<Draft<'_>> = root
        .list("streams")
        .iter()
        .enumerate()
        .map(|(i, node)| draft(Section::new(node, format!("streams[{i}]"), keys::STREAM, root.findings)))
        .collect();
    check_names(&drafts);
    give_ids(&mut drafts);
    resolve_parents(&mut drafts);
    drafts.iter().filter_map(|draft| finish(draft, defaults)).map(Arc::new).collect()
}

fn draft(section: Section<'_>) -> Draft<'_> {
    let name = section.text("name");
    if name.is_none() {
        section.missing("name", "give every stream a name");
    }
    let given_id = section.text("id").and_then(|text| {
        let id = StreamId::new(text);
        if id.is_none() {
            let made = StreamId::from_name(text);
            let message =
                format!("{} is no id; an id is 1 to 64 of a-z, 0-9, _ and -, for example {made}", shown_text(text));
            section.problem("id", message);
        }
        id
    });
    let url = url(&section);
    Draft { section, name, given_id, id: None, url, parent: None }
}

fn url(section: &Section<'_>) -> Option<(CameraUrl, Option<Credentials>)> {
    match section.text("url") {
        None => {
            section.missing("url", "write the camera's address, for example rtsp://192.0.2.10/stream1");
            None
        }
        Some(text) => CameraUrl::parse(text).map_err(|error| section.problem("url", error.to_string())).ok(),
    }
}

/// A stream that is tried and not configured, from the keys that decide how it is probed.
pub(super) fn tried(section: Section<'_>, defaults: &Defaults) -> Option<Stream> {
    let url = url(&section);
    let id = Some(StreamId::from_name("trial"));
    finish(&Draft { section, name: Some("trial"), given_id: None, id, url, parent: None }, defaults)
}

fn check_names(drafts: &[Draft<'_>]) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for draft in drafts {
        let Some(name) = draft.name else { continue };
        match first.get(name) {
            Some(line) => {
                let message = format!("{} is also the name of the stream on line {line}", shown_text(name));
                draft.section.problem("name", message);
            }
            None => {
                first.insert(name, draft.section.line_of("name"));
            }
        }
    }
}

/// Given ids first, so that a made one steps aside.
fn give_ids(drafts: &mut [Draft<'_>]) {
    let mut taken: HashMap<StreamId, usize> = HashMap::new();
    for draft in drafts.iter_mut() {
        let Some(id) = draft.given_id.clone() else { continue };
        if let Some(line) = taken.get(&id) {
            draft.section.problem("id", format!("\"{id}\" is also the id of the stream on line {line}"));
        } else {
            taken.insert(id.clone(), draft.section.line_of("id"));
        }
        draft.id = Some(id);
    }
    // Where the search for a free number goes on, so that a thousand equal names stay cheap.
    let mut numbers: HashMap<StreamId, usize> = HashMap::new();
    for draft in drafts.iter_mut().filter(|draft| draft.id.is_none()) {
        let Some(name) = draft.name else { continue };
        let made = StreamId::from_name(name);
        let mut id = made.clone();
        let number = numbers.entry(made.clone()).or_insert(2);
        while taken.contains_key(&id) {
            id = made.numbered(*number);
            *number += 1;
        }
        taken.insert(id.clone(), draft.section.line_of("name"));
        draft.id = Some(id);
    }
}

fn resolve_parents(drafts: &mut [Draft<'_>]) {
    let known: Vec<(StreamId, &str)> =
        drafts.iter().filter_map(|d| Some((d.id.clone()?, d.name.unwrap_or_default()))).collect();
    let by_id: HashSet<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
    let by_name: HashMap<&str, &StreamId> = known.iter().rev().map(|(id, name)| (*name, id)).collect();
    let mut suggestions = 0;
    for draft in drafts.iter_mut() {
        let Some(text) = draft.section.text("parent") else { continue };
        let parent = if by_id.contains(text) { StreamId::new(text) } else { by_name.get(text).map(|id| (*id).clone()) };
        match parent {
            None => {
                // Each looks at every stream, so not for thousands of mistakes.
                let candidates = if suggestions < MAX_SUGGESTIONS { &known[..] } else { &[] };
                suggestions += 1;
                let near = did_you_mean(text, candidates.iter().flat_map(|(id, name)| [id.as_str(), *name]));
                draft.section.problem("parent", format!("no stream has the id or name {}{near}", shown_text(text)));
            }
            Some(parent) if Some(&parent) == draft.id.as_ref() => {
                draft.section.problem("parent", "a stream cannot be its own parent");
            }
            parent => draft.parent = parent,
        }
    }
    refuse_circles(drafts);
}

fn refuse_circles(drafts: &mut [Draft<'_>]) {
    let parents: HashMap<StreamId, StreamId> =
        drafts.iter().filter_map(|draft| Some((draft.id.clone()?, draft.parent.clone()?))).collect();
    let mut clear: HashSet<&StreamId> = HashSet::new();
    for draft in drafts.iter() {
        let Some(start) = draft.id.as_ref() else { continue };
        let mut way: Vec<&StreamId> = Vec::new();
        let mut on_way: HashSet<&StreamId> = HashSet::new();
        let mut here = parents.get_key_value(start).map(|(id, _)| id);
        while let Some(id) = here {
            if clear.contains(id) {
                break;
            }
            if !on_way.insert(id) {
                let circle: Vec<&str> = way.iter().skip_while(|w| **w != id).map(|w| w.as_str()).collect();
                let cut = (circle.len() > 8).then_some("…");
                let shown: Vec<&str> =
                    circle.iter().copied().take(8).chain(cut).chain(std::iter::once(id.as_str())).collect();
                draft.section.problem("parent", format!("the parents form a circle: {}", shown.join(" → ")));
                break;
            }
            way.push(id);
            here = parents.get(id);
        }
        clear.extend(way);
    }
}

fn finish(draft: &Draft<'_>, defaults: &Defaults) -> Option<Stream> {
    let section = &draft.section;
    let username = section.secret("username");
    let password = section.secret("password");
    let timeout = match draft.url.as_ref().map(|(url, _)| url.scheme()) {
        Some(Scheme::Http | Scheme::Https) => defaults.http_timeout,
        _ => defaults.rtsp_timeout,
    };
    let checks = checks(section);
    let expect = expect(section);
    let heartbeat = section.duration("heartbeat_seconds", defaults.heartbeat, HEARTBEAT, Rule::Ours);
    let timeout = section.duration("timeout_seconds", timeout, TIMEOUT, Rule::Ours);
    let transport = section.choice("transport", &Transport::NAMES).and_then(Transport::parse).unwrap_or_default();
    let enabled = section.boolean("enabled", true, Rule::Ours);
    let trust = trust(section);
    let group = section.text("group").map(str::to_owned);
    let tags = section.texts("tags");
    let (url, in_url) = draft.url.clone()?;
    Some(Stream {
        id: draft.id.clone()?,
        name: draft.name?.to_owned(),
        url,
        credentials: credentials(in_url, username, password),
        enabled,
        heartbeat,
        timeout,
        transport,
        group,
        tags,
        trust,
        parent: draft.parent.clone(),
        checks,
        expect,
    })
}

/// The keys are literal (a `%40` in them is those three characters) and win over what the URL holds.
fn credentials(in_url: Option<Credentials>, username: Option<&str>, password: Option<&str>) -> Option<Credentials> {
    if username.is_none() && password.is_none() {
        return in_url;
    }
    let mut credentials = in_url.unwrap_or_else(|| Credentials::new("", ""));
    if let Some(username) = username {
        credentials.username = username.to_owned();
    }
    if let Some(password) = password {
        credentials.password = Secret::new(password);
    }
    Some(credentials)
}

fn trust(section: &Section<'_>) -> Trust {
    let authorities = section
        .text("ca_file")
        .and_then(|path| read_ca_file(Path::new(path)).map_err(|message| section.problem("ca_file", message)).ok());
    let pinned = section.text("tls_fingerprint").and_then(|text| {
        let fingerprint = Fingerprint::parse(text);
        if fingerprint.is_none() {
            let message = format!(
                "{} is no fingerprint; write the SHA-256 of the certificate in 64 hexadecimal digits, as `streampulse \
                 probe` tells it",
                shown_text(text)
            );
            section.problem("tls_fingerprint", message);
        }
        fingerprint
    });
    Trust { verify: section.boolean("tls_verify", true, Rule::Ours), authorities, pinned }
}

fn checks(section: &Section<'_>) -> PictureChecks {
    let checks = section.section("checks", keys::CHECKS);
    let default = PictureChecks::DEFAULT;
    let threshold = |key, default, range| checks.threshold(key, default, range);
    PictureChecks {
        black: threshold("black", default.black, Range::whole(2, 255)),
        overexposed: threshold("overexposed", default.overexposed, Range::whole(2, 100)),
        frozen: threshold("frozen", default.frozen, Range::whole(2, 10_000)),
        blurred: threshold("blurred", default.blurred, Range::whole(2, 100)),
        low_contrast: threshold("low_contrast", default.low_contrast, Range::whole(2, 255)),
        colour_cast: threshold("colour_cast", default.colour_cast, Range::whole(2, 127)),
        scene_changed: threshold("scene_changed", default.scene_changed, Range::whole(2, 100)),
        facts_changed: checks.boolean("facts_changed", default.facts_changed, Rule::Ours),
    }
}

fn expect(section: &Section<'_>) -> Expect {
    let expect = section.section("expect", keys::EXPECT);
    let codecs = [Codec::H264, Codec::H265, Codec::Mjpeg].map(Codec::as_str);
    let size = |key: &str| {
        let pixels = expect.integer(key, 0, Range::whole(1, 16_384), Rule::Ours);
        (pixels > 0).then_some(pixels)
    };
    Expect {
        codec: expect.choice("codec", &codecs).map(str::to_owned),
        width_px: size("width"),
        height_px: size("height"),
    }
}
