//! Do-not-call lists through the binary: an import binds a running server's next decision, and one that is killed leaves no trace.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use clearline::app::WallClock;
use clearline::domain::E164;
use clearline::lists::{Listing, Lists};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::SELLER;
use super::server::{Server, Settings};
use super::vendors::Vendors;

fn today() -> Date {
    WallClock::real().now().to_zoned(TimeZone::UTC).date()
}

/// The lists of a test, and the commands that change them.
struct Shelf(Settings);

impl Shelf {
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.folder().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn import(&self, list: &str, text: &str, as_of: Date) -> Output {
        let file = self.file("list.txt", text);
        self.0.run(&["dnc", "import", &file, "--list", list, "--as-of", &as_of.to_string()])
    }

    fn must_import(&self, list: &str, text: &str, as_of: Date) -> String {
        let output = self.import(list, text, as_of);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn show(&self, number: &str) -> String {
        let output = self.0.run(&["dnc", "show", number]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn root(&self) -> PathBuf {
        self.0.folder().join("lists")
    }

    fn lists(&self) -> Lists {
        Lists::new(self.root())
    }
}

/// The reasons of the server's next decision about a number, with their messages.
async fn reasons(server: &Server, number: &str) -> BTreeMap<String, String> {
    let asked = server.api.post("/api/v1/check", &json!({"number": number})).await;
    let reasons = asked.body["reasons"].as_array().unwrap().clone();
    let text = |reason: &serde_json::Value, key: &str| reason[key].as_str().unwrap().to_owned();
    let about_lists = |reason: &&serde_json::Value| {
        let rule = reason["rule"].as_str().unwrap();
        rule.ends_with("_dnc") || rule == "dnc_list_age"
    };
    reasons.iter().filter(about_lists).map(|reason| (text(reason, "code"), text(reason, "message"))).collect()
}

#[tokio::test]
async fn an_import_binds_the_next_decision_of_a_running_server() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let shelf = Shelf(server.settings().clone());
    let codes = |reasons: &BTreeMap<String, String>| reasons.keys().cloned().collect::<Vec<_>>();

    let none = reasons(&server, SELLER).await;
    assert_eq!(codes(&none), ["DNC_DATA_STALE", "FACT_UNKNOWN"]);
    assert!(none["FACT_UNKNOWN"].contains("no list national was imported"), "{none:?}");

    let said = shelf.must_import("national", "212,5550114\n", today());
    assert!(said.contains("imported 1 numbers") && said.contains("covers the area codes 212 and no other"), "{said}");
    assert!(reasons(&server, SELLER).await.is_empty(), "not listed, and the list is of today");
    assert_eq!(codes(&reasons(&server, "+12125550114").await), ["NATIONAL_DNC"]);
    let elsewhere = reasons(&server, "+16465550113").await;
    assert!(elsewhere["FACT_UNKNOWN"].contains("does not cover this area code"), "{elsewhere:?}");

    shelf.must_import("national", "212,5550113,A\n", today());
    assert_eq!(codes(&reasons(&server, SELLER).await), ["NATIONAL_DNC"]);
    shelf.must_import("national", "212,5550113,D\n512,5550142,A\n", today());
    assert!(reasons(&server, SELLER).await.is_empty());

    // Texas keeps a list of its own.
    shelf.must_import("national", "212,5550114\n512,5550142\n", today());
    let texan = reasons(&server, "+15125550113").await;
    assert!(texan["FACT_UNKNOWN"].contains("no list state:TX was imported"), "{texan:?}");
    shelf.must_import("state:TX", "5125550113\n2125550113\n", today());
    assert_eq!(codes(&reasons(&server, "+15125550113").await), ["STATE_DNC"]);
    assert!(reasons(&server, "+15125550114").await.is_empty());
    assert_eq!(codes(&reasons(&server, SELLER).await), ["STATE_DNC"], "a state's list counts in every state");
    shelf.must_import("state:TX", "5125550199\n", today() - 40.days());
    assert_eq!(codes(&reasons(&server, "+15125550113").await), ["DNC_DATA_STALE"], "the oldest list that is needed");
    assert!(reasons(&server, SELLER).await.is_empty(), "New York does not need it");

    let metrics = server.api.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("clearline_list_age_days{list=\"state:TX\"} 40"), "{metrics}");
    fs::write(shelf.root().join("national/4/212.bits"), "damaged").unwrap();
    let damaged = reasons(&server, SELLER).await;
    assert!(damaged["FACT_UNKNOWN"].contains("national/4/212.bits"), "{damaged:?}");
    fs::remove_file(shelf.root().join("manifest.json")).unwrap();
    let missing = reasons(&server, SELLER).await;
    assert!(missing["FACT_UNKNOWN"].contains("manifest.json is missing"), "{missing:?}");
}

#[tokio::test]
async fn the_lists_explain_themselves() {
    let vendors = Vendors::start().await;
    let shelf = Shelf(Settings::new(&vendors, &[]));
    let nothing = shelf.show("+15125550113");
    for words in ["not on the internal list", "no list national was imported", "no list state:TX", "no litigator list"]
    {
        assert!(nothing.contains(words), "{words}: {nothing}");
    }
    shelf.must_import("national", "512,5550113\n212,5550142\n", today());
    shelf.must_import("state:TX", "5125550142\n", today() - 40.days());
    shelf.must_import("state:FL", "3055550142\n", today());
    shelf.must_import("litigator", "AreaCode,Number\r\n512,5550113\r\n", today());
    let listed = shelf.show("+15125550113");
    for words in [
        "on the list national, sales calls are denied (NATIONAL_DNC)",
        "2 numbers, from list.txt",
        "not on the list state:TX, but it is too old",
        "(DNC_DATA_STALE)",
        "not on the list state:FL, which this number does not need",
        "on the litigator list",
    ] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    assert!(shelf.show("+16465550113").contains("does not cover this area code"));
    let looked = shelf.0.run(&["doctor", "--offline"]);
    let looked = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.contains("state:TX is of") && looked.contains("import a current list"), "{looked}");

