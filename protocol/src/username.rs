//! Usernames: what is allowed, which two are the same, and which two look alike.
//!
//! A username is all that others know of a peer, so nobody may take one that reads like another's. Three
//! rules see to it: a name is of one script (no Cyrillic `а` among Latin letters), invisible characters have
//! no place in it, and two names with one [skeleton](Username::skeleton) can't be held at once.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;
use unicode_script::{Script, UnicodeScript as _};
use unicode_security::{GeneralSecurityProfile as _, mixed_script::AugmentedScriptSet};

use crate::{fold::fold_case, redacted::redacted_debug};

/// Fewer characters are too easily squatted.
pub const USERNAME_CHARS_MIN: usize = 3;
/// More don't fit a column of a terminal.
pub const USERNAME_CHARS_MAX: usize = 32;

/// 3 to 32 characters: letters and digits of one script, and `-`, `_`, `.` inside.
///
/// Kept as it was typed, in NFC: keyboards differ in how they compose an accent, and nobody sees it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

redacted_debug!(Username);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UsernameError {
    #[error("a username has 3 to 32 characters")]
    Length,
    #[error("a username is made of letters and digits, with - _ . inside")]
    Character,
    #[error("a username's letters are of one script")]
    MixedScripts,
}

impl Username {
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        // Bounds the work on foreign input: composing never makes a third of the characters out of many.
        if text.chars().nth(3 * USERNAME_CHARS_MAX).is_some() {
            return Err(UsernameError::Length);
        }
        let name: String = text.nfc().collect();
        if !(USERNAME_CHARS_MIN..=USERNAME_CHARS_MAX).contains(&name.chars().count()) {
            return Err(UsernameError::Length);
        }
        check_characters(&name)?;
        check_script(&name)?;
        Ok(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two usernames with one comparison key are the same name (NFKC, case folded).
    pub fn comparison_key(&self) -> String {
        fold_case(&self.0)
    }

    /// Two usernames with one skeleton look alike: the UTS 39 skeleton of the comparison key, folded again,
    /// since it has capitals in it (`0` becomes `O`).
    ///
    /// Names are shown as they were typed, so capitals count too, although the key has lost them. `I` looks
    /// like `l` and folds to `i`, so `i` and `l` are one; capitals of other scripts that look Latin count as
    /// the Latin letter, where their small letter does not look like another one.
    pub fn skeleton(&self) -> String {
        let key: String = self.comparison_key().chars().map(latin_capital_twin).collect();
        let skeleton: String = unicode_security::skeleton(&key).collect();
        fold_case(&skeleton).replace('i', "l")
    }
}

/// The first and the last character are letters or digits; marks stand only where a script has them as
/// letters of their own (vowel signs), so that nothing can be piled up on a letter. A compatibility form (`ﬁ`, `Ａ`,
/// `²`) shows one character and means another: none of them is allowed in identifiers (UTS 39).
fn check_characters(name: &str) -> Result<(), UsernameError> {
    let last = name.chars().count() - 1;
    for (index, c) in name.chars().enumerate() {
        let inside = index != 0 && index != last;
        let allowed = match c {
            '-' | '_' | '.' => inside,
            c if is_letter_or_digit(c) => c.identifier_allowed(),
            c if is_mark(c) => index != 0 && has_own_script(c) && c.identifier_allowed(),
            _ => false,
        };
        if !allowed {
            return Err(UsernameError::Character);
        }
    }
    Ok(())
}

/// Japanese mixes Han, Hiragana and Katakana, Korean Han and Hangul: UTS 39's augmented script sets know.
fn check_script(name: &str) -> Result<(), UsernameError> {
    let one_script = !AugmentedScriptSet::for_str(name).is_empty();
    // Two sets of digits in one name are not told apart.
    let two_digit_sets =
        name.contains(|c: char| c.is_ascii_digit()) && name.contains(|c: char| !c.is_ascii() && is_digit(c));
    if one_script && !two_digit_sets { Ok(()) } else { Err(UsernameError::MixedScripts) }
}

fn is_letter_or_digit(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        get_general_category(c),
        G::UppercaseLetter | G::LowercaseLetter | G::TitlecaseLetter | G::ModifierLetter | G::OtherLetter
    ) || is_digit(c)
}

fn is_digit(c: char) -> bool {
    get_general_category(c) == GeneralCategory::DecimalNumber
}

fn is_mark(c: char) -> bool {
    matches!(get_general_category(c), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark)
}

fn has_own_script(c: char) -> bool {
    !matches!(c.script(), Script::Common | Script::Inherited | Script::Unknown)
}

/// Folded letters whose capital looks like a Latin one. Left out are those whose small letter looks like a
/// different Latin letter (`ν` is like `v`, `Ν` like `N`): they can't be both.
fn latin_capital_twin(c: char) -> char {
    match c {
        'в' | 'β' => 'b',
        'ε' => 'e',
        'н' => 'h',
        'к' | 'κ' => 'k',
        'м' | 'μ' => 'm',
        'т' | 'τ' => 't',
        'ζ' => 'z',
        other => other,
    }
}

