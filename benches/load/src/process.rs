//! The usage of a process, from /proc.

use std::{fs, io};

/// CPU time that a process has used so far, and memory that it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds of CPU time of all its threads.
    pub cpu: f64,
    /// The same in user and in kernel mode, in hundredths, and with that of threads that have ended.
    user: u64,
    system: u64,
    /// Resident bytes, and those of them that are anonymous, rather than a file's.
    pub resident: u64,
    pub anonymous: u64,
}

impl Usage {
    /// The usage of this process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (user, system) = ticks(&stat).ok_or_else(|| wrong("stat"))?;
        let (resident, anonymous) = resident(pid)?;
        // The scheduler's count is exact; a run of a second has only a hundred ticks.
        let cpu =
            scheduled(pid).map_or((user + system) as f64 / TICKS, |nanoseconds| nanoseconds as f64 / 1e9);
        Ok(Self { cpu, user, system, resident, anonymous })
    }

    /// Seconds of CPU time since then: all of it, and the part in user mode.
    pub(crate) fn since(&self, before: &Self) -> (f64, f64) {
        let (user, system) =
            (self.user.saturating_sub(before.user), self.system.saturating_sub(before.system));
        // The exact count loses the time of a thread that ends. The other counts are rounded by up to one each, so less than
        // two hundredths of a second may be missing.
        let (exact, counted) = ((self.cpu - before.cpu).max(0.0), (user + system) as f64 / TICKS);
        let cpu = if exact < counted - 2.0 / TICKS { counted } else { exact };
        // The share is computed first, so that rounding cannot make it more than all.
        (cpu, cpu * (user as f64 / (user + system).max(1) as f64))
    }
}

/// The kernel's USER_HZ, in which every Linux reports times.
const TICKS: f64 = 100.0;

/// Resident bytes of a process, and those of them that are anonymous.
pub fn resident(pid: u32) -> io::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
    };
    Ok((field("VmRSS:").ok_or_else(|| wrong("status"))?, field("RssAnon:").ok_or_else(|| wrong("status"))?))
}

/// The fields utime and stime, after a name in parentheses that may contain anything.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Nanoseconds that the threads of a process have run, if the kernel counts them.
fn scheduled(pid: u32) -> Option<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end meanwhile.
        let Ok(schedstat) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        total += schedstat.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
    }
    (total > 0).then_some(total)
}

fn wrong(file: &str) -> io::Error {
    io::Error::other(format!("/proc/PID/{file} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_fields() {
        let stat = "4242 (a) S 1 (b) R 1 4242 4242 0 -1 4194304 100 0 0 0 17 25 0 0 20 0 1 0 99";
        assert_eq!(ticks(stat), Some((17, 25)));
    }

    #[test]
    fn a_thread_that_ended() {
        let before = Usage { cpu: 5.0, user: 300, system: 200, ..Usage::default() };
        let after = |cpu| Usage { cpu, user: 350, system: 225, ..Usage::default() };
        assert_eq!(after(4.2).since(&before), (0.75, 0.5));
        assert_eq!(after(5.25).since(&before), (0.75, 0.5));
        // The difference is only the rounding of two counts.
        assert_eq!(after(5.735).since(&before).0, 5.735 - 5.0);
    }

    #[test]
    fn user_mode_is_never_more_than_all() {
        for i in 1..1000_u64 {
            let after = Usage { cpu: 0.1 + i as f64 / 7e3, user: i, ..Usage::default() };
            let (cpu, user) = after.since(&Usage::default());
            assert!(user <= cpu, "{user} of {cpu}");
        }
    }

    #[test]
    fn ourselves() {
        let before = Usage::of(std::process::id()).expect("procfs");
        let mut sum = 0_u64;
        let after = loop {
            sum = std::hint::black_box((0..1_000_000).fold(sum, |sum, n| sum.wrapping_mul(31) + n));
            let after = Usage::of(std::process::id()).expect("procfs");
            if after.cpu > before.cpu + 0.05 {
                break after;
            }
        };
        let (cpu, user) = after.since(&before);
        assert!(cpu > 0.04 && user <= cpu, "{cpu} {user}");
        assert!(after.anonymous > 0 && after.resident >= after.anonymous);
    }
}
