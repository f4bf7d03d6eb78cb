//! What people typed or named must not reach a log by way of `{:?}`.

/// A `Debug` that tells the type and nothing of the value.
macro_rules! redacted_debug {
    ($name:ident) => {
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use redacted_debug;

#[cfg(test)]
mod tests {
    use crate::{
        MessageKey, SafeName, SessionToken, Username, introduction::Sealed, match_rule::Query,
        session::NameToken,
    };

    #[test]
    fn what_people_typed_and_what_is_secret_is_not_shown() {
        let token: SessionToken = "ca".repeat(32).parse().unwrap();
        let shown = [
            format!("{:?}", MessageKey::from_bytes([0xca; 32])),
            format!("{token:?}"),
            format!("{:?}", NameToken::new("canary".to_owned())),
            format!("{:?}", Sealed::new(vec![0xca; 6])),
            format!("{:?}", SafeName::parse("canary").unwrap()),
            format!("{:?}", Username::parse("canary").unwrap()),
            format!("{:?}", Query::parse("canary").unwrap()),
        ];
        let first_byte = 0xca.to_string();
        for text in shown {
            assert!(!text.is_empty() && !text.contains("ca") && !text.contains(&first_byte), "{text}");
        }
    }
}
