//! Commands in sentences: what one is told to type next has to work as it stands there.
//!
//! Whoever names a daemon by flags means that one, and not the one that the same command would reach without them. The
//! daemon does not know those flags, and no sentence is written for them: a command is found in a sentence by the form
//! that all sentences keep to, and is put to the person as that person has to type it. The form: the program's name and
//! a verb, at the beginning of a sentence or of a part of it, in brackets or in backticks. Elsewhere it is the program
//! that is spoken of.

use std::{borrow::Cow, ops::Range, sync::OnceLock};

use clap::CommandFactory as _;
use serde_json::Value;

use crate::cli::Cli;

const PROGRAM: &str = "peerctl ";
/// What a command comes after, at once or with a space between.
const BEFORE: [char; 5] = [':', ';', '(', '`', '>'];
/// What a command ends before.
const AFTER: [char; 6] = [';', ',', '(', ')', '`', '\n'];
/// The fields of the daemon's documents that are sentences. The others are names, paths and values: those stay.
const SENTENCES: [&str; 7] =
    ["connection_problem", "finding", "problem", "reason", "remedy", "sentence", "what"];

/// The flags with which this person names a daemon, as they are typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    flags: String,
}

impl Hints {
    pub(crate) fn with(flags: String) -> Self {
        Self { flags }
    }

