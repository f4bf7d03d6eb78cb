//! What a person sees of running downloads: bars on a terminal, one line for each change elsewhere.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocol::control::{Download, DownloadState};

use crate::{
    format,
    output::{Output, printable},
};

/// Name, bar, state. A name that is longer is cut.
const BAR: &str = "{prefix:32!} [{bar:24}] {msg}";
const COUNTER: &str = "{spinner} {msg}";

/// Of several downloads at once.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    bars: Option<MultiProgress>,
    shown: HashMap<String, Shown>,
}

struct Shown {
    bar: ProgressBar,
    state: Option<DownloadState>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, bars: output.may_animate().then(MultiProgress::new), shown: HashMap::new() }
    }

    pub(crate) fn update(&mut self, download: &Download) {
        let shown = self.shown.entry(download.id.clone()).or_insert_with(|| {
            let bar = self.bars.as_ref().map_or_else(ProgressBar::hidden, |bars| bars.add(styled(BAR)));
            bar.set_prefix(download.name.to_string());
            Shown { bar, state: None }
        });
        let changed = shown.state.replace(download.state) != Some(download.state);
        if self.bars.is_some() {
            shown.bar.set_message(printable(&sentence(download)).into_owned());
            // An empty file is all there.
            let (length, position) =
                if download.size == 0 { (1, 1) } else { (download.size, download.received) };
            shown.bar.update(|state| {
                state.set_len(length);
                state.set_pos(position);
            });
        } else if changed && !self.output.json() {
            self.output.note(&format!("{}: {}", download.name, format::state_of(download)));
        }
    }

    /// Leaves the bars as they are, and the cursor below them.
    pub(crate) fn finish(self) {
        for shown in self.shown.values() {
            shown.bar.abandon();
        }
    }
}

/// A count that grows while one waits, on a terminal only.
pub(crate) struct Counter(ProgressBar);

impl Counter {
    pub(crate) fn new(output: &Output) -> Self {
        Self(if output.may_animate() { styled(COUNTER) } else { ProgressBar::hidden() })
    }

    pub(crate) fn show(&self, results: usize) {
        self.0.set_message(if results == 1 { "1 result".to_owned() } else { format!("{results} results") });
        self.0.tick();
    }

    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn styled(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    // The templates above are right, as the test shows; were they not, the default style would do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// What stands behind the bar.
fn sentence(download: &Download) -> String {
    let share = format::percent(download.received, download.size);
    match download.state {
        DownloadState::Transferring => {
            let eta = download
                .eta_seconds
                .map(|seconds| format!("  {}", format::duration(seconds)))
                .unwrap_or_default();
            let (size, speed) = (format::size(download.size), format::speed(download.bytes_per_second));
            format!("{share} of {size}  {speed}{eta}")
        }
        DownloadState::Finished => format!("{} done", format::size(download.size)),
        _ => format::state_of(download),
    }
}

#[cfg(test)]
mod tests {
    use super::{BAR, COUNTER};
    use indicatif::ProgressStyle;

    #[test]
    fn the_templates_are_right() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
        assert!(ProgressStyle::with_template(COUNTER).is_ok());
    }
}
