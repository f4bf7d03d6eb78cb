//! Case folding that is the same whoever does it: the base of the match rule and of comparing usernames.

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization as _;

/// NFKC and full case folding, stable under re-application (`toNFKC_Casefold` of the Unicode Standard,
/// section 3.13, without the removal of ignorable characters).
pub(crate) fn fold_case(text: &str) -> String {
    // Folding can leave what composes, and composing what folds: hence twice.
    let once = compose(&fold(&text.nfd().collect::<String>()));
    compose(&fold(&once))
}

fn fold(text: &str) -> String {
    CaseMapper::new().fold_string(text).into_owned()
}

fn compose(text: &str) -> String {
    text.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::fold_case;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    proptest! {
        #[test]
        fn folding_twice_is_folding_once_however_it_is_composed(
            text in "\\PC*|[ᾀ-ᾯͅΰᾲİıſßẞŉ㏒ﬃΣςÅ\u{300}-\u{345}]{0,8}"
        ) {
            let once = fold_case(&text);
            prop_assert_eq!(&fold_case(&once), &once);
            prop_assert_eq!(&fold_case(&text.nfd().collect::<String>()), &once);
            prop_assert_eq!(&fold_case(&text.nfc().collect::<String>()), &once);
        }
    }

    #[test]
    fn every_character_folds_to_what_stays_as_it_is() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let once = fold_case(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold_case(&once), once, "U+{:04X}", u32::from(c));
        }
    }
}
