//! Folded names, searched for the text that they contain.
//!
//! They are laid out in one piece of memory: over 100,000 of them, a search takes a few milliseconds, whatever the
//! text is.

/// Not found in a folded name or query: folding makes a space of it.
const NAME_END: char = '\n';

#[derive(Debug, Default)]
pub(super) struct Names {
    /// Each followed by [`NAME_END`].
    text: String,
    /// Where each of them ends in the text.
    ends: Vec<usize>,
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        let mut all = Self::default();
        for name in names {
            all.text.push_str(name);
            all.ends.push(all.text.len());
            all.text.push(NAME_END);
        }
        all
    }
}

impl Names {
    /// The names that contain the text, each once, with their positions.
    pub(super) fn containing(&self, text: &str) -> impl Iterator<Item = (usize, &str)> {
        let mut rest = self.ends.iter().enumerate();
        let (mut name, mut next) = (0..0, 0);
        self.text.match_indices(text).filter_map(move |(at, _)| {
            if at < name.end {
                return None;
            }
            // Names before the one that was found are passed over.
            loop {
                let (position, &end) = rest.next()?;
                name = next..end;
                next = end + NAME_END.len_utf8();
                if at < end {
                    break Some((position, &self.text[name.clone()]));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::Names;

    proptest! {
        #[test]
        fn a_name_is_found_if_it_contains_the_text(names in vec("[ab ]{0,6}", 0..12), text in "[ab]{1,3}") {
            let all: Names = names.iter().map(String::as_str).collect();
            let found: Vec<_> = all.containing(&text).collect();
            let contains = |(_, name): &(usize, &str)| name.contains(&text);
            let model: Vec<_> = names.iter().map(String::as_str).enumerate().filter(contains).collect();
            prop_assert_eq!(found, model);
        }
    }
}