    let bad = shelf.import("national", "512,5550113\nnonsense\n512,555011\n", today());
    let said = String::from_utf8(bad.stdout).unwrap();
    assert_eq!(bad.status.code(), Some(1));
    assert!(said.contains("list.txt line 3: 9 digits") && said.contains("2 lines were left out"), "{said}");
    assert!(said.contains("no longer covered"), "{said}");
    for (list, text, as_of, words) in [
        ("national", "512,5550113\n", today() + 3.days(), "is in the future"),
        ("national", "512,5550113,A\n", today() - 1.days(), "changes are applied in the order of their dates"),
        ("state:FL", "", today(), "holds no number"),
        ("state:IN", "317,5550113,D\n", today(), "there is no full list of state:IN"),
        ("state:XX", "5125550113\n", today(), "there is no such state"),
        ("nationwide", "5125550113\n", today(), "it is national, litigator, or state:"),
    ] {
        let refused = shelf.import(list, text, as_of);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(words), "{words}: {said}");
    }
    assert!(shelf.show("+15125550113").contains("on the list national"), "a refused import changes nothing");
}

/// Area codes of the list that is killed on its way in.
const CODES: std::ops::Range<u16> = 300..316;

/// Whether the whole old list is in force, or the whole new one.
fn is_new(lists: &Lists) -> bool {
    assert_eq!(lists.current().verify(), [""; 0]);
    let listed = |code: u16| {
        let number: E164 = format!("+1{code}5550113").parse().unwrap();
        lists.look_up(&number).iter().any(|answer| answer.listing == Listing::Listed)
    };
    let is_new = !listed(212);
    for code in CODES {
        assert_eq!(listed(code), is_new, "half a list: {code}");
    }
    is_new
}

#[tokio::test]
async fn an_import_that_is_killed_anywhere_leaves_the_old_list_or_the_new_one() {
    let vendors = Vendors::start().await;
    let shelf = Shelf(Settings::new(&vendors, &[]));
    let old = "2125550113\n3005550142\n";
    shelf.must_import("national", old, today());
    let mut text = String::new();
    for code in CODES {
        writeln!(text, "{code},5550113").unwrap();
    }
    let file = shelf.file("new.txt", &text);

    // By what the import says of its progress.
    let after = [
        ("the files are read", 1, false),
        ("a file of bits is written", 1, false),
        ("a file of bits is written", 7, false),
        ("a file of bits is written", CODES.len(), false),
        ("the new manifest is written", 1, false),
        ("the new manifest is in force", 1, true),
        ("the files of the list before are removed", 1, true),
    ];
    for (words, times, must_be_new) in after {
        let mut command = shelf.0.command();
        command.args(["-v", "dnc", "import", &file, "--list", "national", "--as-of", &today().to_string()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let seen = lines.filter(|line| line.contains(words)).take(times).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, times, "{words}");
        let is_new = is_new(&shelf.lists());
        assert!(is_new || !must_be_new, "{words}");
        // The next import takes what was left over away and is whole itself.
        shelf.must_import("national", old, today());
        assert!(!self::is_new(&shelf.lists()));
        let generations = fs::read_dir(shelf.root().join("national")).unwrap().count();
        assert_eq!(generations, 1, "{words}");
    }
}

#[tokio::test]
async fn an_import_that_is_killed_while_it_reads_changes_nothing_and_holds_nothing_up() {
    let vendors = Vendors::start().await;
    let shelf = Shelf(Settings::new(&vendors, &[]));
    shelf.must_import("national", "2125550113\n", today());
    let mut command = shelf.0.command();
    command.args(["-v", "dnc", "import", "/dev/stdin", "--list", "national", "--as-of", &today().to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // More than a pipe holds: when all of it is taken, the import has begun.
    pipe.write_all("3005550113\n".repeat(100_000).as_bytes()).unwrap();
    let second = shelf.import("national", "2125550114\n", today());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains("another import into"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!is_new(&shelf.lists()));
    shelf.must_import("national", "2125550114\n", today());
}

#[tokio::test]
async fn the_server_and_the_doctor_say_when_a_list_is_too_old() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let shelf = Shelf(server.settings().clone());
    let ready = async || server.api.get("/ready").await;
    let before = ready().await;
    let told = before.body.as_str().unwrap();
    assert_eq!((before.status, told.lines().next()), (200, Some("ready")), "{told}");
    assert!(told.contains("none was imported: cold calls are denied") && told.contains("Litigator list"), "{told}");

    let days = |n: i64| today().checked_sub(n.days()).unwrap();
    shelf.must_import("national", "2125550114\n", days(32));
    shelf.must_import("litigator", "2125550115\n", days(40));
    let old = ready().await.body;
    assert!(old.as_str().unwrap().contains("warning: Do-not-call lists: national, as of"), "{old}");
    assert!(
        old.as_str().unwrap().contains("(32 days old)") && old.as_str().unwrap().contains("(40 days old)"),
        "{old}"
    );
    let doctor = String::from_utf8(server.settings().run(&["doctor", "--offline"]).stdout).unwrap();
    assert!(doctor.contains("32 days old, and 31 are allowed") && doctor.contains("40 days old: import"), "{doctor}");

    shelf.must_import("national", "2125550114\n", days(31));
    shelf.must_import("litigator", "2125550115\n", days(0));
    assert_eq!(ready().await.body, "ready\n");
}