impl std::fmt::Display for Username {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
impl std::str::FromStr for Username {
    type Err = UsernameError;
    fn from_str(text: &str) -> Result<Self, UsernameError> {
        Self::parse(text)
    }
}
impl TryFrom<String> for Username {
    type Error = UsernameError;
    fn try_from(text: String) -> Result<Self, UsernameError> {
        Self::parse(&text)
    }
}
impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Username, UsernameError};
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    fn skeleton(text: &str) -> String {
        Username::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).skeleton()
    }

    #[test]
    fn names_of_one_script_are_allowed() {
        for name in [
            "bob",
            "a1b",
            "007",
            "anne-marie",
            "a.b_c-d",
            "Jürgen",
            "straße",
            "Ελένη",
            "Вера",
            "дмитро99",
            "анна-мария_1.0",
            "田中さん",
            "タナカー",
            "김철수",
            "金철수",
            "שלום",
            "محمد",
            "राहुल",
            "राहुल५",
            "ᾨδή",
            "สมชาย",
            "x".repeat(32).as_str(),
        ] {
            assert_eq!(Username::parse(name).map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_its_reason() {
        use UsernameError::{Character, Length, MixedScripts};
        let long = "x".repeat(33);
        let endless = "x".repeat(100_000);
        for (text, error) in [
            ("", Length),
            ("ab", Length),
            (long.as_str(), Length),
            (endless.as_str(), Length),
            ("-ab", Character),
            ("ab.", Character),
            ("_ab", Character),
            ("...", Character),
            ("a b", Character),
            ("a/b", Character),
            ("a\\b", Character),
            ("a@b", Character),
            ("a\0b", Character),
            ("a\x1bb", Character),
            ("a\nb", Character),
            ("a\u{85}b", Character),
            ("al\u{200b}ice", Character),
            ("al\u{200d}ice", Character),
            ("al\u{ad}ice", Character),
            ("\u{202e}bob", Character),
            ("al\u{feff}ice", Character),
            ("al\u{3164}ice", Character),
            ("aliçe\u{327}", Character),
            ("b\u{336}ob", Character),
            ("\u{301}bob", Character),
            ("b\u{301}ob", Character),
            ("\u{93e}राहुल", Character),
            ("محم\u{610}د", Character),
            ("ƿƿƿ", Character),
            ("ﬁnn", Character),
            ("Ａlice", Character),
            ("x²y", Character),
            ("bob😀", Character),
            ("pаypal", MixedScripts),
            ("αlice", MixedScripts),
            ("김さん", MixedScripts),
            ("राहुल1५", MixedScripts),
        ] {
            assert_eq!(Username::parse(text), Err(error), "{}", text.escape_unicode());
        }
    }

    #[test]
    fn an_accent_is_one_however_it_was_typed() {
        let composed = Username::parse("Jürgen").unwrap();
        assert_eq!(Username::parse("Ju\u{308}rgen"), Ok(composed));
        let longest = Username::parse(&"e\u{323}\u{302}".repeat(32)).unwrap();
        assert_eq!(longest.as_str(), "ệ".repeat(32));
    }

    #[test]
    fn look_alikes_have_one_skeleton() {
        for alike in [
            &["alice", "Alice", "ALICE", "a1ice", "aIice", "a1lce"][..],
            &["bob", "b0b", "BOB", "B0B", "ВОВ"],
            &["modern", "rnodern", "MODERN"],
            &["paypa", "раура"],
            &["TOM", "ТОМ"],
            &["KAZE", "ΚΑΖΕ"],
            &["MAT", "МАТ", "ΜΑΤ"],
            &["BEAK", "ВЕАК", "ΒΕΑΚ"],
            &["HAM", "НАМ"],
            &["straße", "STRASSE"],
        ] {
            for name in alike {
                assert_eq!(skeleton(name), skeleton(alike[0]), "{name} and {}", alike[0]);
            }
        }
    }

    #[test]
    fn other_names_have_other_skeletons() {
        let names =
            ["alice", "bob", "anna", "anne", "a-b", "a_b", "ab1", "ab2", "Вера", "vera", "нина", "han"];
        for (index, one) in names.iter().enumerate() {
            for other in &names[..index] {
                assert_ne!(skeleton(one), skeleton(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn no_compatibility_form_is_in_a_name() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let composed: String = c.nfc().collect();
            if !composed.nfkc().eq(composed.chars()) {
                let name = Username::parse(&format!("a{c}a"));
                assert_eq!(name, Err(UsernameError::Character), "U+{:04X}", u32::from(c));
            }
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_accepts_it_accepts_again(text in "\\PC{0,40}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name));
            }
        }

        #[test]
        fn the_same_name_in_another_case_is_a_look_alike(text in "[a-zäöüßñéA-Z0-9][a-zA-Z0-9._-]{1,30}[a-zA-Z0-9]") {
            let name = Username::parse(&text).unwrap();
            // ß in capitals is SS: one character more than a name may have is not this test's matter.
            if let Ok(capitals) = Username::parse(&text.to_uppercase()) {
                prop_assert_eq!(name.comparison_key(), capitals.comparison_key());
                prop_assert_eq!(name.skeleton(), capitals.skeleton());
            }
        }

        #[test]
        fn the_comparison_key_is_stable(text in "[\\p{L}]{3,10}") {
            if let Ok(name) = Username::parse(&text) {
                let key = name.comparison_key();
                prop_assert_eq!(crate::fold::fold_case(&key), key);
            }
        }
    }
}
