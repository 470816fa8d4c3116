//! Home Assistant's rules for a device's discovery, read in its source and written down here.
//!
//! Source: home-assistant/core 2026.2.3, `homeassistant/components/mqtt/` where no other folder is named; each rule names
//! its file and what there says so. `schemas.py` was compared with the one of autumn 2026 too: it takes more
//! (`message_expiry_interval`, `visible_by_default`, hands `qos` on), and nothing less of what is used here.

use std::collections::HashSet;

use minijinja::Environment;
use serde_json::{Map, Value};

/// `const.py`, `SUPPORTED_COMPONENTS`: those of them that are used here.
const PLATFORMS: [&str; 5] = ["binary_sensor", "button", "event", "image", "sensor"];

/// `schemas.py`, `SHARED_OPTIONS`: what a component inherits from the device. `qos` and `encoding` joined them after
/// 2026.2, though the documentation had them before.
const SHARED_OPTIONS: [&str; 8] = [
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "payload_available",
    "payload_not_available",
    "state_topic",
];

/// `schemas.py`, `MQTT_ENTITY_COMMON_SCHEMA`, and `config.py`, `SCHEMA_BASE`.
const COMMON_KEYS: [&str; 16] = [
    "availability",
    "availability_mode",
    "default_entity_id",
    "device",
    "enabled_by_default",
    "encoding",
    "entity_category",
    "entity_picture",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "name",
    "origin",
    "platform",
    "qos",
    "unique_id",
];

/// The schema of each platform (`binary_sensor.py`, `button.py`, `event.py`, `image.py`, `sensor.py`) beside the common
/// keys. Others are dropped without a word (`extra=vol.REMOVE_EXTRA`), so one of them is a mistake of ours.
fn keys_of(platform: &str) -> &'static [&'static str] {
    match platform {
        "binary_sensor" => &[
            "state_topic",
            "value_template",
            "device_class",
            "expire_after",
            "force_update",
            "off_delay",
            "payload_off",
            "payload_on",
        ],
        "button" => &["command_topic", "command_template", "device_class", "payload_press", "retain"],
        "event" => &["state_topic", "value_template", "device_class", "event_types"],
        "image" => &["image_topic", "url_topic", "url_template", "content_type", "image_encoding"],
        _ => &[
            "state_topic",
            "value_template",
            "device_class",
            "expire_after",
            "force_update",
            "last_reset_value_template",
            "options",
            "state_class",
            "suggested_display_precision",
            "unit_of_measurement",
        ],
    }
}

/// `../binary_sensor/__init__.py`, `../sensor/const.py`, `../event/__init__.py`, `../button/__init__.py`: the classes that
/// are used here.
fn device_classes(platform: &str) -> &'static [&'static str] {
    match platform {
        "binary_sensor" => &["connectivity", "problem", "running", "tamper"],
        "sensor" => &["duration", "enum"],
        "button" => &["identify", "restart", "update"],
        "event" => &["button", "doorbell", "motion"],
        _ => &[],
    }
}

/// Everything that Home Assistant would not take of a message on `topic`, or would drop. Empty: it takes all of it.
pub(super) fn complaints(topic: &str, payload: &Value) -> Vec<String> {
    let mut found = Complaints::default();
    found.topic(topic);
    let document = found.document(payload);
    if let (Some(document), Some(components)) = (document, payload["components"].as_object()) {
        for (key, component) in components {
            found.place = format!("{key}: ");
            found.component(key, component, document);
        }
    }
    found.list
}

#[derive(Default)]
struct Complaints {
    list: Vec<String>,
    place: String,
    unique_ids: HashSet<(String, String)>,
}

impl Complaints {
    fn say(&mut self, what: impl AsRef<str>) {
        self.list.push(format!("{}{}", self.place, what.as_ref()));
    }

    /// `discovery.py`, `TOPIC_MATCHER`, under the prefix of `const.py`, `DEFAULT_PREFIX`.
    fn topic(&mut self, topic: &str) {
        let object = topic.strip_prefix("homeassistant/device/").and_then(|rest| rest.strip_suffix("/config"));
        let fits =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !object.is_some_and(fits) {
            self.say(format!("topic {topic:?}"));
        }
        self.valid_topic(topic);
    }

