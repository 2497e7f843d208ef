//! What the do-not-call lists cost: an import, the disk, a lookup, the memory of a reader. Every figure stands beside a floor that
//! is measured in the same run, so that the ratio says something on any machine.
//!
//! `cargo bench --bench lists` takes 4 million numbers in a few area codes; `cargo bench --bench lists -- --numbers 250000000` takes
//! as many as the national registry has, and 4 GB of disk for a while. A goal that is missed ends with exit code 1.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has failed")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clearline::domain::E164;
use clearline::lists::{Coverage, Import, ListName, Lists, import};
use jiff::Timestamp;
use jiff::civil::date;

const DEFAULT_NUMBERS: u64 = 4_000_000;

/// The national registry has about so many area codes, and so many numbers in each.
const AREA_CODES: u64 = 378;
const NUMBERS_OF_AREA_CODE: u64 = 660_000;

const LOOKUPS: usize = 200_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    if let Some(folder) = value("--read") {
        // The reader is measured in a process of its own, which has imported nothing.
        return read(Path::new(folder), value("--area-codes").unwrap().parse().unwrap());
    }
    let numbers = value("--numbers").map_or(DEFAULT_NUMBERS, |text| text.replace('_', "").parse().unwrap());
    let folder = std::env::temp_dir().join(format!("clearline-bench-{}", std::process::id()));
    let fine = measure(&folder, numbers);
    fs::remove_dir_all(&folder).unwrap();
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(folder: &Path, numbers: u64) -> bool {
    fs::create_dir_all(folder).unwrap();
    let file = folder.join("national.txt");
    let area_codes = numbers.div_ceil(NUMBERS_OF_AREA_CODE).clamp(1, AREA_CODES);
    write_list(&file, numbers, area_codes);
    println!("{numbers} numbers of {area_codes} area codes, {} of text", megabytes(fs::metadata(&file).unwrap().len()));

    // The floor of an import: the same file, read and its lines counted.
    let started = Instant::now();
    let lines = count_lines(&file);
    let floor = started.elapsed().as_secs_f64();
    assert_eq!(lines, numbers);
    let root = folder.join("lists");
    let request = Import {
        list: ListName::National,
        files: vec![file.clone()],
        as_of: date(2026, 11, 20),
        kind: None,
        coverage: Some(Coverage::All),
    };
    let started = Instant::now();
    let imported = import(&root, &request, Timestamp::UNIX_EPOCH, &mut |_| ()).unwrap();
    let taken = started.elapsed().as_secs_f64();
    fs::remove_file(&file).unwrap();
    let rate = numbers as f64 / taken;
    println!(
        "import: {taken:.2} s, {:.1} million numbers a second; {:.1} times counting the lines",
        rate / 1e6,
        taken / floor
    );
    let mut fine = goal("import of 2 million numbers a second", rate >= 2e6);
    assert_eq!(imported.bad.total, 0);
    assert!(imported.entry.numbers <= numbers && imported.entry.numbers > numbers / 2, "random numbers repeat");

    let disk = disk_use(&root);
    println!("disk: {}, {:.2} bytes a number", megabytes(disk), disk as f64 / imported.entry.numbers as f64);
    fine &= goal("at most 450 MB of disk for the whole registry", disk * AREA_CODES / area_codes <= 450_000_000);

    let mut reader = Command::new(std::env::current_exe().unwrap());
    let reader = reader.arg("--read").arg(&root).args(["--area-codes", &area_codes.to_string()]).status().unwrap();
    fine & reader.success()
}

fn goal(name: &str, is_met: bool) -> bool {
    println!("  {}: {name}", if is_met { "met" } else { "MISSED" });
    is_met
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Pseudo-random numbers, the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

fn area_code(nth: u64) -> u64 {
    201 + nth * 2
}

/// The registry's form, `201,5551234`, ordered by area code as the registry ships it, in no order within.
fn write_list(path: &Path, numbers: u64, area_codes: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut random = Random(1);
    for nth in 0..numbers {
        let code = area_code(nth * area_codes / numbers);
        writeln!(file, "{code},{}", 2_000_000 + random.next() % 8_000_000).unwrap();
    }
    file.flush().unwrap();
}

fn count_lines(path: &Path) -> u64 {
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            return lines;
        }
        lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, all) } else { all.push(path) }
    }
}

