//! How the page is looked at: on which screen, by day or by night; and pictures of it.

use std::path::Path;

use serde_json::json;

use super::Browser;

/// A screen with its colours.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub is_dark: bool,
}

impl Screen {
    pub const DESK: Self = Self { width: 1100, height: 900, is_dark: false };
    pub const PHONE: Self = Self { width: 390, height: 844, is_dark: false };

    #[must_use]
    pub const fn dark(self) -> Self {
        Self { is_dark: true, ..self }
    }
}

impl Browser {
    pub async fn look_on(&self, screen: Screen) {
        let Screen { width, height, is_dark } = screen;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// A picture of what is on the screen.
    pub async fn picture(&self, file: &Path) {
        self.driver.screenshot(file).await.expect("a picture");
    }

    async fn tell(&self, command: &str, parameters: serde_json::Value) {
        self.driver.cdp().send_raw(command, parameters).await.expect("Chromium does as it is told");
    }
}
