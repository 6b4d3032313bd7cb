//! A record to a page with pictures that opens without a network.

use std::fmt::Write;

use super::definition::Definition;
use super::engines;
use super::race::Row;
use crate::machine::Machine;
use crate::record::digits;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
svg{font:12px system-ui,sans-serif;display:block;margin:.5em 0 1em}pre{background:#f4f4f4;padding:.6em;overflow-x:auto}\
table{border-collapse:collapse}td{padding:.1em 1em .1em 0}.n{fill:#1f6feb}.p{fill:#b9c3cf}.l{fill:#e3b341}";

/// Pixels: of a bar of the slowest engine, of a line, of the names before the bars.
const WIDTH: f64 = 520.0;
const LINE: usize = 20;
const NAMES: f64 = 130.0;

/// A peer counts as ahead from here on.
const MARGIN: f64 = 1.03;

/// The page: the machine, then for each workload its formula, bars of time by engine and size, and what limits it.
pub(crate) fn page(machine: &Machine, definitions: &[Definition], rows: &[Row]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>numlift beside others</title>\n<style>{STYLE}</style>\n<h1>numlift beside others, {}</h1>\n",
        machine.date
    );
    page += "<p>Nanoseconds an element, medians of turns; shorter is faster. Blue is numlift, grey are peers, yellow is a limit of the machine \
             measured in the same turns. What this cannot show stands in BIAS.md.</p>\n<table>\n";
    for (fact, value) in machine.facts() {
        let _ = writeln!(page, "<tr><td>{}<td>{}", escaped(fact), escaped(value));
    }
    page += "</table>\n";
    for definition in definitions {
        let of = |n: usize| rows.iter().filter(move |row| row.workload == definition.name && row.n == n);
        if !rows.iter().any(|row| row.workload == definition.name) {
            continue;
        }
        let _ =
            writeln!(page, "<h2>{}</h2>\n<pre>{}</pre>", escaped(&definition.name), escaped(definition.formula.trim()));
        let _ = writeln!(page, "<p>{}</p>", escaped(definition.analysis.trim()));
        for &n in &definition.sizes {
            bars(&mut page, n, &of(n).collect::<Vec<_>>());
        }
        let ahead: Vec<&Row> = definition.sizes.iter().filter_map(|&n| peer_ahead(of(n))).collect();
        if !ahead.is_empty() {
            behind(&mut page, definition, &ahead);
        }
    }
    page
}

/// The fastest peer, if numlift takes longer than that by more than the suite's figures move between runs.
fn peer_ahead<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<&'a Row> {
    rows.filter(|row| engines::is_peer(row.engine))
        .max_by(|x, y| x.numlift_over_this.total_cmp(&y.numlift_over_this))
        .filter(|row| row.numlift_over_this > MARGIN)
}

/// Where numlift is behind: by how much, how far from the machine's limit, what was tried, and the code.
fn behind(page: &mut String, definition: &Definition, ahead: &[&Row]) {
    page.push_str("<h3>Behind</h3>\n<ul>\n");
    for row in ahead {
        let (ratio, share) = (row.numlift_over_this, row.share_of_limit / row.numlift_over_this * 100.0);
        let _ = writeln!(
            page,
            "<li>{} elements: numlift takes {ratio:.2} of the time of {}, whose results are up to {:.1} ulp from numlift's; numlift is at \
             {share:.0} % of the machine's limit.",
            row.n, row.engine, row.distance
        );
    }
    page.push_str("</ul>\n");
    let tried = definition.tried.as_deref().unwrap_or("Nothing is noted of what was tried.");
    let _ = writeln!(page, "<p>{}</p>", escaped(tried.trim()));
    match code(definition) {
        Ok(code) => {
            let _ = writeln!(
                page,
                "<details><summary>numlift's machine code</summary><pre>{}</pre></details>",
                escaped(&code)
            );
        }
        Err(error) => {
            let _ = writeln!(page, "<p>{}</p>", escaped(&error.to_string()));
        }
    }
}

/// What Auto makes of the formula, as far as the first return: rare branches and data stand behind it.
fn code(definition: &Definition) -> Result<String, numlift::Error> {
    let kernel = numlift::Engine::new()?.compile(&definition.formula)?;
    let code = kernel.asm(&definition.schema())?;
    let end = code.find(" ret\n").map_or(code.len(), |at| at + 5);
    Ok(code[..end].to_owned())
}

fn bars(page: &mut String, n: usize, rows: &[&Row]) {
    let Some(first) = rows.first() else { return };
    let slowest = rows.iter().map(|row| row.ns).fold(0.0, f64::max);
    let threads = if first.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", first.threads) };
    let _ = writeln!(page, "<h3>{n} elements, {threads}</h3>");
    let (width, height) = (NAMES + WIDTH + 240.0, rows.len() * LINE);
    let _ = writeln!(page, "<svg width=\"{width}\" height=\"{height}\" role=\"img\">");
    for (k, row) in rows.iter().enumerate() {
        let class = if engines::is_limit(row.engine) {
            "l"
        } else if row.engine.starts_with(engines::NUMLIFT) {
            "n"
        } else {
            "p"
        };
        let (y, bar) = (k * LINE, (row.ns / slowest * WIDTH).max(1.0));
        let _ = writeln!(
            page,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect class=\"{class}\" x=\"{NAMES}\" y=\"{}\" width=\"{bar:.1}\" height=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{} ns, numlift takes {:.2} of it</text>",
            NAMES - 8.0,
            y + 14,
            row.engine,
            y + 2,
            LINE - 5,
            NAMES + bar + 6.0,
            y + 14,
            digits(row.ns),
            row.numlift_over_this
        );
    }
    page.push_str("</svg>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
