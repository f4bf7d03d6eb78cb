//! Byte strings of a fixed length that travel as lower-case hexadecimal.

use thiserror::Error;

/// The text is not the hexadecimal form of the wanted number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {expected} hexadecimal digits")]
pub struct HexError {
    /// How many digits the value has.
    pub expected: usize,
}

pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError { expected: 2 * N })?;
    Ok(bytes)
}

/// Defines a newtype over `[u8; N]` with its text and serde forms. `secret` values are compared in constant
/// time, wiped when dropped and never shown by `Debug`; `public` ones are `Copy`, ordered and shown.
macro_rules! hex_newtype {
    ($(#[$doc:meta])* public $name:ident[$len:literal]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&::hex::encode(self.0))
            }
        }
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        $crate::hex_bytes::hex_newtype!(@common $name[$len]);
    };
    ($(#[$doc:meta])* secret $name:ident[$len:literal]) => {
        $(#[$doc])*
        #[derive(Clone, ::zeroize::Zeroize, ::zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; $len]);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                ::subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
            }
        }
        impl Eq for $name {}
        $crate::redacted::redacted_debug!($name);
        impl $name {
            /// The hexadecimal form, wiped when dropped: for a header or a body, never for a log.
            pub fn reveal(&self) -> ::zeroize::Zeroizing<String> {
                ::zeroize::Zeroizing::new(::hex::encode(self.0))
            }
        }
        $crate::hex_bytes::hex_newtype!(@common $name[$len]);
    };
    (@common $name:ident[$len:literal]) => {
        impl $name {
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
            /// A fresh value from the system's random source.
            pub fn random() -> Self {
                let mut bytes = [0; $len];
                ::rand::fill(&mut bytes);
                Self(bytes)
            }
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::id::HexError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::hex_bytes::decode(text).map(Self)
            }
        }
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&::zeroize::Zeroizing::new(::hex::encode(self.0)))
            }
        }
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = ::zeroize::Zeroizing::new(<String as ::serde::Deserialize>::deserialize(deserializer)?);
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_newtype;
