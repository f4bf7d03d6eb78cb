//! How the page looks, to everybody: with little and with very much on it, by day and by night, on a desk and on a
//! phone.

use std::path::PathBuf;

use hearsay_tests::{
    browser::{Browser, Screen},
    content::Folder,
    peer::download_address,
    scene::Scene,
    slow_link::SlowLink,
    wait::{PATIENCE, until},
};
use protocol::control::ExitCode;
use thirtyfour::Key;

use super::{link, sees_connected_as};

/// Whoever changes the page sets this to a folder, and looks at the pictures that this case leaves there. Those of
/// `docs/images` are among them: `cargo xtask pictures`.
const PICTURES: &str = "HEARSAY_TEST_PICTURES";
const SCREENS: [(&str, Screen); 4] = [
    ("web-page", Screen::DESK),
    ("web-page-dark", Screen::DESK.dark()),
    ("web-page-phone", Screen::PHONE),
    ("web-page-phone-dark", Screen::PHONE.dark()),
];
/// Held by peerctl, too.
const SIZES: &str = include_str!("../../../../protocol/examples/byte_sizes.json");
/// A piece in four seconds: there is always a rate to be shown.
const BYTES_PER_SECOND: u32 = 256 * 1024;
/// In transfer for longer than a case may take, however long the pictures do.
const FILE: usize = 60 << 20;
const SONG: &str = "the river at dawn.flac";

/// The fields whose edge differs too little from what is around it (WCAG 2.1, 1.4.11), which axe-core does not look at.
const FAINT_FIELDS: &str = "(() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
        const [red, green, blue] = channels(colour).map(linear);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    const fields = [...document.querySelectorAll('input:not([type=checkbox]), select')];
    return fields.filter((field) => {
        const edge = light(getComputedStyle(field).borderTopColor);
        return Math.max(edge, ground) / Math.min(edge, ground) < 3;
    }).map((field) => field.id);
})()";

