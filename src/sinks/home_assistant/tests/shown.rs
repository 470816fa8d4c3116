//! What Home Assistant shows of a message: home-assistant/core 2026.2.3, `homeassistant/components/mqtt/`.

use minijinja::{Environment, context};
use serde_json::Value;

/// The state of an entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    /// This text.
    State(String),
    /// `unknown`.
    Unknown,
    /// What was there before stays: the message was not understood.
    Ignored,
}

/// `../../helpers/template/__init__.py`, `async_render_with_possible_json_value`: `value` is the message, `value_json` what
/// is in it, and spaces at both ends go.
pub(super) fn render(template: &str, message: &str) -> String {
    let rendered = match serde_json::from_str::<Value>(message) {
        Ok(json) => Environment::new()
            .render_str(template, context! { value => message, value_json => minijinja::value::Serde(json) }),
        Err(_) => Environment::new().render_str(template, context! { value => message }),
    };
    rendered.unwrap_or_else(|error| panic!("{template}: {error}: {message}")).trim().to_owned()
}

/// What an entity shows once it got this message.
pub(super) fn shown(component: &Value, message: &str) -> Shown {
    let text = match component["value_template"].as_str() {
        Some(template) => render(template, message),
        None => message.to_owned(),
    };
    let state = |text: &str| Shown::State(text.to_owned());
    match component["platform"].as_str() {
        // `binary_sensor.py`, `_state_message_received`; `const.py`, `PAYLOAD_NONE`.
        Some("binary_sensor") => match text.as_str() {
            "ON" => state("on"),
            "OFF" => state("off"),
            "None" => Shown::Unknown,
            _ => Shown::Ignored,
        },
        // `sensor.py`, `_update_state`.
        Some("sensor") if text == "None" => Shown::Unknown,
        Some("sensor") => match component["options"].as_array() {
            Some(options) if !options.iter().any(|option| option == &text) => Shown::Ignored,
            // A sensor with a unit must be a number, or an error is raised (`../sensor/__init__.py`, `state`).
            None if text.parse::<f64>().is_err() => Shown::Ignored,
            _ => state(&text),
        },
        // `event.py`, `_event_received`: JSON with an `event_type` that is one of `event_types`.
        Some("event") => {
            let event: Value = serde_json::from_str(&text).unwrap_or_default();
            let types = component["event_types"].as_array().cloned().unwrap_or_default();
            match event["event_type"].as_str() {
                Some(kind) if types.iter().any(|known| known == kind) => state(kind),
                _ => Shown::Ignored,
            }
        }
        other => panic!("no state of {other:?}"),
    }
}

/// Whether the entities of a device are available after this message on the topic of its availability: `entity.py`,
/// `_availability_message_received` and `available`. `None`: as before.
pub(super) fn available(document: &Value, message: &str) -> Option<bool> {
    let entry = &document["availability"][0];
    let text = render(entry["value_template"].as_str().expect("a template"), message);
    if text == entry["payload_available"] {
        Some(true)
    } else if text == entry["payload_not_available"] {
        Some(false)
    } else {
        None
    }
}
