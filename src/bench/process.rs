//! What the kernel says of a process and of the machine, read from `/proc` (proc(5)). Linux only, like the measurement itself.

use std::fs;

use anyhow::Context as _;

/// Clock ticks a second in `/proc`, the same on every Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

/// What a process has used, or holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// User and system time together, in seconds.
    pub(super) cpu: f64,
    /// Resident memory, in KiB.
    pub(super) rss: f64,
    pub(super) threads: u32,
}

pub(super) fn usage(pid: u32) -> anyhow::Result<Usage> {
    let gone = || format!("process {pid} is gone");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(gone)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(gone)?;
    parse(&stat, &status).context("/proc does not look as it does on Linux")
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name, in parentheses, may hold anything. After it, utime and stime are the 12th and 13th field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    let of_status = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    Some(Usage {
        cpu: ticks / TICKS,
        rss: of_status("VmRSS:")?.parse().ok()?,
        threads: of_status("Threads:")?.parse().ok()?,
    })
}

/// What the whole machine has done since it started, in seconds of all its cores together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Machine {
    pub(super) busy: f64,
    /// Taken by the hypervisor.
    pub(super) steal: f64,
}

pub(super) fn machine() -> anyhow::Result<Machine> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read: the bench needs Linux")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let fields: Vec<f64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let [user, nice, system, _, _, irq, softirq, steal, ..] = fields[..] else {
        anyhow::bail!("/proc/stat is unusual")
    };
    Ok(Machine { busy: (user + nice + system + irq + softirq) / TICKS, steal: steal / TICKS })
}

/// Runnable tasks over the last minute.
pub(super) fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("/proc/loadavg cannot be read")?;
    text.split_whitespace().next().and_then(|field| field.parse().ok()).context("/proc/loadavg is unusual")
}

/// How many files this process may have open; the products under test inherit it.
pub(super) fn open_files_limit() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_odd_name_is_read_right() {
        let stat = "783 (a ) b) R 779 779 31409 0 -1 4194304 98 0 0 0 250 50 0 0 20 0 1 0 1283545 3133440 382";
        let status = "Name:\ta ) b\nVmRSS:\t    1528 kB\nThreads:\t4\n";
        let usage = parse(stat, status).unwrap();
        assert_eq!(
            (usage.cpu.to_bits(), usage.rss.to_bits(), usage.threads),
            (3.0_f64.to_bits(), 1528.0_f64.to_bits(), 4)
        );
        assert!(parse("", "").is_none());
    }
}