    /// The sentence with the flags in each of its commands.
    pub(crate) fn spell<'a>(&self, sentence: &'a str) -> Cow<'a, str> {
        if self.flags.is_empty() || !sentence.contains(PROGRAM) {
            return Cow::Borrowed(sentence);
        }
        let mut spelled = String::new();
        let mut rest = 0;
        for command in commands(sentence).filter(|command| !has_flags(&sentence[command.clone()])) {
            let verb = command.start + PROGRAM.len();
            spelled.extend([&sentence[rest..verb], self.flags.as_str(), " "]);
            rest = verb;
        }
        spelled.push_str(&sentence[rest..]);
        Cow::Owned(spelled)
    }

    /// The same for the sentences of a document.
    pub(crate) fn spell_in(&self, document: &mut Value) {
        match document {
            Value::Array(values) => values.iter_mut().for_each(|value| self.spell_in(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if SENTENCES.contains(&name.as_str()) => {
                            *text = self.spell(text).into_owned();
                        }
                        value => self.spell_in(value),
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn are_plain(&self) -> bool {
        self.flags.is_empty()
    }
}

/// Whether the last command has nothing but a verb: it is short of what it is done to.
pub(crate) fn ends_with_a_verb(sentence: &str) -> bool {
    let last = words(sentence).last().filter(|word| word.starts_with(PROGRAM));
    last.and_then(|command| command.rsplit(' ').next()).is_some_and(is_verb)
}

/// The words of a sentence, with each command as one: broken over lines, it could not be copied.
pub(crate) fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let commands: Vec<_> = commands(sentence).collect();
    let is_inside = move |place: usize| commands.iter().any(|command| command.contains(&place));
    let spaces = sentence.match_indices(' ').map(|(place, _)| place);
    let mut begin = 0;
    spaces.filter(move |place| !is_inside(*place)).chain([sentence.len()]).map(move |end| {
        let word = &sentence[begin..end];
        begin = end + 1;
        word
    })
}

fn commands(sentence: &str) -> impl Iterator<Item = Range<usize>> {
    sentence.match_indices(PROGRAM).filter_map(|(start, _)| {
        let before = sentence[..start].strip_suffix(' ').unwrap_or(&sentence[..start]);
        let rest = &sentence[start + PROGRAM.len()..];
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(rest.len());
        let is_said = has_flags(&sentence[start..]) || is_verb(&rest[..length]);
        let is_one = is_said && (before.is_empty() || before.ends_with(BEFORE));
        let end = rest.find(AFTER).unwrap_or(rest.len());
        is_one.then_some(start..start + PROGRAM.len() + end)
    })
}

/// Whether it says already which daemon is meant.
fn has_flags(command: &str) -> bool {
    command.strip_prefix(PROGRAM).is_some_and(|rest| rest.starts_with("--"))
}

fn is_verb(word: &str) -> bool {
    static VERBS: OnceLock<Vec<String>> = OnceLock::new();
    let of_the_program = || Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    VERBS.get_or_init(of_the_program).iter().any(|verb| verb == word)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::{Hints, PROGRAM, is_verb, words};

    fn work() -> Hints {
        Hints::with("--profile work".to_owned())
    }

    #[test]
    fn a_command_is_told_from_the_program() {
        for (sentence, spelled) in [
            ("it is off: peerctl start", "it is off: peerctl --profile work start"),
            ("peerctl connect NAME", "peerctl --profile work connect NAME"),
            (
                "x: peerctl stop; peerctl start",
                "x: peerctl --profile work stop; peerctl --profile work start",
            ),
            ("the address (peerctl config show)", "the address (peerctl --profile work config show)"),
            ("stop it with `peerctl stop`, or", "stop it with `peerctl --profile work stop`, or"),
            ("-> peerctl retry 3", "-> peerctl --profile work retry 3"),
        ] {
            assert_eq!(work().spell(sentence), spelled);
            assert_eq!(work().spell(spelled), spelled, "told once");
            assert_eq!(Hints::default().spell(sentence), sentence);
        }
        for prose in [
            "a daemon that peerctl did not start",
            "peer-daemon speaks version 2, peerctl version 1: update peerctl",
            "peerctl 0.1.0 (protocol 1)",
            "it is given already: peerctl --profile NAME start",
        ] {
            assert_eq!(work().spell(prose), prose);
        }
    }

    #[test]
    fn only_the_sentences_of_a_document_are_put_in_other_words() {
        let text = "x: peerctl resume";
        let mut document =
            json!({ "name": text, "path": text, "downloads": [{ "name": text, "reason": text }] });
        work().spell_in(&mut document);
        let spelled = "x: peerctl --profile work resume";
        assert_eq!(
            document,
            json!({ "name": text, "path": text, "downloads": [{ "name": text, "reason": spelled }] })
        );
    }

    #[test]
    fn a_command_is_one_word() {
        let told = "make room, or: peerctl config set download_dir DIR; then wait";
        let told: Vec<_> = words(told).collect();
        assert_eq!(told, ["make", "room,", "or:", "peerctl config set download_dir DIR;", "then", "wait"]);
        let told = work().spell("go on: peerctl resume 3").into_owned();
        assert_eq!(words(&told).last(), Some("peerctl --profile work resume 3"));
        assert_eq!(words("  a b").collect::<Vec<_>>(), ["", "", "a", "b"]);
        assert_eq!(words("").collect::<Vec<_>>(), [""]);
    }

    /// All sentences with a command in them, wherever in the programs they are written.
    #[test]
    fn every_sentence_keeps_to_the_form() {
        let (mut told, mut apart) = (0, Vec::new());
        for folder in ["../peer-daemon/src", "src", "../protocol/src"] {
            for file in code_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
                let code = fs::read_to_string(&file).unwrap();
                let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let whole = code.split("\\\n").map(str::trim_start).collect::<String>();
                let spoken = whole.lines().filter(|line| !line.trim_start().starts_with("//"));
                // Examples in a help are for everybody.
                for sentence in spoken.flat_map(literals).filter(|literal| !literal.starts_with("Example")) {
                    let named = sentence.split(PROGRAM).skip(1).filter(|rest| {
                        is_verb(rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
                    });
                    let named = named.count();
                    let spelled = work().spell(sentence).matches("--profile work").count();
                    if spelled != named {
                        apart.push(format!("{}: {sentence}", file.display()));
                    }
                    told += named;
                }
            }
        }
        assert_eq!(apart, [""; 0]);
        assert!(told > 40, "hardly any were looked at: {told}");
    }

    fn literals(line: &str) -> impl Iterator<Item = &str> {
        line.split('"').skip(1).step_by(2)
    }

    fn code_in(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| if path.is_dir() { code_in(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .collect()
    }
}
