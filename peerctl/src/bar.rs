//! One line of a terminal about one transfer: name, bar, and what there is to know.

use unicode_width::UnicodeWidthStr as _;

use crate::{
    output::printable,
    transfer::Transfer,
    width::{cut, fit},
};

/// Between the parts of a line.
const GAP: usize = 2;
/// A name gets a quarter of the line within these bounds: shorter, names would not be told apart; longer, the
/// facts would not fit.
const NAME_COLUMNS: (usize, usize) = (12, 32);
/// The bar's own columns where the terminal has at least as many. Below the last the percentage must do.
const BARS: [(usize, usize); 2] = [(100, 20), (60, 10)];

/// The line for a terminal of so many columns; never longer.
pub(crate) fn line(transfer: &Transfer, columns: usize) -> String {
    let gap = " ".repeat(GAP);
    let (shortest, longest) = NAME_COLUMNS;
    let name = fit(transfer.name.as_str(), (columns / 4).clamp(shortest, longest));
    // Why it does not go on is worth more than a bar that stands still.
    let bar_columns = BARS.into_iter().find(|(enough, _)| columns >= *enough).map(|(_, columns)| columns);
    let bar = bar_columns
        .filter(|_| transfer.reason().is_none())
        .map(|columns| format!("{gap}[{}]", bar(transfer.done, transfer.size, columns)));
    let mut line = format!("{name}{}", bar.unwrap_or_default());
    for (place, fact) in transfer.facts().iter().enumerate() {
        let longer = format!("{line}{gap}{}", printable(fact));
        // A part of a fact tells nothing, unless it is a sentence: that is the first.
        if place > 0 && longer.width() > columns {
            break;
        }
        line = longer;
    }
    cut(&line, columns)
}

/// `====>     `; full only when all is there.
fn bar(done: u64, size: u64, columns: usize) -> String {
    let filled = if size == 0 { columns } else { fraction(done.min(size), size, columns) };
    let head = if filled < columns { ">" } else { "" };
    format!("{:columns$}", format!("{}{head}", "=".repeat(filled)))
}

fn fraction(part: u64, whole: u64, of: usize) -> usize {
    let columns = u128::from(part) * of as u128 / u128::from(whole.max(1));
    usize::try_from(columns).unwrap_or(of)
}

#[cfg(test)]
mod tests {
    use super::{bar, line};
    use crate::transfer::samples::{moving, waiting};
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    #[test]
    fn a_line_fits_its_terminal_and_loses_the_least_important_first() {
        let lines = |columns| [line(&moving("song.mp3"), columns), line(&waiting("song.mp3"), columns)];
        assert_eq!(
            lines(100),
            [
                "song.mp3                   [==========>         ]  50%  3.0 MiB   1.0 MiB/s   0:12  from anna",
                "song.mp3                   waiting, place 2: the source is busy  0%  3.0 MiB  from anna",
            ]
        );
        assert_eq!(
            lines(79),
            [
                "song.mp3             [=====>    ]  50%  3.0 MiB   1.0 MiB/s   0:12  from anna",
                "song.mp3             waiting, place 2: the source is busy  0%  3.0 MiB",
            ]
        );
        assert_eq!(
            lines(40),
            ["song.mp3      50%  3.0 MiB   1.0 MiB/s", "song.mp3      waiting, place 2: the sou…"]
        );
    }

    #[test]
    fn names_of_all_scripts_take_the_same_columns() {
        let lines: Vec<_> =
            ["song.mp3", "田中さんの歌.mp3", "שיר אהבה.mp3", "a very long name indeed it is.mp3"]
                .into_iter()
                .map(|name| line(&moving(name), 60))
                .collect();
        assert_eq!(
            lines,
            [
                "song.mp3         [=====>    ]  50%  3.0 MiB   1.0 MiB/s",
                "田中さんの歌.m…  [=====>    ]  50%  3.0 MiB   1.0 MiB/s",
                "שיר אהבה.mp3\u{200e}     [=====>    ]  50%  3.0 MiB   1.0 MiB/s",
                "a very long na…  [=====>    ]  50%  3.0 MiB   1.0 MiB/s",
            ]
        );
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_there() {
        assert_eq!(bar(0, 10, 5), ">    ");
        assert_eq!(bar(9, 10, 5), "====>");
        assert_eq!(bar(10, 10, 5), "=====");
        assert_eq!(bar(0, 0, 5), "=====");
        assert_eq!(bar(u64::MAX, u64::MAX, 5), "=====");
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_its_terminal(name: String, columns in 0..200_usize) {
            prop_assert!(line(&moving(&name), columns).width() <= columns);
            prop_assert!(line(&waiting(&name), columns).width() <= columns);
        }
    }
}
