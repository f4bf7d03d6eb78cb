//! How long a proxy's time limits are. A poll that outlives a request's limits would take a minute to show with the
//! shipped ones; with all of them shortened alike, what the shipped file says of each is still what counts.

/// Of every time limit that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    AsShipped,
    /// The n-th part.
    Hurried {
        times: u64,
    },
}

impl Pace {
    pub(super) fn of(self, configuration: &str) -> String {
        let Self::Hurried { times } = self else { return configuration.to_owned() };
        let shortened = |line: &str| {
            let (settings, comment) = line.split_at(line.find('#').unwrap_or(line.len()));
            let words = settings.split_inclusive(|letter: char| !letter.is_alphanumeric());
            let words: String = words.map(|word| shorten(word, times)).collect();
            format!("{words}{comment}\n")
        };
        configuration.lines().map(shortened).collect()
    }
}

/// A word with the character that ends it. Of those that are not seconds, none is changed.
fn shorten(word: &str, times: u64) -> String {
    let (time, end) =
        word.split_at(word.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(word.len()));
    let seconds = time.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok());
    seconds.map_or_else(|| word.to_owned(), |seconds| format!("{}ms{end}", seconds * 1_000 / times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_shortened_and_nothing_else() {
        let configuration = "timeout server 75s;  # 75s\nresponds 413 http1s x.15s:10 5s\n";
        let hurried = Pace::Hurried { times: 5 }.of(configuration);
        assert_eq!(hurried, "timeout server 15000ms;  # 75s\nresponds 413 http1s x.3000ms:10 1000ms\n");
        assert_eq!(Pace::AsShipped.of(configuration), configuration);
    }
}
