//! The match rule: which names answer a query, and how well. Peers and coordinator apply the same one.
//!
//! Names and queries are folded alike: NFKC, case folded, marks dropped on Latin, Greek and Cyrillic letters,
//! punctuation and underscores to spaces, runs of spaces to one, none at the ends. Characters that nobody
//! sees (soft hyphens, joiners) are dropped. So `wu tang` finds `Wu-Tang`, and `beyonce` finds `Beyoncé`.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_script::{Script, UnicodeScript as _};

use crate::{fold::fold_case, limits::QUERY_CHARS_MAX, redacted::redacted_debug, safe_name::split_extension};

/// Letters or digits that one word of a query needs: with fewer nearly every name would answer.
const WORD_CHARS_MIN: usize = 3;
/// The same for Han, Kana and Hangul, of which each says as much as a syllable or a word.
const WORD_IDEOGRAPHS_MIN: usize = 2;

/// How well a name matches. Ordered: exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchClass {
    Exact,
    Substring,
}

/// A query that is specific enough, with its folded form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Query {
    text: String,
    folded: String,
}

redacted_debug!(Query);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error("a query needs a word of at least 3 letters or digits (2 in Han, Kana, Hangul)")]
    TooShort,
    #[error("a query has at most 128 characters")]
    TooLong,
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.chars().nth(QUERY_CHARS_MAX).is_some() {
            return Err(QueryError::TooLong);
        }
        let folded = fold(text);
        if folded.split(' ').any(is_specific) {
            Ok(Self { text: text.to_owned(), folded })
        } else {
            Err(QueryError::TooShort)
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How the name answers the query; `None` when it does not.
    pub fn classify(&self, name: &FoldedName) -> Option<MatchClass> {
        if self.folded == name.whole || self.folded == name.stem {
            return Some(MatchClass::Exact);
        }
        // A name that contains the whole query contains each of its words.
        self.folded.split(' ').all(|word| name.whole.contains(word)).then_some(MatchClass::Substring)
    }
}

/// A file name, folded once for many queries.
#[derive(Clone, PartialEq, Eq)]
pub struct FoldedName {
    whole: String,
    /// Without the extension; equal to `whole` when there is none.
    stem: String,
}

redacted_debug!(FoldedName);

impl FoldedName {
    pub fn new(name: &str) -> Self {
        let (stem, _) = split_extension(name);
        Self { whole: fold(name), stem: fold(stem) }
    }

    /// The folded name in whole: what an index of words may be built from.
    pub fn as_str(&self) -> &str {
        &self.whole
    }
}

impl TryFrom<String> for Query {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}
impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.text
    }
}

/// The folding of the match rule; folding twice is folding once.
fn fold(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut on_bare_script = false;
    for c in fold_case(text).nfd() {
        if is_combining_mark(c) {
            if !on_bare_script {
                spaced.push(c);
            }
        } else if get_general_category(c) != GeneralCategory::Format {
            on_bare_script = matches!(c.script(), Script::Latin | Script::Greek | Script::Cyrillic);
            spaced.push(if separates(c) { ' ' } else { c });
        }
    }
    let mut folded = String::with_capacity(spaced.len());
    for word in spaced.split(' ').filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.nfc());
    }
    folded
}

/// Whether the character stands between words.
fn separates(c: char) -> bool {
    use GeneralCategory as G;
    c.is_whitespace()
        || matches!(
            get_general_category(c),
            G::ConnectorPunctuation
                | G::DashPunctuation
                | G::OpenPunctuation
                | G::ClosePunctuation
                | G::InitialPunctuation
                | G::FinalPunctuation
                | G::OtherPunctuation
                | G::Control
        )
}

/// Whether a folded word is enough for a query.
fn is_specific(word: &str) -> bool {
    let letters = || word.chars().filter(|c| c.is_alphanumeric());
    let ideographs = letters()
        .filter(|c| matches!(c.script(), Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul));
    letters().count() >= WORD_CHARS_MIN || ideographs.count() >= WORD_IDEOGRAPHS_MIN
}

#[cfg(test)]
mod tests {
    use super::{FoldedName, MatchClass, Query, QueryError, fold};
    use proptest::prelude::*;

    fn class(query: &str, name: &str) -> Option<MatchClass> {
        Query::parse(query)
            .unwrap_or_else(|error| panic!("{query}: {error}"))
            .classify(&FoldedName::new(name))
    }

