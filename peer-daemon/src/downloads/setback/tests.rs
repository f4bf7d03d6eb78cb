use protocol::{VERSION, introduction::DeclineReason};

use super::Setback;

#[test]
fn a_silence_is_told_with_how_long_it_was_borne() {
    let kept = r#"{"setback":"stream_silent","seconds":5}"#;
    // As it was kept before that could be set.
    for (kept, seconds) in [(kept, 5), (r#"{"setback":"stream_silent"}"#, 30)] {
        let silent: Setback = serde_json::from_str(kept).unwrap();
        assert_eq!(silent, Setback::StreamSilent { seconds });
        assert!(silent.to_string().contains(&format!("for {seconds} seconds")), "{silent}");
    }
}

#[test]
fn a_source_of_another_version_is_told_with_both_where_it_says_its_own() {
    for (version, told) in [
        (Some(VERSION + 1), "it speaks protocol version 2, this peer-daemon version 1: update this one"),
        (Some(VERSION - 1), "it speaks protocol version 0, this peer-daemon version 1: it can be asked once"),
        (None, "it speaks another protocol version; update the older of the two"),
    ] {
        let sentence = Setback::Declined { reason: DeclineReason::VersionUnsupported, version }.to_string();
        assert!(sentence.contains(told), "{sentence}");
    }
    // As it was kept before the version was told.
    let kept = r#"{"setback":"declined","reason":"version_unsupported"}"#;
    let declined = Setback::Declined { reason: DeclineReason::VersionUnsupported, version: None };
    assert_eq!(serde_json::from_str::<Setback>(kept).unwrap(), declined);
}
