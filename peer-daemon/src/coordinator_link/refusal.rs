//! Answers that are no success: the coordinator's own word, or that of a proxy before it.

use std::time::Duration;

use protocol::{Code, Problem};

use super::client::Failure;

/// Of a foreign text, what is shown.
const DETAIL_CHARS_MAX: usize = 200;

/// A status that is no success: the coordinator's own word, or that of a proxy before it.
pub(super) fn refusal(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Failure {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return Failure::Refused { problem: tidied(&problem), retry_after };
    }
    match status {
        429 => Failure::Refused { problem: Problem::new(Code::RateLimited), retry_after },
        300..=399 => Failure::Unreachable(format!(
            "the coordinator's URL answers with a redirect (status {status}), which is not followed: \
             configure the URL that it leads to"
        )),
        _ => Failure::Unreachable(format!(
            "what answers at the coordinator's URL says status {status} without a word of the coordinator"
        )),
    }
}

/// A problem ends on a terminal and in a log: our own title where the code is known, and of the foreign text
/// no control characters and not much.
fn tidied(problem: &Problem) -> Problem {
    let tidy = |text: &str| {
        text.chars().filter(|character| !character.is_control()).take(DETAIL_CHARS_MAX).collect::<String>()
    };
    let detail = problem.detail.as_deref().map(tidy);
    match problem.code {
        Code::Unknown => Problem {
            status: problem.status,
            title: tidy(&problem.title),
            detail,
            ..Problem::new(Code::Unknown)
        },
        code => Problem { detail, version: problem.version, ..Problem::new(code) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_and_loses_what_a_terminal_would_obey() {
        let body = r#"{"code":"of_next_year","status":418,"title":"\u001b[2Jx","detail":"a\r\u0007b"}"#;
        let Failure::Refused { problem, .. } = refusal(418, None, body.as_bytes()) else {
            panic!("no problem")
        };
        assert_eq!((problem.code, problem.status), (Code::Unknown, 418));
        assert_eq!((problem.title.as_str(), problem.detail.as_deref()), ("[2Jx", Some("ab")));

        let body = r#"{"code":"search_over","status":200,"title":"a lie"}"#;
        let Failure::Refused { problem, .. } = refusal(410, None, body.as_bytes()) else {
            panic!("no problem")
        };
        assert_eq!(problem, Problem::new(Code::SearchOver));
    }

    #[test]
    fn a_proxys_own_words_are_told_apart_from_the_coordinators() {
        let patience = Some(Duration::from_secs(3));
        let limited = refusal(429, patience, b"<html>");
        assert_eq!(
            limited,
            Failure::Refused { problem: Problem::new(Code::RateLimited), retry_after: patience }
        );
        let Failure::Unreachable(sentence) = refusal(301, None, b"") else {
            panic!("a redirect was believed")
        };
        assert!(sentence.contains("redirect"));
        assert!(matches!(refusal(502, None, b"<html>bad gateway"), Failure::Unreachable(_)));
    }
}
