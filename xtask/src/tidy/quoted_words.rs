//! What `docs/operations.md` quotes is what the programs say: each quote, but for its ellipses, is somewhere in the code.

use super::Finding;

/// The page with quotes, each a line that begins so.
pub(crate) const PAGE: &str = "docs/operations.md";
const QUOTE: &str = "> ";
/// Stands for what differs from one time to the next.
const ELLIPSIS: char = '…';

/// Whether sentences of programs may come from there.
pub(crate) fn is_code(path: &str) -> bool {
    let crates = ["coordinator/src/", "peer-daemon/src/", "peerctl/src/", "protocol/src/"];
    crates.iter().any(|folder| path.starts_with(folder))
}

/// Code with the strings made whole that are broken over lines.
pub(crate) fn spoken(code: &str) -> String {
    let mut pieces = code.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |whole, piece| whole + piece.trim_start())
}

/// `code` is all of it, as [`spoken`] gives it.
pub(crate) fn check(page: &str, code: &str) -> Vec<Finding> {
    let quotes = page.lines().zip(1..).filter_map(|(line, number)| Some((line.strip_prefix(QUOTE)?, number)));
    quotes
        .filter(|(quote, _)| !quote.split(ELLIPSIS).all(|piece| code.contains(piece.trim())))
        .map(|(quote, number)| {
            Finding::new(format!("{PAGE}:{number}"), format!("no program says this: {quote}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_found_over_a_broken_line_and_around_what_differs() {
        let code = spoken("error(\"the folder {} is full; make \\\n             room\")");
        assert_eq!(check("words\n> the folder … is full; make room\n", &code), []);
        let findings = check("words\n> the folder … is empty\n", &code);
        assert_eq!(findings[0].place, "docs/operations.md:2");
    }
}
