//! The newest records to the tables of the README, between two marks.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::engines::{self, NUMLIFT};

const BEGIN: &str = "<!-- figures, written by `cargo run --release -p numlift-bench -- readme` -->\n";
const END: &str = "<!-- end of figures -->\n";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A line of a record, by column.
type Line = BTreeMap<String, String>;

/// Writes the tables anew.
pub(crate) fn update() -> Result<PathBuf> {
    let path = engines::root().join("README.md");
    let text = fs::read_to_string(&path)?;
    let begin = text.find(BEGIN).ok_or("the README has no place for figures")? + BEGIN.len();
    let end = text.find(END).ok_or("the README's figures have no end")?;
    let (date, directory) = newest()?;
    let mut tables = format!("\nOf {date}.\n\n{}{}", latencies(&directory)?, loops(&directory)?);
    if directory.join("suite.csv").exists() {
        tables += &suite(&directory)?;
    }
    fs::write(&path, format!("{}{tables}{}", &text[..begin], &text[end..]))?;
    Ok(path)
}

/// The last day that has records.
fn newest() -> Result<(String, PathBuf)> {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("records");
    let mut days: Vec<PathBuf> = fs::read_dir(records)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|day| day.join("throughput.csv").exists())
        .collect();
    days.sort();
    let day = days.pop().ok_or("no record of loops")?;
    Ok((day.file_name().unwrap_or_default().to_string_lossy().into_owned(), day))
}

fn lines(path: &Path) -> Result<Vec<Line>> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(reader.deserialize().collect::<std::result::Result<_, _>>()?)
}

fn latencies(directory: &Path) -> Result<String> {
    let compile = lines(&directory.join("compile.csv"))?;
    let call = lines(&directory.join("call.csv"))?;
    let left = compile.iter().map(|line| format!("| `{}` | {} |", line["formula"], line["total_us"]));
    let right = call.iter().filter(|line| line["call"] != "bound, views made");
    let right = right.map(|line| format!(" | {}, n = {} | {} |", line["call"], line["n"], line["ns"]));
    let (left, right): (Vec<_>, Vec<_>) = (left.collect(), right.collect());
    let mut table =
        "| text to callable | us | | call of `a*b + c` | ns |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for k in 0..left.len().max(right.len()) {
        let left = left.get(k).map_or("| | |", String::as_str);
        let right = right.get(k).map_or(" | | |", String::as_str);
        let _ = writeln!(table, "{left}{right}");
    }
    Ok(table + "\n")
}

/// A row a kernel: numlift's time over that of loops, in caches on one thread, beyond them on two.
fn loops(directory: &Path) -> Result<String> {
    let rows = lines(&directory.join("throughput.csv"))?;
    let mut kernels: Vec<&str> = rows.iter().map(|row| row["kernel"].as_str()).collect();
    kernels.dedup();
    // The best of several loops is the one that numlift's time is the most of.
    let over = |kernel: &str, fits: &str, threads: &str, engine: &str| {
        let of = |row: &&Line| {
            row["kernel"] == kernel
                && row["fits"] == fits
                && row["threads"] == threads
                && row["engine"].split(" x").next() == Some(engine)
        };
        let ratios = rows.iter().filter(of).filter_map(|row| row["numlift_over_this"].parse::<f64>().ok());
        ratios.reduce(f64::max).map_or(String::new(), |ratio| format!("{ratio:.2}"))
    };
    let mut table = "numlift's time over that of loops in Rust, less than 1 being faster: the best of four of 128-bit vectors by hand, a plain one \
                     compiled for AVX2 and FMA, one that writes past the caches.\n\n\
                     | kernel | over 128-bit, first cache | over plain, second cache | over plain, memory, 2 threads | over streamed |\n\
                     | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for kernel in kernels {
        let cells = [
            over(kernel, "L1 loop", "1", "128-bit"),
            over(kernel, "L2", "1", "Rust loop"),
            over(kernel, "DRAM", "2", "Rust loop"),
            over(kernel, "DRAM", "2", "Rust loop, streamed"),
        ];
        let _ = writeln!(table, "| `{kernel}` | {} |", cells.join(" | "));
    }
    Ok(table + "\n")
}

/// A row a workload: numlift's throughput, its distance to the best peer and to the limit, for the two largest sizes.
fn suite(directory: &Path) -> Result<String> {
    let rows = lines(&directory.join("suite.csv"))?;
    let mut workloads: Vec<&str> = Vec::new();
    for row in &rows {
        if !workloads.contains(&row["workload"].as_str()) {
            workloads.push(&row["workload"]);
        }
    }
    let mut table =
        "The suite, all cores, millions of elements a second; the best peer of the same run, and numlift's speed over it; the share of the \
         machine's limit (memory or multiply-adds, whichever is nearer).\n\n\
         | workload | elements | numlift | best peer | numlift over it | of the limit |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for workload in workloads {
        let of = |row: &&Line| row["workload"] == workload && row["threads"] != "1";
        let mut sizes: Vec<&str> = rows.iter().filter(of).map(|row| row["elements"].as_str()).collect();
        sizes.dedup();
        for n in sizes {
            let of = |row: &&Line| of(row) && row["elements"] == n;
            let ns = |row: &Line| row["ns_per_element"].parse::<f64>();
            let Some(numlift) = rows.iter().filter(of).find(|row| row["engine"] == NUMLIFT) else { continue };
            let mut best: Option<(&Line, f64)> = None;
            for row in rows.iter().filter(of) {
                if engines::is_peer(&row["engine"]) && best.is_none_or(|(_, least)| ns(row).is_ok_and(|ns| ns < least))
                {
                    best = Some((row, ns(row)?));
                }
            }
            let (peer, ratio) = match best {
                Some((row, _)) => {
                    (row["engine"].as_str(), format!("{:.2}", 1.0 / row["numlift_over_this"].parse::<f64>()?))
                }
                None => ("", String::new()),
            };
            let share = numlift["share_of_limit"].parse::<f64>()? * 100.0;
            let _ =
                writeln!(table, "| `{workload}` | {n} | {:.0} | {peer} | {ratio} | {share:.0} % |", 1e3 / ns(numlift)?);
        }
    }
    Ok(table)
}