    /// `schemas.py`, `DEVICE_DISCOVERY_SCHEMA`. One mistake here, and nothing of the device appears.
    fn document<'a>(&mut self, payload: &'a Value) -> Option<&'a Map<String, Value>> {
        let Some(document) = payload.as_object() else {
            // `discovery.py`, `_parse_device_payload`: `json_loads_object`.
            self.say("no object");
            return None;
        };
        let mut known = vec!["device", "origin", "components", "qos", "encoding"];
        known.extend(SHARED_OPTIONS);
        self.known_keys(document, &known);
        for required in ["device", "origin", "components"] {
            if !payload[required].is_object() {
                self.say(format!("{required} is required"));
            }
        }
        self.availability(document);
        self.topic_of(document, "state_topic");
        self.topic_of(document, "command_topic");
        self.device(&payload["device"]);
        self.origin(&payload["origin"]);
        Some(document)
    }

    /// `schemas.py`, `MQTT_ENTITY_DEVICE_INFO_SCHEMA`.
    fn device(&mut self, device: &Value) {
        let Some(device) = device.as_object() else { return };
        let texts = [
            "manufacturer",
            "model",
            "model_id",
            "name",
            "hw_version",
            "serial_number",
            "sw_version",
            "via_device",
            "suggested_area",
            "configuration_url",
        ];
        let mut known = vec!["identifiers", "connections"];
        known.extend(texts);
        self.known_keys(device, &known);
        self.texts(device, &texts);
        // `validate_device_has_at_least_one_identifier`.
        let identifiers = device.get("identifiers").and_then(Value::as_array);
        if !identifiers.is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string)) {
            self.say("device has no identifiers");
        }
        // `entity.py`, `_set_entity_name`: "MQTT device information always needs to include a name".
        if !device.contains_key("name") {
            self.say("device has no name");
        }
        if let Some(url) = device.get("configuration_url").and_then(Value::as_str) {
            self.address(url);
        }
    }

    /// `../../helpers/config_validation.py`, `configuration_url`; `../../helpers/device_registry.py`,
    /// `_validate_configuration_url`: a scheme of these and a host.
    fn address(&mut self, url: &str) {
        let rest = ["http://", "https://", "homeassistant://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
        if host.is_empty() || host.starts_with(':') || url.contains(char::is_whitespace) {
            self.say(format!("configuration_url {url:?}"));
        }
    }

    /// `schemas.py`, `MQTT_ORIGIN_INFO_SCHEMA`.
    fn origin(&mut self, origin: &Value) {
        let Some(origin) = origin.as_object() else { return };
        self.known_keys(origin, &["name", "sw_version", "support_url"]);
        self.texts(origin, &["name", "sw_version", "support_url"]);
        if !origin.contains_key("name") {
            self.say("origin has no name");
        }
    }

    /// `schemas.py`, `_MQTT_AVAILABILITY_SINGLE_SCHEMA` and `_MQTT_AVAILABILITY_LIST_SCHEMA`, which exclude each other.
    fn availability(&mut self, holder: &Map<String, Value>) {
        if let Some(mode) = holder.get("availability_mode")
            && !["all", "any", "latest"].iter().any(|known| mode == known)
        {
            self.say(format!("availability_mode {mode}"));
        }
        if holder.contains_key("availability_topic") && holder.contains_key("availability") {
            self.say("both forms of availability");
        }
        // Design, section 8: the list form everywhere.
        for single in ["availability_topic", "availability_template", "payload_available", "payload_not_available"] {
            if holder.contains_key(single) {
                self.say(format!("{single} is of the form that is not a list"));
            }
        }
        let Some(list) = holder.get("availability") else { return };
        let Some(list) = list.as_array() else { return self.say("availability is no list") };
        for entry in list.iter().map(|entry| entry.as_object().cloned().unwrap_or_default()) {
            self.known_keys(&entry, &["topic", "payload_available", "payload_not_available", "value_template"]);
            self.texts(&entry, &["payload_available", "payload_not_available"]);
            self.template_of(&entry, "value_template");
            if !entry.contains_key("topic") {
                self.say("availability has no topic");
            }
            self.topic_of(&entry, "topic");
        }
    }

    fn component(&mut self, key: &str, component: &Value, document: &Map<String, Value>) {
        // `discovery.py`, `_generate_device_config` splits ids at spaces when a device is removed.
        if key.is_empty() || key.contains(' ') {
            self.say("a key with a space");
        }
        let Some(own) = component.as_object() else { return self.say("no object") };
        // `schemas.py`, `_COMPONENT_CONFIG_SCHEMA`.
        let Some(platform) = own.get("platform").and_then(Value::as_str).filter(|name| PLATFORMS.contains(name)) else {
            return self.say("platform");
        };
        // `discovery.py`: "If the dict is empty after removing the platform, the payload is assumed to remove the
        // existing config".
        if own.len() == 1 {
            return;
        }
        // `schemas.py`, `check_unique_id`: a mistake here refuses the device.
        match own.get("unique_id").and_then(Value::as_str) {
            None | Some("") => self.say("no unique_id"),
            // `../../helpers/entity_platform.py`: the second of two is ignored.
            Some(id) if !self.unique_ids.insert((platform.to_owned(), id.to_owned())) => self.say("unique_id twice"),
            Some(_) => {}
        }
        let mut keys = COMMON_KEYS.to_vec();
        keys.extend(keys_of(platform));
        self.known_keys(own, &keys);

        // `discovery.py`, `_merge_common_device_options`.
        let mut merged = own.clone();
        for option in SHARED_OPTIONS {
            if let Some(value) = document.get(option) {
                merged.entry(option).or_insert_with(|| value.clone());
            }
        }
        self.entity(platform, &merged);
        self.platform(platform, &merged);
    }

    /// `schemas.py`, `MQTT_ENTITY_COMMON_SCHEMA`.
    fn entity(&mut self, platform: &str, config: &Map<String, Value>) {
        self.availability(config);
        // `vol.Any(cv.string, None)` in each platform.
        if config.get("name").is_some_and(|name| !name.is_string() && !name.is_null()) {
            self.say("name");
        }
        if let Some(category) = config.get("entity_category") {
            // `../../helpers/entity.py`, `ENTITY_CATEGORIES_SCHEMA`; `../sensor/__init__.py` and
            // `../binary_sensor/__init__.py`, `async_internal_added_to_hass`.
            let is_read = matches!(platform, "sensor" | "binary_sensor");
            if category != "diagnostic" && (category != "config" || is_read) {
                self.say(format!("entity_category {category}"));
            }
        }
        // `../../helpers/config_validation.py`, `icon`.
        if let Some(icon) = config.get("icon")
            && !icon.as_str().is_some_and(|icon| icon.contains(':'))
        {
            self.say(format!("icon {icon}"));
        }
        self.topic_of(config, "json_attributes_topic");
        self.template_of(config, "json_attributes_template");
        // `util.py`, `valid_qos_schema`. It must be here: see `SHARED_OPTIONS`.
        if config.get("qos").and_then(Value::as_u64) != Some(1) {
            self.say("qos is not 1");
        }
        // `entity.py`, `_init_entity_id`: what is behind the dot is taken; `../../core.py`, `VALID_ENTITY_ID`.
        let id = config.get("default_entity_id").and_then(Value::as_str).unwrap_or("");
        let (domain, object) = id.split_once('.').unwrap_or_default();
        let fits = object.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !object.is_empty()
            && !object.contains("__")
            && !object.starts_with('_')
            && !object.ends_with('_');
        if domain != platform || !fits || id.len() > 255 {
            self.say(format!("default_entity_id {id:?}"));
        }
    }

    fn platform(&mut self, platform: &str, config: &Map<String, Value>) {
        // Each platform's `DEVICE_CLASSES_SCHEMA`.
        if let Some(class) = config.get("device_class")
            && !class.as_str().is_some_and(|class| device_classes(platform).contains(&class))
        {
            self.say(format!("device_class {class}"));
        }
        let required = match platform {
            // `config.py`, `MQTT_RO_SCHEMA`.
            "binary_sensor" | "sensor" | "event" => "state_topic",
            // `button.py`, `PLATFORM_SCHEMA_MODERN`.
            "button" => "command_topic",
            // `image.py`, `validate_topic_required`; the other way, `url_topic`, is not used.
            _ => "image_topic",
        };
        if !config.contains_key(required) {
            self.say(format!("{required} is required"));
        }
        self.topic_of(config, required);
        self.template_of(config, "value_template");
        self.texts(config, &["content_type", "payload_press", "payload_on", "payload_off"]);
        match platform {
            "sensor" => self.sensor(config),
            // `event.py`, `_PLATFORM_SCHEMA_BASE`.
            "event" => {
                let types = config.get("event_types").and_then(Value::as_array);
                if !types.is_some_and(|types| !types.is_empty() && types.iter().all(Value::is_string)) {
                    self.say("event_types");
                }
            }
            _ => {}
        }
    }

    /// `sensor.py`, `validate_sensor_state_and_device_class_config`; `../sensor/const.py`, `DEVICE_CLASS_UNITS`,
    /// `DEVICE_CLASS_STATE_CLASSES`.
    fn sensor(&mut self, config: &Map<String, Value>) {
        let class = config.get("device_class").and_then(Value::as_str);
        let unit = config.get("unit_of_measurement").and_then(Value::as_str);
        if let Some(options) = config.get("options") {
            if !options.as_array().is_some_and(|options| !options.is_empty() && options.iter().all(Value::is_string)) {
                self.say("options are empty or no texts");
            }
            if config.contains_key("state_class") || unit.is_some() {
                self.say("options with state_class or unit_of_measurement");
            }
            if class != Some("enum") {
                self.say("options without device_class enum");
            }
        }
        if class == Some("enum") && (unit.is_some() || config.contains_key("state_class")) {
            self.say("enum is not numeric");
        }
        if class == Some("duration") && !["d", "h", "min", "s", "ms", "μs"].iter().any(|known| unit == Some(known)) {
            self.say(format!("unit_of_measurement {unit:?} of a duration"));
        }
        // `../sensor/const.py`, `SensorStateClass`.
        if let Some(class) = config.get("state_class")
            && !["measurement", "measurement_angle", "total", "total_increasing"].iter().any(|known| class == known)
        {
            self.say(format!("state_class {class}"));
        }
        // `cv.positive_int`, which takes 0.
        if config.get("suggested_display_precision").is_some_and(|precision| precision.as_u64().is_none()) {
            self.say("suggested_display_precision");
        }
    }

    fn known_keys(&mut self, holder: &Map<String, Value>, known: &[&str]) {
        for key in holder.keys().filter(|key| !known.contains(&key.as_str())) {
            self.say(format!("unknown key {key}"));
        }
    }

    /// `../../helpers/config_validation.py`, `string`.
    fn texts(&mut self, holder: &Map<String, Value>, keys: &[&str]) {
        for key in keys {
            if holder.get(*key).is_some_and(|value| !value.is_string()) {
                self.say(format!("{key} is no text"));
            }
        }
    }

    fn topic_of(&mut self, holder: &Map<String, Value>, key: &str) {
        match holder.get(key) {
            None => {}
            Some(Value::String(topic)) => self.valid_topic(topic),
            Some(_) => self.say(format!("{key} is no text")),
        }
    }

    /// `util.py`, `valid_publish_topic`. `valid_subscribe_topic` takes wildcards too, none of which is wanted here.
    fn valid_topic(&mut self, topic: &str) {
        let is_bad =
            |c: char| c.is_control() || ('\u{fdd0}'..='\u{fdef}').contains(&c) || u32::from(c) & 0xfffe == 0xfffe;
        if topic.is_empty() || topic.len() > 65535 || topic.contains(['+', '#']) || topic.contains(is_bad) {
            self.say(format!("topic {topic:?}"));
        }
    }

    /// `../../helpers/config_validation.py`, `template`: a text that parses.
    fn template_of(&mut self, holder: &Map<String, Value>, key: &str) {
        match holder.get(key) {
            None => {}
            Some(Value::String(template)) => {
                if let Err(error) = Environment::new().template_from_str(template) {
                    self.say(format!("{key}: {error}"));
                }
            }
            Some(_) => self.say(format!("{key} is no text")),
        }
    }
}
