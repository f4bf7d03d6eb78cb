//! The files of the page. They have no names or secrets in them, so they are for anybody who reaches the server;
//! and they are in the program itself: there is no folder to read from, and none that somebody could write to.

/// A file by its path, with its kind.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($path:expr, $kind:expr, $file:literal) => {
        Asset { path: $path, kind: $kind, text: include_str!(concat!("assets/", $file)) }
    };
    ($file:literal, $kind:expr) => {
        asset!(concat!("/", $file), $kind, $file)
    };
}

pub(super) const ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("style.css", CSS),
    asset!("parts.css", CSS),
    asset!("icon.svg", "image/svg+xml"),
    asset!("main.js", SCRIPT),
    asset!("actions.js", SCRIPT),
    asset!("blocks.js", SCRIPT),
    asset!("connection.js", SCRIPT),
    asset!("daemon.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("entrance.js", SCRIPT),
    asset!("notice.js", SCRIPT),
    asset!("requests.js", SCRIPT),
    asset!("rows.js", SCRIPT),
    asset!("scene.js", SCRIPT),
    asset!("search.js", SCRIPT),
    asset!("settings.js", SCRIPT),
    asset!("shares.js", SCRIPT),
    asset!("stream.js", SCRIPT),
    asset!("transfers.js", SCRIPT),
    asset!("why.js", SCRIPT),
    asset!("words.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// All of the page together: it opens at once on a phone, too.
    const BYTES_MAX: usize = 100 * 1024;

    #[test]
    fn the_page_is_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.text.len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
    }

    /// Names are written by strangers. Nothing in the page turns text into markup or code, and nothing in it
    /// leads a browser to another host; the headers forbid both, and this finds it before a browser does.
    #[test]
    fn nothing_in_the_page_makes_markup_of_text_or_asks_another_host() {
        for asset in ASSETS {
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "setHTMLUnsafe",
                "parseFromString",
                "createContextualFragment",
                "document.write",
                "eval(",
                "Function(",
                "javascript:",
                "srcdoc",
                "http://",
                "src=\"//",
                "url(",
                "@import",
            ] {
                assert!(!text.contains(word), "{}: {word}", asset.path);
            }
            let addresses = text.matches("https://").count();
            let examples = text.matches("https://hearsay.example").count();
            assert_eq!(addresses, examples, "{}: an address of another host", asset.path);
        }
        let page = ASSETS[0].text;
        let is_inline =
            |word: &str| word.contains('=') && (word.starts_with("on") || word.starts_with("style"));
        assert_eq!(page.split_whitespace().find(|word| is_inline(word)), None, "inline code or style");
    }

    #[test]
    fn every_file_that_the_page_asks_for_is_there() {
        let paths: Vec<_> = ASSETS.iter().map(|asset| asset.path).collect();
        for asset in ASSETS {
            let is_file =
                |text: &&str| text.rsplit_once('.').is_some_and(|(_, kind)| matches!(kind, "js" | "css"));
            for file in asset.text.split('"').filter(is_file) {
                let path = file.strip_prefix('.').unwrap_or(file);
                assert!(paths.contains(&path), "{} asks for {file}", asset.path);
            }
        }
    }
}
