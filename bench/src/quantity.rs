//! What is measured of a server, and how it is told.

use std::collections::BTreeMap;

use crate::{measure::median, report::grouped};

/// One measurement of one server.
pub(crate) type Figures = BTreeMap<Quantity, f64>;

/// In the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantity {
    Memory,
    MemoryAfterwards,
    ReachedAll,
    SearchProcessor,
    /// Of the simulated peers, who share the processors with the server.
    PeersProcessor,
    ConnectProcessor,
    /// The connection that a name was claimed on ends once for it.
    EndProcessor,
    Connects,
    ConnectTraffic,
    IdleProcessor,
    SustainedRate,
    SustainedLost,
    FirstResultMedian,
    FirstResultP99,
    SustainedProcessor,
}

impl Quantity {
    pub(crate) const ALL: [Self; 15] = [
        Self::Memory,
        Self::MemoryAfterwards,
        Self::ReachedAll,
        Self::SearchProcessor,
        Self::PeersProcessor,
        Self::ConnectProcessor,
        Self::EndProcessor,
        Self::Connects,
        Self::ConnectTraffic,
        Self::IdleProcessor,
        Self::SustainedRate,
        Self::SustainedLost,
        Self::FirstResultMedian,
        Self::FirstResultP99,
        Self::SustainedProcessor,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory a parked peer",
            Self::MemoryAfterwards => "the same, after the searches",
            Self::ReachedAll => "a search has reached all after",
            Self::SearchProcessor => "processor time a peer and search",
            Self::PeersProcessor => "the simulated peers' own, for the same",
            Self::ConnectProcessor => "processor time a connect",
            Self::EndProcessor => "and of that connection's end, with another in its place",
            Self::Connects => "connects a second",
            Self::ConnectTraffic => "traffic a connect",
            Self::IdleProcessor => "processor time of all idle peers in a second",
            Self::SustainedRate => "searches a second, sustained",
            Self::SustainedLost => "results lost of them",
            Self::FirstResultMedian => "to the first result, p50",
            Self::FirstResultP99 => "to the first result, p99",
            Self::SustainedProcessor => "processor time a peer and search at that rate",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::MemoryAfterwards | Self::ConnectTraffic => " KiB",
            Self::ReachedAll | Self::IdleProcessor | Self::FirstResultMedian | Self::FirstResultP99 => " ms",
            Self::SearchProcessor
            | Self::PeersProcessor
            | Self::ConnectProcessor
            | Self::EndProcessor
            | Self::SustainedProcessor => " µs",
            Self::Connects | Self::SustainedRate | Self::SustainedLost => "",
        }
    }

    /// The median of several runs, with the lowest and the highest beside it.
    pub(crate) fn told(self, runs: &[f64]) -> String {
        spread(runs, self.unit())
    }
}

/// `34.6 µs (33.9–36.0)`; of one run, only its value.
pub(crate) fn spread(values: &[f64], unit: &str) -> String {
    let Some(middle) = median(values) else { return "–".to_owned() };
    let decimals = decimals(middle);
    let told = format!("{}{unit}", grouped(middle, decimals));
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if highest <= lowest {
        return told;
    }
    format!("{told} ({}–{})", grouped(lowest, decimals), grouped(highest, decimals))
}

/// Three digits tell what there is to tell; whole numbers stay whole.
fn decimals(value: f64) -> usize {
    match value {
        _ if value >= 100.0 || value.fract().abs() < f64::EPSILON => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_has_a_value_and_several_have_a_spread() {
        assert_eq!(Quantity::SearchProcessor.told(&[34.61]), "34.6 µs");
        assert_eq!(Quantity::SearchProcessor.told(&[36.0, 33.94, 34.61]), "34.6 µs (33.9–36.0)");
        assert_eq!(Quantity::Connects.told(&[11_371.4, 9_648.0, 12_000.0]), "11,371 (9,648–12,000)");
        assert_eq!(Quantity::SustainedRate.told(&[20.0, 20.0]), "20");
        assert_eq!(Quantity::SustainedRate.told(&[4.0 / 3.0]), "1.33");
        assert_eq!(Quantity::Memory.told(&[]), "–");
    }

    #[test]
    fn tables_have_every_quantity_once_in_order() {
        assert!(Quantity::ALL.is_sorted());
        assert_eq!(Quantity::ALL.len(), Quantity::SustainedProcessor as usize + 1);
    }
}
