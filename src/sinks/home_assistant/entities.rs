//! The entities of a device, and how a message of ours becomes the state of one.
//!
//! A template ends in the text `None` where nothing is known: that is Home Assistant's *unknown*. Nothing here makes an
//! entity *unavailable*; that is the service's status alone. `expire_after` is not used for the same reason: the last
//! will says it sooner, and says it of the service.

use serde_json::{Map, Value, json};

use super::names::entity_slug;
use crate::model::{Health, PictureIssue, Reason};

/// What somebody does to a camera: cover it, turn it, smear or unscrew its lens. Not what happens to all of them by
/// itself: sun (`overexposed`), fog and cobwebs (`low_contrast`), an infrared filter (`colour_cast`), firmware (`frozen`),
/// settings (`facts_changed`). Those are problems of the picture, as these are.
pub(super) const TAMPER: [PictureIssue; 3] = [PictureIssue::Black, PictureIssue::SceneChanged, PictureIssue::Blurred];

/// `ON` with a picture, `OFF` without one, unknown in `unknown` and `maintenance`.
const CONNECTIVITY: &str = "{{ 'ON' if value_json.up is true else 'OFF' if value_json.up is false else 'None' }}";
/// Of a camera without a picture nobody knows whether it would be a good one.
const PICTURE_PROBLEM: &str = "{{ 'None' if value_json.up is not true else 'ON' if value_json.issues else 'OFF' }}";
const REASON: &str = "{{ value_json.reason if value_json.reason is string else 'None' }}";
const LATENCY: &str = "{{ value_json.latency_ms if value_json.latency_ms is number else 'None' }}";
const AVAILABILITY: &str =
    "{{ (value_json.availability_30d * 100) | round(3) if value_json.availability_30d is number else 'None' }}";
/// The issues by name, beside *picture problem*.
const ISSUES: &str = "{{ {'issues': value_json.issues or []} | tojson }}";
/// Home Assistant wants `event_type`, one of `event_types`; the rest of the message becomes attributes.
const EVENT: &str = "{{ dict(value_json, event_type=value_json.to) | tojson }}";

/// Of every entity, and not of the device: up to 2026.2 Home Assistant does not hand the device's on (`SHARED_OPTIONS`
/// in `schemas.py`), whatever its documentation says. With 0 an event could be lost on the way to it.
const QOS: u8 = 1;

/// The entities of one device.
pub(super) struct Entities<'a> {
    object: &'a str,
    entity_slug: String,
    components: Map<String, Value>,
}

impl<'a> Entities<'a> {
    /// Of the device with this object id. `words` begin the proposed ids of its entities.
    pub(super) fn of(object: &'a str, words: &str) -> Self {
        Self { object, entity_slug: entity_slug(words), components: Map::new() }
    }

    /// The `components` of the payload.
    pub(super) fn into_components(self) -> Map<String, Value> {
        self.components
    }

    /// What the service's status says.
    pub(super) fn service(&mut self) {
        self.add(
            "binary_sensor",
            "running",
            "Running",
            json!({
                "device_class": "running",
                "value_template": "{{ 'ON' if value == 'online' else 'OFF' }}",
            }),
        );
        // It tells a service that was stopped from one that vanished.
        self.add(
            "sensor",
            "status",
            "Status",
            json!({
                "device_class": "enum",
                "options": ["online", "stopped", "offline"],
                "entity_category": "diagnostic",
                "icon": "mdi:list-status",
            }),
        );
    }

    /// What the state of a camera says.
    pub(super) fn state(&mut self, state_topic: &str, attributes_topic: &str) {
        self.add(
            "binary_sensor",
            "connectivity",
            "Connectivity",
            json!({
                "device_class": "connectivity",
                "value_template": CONNECTIVITY,
                "json_attributes_topic": attributes_topic,
            }),
        );
        self.add(
            "binary_sensor",
            "picture_problem",
            "Picture problem",
            json!({
                "device_class": "problem",
                "value_template": PICTURE_PROBLEM,
                "json_attributes_topic": state_topic,
                "json_attributes_template": ISSUES,
            }),
        );
        self.add(
            "binary_sensor",
            "tamper",
            "Tamper",
            json!({
                "device_class": "tamper",
                "value_template": tamper_template(),
            }),
        );
        self.add(
            "sensor",
            "reason",
            "Reason",
            json!({
                "device_class": "enum",
                "options": Reason::ALL,
                "value_template": REASON,
                "icon": "mdi:help-network-outline",
            }),
        );
        self.add(
            "sensor",
            "time_to_first_picture",
            "Time to first picture",
            json!({
                "device_class": "duration",
                "unit_of_measurement": "ms",
                "state_class": "measurement",
                "suggested_display_precision": 0,
                "entity_category": "diagnostic",
                "value_template": LATENCY,
            }),
        );
        self.add(
            "sensor",
            "availability_30d",
            "Availability 30 days",
            json!({
                "unit_of_measurement": "%",
                "state_class": "measurement",
                "suggested_display_precision": 2,
                "entity_category": "diagnostic",
                "icon": "mdi:calendar-check",
                "value_template": AVAILABILITY,
            }),
        );
    }

    /// Each transition.
    pub(super) fn event(&mut self, topic: &str) {
        self.add(
            "event",
            "event",
            "Change of state",
            json!({
                "state_topic": topic,
                "event_types": Health::ALL,
                "value_template": EVENT,
                "icon": "mdi:swap-horizontal",
            }),
        );
    }

    /// The last picture, or none.
    pub(super) fn image(&mut self, topic: Option<String>) {
        self.add_or_remove(
            "image",
            "last_picture",
            "Last picture",
            topic.map(|topic| json!({"image_topic": topic, "content_type": "image/jpeg"})),
        );
    }

    /// The button, or none.
    pub(super) fn probe(&mut self, topic: Option<String>) {
        self.add_or_remove("button", "probe_now", "Probe now", topic.map(|topic| {
            json!({"command_topic": topic, "payload_press": "PRESS", "retain": false, "icon": "mdi:camera-retake"})
        }));
    }

    fn add_or_remove(&mut self, platform: &str, key: &str, name: &str, settings: Option<Value>) {
        match settings {
            Some(settings) => self.add(platform, key, name, settings),
            // Left out it would stay: Home Assistant removes what comes with its platform alone.
            None => {
                self.components.insert(key.to_owned(), json!({"platform": platform}));
            }
        }
    }

    fn add(&mut self, platform: &str, key: &str, name: &str, settings: Value) {
        let mut component = json!({
            "platform": platform,
            "unique_id": format!("{}_{key}", self.object),
            "default_entity_id": format!("{platform}.{}_{key}", self.entity_slug),
            "name": name,
            "qos": QOS,
        });
        if let (Some(component), Value::Object(settings)) = (component.as_object_mut(), settings) {
            component.extend(settings);
        }
        self.components.insert(key.to_owned(), component);
    }
}

fn tamper_template() -> String {
    let issues = TAMPER.map(|issue| format!("'{issue}'")).join(", ");
    format!(
        "{{{{ 'None' if value_json.up is not true \
         else 'ON' if (value_json.issues or []) | select('in', [{issues}]) | list else 'OFF' }}}}"
    )
}
