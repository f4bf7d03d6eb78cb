//! What a download holds against the sources that it has tried: who is not asked again, and who is another time.
//!
//! A source is known by its username and the key that was sealed to. Whoever lied is known by either: a liar that
//! comes back under another key has the same username, and one under another username, if it kept it, the key.
//! (A key can't be borrowed to blacken somebody: only who has its other half gets as far as to lie.)

use protocol::{ReplyKey, Username};
use serde::{Deserialize, Serialize};

use crate::searches::Source;

/// Sources remembered for one download. Those that may be asked another time are forgotten first.
const TRIED_MAX: usize = 64;

/// The worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It could not give the file just then: another time it may.
    NotNow,
    /// It does not give the file.
    Refused,
    /// What it sent was not the file.
    Lied,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TriedSource {
    username: Username,
    reply_key: ReplyKey,
    verdict: Verdict,
    /// In which round it was tried last.
    round: u32,
    /// In that round it was tried before, or under another key.
    is_repeated: bool,
}

/// Pure; kept in the state as it is written here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tried {
    sources: Vec<TriedSource>,
    /// A round ends when nobody is left to ask.
    round: u32,
}

impl Tried {
    /// What became of asking this source. A lie is not forgotten over something milder.
    pub(crate) fn note(&mut self, source: &Source, verdict: Verdict) {
        let worst = self
            .sources
            .iter()
            .filter(|tried| tried.username == source.username && tried.verdict == Verdict::Lied)
            .map(|tried| tried.verdict)
            .fold(verdict, Verdict::max);
        let is_repeated = self.sources.iter().any(|tried| {
            let same_round = tried.verdict == Verdict::NotNow && tried.round == self.round;
            same_round && verdict == Verdict::NotNow && tried.username == source.username
        });
        self.sources.retain(|tried| {
            // A liar's earlier keys stay, so that they are known under any username.
            tried.username != source.username
                || (tried.verdict == Verdict::Lied && tried.reply_key != source.reply_key)
        });
        self.sources.push(TriedSource {
            username: source.username.clone(),
            reply_key: source.reply_key,
            verdict: worst,
            round: self.round,
            is_repeated,
        });
        if self.sources.len() > TRIED_MAX {
            // The first of the mildest.
            let mildest = self.sources.iter().enumerate().min_by_key(|(_, tried)| tried.verdict);
            if let Some((index, _)) = mildest {
                self.sources.remove(index);
            }
        }
    }

    /// Whether this source may be asked now. One that could not give the file just then may at once, if it has a
    /// new key: it was started again. It may once: who has a new key each time is not to be asked for ever.
    pub(crate) fn may_be_asked(&self, source: &Source) -> bool {
        self.sources.iter().all(|tried| {
            let (same_name, same_key) =
                (tried.username == source.username, tried.reply_key == source.reply_key);
            match tried.verdict {
                Verdict::NotNow => {
                    !same_name || tried.round != self.round || !(same_key || tried.is_repeated)
                }
                Verdict::Refused => !same_name,
                Verdict::Lied => !same_name && !same_key,
            }
        })
    }

    /// Whether any of them may give the file another time.
    pub(crate) fn has_hope(&self) -> bool {
        self.sources.iter().any(|tried| tried.verdict == Verdict::NotNow)
    }

    /// From now on those may be asked again that could not give it just then.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use protocol::{CertificateSha256, FileId, Root, SafeName};

    use super::*;

    fn source(name: u8, key: u8) -> Source {
        Source {
            username: format!("peer{name}").parse().unwrap(),
            name: SafeName::parse("song.flac").unwrap(),
            file: FileId::new(Root::from_bytes([1; 32]), 1).unwrap(),
            folder: None,
            reply_key: ReplyKey::from_bytes([key; 32]),
            certificate_sha256: CertificateSha256::from_bytes([key; 32]),
        }
    }

    #[test]
    fn a_liar_is_known_by_its_name_and_by_its_key() {
        let mut tried = Tried::default();
        tried.note(&source(1, 1), Verdict::Lied);
        tried.begin_round();
        assert!(!tried.may_be_asked(&source(1, 2)), "another key");
        assert!(!tried.may_be_asked(&source(2, 1)), "another name");
        assert!(tried.may_be_asked(&source(2, 2)));
        assert!(!tried.has_hope());
    }

    #[test]
    fn who_is_not_there_now_may_be_asked_in_the_next_round_or_under_a_new_key() {
        let mut tried = Tried::default();
        tried.note(&source(1, 1), Verdict::NotNow);
        assert!(!tried.may_be_asked(&source(1, 1)));
        assert!(tried.may_be_asked(&source(1, 2)), "it was started again");
        tried.note(&source(1, 2), Verdict::NotNow);
        assert!(!tried.may_be_asked(&source(1, 3)), "again and again");
        tried.begin_round();
        assert!(tried.may_be_asked(&source(1, 1)) && tried.has_hope());
        tried.note(&source(1, 1), Verdict::Refused);
        assert!(!tried.may_be_asked(&source(1, 2)) && !tried.has_hope());
    }

    #[test]
    fn memory_is_bounded_and_lies_are_forgotten_last() {
        let mut tried = Tried::default();
        tried.note(&source(0, 0), Verdict::Lied);
        for name in 1..200 {
            tried.note(&source(name, name), Verdict::NotNow);
        }
        assert_eq!(tried.sources.len(), TRIED_MAX);
        assert!(!tried.may_be_asked(&source(0, 9)));
    }

    proptest! {
        /// The model is the plain list of all that happened, looked through each time.
        #[test]
        fn who_may_be_asked_is_what_a_plain_list_says(
            steps in vec((0..4_u8, 0..4_u8, 0..4_u8), 0..40), // a verdict on (name, key), or the next round
        ) {
            let mut tried = Tried::default();
            let mut list: Vec<(u8, u8, Verdict, usize)> = Vec::new();
            let mut round = 0;
            for (name, key, what) in steps {
                let verdict = match what {
                    0 => Verdict::NotNow,
                    1 => Verdict::Refused,
                    2 => Verdict::Lied,
                    _ => {
                        tried.begin_round();
                        round += 1;
                        continue;
                    }
                };
                tried.note(&source(name, key), verdict);
                list.push((name, key, verdict, round));
            }
            let lied = |name| list.iter().any(|said| said.0 == name && said.2 == Verdict::Lied);
            let last = |name| list.iter().rev().find(|said| said.0 == name);
            let is_repeated = |name| {
                let of_name: Vec<_> = list.iter().rev().filter(|said| said.0 == name).take(2).collect();
                of_name.len() == 2 && of_name.iter().all(|said| said.2 == Verdict::NotNow && said.3 == round)
            };
            for (name, key) in (0..4).flat_map(|name| (0..4).map(move |key| (name, key))) {
                let is_liars_key = list.iter().enumerate().any(|(index, said)| {
                    let lied_by_then = list[..=index].iter().any(|e| e.0 == said.0 && e.2 == Verdict::Lied);
                    said.1 == key && lied_by_then
                });
                let expected = !lied(name) && !is_liars_key && last(name).is_none_or(|said| match said.2 {
                    Verdict::NotNow => said.3 != round || (said.1 != key && !is_repeated(name)),
                    _ => false,
                });
                prop_assert_eq!(tried.may_be_asked(&source(name, key)), expected, "{} {}", name, key);
            }
        }
    }
}
