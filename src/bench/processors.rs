//! Which processors the load has, and which a contender.
//!
//! The load never sleeps. Left to itself the kernel puts threads of a contender beside it for milliseconds, and counts as the
//! contender's latency what only the load has lost: a splice of one thread hardly suffers from that, a server of several does.

use std::process::{Child, Command};

use anyhow::{Context as _, ensure};

/// Without any, nobody is kept from anybody.
#[derive(Debug, Default)]
pub(super) struct Processors {
    load: Vec<usize>,
    contenders: Vec<usize>,
}

impl Processors {
    /// Keeps the calling thread to the last processor that this process may use. It must be the one that drives the load.
    pub(super) fn part() -> anyhow::Result<Self> {
        let mut contenders = kernel::allowed().context("the processors of this process are unknown")?;
        let load = Vec::from_iter(contenders.pop());
        ensure!(!contenders.is_empty(), "the load takes a processor for itself, and this process may use but one");
        let processors = Self { load, contenders };
        keep_to(&processors.load).context("the load could not be kept to a processor of its own")?;
        Ok(processors)
    }

    /// Starts a process that has all the other processors.
    pub(super) fn start(&self, command: &mut Command) -> anyhow::Result<Child> {
        // A process begins where the thread is that starts it.
        keep_to(&self.contenders)?;
        let child = command.spawn();
        if let Err(error) = keep_to(&self.load) {
            if let Ok(mut child) = child {
                child.kill().and_then(|()| child.wait()).context("a contender could not be ended")?;
            }
            return Err(error.into());
        }
        Ok(child?)
    }
}

fn keep_to(processors: &[usize]) -> std::io::Result<()> {
    if processors.is_empty() { Ok(()) } else { kernel::keep_to(processors) }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// The processors that the calling thread may use, in ascending order.
    pub(super) fn allowed() -> io::Result<Vec<usize>> {
        let set = sched_getaffinity(None)?;
        Ok((0..CpuSet::MAX_CPU).filter(|&processor| set.is_set(processor)).collect())
    }

    pub(super) fn keep_to(processors: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &processor in processors {
            set.set(processor);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::io;

    pub(super) fn allowed() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn keep_to(_: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_load_keeps_one_processor_and_a_contender_has_the_others() {
        let before = kernel::allowed().unwrap();
        if before.len() == 1 {
            assert!(Processors::part().unwrap_err().to_string().contains("may use but one"));
            return;
        }
        let processors = Processors::part().unwrap();
        let mut print = Command::new("grep");
        print.args(["^Cpus_allowed_list:", "/proc/self/status"]).stdout(std::process::Stdio::piped());
        let output = processors.start(&mut print).unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let theirs: Vec<usize> = listed(said.split_whitespace().last().unwrap());
        let (last, others) = before.split_last().unwrap();
        assert_eq!((kernel::allowed().unwrap(), theirs), (vec![*last], others.to_vec()));
        kernel::keep_to(&before).unwrap();
    }

    /// `0-2,5` as `/proc` says it.
    fn listed(text: &str) -> Vec<usize> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse().unwrap()..=last.parse::<usize>().unwrap()
        };
        text.split(',').flat_map(range).collect()
    }
}
