//! What an image says of itself: how it is run, as whom, and how its health is asked for.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// The part of an image's configuration that an engine goes by.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    #[serde(default)]
    user: String,
    #[serde(default)]
    env: Vec<String>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    healthcheck: Option<Healthcheck>,
    #[serde(default)]
    stop_signal: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Vec<String>,
}

#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "Docker")]
    docker: Docker,
}

#[derive(Deserialize)]
struct Docker {
    config: Image,
}

/// Whom a container runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

impl Image {
    /// Of what `buildah inspect` writes.
    pub(super) fn parse(inspected: &[u8]) -> Result<Self> {
        let inspected: Inspected =
            serde_json::from_slice(inspected).context("buildah inspect says something else")?;
        Ok(inspected.docker.config)
    }

    /// Root where the image does not say. Names are not looked up: ours are numbers, so that an engine can see that
    /// they are not root's.
    pub(super) fn user(&self) -> Result<User> {
        if self.user.is_empty() {
            return Ok(User { id: 0, group: 0 });
        }
        let parsed =
            self.user.split_once(':').and_then(|(id, group)| Some((id.parse().ok()?, group.parse().ok()?)));
        let Some((id, group)) = parsed else { bail!("the image's user is not UID:GID: {}", self.user) };
        Ok(User { id, group })
    }

    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().filter_map(|pair| pair.split_once('='))
    }

    /// The words of the program, with a service's own in their place. Who names an entry point does without the
    /// image's command.
    pub(super) fn words(&self, entrypoint: Option<&[String]>, command: &[String]) -> Vec<String> {
        let (entry, usual) = match entrypoint {
            Some(own) => (own, None),
            None => (self.entrypoint.as_deref().unwrap_or_default(), self.cmd.as_deref()),
        };
        let command = if command.is_empty() { usual.unwrap_or_default() } else { command };
        [entry, command].concat()
    }

    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The command of the health check.
    pub(super) fn healthcheck(&self) -> Option<&[String]> {
        self.healthcheck.as_ref().map(|check| &check.test[..])
    }

    /// That it asks to be ended as a service manager does.
    pub(super) fn check_stop_signal(&self) -> Result<()> {
        ensure!(self.stop_signal == "SIGTERM", "STOPSIGNAL is {}", self.stop_signal);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Image, User};

    #[test]
    fn what_a_service_says_goes_before_what_its_image_says() {
        let image = br#"{"Docker":{"config":{"User":"10001:10002","Env":["A=b=c"],"Entrypoint":["program"],
            "Cmd":["--usual"],"Volumes":{"/state":{}},"Healthcheck":{"Test":["CMD","ask"]},"StopSignal":"SIGTERM"}}}"#;
        let image = Image::parse(image).unwrap();
        assert_eq!(image.user().unwrap(), User { id: 10001, group: 10002 });
        assert_eq!(image.environment().collect::<Vec<_>>(), [("A", "b=c")]);
        let own = ["own".to_owned()];
        assert_eq!(image.words(None, &[]), ["program", "--usual"]);
        assert_eq!(image.words(None, &own), ["program", "own"]);
        assert_eq!(image.words(Some(&own), &[]), ["own"]);
        assert_eq!(image.volumes().collect::<Vec<_>>(), ["/state"]);
        assert_eq!(image.healthcheck().unwrap(), ["CMD", "ask"]);
        image.check_stop_signal().unwrap();
    }

    #[test]
    fn a_named_user_is_no_number() {
        let image = Image::parse(br#"{"Docker":{"config":{"User":"hearsay"}}}"#).unwrap();
        assert!(image.user().is_err());
        assert!(image.check_stop_signal().is_err());
    }
}
