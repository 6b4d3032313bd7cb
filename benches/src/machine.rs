//! The machine, the versions and the hour that figures belong to.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where and when a run takes place.
pub(crate) struct Machine {
    /// Bytes of the first and second data cache of a core, and of the last one.
    pub(crate) caches: [usize; 3],
    pub(crate) cores: usize,
    /// UTC, as 2026-01-31.
    pub(crate) date: String,
    facts: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn here() -> Machine {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let date = civil_date(seconds / 86_400);
        let time = format!("{:02}:{:02} UTC", seconds / 3600 % 24, seconds / 60 % 60);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let caches =
            [("1", 32 << 10), ("2", 512 << 10), ("3", 32 << 20)].map(|(level, usual)| cache(level).unwrap_or(usual));
        let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
        let facts = vec![
            ("date", date.clone()),
            ("time", time),
            ("cpu", processor()),
            ("cores", cores.to_string()),
            ("cache L1d", kib(caches[0])),
            ("cache L2", kib(caches[1])),
            ("cache L3", kib(caches[2])),
            ("isa of the peers", crate::peers::ISA.to_owned()),
            ("os", format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease"))),
            ("transparent huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled")),
            ("numlift", env!("CARGO_PKG_VERSION").to_owned()),
            ("commit", output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])),
            ("rustc", output("rustc", &["--version"])),
            ("load at start", load()),
        ];
        Machine { caches, cores, date, facts }
    }

    /// Notes what else kept the machine busy.
    pub(crate) fn note_end(&mut self) {
        self.facts.push(("load at end", load()));
    }

    pub(crate) fn facts(&self) -> &[(&'static str, String)] {
        &self.facts
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.iter().try_for_each(|(name, value)| writeln!(f, "{name:24}{value}"))
    }
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let field = |name: &str| info.lines().find(|line| line.starts_with(name))?.split(": ").nth(1).map(str::to_owned);
    match (field("model name"), field("cpu family"), field("model\t")) {
        (Some(name), Some(family), Some(model)) => format!("{name}, family {family} model {model}"),
        _ => std::env::consts::ARCH.to_owned(),
    }
}

/// Bytes of the data cache of that level.
fn cache(level: &str) -> Option<usize> {
    (0..8).find_map(|k| {
        let field = |name| read(&format!("/sys/devices/system/cpu/cpu0/cache/index{k}/{name}"));
        let right = field("level") == level && field("type") != "Instruction";
        field("size").strip_suffix('K').filter(|_| right)?.parse::<usize>().ok().map(|kib| kib << 10)
    })
}

fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The file's text, empty where there is none.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// What a command prints, `unknown` where it does not run.
fn output(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar.
fn civil_date(days: u64) -> String {
    // Years begin in March here, so that the leap day is the last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        // From `date -u -d @86400*n +%F`.
        let known = [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22"), (47_540, "2100-02-28")];
        for (days, date) in known {
            assert_eq!(super::civil_date(days), date);
        }
    }
}
