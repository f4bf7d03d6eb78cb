//! A struct of settings, declared once: what each is for, its key in the file, and its default.

/// Declares settings. `print-config` tells keys, descriptions and defaults from here, so they can't differ from
/// what is read.
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[serde($($serde:tt)+)])*
                $field:ident $([$key:literal])? : $type:ty = $default:expr;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde(rename = $key)])?
                $(#[serde($($serde)+)])*
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// Each key of the file with the lines of its description.
            pub(crate) const DESCRIPTIONS: &'static [(&'static str, &'static [&'static str])] = &[
                $(($crate::config::settings::key!($field $(, $key)?), &[$($doc),+]),)+
            ];
        }
    };
}

/// The key of a setting: its own, or that of its field.
macro_rules! key {
    ($field:ident, $key:literal) => {
        $key
    };
    ($field:ident) => {
        stringify!($field)
    };
}

pub(crate) use key;
pub(crate) use settings;
