//! The house rules, checked by reading the source: rooms, purity, file and function sizes, the one door to the carrier.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the source has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its number. A room may name only rooms of a smaller number.
const ROOMS: [(&str, u8); 18] = [
    ("domain", 0),
    ("compliance", 1),
    ("session", 1),
    ("protocol", 1),
    ("config", 1),
    ("telemetry", 1),
    ("websocket", 1),
    ("store", 2),
    ("lists", 2),
    ("scrub", 2),
    ("carrier", 2),
    ("agents", 2),
    ("tools", 2),
    ("emulators", 2),
    ("issuer", 2),
    ("relay", 3),
    ("app", 4),
    ("surfaces", 5),
];

/// Rooms without async, clock, environment, chance or I/O. (`telemetry` sets up the subscriber and `websocket` reads and writes: they are not of them.)
const PURE: [&str; 5] = ["domain", "compliance", "session", "protocol", "config"];

/// What a pure room may not say, outside its tests.
const IMPURE: [&str; 10] = [
    "async fn",
    ".await",
    "tokio::",
    "Instant::now",
    "Timestamp::now",
    "SystemTime",
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "getrandom::",
];

/// The only files that may go over a size, with their limit. An entry that has become unnecessary fails the test.
const LONG_FILES: [(&str, usize); 0] = [];

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

