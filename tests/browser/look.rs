//! How the browser looks at a page: its size, its colours, its time zone, and pictures of it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Browser;

/// Colours of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Of the window, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub name: &'static str,
    pub width_px: u32,
    pub height_px: u32,
    pub is_phone: bool,
}

/// On a desk.
pub const DESK: Size = Size { name: "desk", width_px: 1440, height_px: 900, is_phone: false };
/// The smallest phone there is.
pub const PHONE: Size = Size { name: "phone", width_px: 320, height_px: 640, is_phone: true };
/// A screen on a wall.
pub const WALL: Size = Size { name: "wall", width_px: 3840, height_px: 2160, is_phone: false };

impl Browser {
    /// The colours that the system prefers.
    pub async fn theme(&mut self, theme: Theme) {
        self.theme = theme;
        let features = json!([
            {"name": "prefers-color-scheme", "value": theme.name()},
            // What moves is different in each picture, and half-way through a change of colours contrast is none.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// The size of the window, or of the phone.
    pub async fn size(&mut self, size: Size) {
        self.size = size;
        let Size { width_px, height_px, is_phone, .. } = size;
        let metrics = json!({
            "width": width_px, "height": height_px, "mobile": is_phone, "deviceScaleFactor": if is_phone { 2 } else { 1 },
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_phone})).await;
    }

    /// Where the browser is, as an IANA name.
    pub async fn zone(&self, name: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": name})).await;
    }

    /// Where we are, and how it looks there, for messages.
    pub async fn whereabouts(&self) -> String {
        format!("#{}, {}, {}", self.place().await, self.theme.name(), self.size.name)
    }

    /// What makes the page wider than the window, a line each.
    pub async fn sticks_out(&self) -> Vec<String> {
        let out = self.run("return window.__person.sticksOut(arguments[0])", &[json!(self.size.width_px)]).await;
        let place = self.whereabouts().await;
        let out = out.as_array().into_iter().flatten().filter_map(Value::as_str);
        out.map(|what| format!("{place}: too wide: {what}")).collect()
    }

    /// Fails when the page is wider than the window.
    pub async fn fits(&self) {
        let out = self.sticks_out().await;
        assert!(out.is_empty(), "{}", out.join("\n"));
    }

    /// Takes a picture of what is in the window, as `target/screenshots/<name>-<theme>-<size>.png`, once the pictures in it
    /// are there.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let loaded = "return Promise.all([...document.images].filter((image) => image.checkVisibility() \
                      && image.getBoundingClientRect().top < innerHeight).map((image) => image.decode().catch(() => {})))\
                      .then(() => true)";
        let _ = self.client.execute(loaded, Vec::new()).await;
        let png = self.client.screenshot().await.expect("a picture");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
        let directory = target.join("screenshots");
        std::fs::create_dir_all(&directory).expect("a directory");
        let file = directory.join(format!("{name}-{}-{}.png", self.theme.name(), self.size.name));
        std::fs::write(&file, png).expect("written");
        file
    }
}
