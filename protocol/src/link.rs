//! `hearsay:?root=HEX&size=N&name=NAME`: a link to a file; with `&kind=folder`, to a folder.
//!
//! The name is percent-encoded UTF-8. Parameters come in any order, and unknown ones are passed over, so
//! that a later version can say more. The root and the size identify the file; the name is a proposal by
//! whoever made the link and is made safe as any received name. The kind is in the link because whoever answers a search
//! could say what he likes: the root of a folder is that of its listing, and looks as any other.

use std::fmt::Write as _;

use thiserror::Error;

use crate::{FileId, Root, SafeName};

const PREFIX: &str = "hearsay:?";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub file: FileId,
    pub name: SafeName,
    /// The file is the listing of a folder, which is what is meant.
    pub is_folder: bool,
}

/// Of any other kind, and where none is named, it is a file.
const FOLDER: &str = "folder";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a link has the form hearsay:?root=HEX&size=N&name=NAME")]
pub struct LinkError;

impl std::str::FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let parameters = text.strip_prefix(PREFIX).ok_or(LinkError)?;
        let (mut root, mut size, mut name, mut kind) = (None, None, None, None);
        for parameter in parameters.split('&') {
            let (key, value) = parameter.split_once('=').ok_or(LinkError)?;
            let known = match key {
                "root" => &mut root,
                "size" => &mut size,
                "name" => &mut name,
                "kind" => &mut kind,
                _ => continue,
            };
            // Two values for one parameter: whoever reads it could mean either.
            if known.replace(percent_decode(value)?).is_some() {
                return Err(LinkError);
            }
        }
        let root: Root = root.ok_or(LinkError)?.parse().map_err(|_| LinkError)?;
        let size = parse_size(&size.ok_or(LinkError)?)?;
        let file = FileId::new(root, size).map_err(|_| LinkError)?;
        let name = SafeName::sanitise(&name.ok_or(LinkError)?);
        Ok(Self { file, name, is_folder: kind.as_deref() == Some(FOLDER) })
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PREFIX}root={}&size={}&name=", self.file.root, self.file.size)?;
        percent_encode(self.name.as_str(), f)?;
        if self.is_folder { write!(f, "&kind={FOLDER}") } else { Ok(()) }
    }
}

/// Digits only: `u64::from_str` would take a sign.
fn parse_size(text: &str) -> Result<u64, LinkError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| LinkError)
    } else {
        Err(LinkError)
    }
}

/// Leaves the unreserved characters of RFC 3986, section 2.3, as they are.
fn percent_encode(text: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(byte.into())?;
            }
            _ => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

fn percent_decode(text: &str) -> Result<String, LinkError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next())? << 4 | hex_digit(rest.next())?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| LinkError)
}

fn hex_digit(byte: Option<u8>) -> Result<u8, LinkError> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(LinkError)?;
    u8::try_from(digit).map_err(|_| LinkError)
}

#[cfg(test)]
mod tests {
    use super::Link;
    use crate::{FileId, Root, SafeName, limits::FILE_SIZE_MAX};
    use proptest::prelude::*;

    const ROOT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_link_is_read_in_any_order_and_from_a_later_version() {
        let expected = Link {
            file: FileId::new(ROOT.parse().unwrap(), 5).unwrap(),
            name: SafeName::parse("Ä 100%.txt").unwrap(),
            is_folder: false,
        };
        let written = format!("hearsay:?root={ROOT}&size=5&name=%C3%84%20100%25.txt");
        assert_eq!(expected.to_string(), written);
        let to_folder = Link { is_folder: true, ..expected.clone() };
        assert_eq!(to_folder.to_string(), format!("{written}&kind=folder"));
        assert_eq!(format!("{written}&kind=playlist").parse(), Ok(expected.clone()));
        for text in [
            written,
            format!("hearsay:?name=Ä 100%25.txt&size=5&root={ROOT}"),
            format!("hearsay:?new=1&root={ROOT}&size=5&name=%c3%84%20100%25.txt&also="),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn a_name_in_a_link_can_not_leave_its_folder() {
        let link: Link =
            format!("hearsay:?root={ROOT}&size=5&name=..%2F..%2fetc%2Fpasswd%1B%00").parse().unwrap();
        assert!(!link.name.as_str().contains(['/', '\x1b', '\0']));
    }

    #[test]
    fn what_is_not_a_link_is_refused() {
        for text in [
            String::new(),
            "hearsay:?".to_owned(),
            format!("magnet:?root={ROOT}&size=5&name=a"),
            format!("hearsay:?root={ROOT}&size=5"),
            format!("hearsay:?root={ROOT}&name=a"),
            "hearsay:?size=5&name=a".to_owned(),
            "hearsay:?root=12&size=5&name=a".to_owned(),
            format!("hearsay:?root={ROOT}&size=&name=a"),
            format!("hearsay:?root={ROOT}&size=+5&name=a"),
            format!("hearsay:?root={ROOT}&size=-5&name=a"),
            format!("hearsay:?root={ROOT}&size={}&name=a", FILE_SIZE_MAX + 1),
            format!("hearsay:?root={ROOT}&size=99999999999999999999999&name=a"),
            format!("hearsay:?root={ROOT}&size=5&size=6&name=a"),
            format!("hearsay:?root={ROOT}&size=5&name=a&kind=folder&kind=file"),
            format!("hearsay:?root={ROOT}&size=5&name=%"),
            format!("hearsay:?root={ROOT}&size=5&name=%4"),
            format!("hearsay:?root={ROOT}&size=5&name=%+4"),
            format!("hearsay:?root={ROOT}&size=5&name=%FF"),
        ] {
            assert!(text.parse::<Link>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_link_comes_back_as_it_was(root: [u8; 32], size in 0..=FILE_SIZE_MAX, name: String, is_folder: bool) {
            let (file, name) = (FileId::new(Root::from_bytes(root), size).unwrap(), SafeName::sanitise(&name));
            let link = Link { file, name, is_folder };
            let text = link.to_string();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(text.parse(), Ok(link));
        }

        #[test]
        fn reading_never_panics(text in "(hearsay:\\?)?(root=|size=|name=|kind=|&|%[0-9A-F]{2}|\\PC){0,20}") {
            let _: Result<Link, _> = text.parse();
        }
    }
}