struct Source {
    path: String,
    /// The text up to the test module.
    code: String,
    whole: String,
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    walk(Path::new("src"), &mut files);
    files.sort();
    assert!(files.len() > 20, "the test must run at the root of the project");
    files
        .into_iter()
        .map(|path| {
            let whole = fs::read_to_string(&path).unwrap();
            let code = whole.split("\n#[cfg(test)]\nmod ").next().unwrap().to_owned();
            Source { path: path.to_string_lossy().replace('\\', "/"), code, whole }
        })
        .collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

fn room_of(path: &str) -> Option<(&'static str, u8)> {
    let rest = path.strip_prefix("src/")?;
    let name = rest.split(['/', '.']).next()?;
    ROOMS.into_iter().find(|(room, _)| *room == name)
}

/// Lines of code with comments taken off.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[test]
fn rooms_name_only_rooms_below_them() {
    let mut faults = Vec::new();
    for source in sources() {
        let Some((room, number)) = room_of(&source.path) else { continue };
        let code: String = code_lines(&source.code).collect::<Vec<_>>().join("\n");
        for (other, other_number) in ROOMS {
            if other == room || other_number < number {
                continue;
            }
            if names_room(&code, other) {
                faults.push(format!("{} (room {number}) names {other} (room {other_number})", source.path));
            }
        }
        if room == "emulators" {
            for other in ["compliance", "session", "config"] {
                if names_room(&code, other) {
                    faults.push(format!("{}: emulators may name domain and protocol only, not {other}", source.path));
                }
            }
        }
        if room != "surfaces" && code.contains("crate::boot") {
            faults.push(format!("{} names boot", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether code names `crate::room`, also inside a braced import.
fn names_room(code: &str, room: &str) -> bool {
    if code.contains(&format!("crate::{room}::")) || code.contains(&format!("crate::{room};")) {
        return true;
    }
    code.split("use crate::{").skip(1).any(|rest| {
        let list = rest.split(';').next().unwrap_or_default();
        list.split([',', '{', '}', ' ', '\n']).any(|word| word == room || word.starts_with(&format!("{room}::")))
    })
}

#[test]
fn pure_rooms_are_pure() {
    let mut faults = Vec::new();
    for source in sources() {
        if !room_of(&source.path).is_some_and(|(room, _)| PURE.contains(&room)) || is_test_file(&source.path) {
            continue;
        }
        for (number, line) in code_lines(&source.code).enumerate() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{}: `{word}` in a pure room", source.path, number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_lives_there() {
    let silent: Vec<_> = sources().into_iter().filter(|s| !s.whole.starts_with("//! ")).map(|s| s.path).collect();
    assert!(silent.is_empty(), "no `//!` sentence at the head of: {silent:?}");
}

#[test]
fn files_are_short() {
    let limits: BTreeMap<&str, usize> = LONG_FILES.into_iter().collect();
    let mut faults = Vec::new();
    for source in sources() {
        if is_test_file(&source.path) {
            continue;
        }
        let lines = source.code.lines().count();
        let limit = limits.get(source.path.as_str()).copied().unwrap_or(FILE_LINES);
        if lines > limit {
            faults.push(format!("{} has {lines} lines, the limit is {limit}", source.path));
        }
        if limit > FILE_LINES && lines <= FILE_LINES {
            faults.push(format!("{} is short now: take it off the list", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn functions_fit_a_screen() {
    let mut faults = Vec::new();
    for source in sources() {
        if is_test_file(&source.path) {
            continue;
        }
        let lines: Vec<&str> = source.code.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            let is_function = head.starts_with("fn ")
                || [
                    "pub fn ",
                    "pub(crate) fn ",
                    "pub(super) fn ",
                    "async fn ",
                    "pub async fn ",
                    "pub(crate) async fn ",
                    "pub(super) async fn ",
                    "const fn ",
                    "pub const fn ",
                ]
                .iter()
                .any(|prefix| head.starts_with(prefix));
            if !is_function || head.ends_with(';') {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|line| *line == close).map_or(1, |offset| offset + 1);
            if length > FUNCTION_LINES {
                faults.push(format!("{}:{}: {length} lines", source.path, start + 1));
            }
        }
    }
    assert!(faults.is_empty(), "functions over {FUNCTION_LINES} lines:\n{}", faults.join("\n"));
}

/// Files outside the emulators in which this text occurs in code.
fn product_files_with(text: &str) -> BTreeSet<String> {
    sources()
        .into_iter()
        .filter(|source| !source.path.starts_with("src/emulators/"))
        .filter(|source| code_lines(&source.code).any(|line| line.contains(text)))
        .map(|source| source.path)
        .collect()
}

#[test]
fn one_file_can_ring_a_phone() {
    assert_eq!(product_files_with("/Calls"), BTreeSet::from(["src/carrier/calls.rs".to_owned()]));
}

#[test]
fn a_document_that_rings_a_phone_is_only_rendered_for_an_order() {
    let naming = product_files_with("Dial::new(");
    assert_eq!(naming, BTreeSet::from(["src/carrier/calls.rs".to_owned()]));
}

#[test]
fn one_file_mints_reservations() {
    let minting: BTreeSet<_> = product_files_with("Reservation::mint(");
    assert_eq!(minting, BTreeSet::from(["src/store/reservations.rs".to_owned()]));
}

#[test]
fn each_twiml_document_is_rendered_by_exactly_one_struct() {
    let whole = fs::read_to_string("src/protocol/twilio/twiml.rs").unwrap();
    let mut documents = 0;
    for entry in fs::read_dir("twiml").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let uses = whole.matches(&format!("path = \"{name}\"")).count();
        assert_eq!(uses, 1, "{name} is rendered by {uses} structs");
        documents += 1;
    }
    assert!(documents >= 5, "only {documents} documents in twiml/");
    let elsewhere = product_files_with("path = \"");
    let renderers: Vec<_> =
        elsewhere.iter().filter(|path| !path.contains("console") && !path.contains("surfaces/evidence")).collect();
    assert_eq!(renderers, ["src/protocol/twilio/twiml.rs"]);
}

#[test]
fn the_environment_is_read_in_boot_only() {
    let readers: Vec<_> = product_files_with("env::var")
        .into_iter()
        .filter(|path| path != "src/boot.rs" && path != "src/boot/mod.rs")
        .collect();
    assert!(readers.is_empty(), "{readers:?}");
}

#[test]
fn nothing_names_a_machine_or_a_real_number() {
    // The vendor's published test vectors stand there as published.
    let vectors = ["src/protocol/twilio/signature.rs", "src/emulators/signature.rs", "src/compliance/cases/numbers.rs"];
    let mut faults = Vec::new();
    for source in sources().into_iter().filter(|source| !vectors.contains(&source.path.as_str())) {
        for (number, line) in source.whole.lines().enumerate() {
            for digits in
                line.split("+1").skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
            {
                // Ten digits after +1 must be of the fictional 555 exchange.
                if digits.len() == 10 && &digits[3..6] != "555" {
                    faults.push(format!("{}:{}: a number outside 555", source.path, number + 1));
                }
            }
            if line.contains("/home/") || line.contains("/root/") {
                faults.push(format!("{}:{}: a path of a machine", source.path, number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
