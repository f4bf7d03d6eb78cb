//! `docker/compose.yaml` as far as the trial honours it. A key that is not here is refused: nothing in that file is to
//! go unproven without a word.

use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_norway::Value;

/// How many `<<` are behind each other: of a service, and of what peers have in common.
const MERGES_DEEP: usize = 2;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compose {
    #[serde(rename = "name")]
    _name: String,
    pub(super) services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, Option<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) build: Option<Build>,
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) tmpfs: Vec<String>,
    #[serde(default)]
    networks: BTreeMap<String, Attachment>,
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Dependency>,
    healthcheck: Option<Healthcheck>,
    #[serde(default)]
    pub(super) read_only: bool,
    #[serde(default)]
    pub(super) cap_drop: Vec<String>,
    #[serde(default)]
    pub(super) security_opt: Vec<String>,
    /// Not shown: the trial starts nothing again.
    #[serde(rename = "restart")]
    _restart: Option<String>,
    /// In seconds, as `15s`.
    stop_grace_period: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    pub(super) context: String,
    /// From the context.
    pub(super) dockerfile: String,
    pub(super) target: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    ipv4_address: Option<Ipv4Addr>,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dependency {
    pub(super) condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Condition {
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Healthcheck {
    test: Vec<String>,
    #[serde(rename = "interval")]
    _interval: Option<String>,
    #[serde(rename = "timeout")]
    _timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    ipam: Addresses,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    config: Vec<Range>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    /// Of 24 bits.
    subnet: String,
    /// Where addresses are given that nobody asked for.
    ip_range: String,
}

/// A service's place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) address: Ipv4Addr,
    /// Under which others find it.
    pub(super) names: Vec<String>,
}

impl Compose {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not what the trial can play", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut whole: Value = serde_norway::from_str(text)?;
        // What is merged may itself be merged of something: once for each.
        for _ in 0..MERGES_DEEP {
            whole.apply_merge()?;
        }
        let fields = whole.as_mapping_mut().context("no document")?;
        fields.retain(|name, _| name.as_str().is_none_or(|name| !name.starts_with("x-")));
        let compose: Self = serde_norway::from_value(whole)?;
        compose.check()?;
        Ok(compose)
    }

    /// What one part says of another.
    fn check(&self) -> Result<()> {
        ensure!(self.networks.len() == 1, "the trial has one network");
        for (name, service) in &self.services {
            for network in service.networks.keys() {
                ensure!(
                    self.networks.contains_key(network),
                    "{name} is in a network that is not there: {network}"
                );
            }
            ensure!(service.networks.len() == 1, "{name} is in one network");
            for other in service.depends_on.keys() {
                ensure!(self.services.contains_key(other), "{name} depends on {other}, which is not there");
            }
            for volume in service.volumes.iter().filter_map(|volume| volume.split(':').next()) {
                let is_named = !volume.starts_with(['.', '/']);
                ensure!(
                    !is_named || self.volumes.contains_key(volume),
                    "{name}: no volume {volume} is declared"
                );
            }
        }
        Ok(())
    }

    /// Images that are built here, each once.
    pub(super) fn built(&self) -> BTreeMap<&str, &Build> {
        let built = self.services.values();
        built.filter_map(|service| Some((service.image.as_str(), service.build.as_ref()?))).collect()
    }

    /// Images that come from elsewhere.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &str> {
        self.services.values().filter(|service| service.build.is_none()).map(|service| service.image.as_str())
    }

    /// Services, each after all that it depends on.
    pub(super) fn in_order(&self) -> Result<Vec<&str>> {
        let mut order: Vec<&str> = Vec::new();
        while order.len() < self.services.len() {
            let is_next = |(name, service): &(&String, &Service)| {
                let is_started = |name: &str| order.contains(&name);
                !is_started(name) && service.depends_on.keys().all(|other| is_started(other))
            };
            let Some((next, _)) = self.services.iter().find(is_next) else {
                bail!("services wait for each other")
            };
            order.push(next);
        }
        Ok(order)
    }

    pub(super) fn gateway(&self) -> Result<Ipv4Addr> {
        self.range()?.gateway()
    }

    /// Where each service is, by its name.
    pub(super) fn hosts(&self) -> Result<BTreeMap<String, Host>> {
        let mut free = self.range()?.free()?;
        let mut hosts = BTreeMap::new();
        for (name, service) in &self.services {
            let attachment = service.networks.values().next();
            let address = attachment.and_then(|attachment| attachment.ipv4_address);
            let address = address.or_else(|| free.next()).context("no address is left")?;
            let aliases = attachment.map(|attachment| &attachment.aliases[..]).unwrap_or_default();
            let names = [std::slice::from_ref(name), aliases].concat();
            hosts.insert(name.clone(), Host { address, names });
        }
        Ok(hosts)
    }

    fn range(&self) -> Result<&Range> {
        self.networks
            .values()
            .flat_map(|network| &network.ipam.config)
            .next()
            .context("the network has no addresses")
    }
}

impl Range {
    fn gateway(&self) -> Result<Ipv4Addr> {
        let (network, _) = self.subnet.split_once("/24").context("a subnet of 24 bits")?;
        Ok(Ipv4Addr::from_bits(network.parse::<Ipv4Addr>()?.to_bits() + 1))
    }

    fn free(&self) -> Result<impl Iterator<Item = Ipv4Addr> + use<>> {
        let (network, bits) = self.ip_range.split_once('/').context("a range of addresses")?;
        let (first, bits) = (network.parse::<Ipv4Addr>()?.to_bits(), bits.parse::<u32>()?);
        let count = 1_u32.checked_shl(32 - bits).context("a range of less than all addresses")?;
        // The first and the last of a network are nobody's.
        Ok((first + 1..first + count - 1).map(Ipv4Addr::from_bits))
    }
}

impl Service {
    /// Its own, or none.
    pub(super) fn healthcheck(&self) -> Option<&[String]> {
        self.healthcheck.as_ref().map(|check| &check.test[..])
    }

    /// How long its end may take.
    pub(super) fn grace_seconds(&self) -> Result<u64> {
        // What an engine gives whoever does not say.
        let Some(period) = &self.stop_grace_period else { return Ok(10) };
        period
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse().ok())
            .context("a period is told in seconds: 15s")
    }
}

#[cfg(test)]
mod tests;
