//! Imports and lookups together, on a folder of their own: what is found, what binds, and what damage and cut-short imports do.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;

use super::manifest::Manifest;
use super::*;
use crate::domain::E164;

const AS_OF: Date = date(2026, 11, 20);

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("clearline-lists-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn lists(&self) -> PathBuf {
        self.0.join("lists")
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn zip(&self, name: &str, entries: &[(&str, &str)]) -> PathBuf {
        let path = self.0.join(name);
        let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, text) in entries {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    fn import(&self, request: &Import) -> Result<Imported, ListsError> {
        import(&self.lists(), request, Timestamp::UNIX_EPOCH, &mut |_| ())
    }

    /// Imports a text as the national list of a day.
    fn national(&self, text: &str, as_of: Date) -> Result<Imported, ListsError> {
        let file = self.file("national.txt", text);
        self.import(&Import { as_of, ..national(file) })
    }

    /// What every list says of a number, by a reader that has just been opened.
    fn says(&self, number: &str) -> Vec<Listing> {
        let answers = Lists::new(self.lists()).look_up(&e164(number));
        answers.into_iter().map(|answer| answer.listing).collect()
    }

    /// Every file below the folder of lists, without that of the lock.
    fn files(&self) -> BTreeSet<String> {
        fn walk(folder: &Path, root: &Path, files: &mut BTreeSet<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, files);
                } else if !path.ends_with(".lock") {
                    files.insert(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.lists(), &self.lists(), &mut files);
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn national(file: PathBuf) -> Import {
    Import { list: ListName::National, files: vec![file], as_of: AS_OF, kind: None, coverage: None }
}

fn e164(text: &str) -> E164 {
    text.parse().unwrap()
}

fn unreadable(listings: &[Listing]) -> &str {
    match listings {
        [Listing::Unreadable(fault)] => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_list_lists_its_numbers_and_covers_its_area_codes() {
    let folder = Folder::new();
    let imported =
        folder.national("AreaCode,Number\r\n212,5550113\r\n\r\n+13105550142\r\n2125550113\r\n", AS_OF).unwrap();
    assert_eq!((imported.kind, imported.entry.numbers, imported.bad.total), (Kind::Full, 2, 0));
    assert_eq!(folder.says("+12125550113"), [Listing::Listed]);
    assert_eq!(folder.says("+12125550114"), [Listing::NotListed]);
    assert_eq!(folder.says("+13105550142"), [Listing::Listed]);
    assert_eq!(folder.says("+16465550113"), [Listing::NotCovered], "not subscribed to, so nothing is known");
    assert_eq!(folder.says("+442079460000"), []);
    let source = &imported.entry.sources[0];
    assert_eq!((source.file.as_str(), source.sha256.len()), ("national.txt", 64));
    for file in folder.files() {
        let mode = fs::metadata(folder.lists().join(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is the owner's only");
    }
}

#[test]
fn coverage_is_what_is_said_and_what_is_listed_stays_listed() {
    let folder = Folder::new();
    let file = folder.file("national.txt", "2125550113\n3105550142\n");
    let only = Coverage::AreaCodes([212, 646].into());
    folder.import(&Import { coverage: Some(only), ..national(file.clone()) }).unwrap();
    assert_eq!(folder.says("+16465550113"), [Listing::NotListed]);
    assert_eq!(folder.says("+13105550142"), [Listing::Listed]);
    assert_eq!(folder.says("+13105550143"), [Listing::NotCovered]);
    folder.import(&Import { coverage: Some(Coverage::All), ..national(file.clone()) }).unwrap();
    assert_eq!(folder.says("+19075550143"), [Listing::NotListed]);

    let texas = ListName::State("TX".parse().unwrap());
    folder.import(&Import { list: texas, ..national(file) }).unwrap();
    let answers = Lists::new(folder.lists()).look_up(&e164("+19075550143"));
    let of_texas = answers.iter().find(|answer| answer.list == texas).unwrap();
    assert_eq!(of_texas.listing, Listing::NotListed, "a state ships its list whole");
}

#[test]
fn archives_are_read_with_all_their_files() {
    let folder = Folder::new();
    let file =
        folder.zip("list.zip", &[("a/212.txt", "212,5550113\nbad\n"), (".hidden", "9"), ("310.txt", "3105550142")]);
    let imported = folder.import(&national(file)).unwrap();
    assert_eq!(imported.entry.numbers, 2);
    assert_eq!(
        imported.bad.shown,
        ["list.zip/a/212.txt line 2: not a number like 2015551234, 201,5551234 or +12015551234"]
    );
    let broken = folder.file("broken.zip", b"PK\x03\x04 and then nothing");
    assert!(matches!(folder.import(&national(broken)), Err(ListsError::Zip { .. })));
    let mut cut = fs::read(folder.zip("cut.zip", &[("a.txt", &"2125550114\n".repeat(1000))])).unwrap();
    cut[60] ^= 0x55;
    let cut = folder.file("cut.zip", cut);
    assert!(folder.import(&national(cut)).is_err(), "a damaged entry");
    assert_eq!(folder.says("+12125550113"), [Listing::Listed], "what was in force still is");
}

#[test]
fn bad_lines_are_named_and_do_not_poison_the_rest() {
    let folder = Folder::new();
    let mut text = "2125550113\n".to_owned();
    text.push_str(&"12345\n".repeat(100));
    text.push_str(&"9".repeat(3_000_000));
    text.push_str("\n2125550114\nNUMBER\n212,5550115,A");
    let imported = folder.national(&text, AS_OF).unwrap();
    assert_eq!((imported.entry.numbers, imported.bad.total, imported.bad.shown.len()), (2, 103, 20));
    assert_eq!(imported.bad.shown[0], "national.txt line 2: 5 digits, a number has ten");
    assert_eq!(folder.says("+12125550114"), [Listing::Listed]);
    assert!(matches!(folder.national("words\nand more\n", AS_OF), Err(ListsError::NoNumbers { .. })));
    assert!(matches!(folder.national("", AS_OF), Err(ListsError::NoNumbers { .. })));
    assert!(matches!(folder.national("<list type=\"full\">", AS_OF), Err(ListsError::NotFlatText { .. })));
    assert_eq!(folder.says("+12125550114"), [Listing::Listed]);
}

#[test]
fn a_change_list_changes_what_is_there() {
    let folder = Folder::new();
    folder.national("2125550113\n2125550114\n3105550142\n", AS_OF).unwrap();
    let kept = folder.lists().join("national/1/310.bits");
    let inode = fs::metadata(&kept).unwrap();
    let changed =
        folder.national("212,5550113,D,20261121\n212,5550115,A,20261121\n212,5550116,D\n", date(2026, 11, 21));
    let changed = changed.unwrap();
    assert_eq!((changed.kind, changed.added, changed.removed, changed.entry.numbers), (Kind::Changes, 1, 1, 3));
    assert_eq!(changed.entry.sources.len(), 2);
    assert_eq!(folder.says("+12125550113"), [Listing::NotListed]);
    assert_eq!(folder.says("+12125550114"), [Listing::Listed]);
    assert_eq!(folder.says("+12125550115"), [Listing::Listed]);
    assert_eq!(folder.says("+13105550142"), [Listing::Listed]);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), inode.modified().unwrap(), "written once");
    assert_eq!(
        folder.files(),
        ["manifest.json", "national/1/310.bits", "national/2/212.bits"].map(str::to_owned).into()
    );
    assert_eq!(Lists::new(folder.lists()).current().verify(), [""; 0]);
}

#[test]
fn a_change_list_needs_what_it_changes() {
    let folder = Folder::new();
    let change = "212,5550113,A\n";
    assert!(matches!(folder.national(change, AS_OF), Err(ListsError::NoFullList { .. })));
    assert_eq!(folder.says("+12125550113"), []);
    folder.national("2125550114\n", AS_OF).unwrap();
    assert!(matches!(folder.national(change, date(2026, 11, 19)), Err(ListsError::Backwards { .. })));
    let file = folder.file("changes.txt", change);
    let with_coverage = Import { coverage: Some(Coverage::All), ..national(file.clone()) };
    assert!(matches!(folder.import(&with_coverage), Err(ListsError::CoverageOfChanges { .. })));
    assert_eq!(folder.says("+12125550113"), [Listing::NotListed]);
    folder.national(change, AS_OF).unwrap();
    assert_eq!(folder.says("+12125550113"), [Listing::Listed]);
    // The same letters, but somebody says that they mean something else.
    folder.import(&Import { kind: Some(Kind::Full), ..national(file) }).unwrap();
    assert_eq!(folder.says("+12125550114"), [Listing::NotListed]);
    // A week without changes makes the list as fresh as one with them.
    let nothing = folder.file("nothing.txt", "AreaCode,Number,Action\n");
    let later = date(2026, 11, 27);
    let imported = folder.import(&Import { kind: Some(Kind::Changes), as_of: later, ..national(nothing) }).unwrap();
    assert_eq!((imported.entry.as_of, imported.entry.numbers), (later, 1));
    assert_eq!(folder.says("+12125550113"), [Listing::Listed]);
}

#[test]
fn a_reader_follows_each_import_at_once() {
    let folder = Folder::new();
    let lists = Lists::new(folder.lists());
    let says = || lists.look_up(&e164("+12125550113")).into_iter().map(|answer| answer.listing).collect::<Vec<_>>();
    assert_eq!(says(), []);
    for round in 0..20 {
        folder.national("2125550113\n", AS_OF).unwrap();
        assert_eq!(says(), [Listing::Listed], "round {round}");
        folder.national("2125550114\n", AS_OF).unwrap();
        assert_eq!(says(), [Listing::NotListed], "round {round}");
        folder.national("212,5550113,A\n", AS_OF).unwrap();
        assert_eq!(says(), [Listing::Listed], "round {round}");
    }
}

#[test]
fn damage_is_found_named_and_never_an_answer() {
    let folder = Folder::new();
    let lists = Lists::new(folder.lists());
    let says = || lists.look_up(&e164("+12125550113")).into_iter().map(|answer| answer.listing).collect::<Vec<_>>();
    let bits = |generation: u64| folder.lists().join(format!("national/{generation}/212.bits"));
    let fresh = |generation: u64| {
        folder.national("2125550113\n", AS_OF).unwrap();
        assert_eq!(says(), [Listing::Listed], "generation {generation}");
        OpenOptions::new().read(true).write(true).open(bits(generation)).unwrap()
    };

    // One bit, in the block that is asked for, while the file is open.
    let file = fresh(1);
    let offset = 3550 * 129 + 113 / 8;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    assert_eq!(byte, [1 << (113 % 8)]);
    file.write_all_at(&[0], offset).unwrap();
    assert!(unreadable(&says()).contains("national/1/212.bits is damaged"));
    assert_eq!(lists.current().verify().len(), 1);
    // Cut short.
    fresh(2).set_len(100).unwrap();
    assert!(unreadable(&says()).contains("212.bits"));
    // Taken away.
    fresh(3);
    fs::remove_file(bits(3)).unwrap();
    assert!(unreadable(&says()).contains("212.bits"));
    // Another area code's file in its place.
    fresh(4);
    folder.national("2125550113\n3105550113\n", AS_OF).unwrap();
    fs::rename(folder.lists().join("national/5/310.bits"), bits(5)).unwrap();
    assert!(unreadable(&says()).contains("212.bits is damaged"));
    assert!(matches!(folder.national("212,5550114,A\n", AS_OF), Err(ListsError::DamagedBase { .. })));
    // A byte of the manifest, one that reads well.
    fresh(6);
    let manifest = Manifest::path(&folder.lists());
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("2026-11-20", "2026-11-21")).unwrap();
    assert!(unreadable(&says()).contains("manifest.json is damaged"));
    assert!(matches!(folder.national("2125550113\n", AS_OF), Err(ListsError::Damaged { .. })));
    fs::write(&manifest, &text[..40]).unwrap();
    assert!(unreadable(&says()).contains("manifest.json is damaged"));
    fs::remove_file(&manifest).unwrap();
    assert!(unreadable(&says()).contains("manifest.json is missing"));
    fresh(1);
}

#[test]
fn what_a_killed_import_left_is_not_seen_and_goes() {
    let folder = Folder::new();
    folder.national("2125550113\n", AS_OF).unwrap();
    let whole = folder.files();
    let leave = || {
        let half = folder.lists().join("national/2");
        fs::create_dir_all(&half).unwrap();
        fs::copy(folder.lists().join("national/1/212.bits"), half.join("212.bits")).unwrap();
        fs::write(half.join("310.bits"), "half").unwrap();
        fs::create_dir_all(folder.lists().join("state-TX/1")).unwrap();
        fs::write(folder.lists().join("manifest.json.next"), "{").unwrap();
    };
    leave();
    assert_eq!(folder.says("+12125550113"), [Listing::Listed]);
    sweep(&folder.lists()).unwrap();
    assert_eq!(folder.files(), whole);
    leave();
    folder.national("2125550114\n", AS_OF).unwrap();
    assert_eq!(folder.says("+12125550113"), [Listing::NotListed]);
    assert_eq!(folder.files(), ["manifest.json", "national/2/212.bits"].map(str::to_owned).into());
    sweep(&folder.0.join("nowhere")).unwrap();
}

#[test]
fn of_two_imports_at_once_one_is_refused() {
    let folder = Folder::new();
    folder.national("2125550113\n", AS_OF).unwrap();
    let file = folder.file("more.txt", "2125550114\n");
    let mut inner = None;
    let outer = import(&folder.lists(), &national(file), Timestamp::UNIX_EPOCH, &mut |_| {
        inner.get_or_insert_with(|| {
            sweep(&folder.lists()).unwrap();
            folder.national("2125550115\n", AS_OF)
        });
    });
    assert!(matches!(inner, Some(Err(ListsError::Busy { .. }))));
    assert_eq!(outer.unwrap().entry.generation, 2);
    assert_eq!(folder.says("+12125550114"), [Listing::Listed]);
}

/// A number among few, so that adds and deletes meet: three area codes, and the edges of blocks and bytes.
fn a_number() -> impl Strategy<Value = String> {
    let npa = prop_oneof![Just("200"), Just("212"), Just("999")];
    let exchange = prop_oneof![Just("200"), Just("555"), Just("999")];
    let line = prop_oneof![Just("0000"), Just("0007"), Just("0008"), Just("0113"), Just("9999")];
    (npa, exchange, line).prop_map(|(npa, exchange, line)| format!("{npa}{exchange}{line}"))
}

fn every_number() -> impl Iterator<Item = String> {
    ["200", "212", "999"].into_iter().flat_map(|npa| {
        ["200", "201", "555", "999"].into_iter().flat_map(move |exchange| {
            ["0000", "0001", "0007", "0008", "0113", "9999"].map(move |line| format!("{npa}{exchange}{line}"))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Full lists and change lists in any number and order of lines give what sets would give.
    #[test]
    fn lists_are_sets(
        full in proptest::collection::vec(a_number(), 1..12),
        changes in proptest::collection::vec(proptest::collection::vec((a_number(), any::<bool>()), 1..12), 0..4),
    ) {
        let folder = Folder::new();
        let mut model: HashSet<String> = full.iter().cloned().collect();
        let file = folder.file("full.txt", full.join("\n"));
        folder.import(&Import { coverage: Some(Coverage::All), ..national(file) }).unwrap();
        for change in changes {
            let mut text = String::new();
            for (number, adds) in change {
                text.push_str(&format!("{},{},{}\n", &number[..3], &number[3..], if adds { "A" } else { "D" }));
                if adds { model.insert(number); } else { model.remove(&number); }
            }
            let imported = folder.national(&text, AS_OF).unwrap();
            prop_assert_eq!(imported.entry.numbers, model.len() as u64);
        }
        let lists = Lists::new(folder.lists());
        for number in every_number() {
            let expected = if model.contains(&number) { Listing::Listed } else { Listing::NotListed };
            prop_assert_eq!(&lists.look_up(&e164(&format!("+1{number}")))[0].listing, &expected);
        }
    }
}