    #[test]
    fn names_fold_as_the_rule_says() {
        for (name, folded) in [
            ("Wu-Tang_Clan -- C.R.E.A.M. (Live).mp3", "wu tang clan c r e a m live mp3"),
            ("Beyoncé", "beyonce"),
            ("Beyonce\u{301}", "beyonce"),
            ("Straße", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
            ("σίσυφος", "σισυφοσ"),
            ("İstanbul", "istanbul"),
            ("Diyarbakır", "diyarbakır"),
            ("Ёлка й", "елка и"),
            ("ﬁle Ａ ２", "file a 2"),
            ("が ガ ｶﾞ", "が ガ ガ"),
            ("한국", "한국"),
            ("שָׁלוֹם", "שָׁלוֹם"),
            ("so\u{ad}ft", "soft"),
            ("  a\u{3000}b\t\n", "a b"),
            ("a\u{1680}b\u{2028}c\u{2029}d", "a b c d"),
            ("C++ $5", "c++ $5"),
            ("«rock»[‘n’]“roll”\u{1}‹x›", "rock n roll x"),
            ("_.-", ""),
        ] {
            assert_eq!(fold(name), folded, "{name}");
        }
    }

    #[test]
    fn exact_is_the_whole_name_with_or_without_its_extension() {
        for (query, name) in [
            ("wu tang", "Wu-Tang.mp3"),
            ("wu tang mp3", "Wu-Tang.mp3"),
            ("Wu-Tang.MP3", "wu_tang.mp3"),
            ("beyonce", "Beyoncé.flac"),
            ("STRASSE", "straße.txt"),
            ("σισυφος", "ΣΊΣΥΦΟΣ.pdf"),
            ("diyarbakir", "DİYARBAKIR"),
            ("archive.tar", "archive.tar.gz"),
            ("東京", "東京.jpg"),
            ("bashrc", "_bashrc"),
        ] {
            assert_eq!(class(query, name), Some(MatchClass::Exact), "{query} in {name}");
        }
    }

    #[test]
    fn substring_is_the_query_or_all_its_words_in_any_order() {
        for (query, name) in [
            ("tang", "Wu-Tang.mp3"),
            ("tang wu", "Wu-Tang.mp3"),
            ("mp3 wu", "Wu-Tang.mp3"),
            ("beyon", "Beyoncé.flac"),
            ("archive", "archive.tar.gz"),
            ("京都", "東京都.jpg"),
            ("カナ", "ｶﾀｶﾅ.txt"),
            ("version 2", "the version 1.2"),
            ("name", "name.ninechars"),
        ] {
            assert_eq!(class(query, name), Some(MatchClass::Substring), "{query} in {name}");
        }
    }

    #[test]
    fn the_rest_does_not_match() {
        for (query, name) in [
            ("wutang", "Wu-Tang.mp3"),
            ("wu tang clan", "Wu-Tang.mp3"),
            ("wu tang flac", "Wu-Tang.mp3"),
            ("name", "other"),
            ("abc", ""),
        ] {
            assert_eq!(class(query, name), None, "{query} in {name}");
        }
    }

    #[test]
    fn a_query_has_one_word_that_is_specific() {
        use QueryError::{TooLong, TooShort};
        let (longest, too_long) = ("x".repeat(128), "ä".repeat(129));
        for (query, error) in [
            ("", Some(TooShort)),
            ("ab", Some(TooShort)),
            ("a b c d", Some(TooShort)),
            ("---", Some(TooShort)),
            ("c++", Some(TooShort)),
            ("+++", Some(TooShort)),
            ("a.b.c", Some(TooShort)),
            ("東", Some(TooShort)),
            ("12", Some(TooShort)),
            (too_long.as_str(), Some(TooLong)),
            ("abc", None),
            ("a b cde", None),
            ("007", None),
            ("東京", None),
            ("한국", None),
            ("のだ", None),
            ("カナ", None),
            (longest.as_str(), None),
        ] {
            assert_eq!(Query::parse(query).err(), error, "{query}");
        }
    }

    #[test]
    fn every_character_folds_to_what_stays_as_it_is() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let once = fold(&format!("a{c}"));
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in prop_oneof![
            any::<String>(),
            "[aαйᾳ가か \u{2d}\u{b4}\u{ad}\u{200d}\u{300}-\u{345}\u{3099}\u{1100}\u{1161}]{0,12}",
        ]) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn a_name_is_found_exactly_by_itself_however_it_is_spelt(name in "[A-Za-zäéñ]{3,9}[ _.-]{1,3}[A-Za-z]{1,9}") {
            prop_assert_eq!(class(&name, &name), Some(MatchClass::Exact));
            prop_assert_eq!(class(&name.to_uppercase(), &name), Some(MatchClass::Exact));
            prop_assert_eq!(class(&name.replace(['_', '.', '-'], " "), &name), Some(MatchClass::Exact));
        }

        #[test]
        fn whatever_contains_the_query_matches(before: String, query in "[a-z0-9]{3,8}( [a-z]{1,4})?", after: String) {
            // Spaces keep what stands beside it from composing with it.
            let name = [before.as_str(), &query, &after].join(" ");
            prop_assert!(class(&query, &name).is_some());
        }
    }
}
