//! Medians and how they are told.

use std::time::Duration;

/// The times of one side.
pub(crate) struct Times {
    name: &'static str,
    seconds: Vec<f64>,
}

impl Times {
    pub(crate) fn of(name: &'static str) -> Self {
        Self { name, seconds: Vec::new() }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.seconds.push(time.as_secs_f64());
        self.seconds.sort_by(f64::total_cmp);
    }

    /// The middle one; of an even number the lower of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.seconds.get(self.seconds.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// In seconds, or in milliseconds where these tell more.
    pub(crate) fn show(&self) {
        let (factor, unit) = if self.median() < 1.0 { (1_000.0, "ms") } else { (1.0, "s") };
        let each: Vec<String> = self.seconds.iter().map(|time| format!("{:.2}", time * factor)).collect();
        let median = self.median() * factor;
        println!("{:<40} median {median:.2} {unit}  (each, sorted: {})", self.name, each.join(" "));
    }
}

/// Tells both sides and their ratio.
pub(crate) fn compare(ours: &Times, baseline: &Times) {
    baseline.show();
    ours.show();
    println!("{:<40} {:.2} times the baseline's", "ratio of the medians", ours.median() / baseline.median());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let mut times = Times::of("x");
        for seconds in [5, 1, 3] {
            times.add(Duration::from_secs(seconds));
        }
        assert!((times.median() - 3.0).abs() < f64::EPSILON);
        times.add(Duration::from_secs(9));
        assert!((times.median() - 3.0).abs() < f64::EPSILON);
    }
}
