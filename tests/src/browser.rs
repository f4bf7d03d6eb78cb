//! The daemon's page in a real browser: headless Chromium, steered by Debian's chromedriver.
//!
//! A page is told what a person does and asked what a person reads; waits have deadlines as everywhere here.

mod accessibility;
mod keyboard;
mod looks;

use std::{fmt::Debug, fs, path::Path, process::Command};

use std::os::unix::process::CommandExt as _;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement,
    error::WebDriverResult,
};

use crate::{
    clock,
    process::Program,
    wait::{GLANCE, PATIENCE, until},
};

/// Quiet, without services of its maker, and able to run as root in a container.
const ARGUMENTS: [&str; 10] = [
    "--hide-scrollbars",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

pub use self::looks::Screen;

pub struct Browser {
    driver: WebDriver,
    chromedriver: Option<Program>,
    /// Chromium stays in the group of its driver, and ends with it.
    group: Pid,
    _home: TempDir,
}

impl Browser {
    /// Starts a browser that has never been used.
    pub async fn start() -> Self {
        let home = TempDir::with_prefix("hearsay-browser-").expect("a temporary folder");
        let log = home.path().join("chromedriver.log");
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=INFO"]).arg(format!("--log-path={}", log.display()));
        let mut chromedriver = Program::start("chromedriver", command.process_group(0), home.path());
        let group = chromedriver.pid();
        let port = until("chromedriver listens", PATIENCE, async || {
            chromedriver.assert_running();
            port_told_in(&log)
        })
        .await;
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(home.path()))
            .await
            .expect("chromedriver starts Chromium");
        Self { driver, chromedriver: Some(chromedriver), group, _home: home }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("the page opens");
    }

    /// Opens a link in another tab, and stays there. A tab knows nothing of another one's session.
    pub async fn open_in_a_new_tab(&self, url: &str) {
        let tab = self.driver.new_tab().await.expect("a new tab");
        self.driver.switch_to_window(tab).await.expect("the new tab");
        self.open(url).await;
    }

    pub async fn reload(&self) {
        self.driver.refresh().await.expect("the page loads again");
    }

    pub async fn url(&self) -> String {
        self.driver.current_url().await.expect("an address").to_string()
    }

    pub async fn title(&self) -> String {
        self.driver.title().await.expect("a title")
    }

    /// Types in a field, in place of what is in it, and presses Enter.
    pub async fn enter(&self, field: &str, text: &str) {
        let field = self.visible(field).await;
        field.clear().await.expect("the field can be cleared");
        field.send_keys(format!("{text}\u{e007}")).await.expect("the field takes text");
    }

    /// Clicks the button that a screen reader announces so.
    pub async fn press(&self, label: &str) {
        let css = format!("button[aria-label=\"{label}\"]:enabled");
        // The page may draw the button anew between look and click; then there is another one.
        until(&format!("the button {label:?} can be pressed"), PATIENCE, async || {
            self.driver.find(By::Css(css.as_str())).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Waits until an element's visible text is as wanted, and gives it.
    pub async fn read(&self, css: &str, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = clock::now() + PATIENCE;
        loop {
            let text = self.text(css).await;
            match text {
                Ok(text) if is_it(&text) => return text,
                _ => assert!(clock::now() < deadline, "{css} does not say {what}, but {text:?}"),
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    pub async fn count(&self, css: &str) -> usize {
        self.driver.find_all(By::Css(css)).await.expect("the page can be asked").len()
    }

    /// What an expression of the page's language gives.
    pub async fn evaluate<T: DeserializeOwned + Debug>(&self, expression: &str) -> T {
        let script = format!("return ({expression});");
        let result = self.driver.execute(script, Vec::new()).await.expect("a script runs");
        result.convert().expect("the script gives what was expected")
    }

    /// What the body of an async function gives.
    pub async fn wait_for_script(&self, body: &str) -> serde_json::Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
            (async () => {{ {body} }})().then(done, (error) => done(String(error)));"
        );
        let result = self.driver.execute_async(script, Vec::new()).await.expect("a script runs");
        result.json().clone()
    }

    /// The status of the answer to a GET that the page's own origin sends without a session.
    pub async fn answer_of(&self, path: &str) -> u16 {
        let status = self.wait_for_script(&format!("return (await fetch('{path}')).status;")).await;
        status.as_u64().and_then(|status| status.try_into().ok()).expect("a status")
    }

    /// Panics with what the console has told since the last look, if that is a warning or an error.
    pub async fn assert_quiet_console(&self) {
        let entries = self.driver.browser_log().await.expect("the console's log");
        let loud: Vec<_> = entries.iter().filter(|entry| entry.level != "INFO").collect();
        assert!(loud.is_empty(), "the console is not quiet: {loud:#?}");
    }

    /// Forgets what the console has told so far: a call that is refused is told there, too.
    pub async fn clear_console(&self) {
        self.driver.browser_log().await.expect("the console's log");
    }

    /// Ends the browser, then its driver.
    pub async fn stop(mut self) {
        self.driver.clone().quit().await.expect("the browser ends");
        if let Some(chromedriver) = self.chromedriver.take() {
            chromedriver.kill();
        }
    }

    pub async fn click(&self, css: &str) {
        self.visible(css).await.click().await.expect("it can be clicked");
    }

    /// What is visible of an element's text right now.
    pub async fn text_of(&self, css: &str) -> String {
        self.text(css).await.expect("the page can be asked")
    }

    async fn visible(&self, css: &str) -> WebElement {
        until(&format!("{css} is shown"), PATIENCE, async || {
            let element = self.driver.find(By::Css(css)).await.ok()?;
            element.is_displayed().await.ok()?.then_some(element)
        })
        .await
    }

    async fn text(&self, css: &str) -> WebDriverResult<String> {
        self.driver.find(By::Css(css)).await?.text().await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that failed: nothing of the browser stays.
        if self.chromedriver.is_some() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}

fn capabilities(home: &Path) -> thirtyfour::ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in ARGUMENTS {
        capabilities.add_arg(argument).expect("an argument");
    }
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    capabilities.add_arg(&profile).expect("an argument");
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a log level");
    capabilities
}

/// With port 0, only chromedriver's log tells which port it is.
fn port_told_in(log: &Path) -> Option<u16> {
    let text = fs::read_to_string(log).ok()?;
    let (_, rest) = text.split_once("started successfully on port ")?;
    rest.lines().next()?.trim_end_matches('.').parse().ok()
}
