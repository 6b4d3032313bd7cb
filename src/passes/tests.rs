//! Passes on graphs written as text, and the pipeline against the interpreter.

use super::*;
use crate::ir::parse::parse;

fn pass(name: &str, text: &str) -> String {
    let (_, pass) = PIPELINE.iter().find(|(known, _)| *known == name).expect("a pass of that name");
    let graph = parse(text);
    graph.verify();
    let graph = pass(graph, &Target::VECTOR_128);
    graph.verify();
    graph.to_string()
}

/// Lines without the spaces that indent them here.
fn text(lines: &str) -> String {
    let lines = lines.trim_matches('\n');
    let indent = lines.len() - lines.trim_start().len();
    lines.lines().map(|line| format!("{}\n", line.get(indent..).unwrap_or(""))).collect()
}

const TWO_LOOPS: &str = "
    param 0 `x`: f64[]
    param 1 `n`: i32
    table 0: f64 = 1.0, -0.0, inf, NaN, 1e-320
    size 0 = 0, 1
    v0: f64 = param 0
    v1: bool = gt v0, v0
    v10 = when v1 else v0, v0 {
      v2: f64 = sqrt v0
      v8 = repeat v2, v0 {
        v3: f64 = carried 0
        v4: f64 = carried 1
        v5: f64 = add v3, v4
        v6: bool = lt v5, v0
        yield v6, v5, v4
      }
      v9: f64 = part v8 0
      v11: f64 = part v8 1
      yield v9, v2
    }
    v12: f64 = part v10 0
    v13: f64 = part v10 1
    v24 = when v1 else v0, v0 {
      v14: f64 = sqrt v0
      v21 = repeat v14, v0 {
        v15: f64 = carried 0
        v16: f64 = carried 1
        v17: f64 = add v15, v16
        v18: bool = lt v17, v0
        yield v18, v17, v16
      }
      v22: f64 = part v21 0
      v23: f64 = part v21 1
      yield v22, v14
    }
    v25: f64 = part v24 0
    v26: f64 = part v24 1
    v27: f64 = add v12, v25
    v28: i64 = size 0
    v29: f64 = lookup 0 v28
    output `a` = v27
    output `b` = v29
";

#[test]
fn a_graph_reads_back_as_it_prints() {
    let graph = parse(&text(TWO_LOOPS));
    let printed = graph.to_string();
    let again = parse(&printed);
    assert_eq!(again, graph);
    assert_eq!(again.to_string(), printed);
}

#[test]
fn equal_regions_are_one() {
    let shared = pass("dead", &pass("share", &text(TWO_LOOPS)));
    assert_eq!(shared.matches("when").count(), 1, "{shared}");
    assert_eq!(shared.matches("repeat").count(), 1, "{shared}");
    assert_eq!(shared.matches("part").count(), 3, "the second results are dropped but for the carried one: {shared}");
}