fn disk_use(root: &Path) -> u64 {
    let mut all = Vec::new();
    files(root, &mut all);
    all.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Memory of this process that no other shares and no file backs, in bytes.
fn private_memory() -> io::Result<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let values: BTreeMap<&str, u64> = rollup
        .lines()
        .filter_map(|line| {
            let (key, rest) = line.split_once(':')?;
            Some((key, rest.split_whitespace().next()?.parse::<u64>().ok()? * 1024))
        })
        .collect();
    Ok(values.get("Private_Clean").unwrap_or(&0) + values.get("Private_Dirty").unwrap_or(&0))
}

/// Random numbers of all area codes.
fn some_numbers(area_codes: u64) -> Vec<E164> {
    let mut random = Random(2);
    let number = |_| {
        let code = area_code(random.next() % area_codes);
        format!("+1{code}{}", 2_000_000 + random.next() % 8_000_000).parse().unwrap()
    };
    (0..LOOKUPS).map(number).collect()
}

/// Median and 99th percentile of what `work` takes for each item, in nanoseconds.
fn each<T>(items: &[T], mut work: impl FnMut(&T)) -> (f64, f64) {
    let mut times: Vec<_> = items
        .iter()
        .map(|item| {
            let started = Instant::now();
            work(item);
            started.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2] as f64, times[times.len() * 99 / 100] as f64)
}

fn read(root: &Path, area_codes: u64) -> ExitCode {
    let numbers = some_numbers(area_codes);
    let before = private_memory();
    let lists = Lists::new(root);
    let snapshot = lists.current();
    let mut listed = 0_u64;
    let mut look_up = |number: &E164| {
        let answers = snapshot.look_up(number);
        listed += u64::from(answers[0].listing == clearline::lists::Listing::Listed);
    };
    numbers.iter().for_each(&mut look_up);
    let lookup = each(&numbers, &mut look_up);
    let memory = before.and_then(|before| Ok(private_memory()?.saturating_sub(before)));
    let whole = each(&numbers, |number| {
        black_box(lists.look_up(number));
    });
    let mut all = Vec::new();
    files(root, &mut all);
    all.retain(|path| path.extension().is_some_and(|ending| ending == "bits"));
    let open: Vec<_> = all.iter().map(|path| File::open(path).unwrap()).collect();
    let mut random = Random(3);
    // The floor of a lookup: one byte at a random place of such a file. And what reading the clock itself takes.
    let floor = each(&numbers, |_| {
        let file = &open[(random.next() % open.len() as u64) as usize];
        let mut byte = [0];
        file.read_exact_at(&mut byte, random.next() % 1_000_000).unwrap();
        black_box(byte);
    });
    let clock = each(&numbers, |_| ());

    println!("listed: {listed} of {}", 2 * numbers.len());
    println!("clock: {:.0} ns, contained in each of the next figures", clock.0);
    println!("read of one byte: median {:.0} ns, p99 {:.0} ns", floor.0, floor.1);
    println!(
        "lookup: median {:.0} ns, p99 {:.0} ns; {:.2} times the bare read",
        lookup.0,
        lookup.1,
        lookup.0 / floor.0
    );
    println!("with the look whether an import has ended: median {:.0} ns, p99 {:.0} ns", whole.0, whole.1);
    let mut fine = goal("a lookup in under 1 µs (median)", lookup.0 < 1000.0);
    if let Ok(memory) = memory {
        println!("private memory for the lists: {}", megabytes(memory));
        fine &= goal("under 20 MB of private memory", memory < 20_000_000);
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