/// Looks at the page as it is from everywhere, and leaves pictures of it.
async fn look(browser: &Browser, what: &str) {
    let folder = std::env::var_os(PICTURES).map(PathBuf::from);
    for (name, screen) in SCREENS {
        browser.look_on(screen).await;
        browser.assert_accessible(&format!("{what}, {name}")).await;
        let is_too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert!(!browser.evaluate::<bool>(is_too_wide).await, "{what}, {name}: there is more to the right");
        assert_eq!(
            browser.evaluate::<Vec<String>>(FAINT_FIELDS).await,
            [""; 0],
            "{what}, {name}: hardly seen"
        );
        // Beside the buttons, a path would be broken in the middle of a word.
        let is_squeezed = "innerWidth < 560 && [...document.querySelectorAll('#shares .about')].some((about) => about.clientWidth && about.clientWidth < 0.8 * about.closest('li').clientWidth)";
        assert!(!browser.evaluate::<bool>(is_squeezed).await, "{what}, {name}: a path has no room");
        if let Some(folder) = &folder {
            browser.picture(&folder.join(format!("{name}{what}.png"))).await;
        }
    }
    browser.look_on(Screen::DESK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_keeps_nobody_out_and_ten_thousand_results_do_not_stop_it() {
    let files = Folder::new()
        .with_random("river.jpg", 300_000, 22)
        .with_random(SONG, FILE, 21)
        .with_random("down by the river, live.ogg", 4_000_000, 23)
        .with("old river songs/words.txt", "the words of all of them")
        .with_random("old river songs/01 the crossing.ogg", 5_000_000, 24)
        .with_random("old river songs/02 the ferry.ogg", 6_000_000, 25);
    let others =
        Folder::new().with_random("river.jpg", 300_000, 22).with_random("river map.pdf", 2_000_000, 26);
    let own = Folder::new().with_random("holiday by the sea.mp4", 30_000_000, 27).with("letter.txt", "dear");
    let scene = Scene::start().await;
    let wren = scene.peer("wren").connected().await;
    let added = wren.peerctl(&["share", "add", "--folders", &files.path().display().to_string()]).await;
    let _ = added.expect(ExitCode::Done);
    let marta = scene.peer("marta").sharing(others.path()).connected().await;
    let slow = SlowLink::start(BYTES_PER_SECOND);
    let robin = scene.peer("robin").with_page().with_public_download_port(slow.port());
    let robin = robin.configured("policy = \"ask\"\n").sharing(own.path()).connected().await;
    slow.leads_to(download_address(&robin.status().await));
    let browser = Browser::start().await;
    let page = link(&robin).await;
    browser.open(page.split_once('#').unwrap().0).await;
    browser.read("#notice", "how to get in", |text| text.contains("peerctl gui")).await;
    look(&browser, "-locked").await;
    browser.open(&page).await;
    sees_connected_as(&browser, "robin").await;
    look(&browser, "-empty").await;

    let _asking = wren.begin("holiday").await;
    browser.enter("#query", "river").await;
    browser.read("#search-summary", "all of them", |text| text.starts_with("4 files and 1 folder")).await;
    browser.press("Fetch river.jpg").await;
    browser.read("#downloads .state", "done", |text| text == "done").await;
    browser.press(&format!("Fetch {SONG}")).await;
    browser.read("#downloads .detail", "how long still", |text| text.contains("left")).await;
    browser.press("Fetch old river songs").await;
    browser.read("#downloads .state", "that it waits", |text| text.starts_with("queued")).await;
    until("no result is offered that is on its way", PATIENCE, async || {
        (browser.count("#results button[aria-label='On its way old river songs']:disabled").await == 1)
            .then_some(())
    })
    .await;
    browser.press(&format!("Offer whole folders {}", own.path().display())).await;
    browser.read("#shares .detail", "whole folders", |text| text.contains("whole folder")).await;
    browser.wait_for_script("scrollTo(0, 0);").await;
    look(&browser, "").await;
    browser.press(&format!("History {SONG}")).await;
    look(&browser, "-history").await;
    browser.type_keys(Key::Escape + "").await;
    browser.click("#settings summary").await;
    browser.read("#settings-list", "settings", |text| text.contains("Upload at most")).await;
    look(&browser, "-settings").await;
    browser.enter("#folder", &own.path().display().to_string()).await;
    browser.read("#preview-names", "names", |text| text.contains("letter.txt")).await;
    look(&browser, "-preview").await;
    browser.type_keys(Key::Escape + "").await;
    for name in ["old river songs", SONG] {
        browser.press(&format!("Cancel {name}")).await;
        browser.read("#announcer", "that it is", |text| text == format!("{name}: cancelled")).await;
    }

    // Until then, the page shows what else it hears.
    browser
        .read("#search-summary", "that it is over", |text| text == "4 files and 1 folder for “river”")
        .await;
    browser.clear_console().await;
    sizes_are_told_as_peerctl_tells_them(&browser).await;
    commands_reach_the_daemon_of_the_page(&browser).await;
    ten_thousand_results(&browser).await;
    browser.assert_quiet_console().await;
    browser.stop().await;
    scene.stop_with([wren, marta, robin]).await;
}

async fn sizes_are_told_as_peerctl_tells_them(browser: &Browser) {
    let examples: Vec<(u64, String)> = serde_json::from_str(SIZES).unwrap();
    let counts: Vec<_> = examples.iter().map(|(count, _)| count).collect();
    let script = format!("const {{ bytes }} = await import('/words.js'); return {counts:?}.map(bytes);");
    let told = browser.wait_for_script(&script).await;
    let wanted: Vec<_> = examples.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, serde_json::json!(wanted));
}

/// The daemon's sentences name commands without a profile.
async fn commands_reach_the_daemon_of_the_page(browser: &Browser) {
    let told = browser
        .wait_for_script(
            "const { belongsTo, spelled } = await import('/words.js');
            belongsTo('work');
            const text = 'x: peerctl resume';
            const told = spelled({ name: text, downloads: [{ reason: text, path: text }] });
            const command = spelled('peerctl config set coordinator URL; peerctl restart');
            belongsTo(null);
            return [told.name, told.downloads[0].reason, told.downloads[0].path, command, spelled(text)];",
        )
        .await;
    let wanted = [
        "x: peerctl resume",
        "x: peerctl --profile work resume",
        "x: peerctl resume",
        "peerctl --profile work config set coordinator URL; peerctl --profile work restart",
        "x: peerctl resume",
    ];
    assert_eq!(told, serde_json::json!(wanted));
}

/// More than a coordinator ever passes on, given to the page's own module: it draws a hundred, and the next hundred
/// when they are asked for.
async fn ten_thousand_results(browser: &Browser) {
    let drawn = browser
        .wait_for_script(
            "const result = (number) => ({
                number, username: 'anna', name: `file ${number}.ogg`, size: number, match: 'substring',
                root: number.toString(16).padStart(64, '0'),
            });
            const results = Array.from({ length: 10000 }, (_, index) => result(index + 1));
            const { showResults } = await import('/search.js');
            showResults({ search: '9999', query: 'file', finished: true, results });
            return true;",
        )
        .await;
    assert_eq!(drawn, true);
    browser.read("#search-summary", "all of them", |text| text == "10,000 files for “file”").await;
    assert_eq!(browser.count("#results li").await, 100);
    browser.click("#results + button").await;
    assert_eq!(browser.count("#results li").await, 200);
    assert_eq!(browser.focused().await, "Fetch file 101.ogg", "the focus is where the new ones begin");
    browser.read("#results + button", "how many are left", |text| text == "Show 100 more of 9,800").await;
}
