//! The devices of the plan: how many sessions each has, who occupies one, and which are to be looked at.

use std::collections::HashMap;
use std::time::Duration;

use super::{Host, Plan};
use crate::config::Config;
use crate::schedule::device::{Device, Load};

impl Plan {
    /// Puts a device at the end of those to look at, when somebody waits there.
    pub(super) fn list(&mut self, host: &Host) {
        if let Some(device) = self.devices.get_mut(host)
            && !device.listed
            && device.next().is_some()
        {
            device.listed = true;
            self.ready.push_back(host.clone());
        }
    }

    /// A session of the device is in use from now on.
    pub(super) fn occupy(&mut self, host: &Host) {
        if let Some(device) = self.devices.get_mut(host) {
            device.running += 1;
        }
    }

    /// A session that began then is over; `busy`: the device had none left.
    pub(super) fn vacate(&mut self, host: &Host, started: Duration, busy: bool, now: Duration) {
        let Some(device) = self.devices.get_mut(host) else { return };
        device.running -= 1;
        if busy {
            device.busy(started, now);
        }
        self.forget_if_idle(host);
    }

    pub(super) fn forget_if_idle(&mut self, host: &Host) {
        if self.devices.get(host).is_some_and(Device::is_idle) {
            self.devices.remove(host);
        }
    }

    pub(super) fn check(&mut self, host: &Host, now: Duration) {
        match self.devices.get(host).and_then(|device| device.warning(host, now)) {
            Some(warning) => _ = self.warnings.insert(host.clone(), warning),
            None => _ = self.warnings.remove(host),
        }
    }

    pub(super) fn configure_devices(&mut self, config: &Config) {
        let mut loads: HashMap<&str, Load> = HashMap::new();
        for stream in config.streams.iter().filter(|s| s.enabled) {
            loads.entry(stream.device()).or_default().add(stream.heartbeat);
        }
        for (host, device) in &mut self.devices {
            if !loads.contains_key(&**host) {
                device.configure(config.device_sessions(host), is_auto(config, host), Load::default());
            }
        }
        self.configured_devices = config.devices.clone();
        for (host, load) in loads {
            let (sessions, auto) = (config.device_sessions(host), is_auto(config, host));
            self.devices.entry(host.into()).or_insert_with(Device::new).configure(sessions, auto, load);
        }
    }

    /// The device, which need not be one of the streams'.
    pub(super) fn device(&mut self, host: &Host) -> &mut Device {
        self.devices.entry(host.clone()).or_insert_with(|| {
            let mut device = Device::new();
            let given = self.configured_devices.iter().find(|device| device.host.eq_ignore_ascii_case(host));
            device.configure(given.map_or(1, |device| device.sessions), given.is_none(), Load::default());
            device
        })
    }
}

/// True when the owner has not said how many sessions the device has.
fn is_auto(config: &Config, host: &str) -> bool {
    !config.devices.iter().any(|device| device.host.eq_ignore_ascii_case(host))
}
