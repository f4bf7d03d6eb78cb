//! Three peers behind nginx: who finds what, and how well it matches.

use hearsay_tests::{content::Folder, proxy::Scheme, scene::Scene};
use protocol::{
    control::{ExitCode, Search, SearchResult},
    match_rule::MatchClass::{self, Exact, Substring},
};

/// What a person reads off a result: who, what, how well.
fn seen(search: &Search) -> Vec<(&str, &str, MatchClass)> {
    search.results.iter().map(as_read).collect()
}

fn as_read(result: &SearchResult) -> (&str, &str, MatchClass) {
    (result.username.as_str(), result.name.as_str(), result.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_exact_and_substring_matches_of_others_exact_ones_first() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with("Summer Song.mp3", "a").with("Summer Song (live).mp3", "aa");
    let of_bert = Folder::new().with("summer_song.flac", "bbb").with("Song of a late summer.txt", "bbbb");
    let of_carl = Folder::new().with("Summer Song.mp3", "c");
    let anna = scene.peer("anna").sharing(of_anna.path()).connected().await;
    let bert = scene.peer("bert").sharing(of_bert.path()).connected().await;
    let carl = scene.peer("carl").sharing(of_carl.path()).connected().await;

    let found = carl.search("summer song").await;
    let classes: Vec<MatchClass> = found.results.iter().map(|result| result.class).collect();
    assert_eq!(classes, [Exact, Exact, Substring, Substring], "{found:#?}");
    let mut results = seen(&found);
    results.sort_unstable();
    assert_eq!(
        results,
        [
            ("anna", "Summer Song (live).mp3", Substring),
            ("anna", "Summer Song.mp3", Exact),
            ("bert", "Song of a late summer.txt", Substring),
            ("bert", "summer_song.flac", Exact),
        ],
        "and none of the searcher's own"
    );
    let sizes: Vec<u64> = found.results.iter().map(|result| result.size).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 1 + 2 + 3 + 4, "{found:#?}");

    let whole_name = carl.search("SUMMER-SONG.MP3").await;
    assert_eq!(
        seen(&whole_name),
        [("anna", "Summer Song.mp3", Exact), ("anna", "Summer Song (live).mp3", Substring)],
        "with its extension, the name is exact; its words in another name are not"
    );

    let nothing = carl.peerctl(&["--json", "search", "winter song"]).await.expect(ExitCode::NotFound);
    assert_eq!(seen(&nothing.document()), []);
    let too_short = carl.peerctl(&["--json", "search", "ab"]).await.expect(ExitCode::Usage);
    assert_eq!(too_short.stdout, "");
    assert!(too_short.stderr.contains("at least 3 letters"), "{too_short:#?}");

    scene.stop_with([anna, bert, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_over_tls_to_a_coordinator_with_an_authority_of_its_own() {
    let scene = Scene::configured("", Scheme::Https).await;
    let trust = format!("ca = {:?}\n", scene.nginx.authority());
    let files = Folder::new().with("Café del Mar.ogg", "music");
    let anna = scene.peer("anna").configured(&trust).sharing(files.path()).connected().await;
    let bert = scene.peer("bert").configured(&trust).connected().await;

    let found = bert.search("cafe del mar").await;
    assert_eq!(seen(&found), [("anna", "Café del Mar.ogg", Exact)]);
    let download = bert.fetch("1").await;
    assert_eq!(bert.digest_of("Café del Mar.ogg"), files.digest("Café del Mar.ogg"), "{download:?}");

    let mut stranger = scene.peer("carl").start().await;
    let status = stranger
        .wait_for_status("tells its problem", std::time::Duration::from_secs(20), |status| {
            status.connection_problem.is_some()
        })
        .await;
    assert!(!status.connected, "a daemon that does not know the authority must not talk: {status:?}");

    scene.stop_with([anna, bert, stranger]).await;
}
