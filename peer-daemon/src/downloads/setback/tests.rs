use protocol::{
    VERSION,
    introduction::DeclineReason,
    problem::{Code, Problem},
};

use super::*;

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

#[test]
fn whom_a_download_turns_to_and_what_is_told_follow_from_what_came_in_the_way() {
    let declined = |reason| Setback::Declined { reason, version: None };
    let text = String::new;
    let [not_now, refused, lied] = [Verdict::NotNow, Verdict::Refused, Verdict::Lied].map(Remedy::Elsewhere);
    for (why, cause, remedy) in [
        (Setback::StreamEnded, Cause::StreamLost, Remedy::Resume),
        (Setback::FilePassedOver { path: text() }, Cause::Integrity, Remedy::Resume),
        (Setback::StreamLost, Cause::StreamLost, Remedy::AskAgain),
        (Setback::NoWord, Cause::SourceGone, not_now),
        (Setback::NoDialBack, Cause::SourceGone, not_now),
        (Setback::StreamSilent { seconds: 30 }, Cause::StreamLost, not_now),
        (Setback::StreamSlow, Cause::StreamLost, not_now),
        (Setback::NotAccepted, Cause::Declined, not_now),
        (declined(DeclineReason::QueueFull), Cause::Declined, not_now),
        (declined(DeclineReason::Refused), Cause::Declined, refused),
        (declined(DeclineReason::FileGone), Cause::FileGone, refused),
        (declined(DeclineReason::SourceChanged), Cause::SourceChanged, refused),
        (declined(DeclineReason::AddressRefused), Cause::Declined, refused),
        (declined(DeclineReason::VersionUnsupported), Cause::VersionMismatch, refused),
        (declined(DeclineReason::Other), Cause::Declined, refused),
        (Setback::FileGone, Cause::FileGone, refused),
        (Setback::SourceChanged, Cause::SourceChanged, refused),
        (Setback::Refused { what: text() }, Cause::Declined, refused),
        (Setback::KeyNotValid, Cause::Integrity, refused),
        (Setback::WrongPiece, Cause::Integrity, lied),
        (Setback::ProtocolBroken { how: text() }, Cause::Integrity, lied),
        (
            Setback::RateLimited { retry_after_seconds: 7 },
            Cause::RateLimited,
            Remedy::Later(Duration::from_secs(7)),
        ),
        (
            Setback::CoordinatorAway { problem: text() },
            Cause::CoordinatorUnreachable,
            Remedy::Later(Duration::ZERO),
        ),
        (Setback::NoListing { why: text() }, Cause::Integrity, Remedy::End),
        (Setback::CoordinatorRefused { problem: text() }, Cause::Other, Remedy::End),
    ] {
        assert_eq!([false, true].map(|had_stream| why.remedy(had_stream)), [remedy; 2], "{why:?}");
        assert_eq!(why.cause(), cause, "{why:?}");
        let lacking = Setback::FilesLacking { files: 1, path: text(), why: Box::new(why) };
        assert_eq!((lacking.remedy(false), lacking.cause()), (remedy, cause), "{lacking:?}");
    }
    let unreachable = Setback::NeitherReachable { download_port: 1, dial: DialTrouble::TimedOut };
    for (setback, cause) in [(unreachable, Cause::NeitherReachable), (Setback::WrongKey, Cause::Integrity)] {
        let remedies = [false, true].map(|had_stream| setback.remedy(had_stream));
        assert_eq!((remedies, setback.cause()), ([refused, not_now], cause), "{setback:?}");
    }
}

#[test]
fn files_that_could_not_be_had_are_counted_unless_it_is_one() {
    for (files, told) in [
        (1, "song.flac could not be had: the stream"),
        (2, "2 of the files could not be had, song.flac among them: the stream"),
    ] {
        let why = Box::new(Setback::StreamLost);
        let lacking = Setback::FilesLacking { files, path: "song.flac".to_owned(), why }.to_string();
        assert!(lacking.starts_with(told), "{lacking}");
    }
}

#[test]
fn an_end_of_a_stream_is_held_against_its_source_as_far_as_it_had_a_part_in_it() {
    let refused = |code: Code| StreamError::Refused { status: code.status(), code };
    for (error, remedy, is_about_the_stream, is_about_the_file) in [
        (StreamError::Ended, Remedy::Resume, true, false),
        (StreamError::Lost, Remedy::AskAgain, true, false),
        (StreamError::Idle { after: STREAM_IDLE }, Remedy::Elsewhere(Verdict::NotNow), true, false),
        (StreamError::Slow, Remedy::Elsewhere(Verdict::NotNow), true, false),
        (StreamError::NotAccepted, Remedy::Elsewhere(Verdict::NotNow), false, false),
        (refused(Code::FileGone), Remedy::Elsewhere(Verdict::Refused), false, true),
        (refused(Code::SourceChanged), Remedy::Elsewhere(Verdict::Refused), false, true),
        (refused(Code::Internal), Remedy::Elsewhere(Verdict::Refused), false, false),
        (StreamError::Pin, Remedy::Elsewhere(Verdict::Lied), false, false),
        (StreamError::Protocol("how"), Remedy::Elsewhere(Verdict::Lied), false, false),
    ] {
        let setback = Setback::from(error);
        assert_eq!(setback.remedy(true), remedy, "{setback:?}");
        assert_eq!(setback.is_about_the_stream(), is_about_the_stream, "{setback:?}");
        assert_eq!(setback.is_about_the_file(), is_about_the_file, "{setback:?}");
    }
}

#[test]
fn a_coordinator_that_is_away_is_waited_for_and_one_that_refuses_is_not() {
    let away = [Code::Internal, Code::Draining, Code::TokenInvalid, Code::NameTokenInvalid];
    let problems =
        Code::ALL.iter().map(|code| (CallError::Problem(Problem::new(*code)), away.contains(code)));
    let others = [(CallError::NotConnected, true), (CallError::Unreachable("why".to_owned()), true)];
    for (error, is_away) in problems.chain(others) {
        let setback = Setback::from(error);
        let remedy = if is_away { Remedy::Later(Duration::ZERO) } else { Remedy::End };
        assert_eq!(setback.remedy(false), remedy, "{setback:?}");
        assert_eq!(setback.is_for_lack_of_a_coordinator(), is_away, "{setback:?}");
        assert!(!setback.concerns_the_source(), "{setback:?}");
    }
    let limited = Setback::from(CallError::RateLimited { retry_after: Duration::from_secs(7) });
    assert_eq!(limited.remedy(false), Remedy::Later(Duration::from_secs(7)));
    assert!(!limited.concerns_the_source() && !limited.is_for_lack_of_a_coordinator());
}
