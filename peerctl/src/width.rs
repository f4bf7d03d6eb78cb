//! Text that takes a given number of a terminal's columns, whatever script it is in.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::hints::words;

/// Stands where something was cut off.
const CUT: &str = "…";
/// Ends a run of text that is read from right to left, and shows nothing: without it, a terminal that orders such
/// text would pull the numbers and brackets that follow it to its other side.
const LEFT_TO_RIGHT_MARK: char = '\u{200e}';

/// At most so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(CUT.width()) else { return String::new() };
    let ends = text.char_indices().map(|(end, _)| end).take_while(|&end| text[..end].width() <= room);
    let end = ends.last().unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// Exactly so many columns: cut, or padded.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let mut fitting = cut(text, columns);
    let padding = columns.saturating_sub(fitting.width());
    if is_right_to_left(&fitting) {
        fitting.push(LEFT_TO_RIGHT_MARK);
    }
    fitting.extend(std::iter::repeat_n(' ', padding));
    fitting
}

/// Lines of at most so many columns, broken between words; a longer word has a line to itself, and so has a command.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(text) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The same, with a long word of a name broken, too. A command stays whole, and so does what may be a path or an
/// address: those are copied, and what a terminal breaks it puts together again.
pub(crate) fn fold(text: &str, columns: usize) -> Vec<String> {
    let is_whole = |line: &String| line.width() <= columns || line.contains(['/', ' ']);
    let fold = |line: String| if is_whole(&line) { vec![line] } else { broken(&line, columns) };
    wrap(text, columns).into_iter().flat_map(fold).collect()
}

/// Pieces of at most so many columns; a character that is wider is one by itself.
fn broken(word: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for character in word.chars() {
        let width = character.width().unwrap_or(0);
        if used > 0 && used + width > columns {
            pieces.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    pieces
}

/// Whether any of it is in a script that is written from right to left: Hebrew, Arabic, and those beside them in
/// the ranges that Unicode keeps for such scripts.
fn is_right_to_left(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(
            c,
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
                | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{cut, fit, fold, wrap};
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    #[test]
    fn text_is_cut_between_characters_and_padded_to_its_columns() {
        assert_eq!(fit("song.mp3", 10), "song.mp3  ");
        assert_eq!(fit("song.mp3", 6), "song.…");
        assert_eq!(fit("田中さん.txt", 8), "田中さ… ");
        assert_eq!(fit("田", 1), "…");
        assert_eq!(cut("song", 0), "");
        assert_eq!(cut("田中", 4), "田中");
    }

    #[test]
    fn what_is_read_from_right_to_left_ends_before_its_padding() {
        assert_eq!(fit("שיר.mp3", 9), "שיר.mp3\u{200e}  ");
        assert_eq!(fit("أغنية طويلة", 7), "أغنية \u{2026}\u{200e}");
    }

    #[test]
    fn sentences_are_broken_between_words() {
        assert_eq!(
            wrap("open TCP port 4821 in the firewall", 12),
            ["open TCP", "port 4821 in", "the firewall"]
        );
        assert_eq!(wrap("歌を 探す", 7), ["歌を", "探す"]);
        assert_eq!(wrap("a /very/long/path b", 5), ["a", "/very/long/path", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn a_command_and_a_path_are_not_broken() {
        assert_eq!(
            wrap("make room, or: peerctl config set download_dir DIR", 12),
            ["make room,", "or:", "peerctl config set download_dir DIR"]
        );
        assert_eq!(fold("in /a/very/long/path", 8), ["in", "/a/very/long/path"]);
        assert_eq!(fold("a_long_name.mp3 b", 8), ["a_long_n", "ame.mp3", "b"]);
        assert_eq!(fold("田中さん", 5), ["田中", "さん"]);
    }

    proptest! {
        #[test]
        fn a_name_that_is_folded_is_all_there(name in "[a-c田 ]{0,60}", columns in 2..20_usize) {
            let lines = fold(&name, columns);
            prop_assert_eq!(lines.concat().replace(' ', ""), name.replace(' ', ""));
            prop_assert!(lines.iter().all(|line| line.width() <= columns), "{:?}", lines);
        }

        #[test]
        fn wrapping_loses_nothing(text in "[a-c ]{0,60}", columns in 0..20_usize) {
            let lines = wrap(&text, columns);
            prop_assert_eq!(lines.join(" "), text);
            prop_assert!(lines.iter().all(|line| line.width() <= columns || !line.contains(' ')));
        }

        #[test]
        fn it_takes_as_many_columns_as_it_may(text: String, columns in 0..100_usize) {
            let text = protocol::SafeName::sanitise(&text);
            prop_assert_eq!(fit(text.as_str(), columns).width(), columns);
            prop_assert!(cut(text.as_str(), columns).width() <= columns);
        }
    }
}
