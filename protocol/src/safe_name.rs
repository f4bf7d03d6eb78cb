//! File names that are safe everywhere: on a disk, on a terminal, in HTML, in a log.
//!
//! Names come from other peers. A received name must not leave the folder it is meant for, hide itself, name
//! a device, move a terminal's cursor or show itself backwards. [`SafeName::sanitise`] is the one place that
//! knows what is safe; a name is safe when that leaves it as it is.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::{fold::fold_case, limits::NAME_BYTES_MAX, redacted::redacted_debug};

/// Stands for each character that was not safe, so that it shows that something was there.
const REPLACEMENT: char = '_';

/// One path component in NFC, free of separators, control and format characters, reserved names and bidi
/// overrides, at most [`NAME_BYTES_MAX`] bytes. The only form in which a received name reaches a disk write,
/// a terminal, HTML or a log. (It may contain `&` and `'`: HTML is escaped all the same.)
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SafeName(String);

redacted_debug!(SafeName);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file name is not safe")]
pub struct UnsafeName;

impl SafeName {
    /// Accepts a name that is safe as it is.
    pub fn parse(text: &str) -> Result<Self, UnsafeName> {
        // Nothing longer is safe; what sanitising costs stays bounded.
        if text.len() > NAME_BYTES_MAX {
            return Err(UnsafeName);
        }
        let safe = Self::sanitise(text);
        if safe.0 == text { Ok(safe) } else { Err(UnsafeName) }
    }

    /// Makes any name safe by replacing what is not; the identity on safe names.
    ///
    /// A leading dot is replaced too: a received file is not to be hidden from whoever fetched it. So
    /// `.bashrc` becomes `_bashrc`, and `../x` becomes `_._x`.
    pub fn sanitise(text: &str) -> Self {
        let replaced: String = text.nfc().map(|c| if is_safe_within(c) { c } else { REPLACEMENT }).collect();
        let trimmed = trim_end(replaced.trim_start());
        let mut name = shorten(trimmed);
        // The replacement is not longer than what it replaces, so the length stays within its limit.
        if let Some(first) = name.chars().next().filter(|&first| first == '.' || is_combining_mark(first)) {
            name.replace_range(..first.len_utf8(), "_");
        }
        if name.is_empty() {
            name.push(REPLACEMENT);
        }
        if is_reserved(&name) {
            name.insert(0, REPLACEMENT);
            name = shorten(&name);
        }
        Self(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Equal for names that some file system takes for one: in other letters' case, composed otherwise.
    pub fn folding_key(&self) -> String {
        fold_case(&self.0)
    }

    /// `name (2).ext` and so on, still within the length: for a name that is taken on disk.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let (stem, extension) = split_extension(&self.0);
        Self(join_within(stem, &format!(" ({number})"), extension))
    }
}

/// The stem and the extension: what follows the last dot, 1 to 8 letters or digits.
pub(crate) fn split_extension(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => (stem, Some(extension)),
        _ => (name, None),
    }
}

fn is_extension(text: &str) -> bool {
    (1..=8).contains(&text.chars().count()) && text.chars().all(char::is_alphanumeric)
}

/// Windows drops spaces and dots at the end: `a.` would be `a` there.
fn trim_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_whitespace() || c == '.')
}

fn shorten(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    join_within(stem, "", extension)
}

/// The stem, cut where it must be, with what follows it.
fn join_within(stem: &str, suffix: &str, extension: Option<&str>) -> String {
    let tail = extension.map_or_else(|| suffix.to_owned(), |extension| format!("{suffix}.{extension}"));
    let room = NAME_BYTES_MAX.saturating_sub(tail.len());
    let kept = &stem[..stem.floor_char_boundary(room)];
    format!("{}{tail}", trim_end(kept))
}

/// Whether a character may stand somewhere in a name.
fn is_safe_within(c: char) -> bool {
    use GeneralCategory as G;
    let separates_or_is_forbidden_on_windows =
        matches!(c, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*');
    // Unassigned characters stay: a later version of Unicode may have given them a meaning.
    let controls = matches!(
        get_general_category(c),
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator | G::PrivateUse
    );
    !separates_or_is_forbidden_on_windows && !controls && !is_invisible(c) && !is_noncharacter(c)
}

/// What shows nothing without being a control or format character: fillers, and what Unicode keeps for
/// characters to be ignored. Variation selectors stay, emoji and Han need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2065}' | '\u{2800}' | '\u{3164}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
    )
}

fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Names of devices on Windows, where an extension changes nothing.
fn is_reserved(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        let number = base.strip_prefix(device).unwrap_or("").chars();
        number.clone().count() == 1 && number.clone().all(|c| matches!(c, '0'..='9' | '¹' | '²' | '³'))
    };
    matches!(base.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

impl std::fmt::Display for SafeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
impl TryFrom<String> for SafeName {
    type Error = UnsafeName;
    fn try_from(text: String) -> Result<Self, UnsafeName> {
        Self::parse(&text)
    }
}
impl From<SafeName> for String {
    fn from(name: SafeName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::{SafeName, UnsafeName};
    use crate::limits::NAME_BYTES_MAX;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    #[test]
    fn safe_names_stay_as_they_are() {
        for name in [
            "a",
            "a.txt",
            "Wu-Tang Clan - C.R.E.A.M..mp3",
            "Ä ö ü ß.flac",
            "東京　夜.jpg",
            "שלום.pdf",
            "❤\u{fe0f}.png",
            "葛\u{e0100}.png",
            "rock & roll's best (live) [2020] {x}.ogg",
            "-rf",
            "~",
            "#1, 50%; $x `y` !.txt",
            "CONSOLE.txt",
            "COM10",
            "com",
            "a..b",
            "_",
            // Beside what is invisible, or no character.
            "\u{fdcf}\u{fdf0}\u{ffef}\u{fffd}\u{e01ef}\u{e1000}",
            &"x".repeat(255),
            &format!("{} .txt", "x".repeat(250)),
        ] {
            assert_eq!(SafeName::sanitise(name).as_str(), name);
            assert_eq!(SafeName::parse(name).map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn every_trick_with_names_is_undone() {
        for (hostile, safe) in [
            ("", "_"),
            (".", "_"),
            ("..", "_"),
            ("...", "_"),
            (" ", "_"),
            (" . ", "_"),
            (". .", "_"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("a/b", "a_b"),
            ("a/", "a_"),
            ("C:\\Windows\\a.dll", "C__Windows_a.dll"),
            ("\\\\srv\\share", "__srv_share"),
            ("a:stream", "a_stream"),
            ("a\0.txt", "a_.txt"),
            ("a<b>c\"d|e?f*g", "a_b_c_d_e_f_g"),
            ("NUL", "_NUL"),
            ("nul.txt", "_nul.txt"),
            ("Con.tar.gz", "_Con.tar.gz"),
            ("CON .txt", "_CON .txt"),
            ("COM1", "_COM1"),
            ("Lpt0.x", "_Lpt0.x"),
            ("lpt9.x", "_lpt9.x"),
            ("COM\u{b9}", "_COM\u{b9}"),
            ("com\u{b2}", "_com\u{b2}"),
            ("LPT\u{b3}.x", "_LPT\u{b3}.x"),
            ("aux.", "_aux"),
            ("prn", "_prn"),
            ("CONIN$", "_CONIN$"),
            ("CONOUT$", "_CONOUT$"),
            ("a.", "a"),
            ("a. . ", "a"),
            (" a", "a"),
            ("a\u{a0}", "a"),
            ("\u{3000}a", "a"),
            (".bashrc", "_bashrc"),
            (" .ssh", "_ssh"),
            ("..a", "_.a"),
            ("\x1b[2Ja", "_[2Ja"),
            ("\x1b]52;c;aGk=\x07", "_]52;c;aGk=_"),
            ("a\u{9b}2J", "a_2J"),
            ("a\rb\nc\td\x7fe", "a_b_c_d_e"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("a\u{2066}b\u{2069}", "a_b_"),
            ("a\u{200e}b\u{200f}c\u{61c}", "a_b_c_"),
            ("a\u{200b}b\u{200d}c\u{feff}d\u{ad}e\u{2060}f", "a_b_c_d_e_f"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a_b_c_d"),
            ("a\u{3164}b\u{115f}c\u{e0041}d\u{2800}e", "a_b_c_d_e"),
            ("a\u{34f}b\u{1160}c\u{17b4}d\u{17b5}e\u{2065}f\u{ffa0}", "a_b_c_d_e_f_"),
            ("a\u{fff0}b\u{fff8}c\u{e0000}d\u{e00ff}e\u{e01f0}f\u{e0fff}", "a_b_c_d_e_f_"),
            ("a\u{e000}b\u{fffe}c\u{fdd0}d\u{fdef}e\u{1ffff}f\u{10ffff}", "a_b_c_d_e_f_"),
            ("\u{301}a", "_a"),
            ("A\u{308}.txt", "Ä.txt"),
        ] {
            assert_eq!(SafeName::sanitise(hostile).as_str(), safe, "{}", hostile.escape_unicode());
            assert_eq!(SafeName::parse(hostile), Err(UnsafeName), "{}", hostile.escape_unicode());
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let long = SafeName::sanitise(&format!("{}.flac", "x".repeat(300)));
        assert_eq!(long.as_str(), format!("{}.flac", "x".repeat(250)));
        let wide = SafeName::sanitise(&format!("{}.flac", "語".repeat(100)));
        assert_eq!(wide.as_str(), format!("{}.flac", "語".repeat(83)));
        assert_eq!(SafeName::sanitise(&"y".repeat(300)).as_str(), "y".repeat(255));
        // Cut to a device's name, and a device's name that is full already.
        let spaces = " ".repeat(300);
        assert_eq!(SafeName::sanitise(&format!("NUL{spaces}x.txt")).as_str(), "_NUL.txt");
        let full = format!("NUL.{}", "x".repeat(251));
        assert_eq!(SafeName::sanitise(&full).as_str(), format!("_NUL.{}", "x".repeat(250)));
        assert!(SafeName::parse(&"x".repeat(256)).is_err());
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let numbered = |name: &str, number| SafeName::parse(name).unwrap().numbered(number);
        assert_eq!(numbered("song.mp3", 2).as_str(), "song (2).mp3");
        assert_eq!(numbered("song", 12).as_str(), "song (12)");
        assert_eq!(numbered("a.b c", 2).as_str(), "a.b c (2)");
        assert_eq!(numbered("a.c", 2).as_str(), "a (2).c");
        assert_eq!(numbered("a.manifest", 2).as_str(), "a (2).manifest");
        assert_eq!(numbered("a.manifesto", 2).as_str(), "a.manifesto (2)");
        let full = format!("{}.mp3", "x".repeat(251));
        assert_eq!(numbered(&full, 10).as_str(), format!("{} (10).mp3", "x".repeat(246)));
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_have_one_key() {
        for (one, other) in [("Ä.TXT", "ä.txt"), ("STRASSE", "straße"), ("ΟΔΌΣ", "οδόσ")] {
            let key = |name| SafeName::parse(name).unwrap().folding_key();
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
    }

    #[test]
    fn a_name_that_is_not_safe_is_no_document() {
        assert!(serde_json::from_str::<SafeName>(r#""../x""#).is_err());
        assert_eq!(format!("{:?}", SafeName::sanitise("secret")), "SafeName(..)");
    }

    /// Text that is rich in what matters here.
    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<String>(),
            "[. /\\\\:\u{0}\u{1b}\u{202e}\u{300}\u{301}]{0,4}",
            proptest::sample::select(vec![
                "CON",
                "nul",
                "com1",
                "LPT\u{b2}",
                ".",
                "..",
                " ",
                ".txt",
                "é",
                "e\u{301}",
                "語"
            ])
            .prop_map(str::to_owned),
            (0..300_usize, proptest::sample::select(vec!["x", "語", " ", "."]))
                .prop_map(|(n, text)| text.repeat(n)),
        ];
        proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn sanitising_yields_what_is_safe_and_stays(text in hostile()) {
            let name = SafeName::sanitise(&text);
            let text = name.as_str();
            prop_assert!(!text.is_empty() && text.len() <= NAME_BYTES_MAX);
            prop_assert!(!text.contains(['/', '\\', ':', '\0']) && !text.contains(char::is_control));
            prop_assert!(!text.starts_with(['.', ' ']) && !text.ends_with(['.', ' ']));
            prop_assert!(text.nfc().eq(text.chars()));
            prop_assert_eq!(SafeName::parse(text), Ok(name));
        }

        #[test]
        fn a_numbered_name_is_safe_and_another(text in hostile(), number: u32) {
            let name = SafeName::sanitise(&text);
            let numbered = name.numbered(number);
            prop_assert_ne!(&name, &numbered);
            prop_assert_eq!(SafeName::parse(numbered.as_str()), Ok(numbered));
        }
    }
}
