//! Home Assistant: what is published so that it shows the cameras by itself, its MQTT *device-based* discovery.
//!
//! One device a camera, and one for the service that they are connected via. Only values and JSON: who publishes is
//! [`super::mqtt`]. The rules are Home Assistant's own (`homeassistant/components/mqtt`); they are written down, each
//! with its source, in the tests of this module.
//!
//! | files | what |
//! |---|---|
//! | this | the devices: topic and payload of each |
//! | [`entities`] | the entities of a device, and how a message of ours becomes the state of one |
//! | [`names`] | names that Home Assistant takes, and that stay |
//!
//! What the publisher must know:
//!
//! - The payloads are retained, the service's first. They say everything: an entity that is not wanted (any more) is in
//!   them by its platform alone, which removes it, so no memory of what was sent before is needed.
//! - A device is removed by an empty message, retained. It goes *before* the stream's own retained topics are cleared: an entity
//!   that still listens would try its template on the empty message, and log an error.
//! - Not twice in a row: of a message that comes while the one before is still being set up, Home Assistant 2026.2 takes
//!   one entity and forgets the others (`discovery.py`, the `return` after "queuing update").
//! - `…/state` must hold `latency_ms` only while it is the time to a picture, else null.

mod entities;
mod names;

use std::time::Duration;

use http::Uri;
use serde_json::{Map, Value, json};

use self::entities::Entities;
use self::names::node_slug;
use super::mqtt::{Leaf, Topics};
use crate::model::StreamId;

/// Home Assistant's own; what it is changed to there is not known here.
pub(super) const DISCOVERY_PREFIX: &str = "homeassistant";
/// Where Home Assistant says that it has started.
pub(super) const BIRTH_TOPIC: &str = "homeassistant/status";
/// What it says there.
pub(super) const BIRTH_PAYLOAD: &str = "online";
/// After the birth message everything is sent again at a random moment within this time: all that discover there do it.
pub(super) const RESEND_WITHIN: Duration = Duration::from_secs(10);

/// The service, as Home Assistant is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service<'a> {
    /// `mqtt.node`: it tells services on one broker apart.
    pub(super) node: &'a str,
    /// Of the program.
    pub(super) version: &'a str,
    /// The dashboard. An address that Home Assistant would not take is left out: it would refuse the whole device.
    pub(super) configuration_url: Option<&'a str>,
    /// Whether commands are listened to.
    pub(super) has_commands: bool,
}

/// A camera, as Home Assistant is told of it. The group is no area there: areas are rooms of a house, and Home Assistant
/// would make one of each group; it is in the attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera<'a> {
    /// Topics and everything that must stay are made of it.
    pub(super) id: &'a StreamId,
    /// For people, may change.
    pub(super) name: &'a str,
    /// Whether its pictures are published.
    pub(super) has_image: bool,
}

/// Where the service's device is published.
pub(super) fn topic_of_service(node: &str) -> String {
    config_topic(&object_of_service(node))
}

/// Where a camera's device is published.
pub(super) fn topic_of_stream(node: &str, id: &StreamId) -> String {
    config_topic(&object_of_stream(node, id))
}

/// The device of the service. It has no availability: that the service is away is what its entities are there to say.
pub(super) fn service_device(service: &Service<'_>, topics: &Topics) -> Value {
    let object = object_of_service(service.node);
    let mut device = json!({
        "identifiers": [object],
        "name": format!("StreamPulse {}", service.node),
        "manufacturer": "StreamPulse",
        "model": "Camera monitor",
        "sw_version": service.version,
    });
    if let Some(url) = service.configuration_url.filter(|url| is_web_address(url)) {
        device["configuration_url"] = json!(url);
    }
    let mut entities = Entities::of(&object, &format!("streampulse {}", service.node));
    entities.service();
    document(service, device, entities.into_components(), topics.status())
}

/// The device of a camera. All of it is unavailable when the service is, and only then: a camera that is down is known
/// to be.
pub(super) fn camera_device(service: &Service<'_>, camera: &Camera<'_>, topics: &Topics) -> Value {
    let object = object_of_stream(service.node, camera.id);
    let device = json!({
        "identifiers": [object],
        "name": camera.name,
        "via_device": object_of_service(service.node),
    });
    let topic = |leaf| topics.stream(camera.id, leaf);
    let mut entities = Entities::of(&object, &format!("streampulse {}", camera.id));
    entities.state(&topic(Leaf::State), &topic(Leaf::Attributes));
    entities.event(&topic(Leaf::Event));
    entities.image(camera.has_image.then(|| topic(Leaf::Image)));
    entities.probe(service.has_commands.then(|| topic(Leaf::Probe)));

    let mut document = document(service, device, entities.into_components(), topic(Leaf::State));
    // The list form everywhere: an entity with both forms is dropped. And `stopped` is neither of the two payloads that
    // Home Assistant compares with, so that a template makes one of it.
    document["availability"] = json!([{
        "topic": topics.status(),
        "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
        "payload_available": "online",
        "payload_not_available": "offline",
    }]);
    document["availability_mode"] = json!("all");
    document
}

fn document(service: &Service<'_>, device: Value, components: Map<String, Value>, state_topic: String) -> Value {
    json!({
        "device": device,
        "origin": {"name": "StreamPulse", "sw_version": service.version},
        "components": components,
        "state_topic": state_topic,
    })
}

/// The service's object: no stream's has only two parts.
fn object_of_service(node: &str) -> String {
    format!("streampulse_{}", node_slug(node))
}

fn object_of_stream(node: &str, id: &StreamId) -> String {
    format!("{}_{id}", object_of_service(node))
}

fn config_topic(object: &str) -> String {
    format!("{DISCOVERY_PREFIX}/device/{object}/config")
}

fn is_web_address(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

#[cfg(test)]
mod tests;
