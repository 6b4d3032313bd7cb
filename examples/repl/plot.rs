//! Points to a chart in the terminal: braille dots within axes.

use crate::failure::Result;

/// What is drawn.
pub(crate) struct Chart<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
    /// What stands at the axes: the formulas.
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
}

/// One axis: the values at its ends, and those that get a mark.
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Chart<'_> {
    /// The points with two finite coordinates, as fractions of the axes, in strokes: what is in one is joined by lines.
    ///
    /// Of the points of a line that follow each other within one of `columns` columns, only the first, the lowest, the
    /// highest and the last are there: they cover what all would.
    pub(crate) fn strokes(&self, x_axis: &Axis, y_axis: &Axis, columns: usize) -> Vec<Vec<(f64, f64)>> {
        let points = self.x.iter().zip(self.y).map(|(x, y)| {
            let finite = x.is_finite() && y.is_finite();
            finite.then(|| (x_axis.fraction(*x), y_axis.fraction(*y)))
        });
        if !self.is_line() {
            return points.flatten().map(|point| vec![point]).collect();
        }
        let (mut strokes, mut stroke, mut column) = (Vec::new(), Vec::new(), Column::default());
        for point in points {
            match point {
                Some(point) if column.takes(point, columns) => {}
                Some(point) => {
                    column.give(&mut stroke);
                    column = Column::new(point);
                }
                None => {
                    column.give(&mut stroke);
                    column = Column::default();
                    strokes.push(std::mem::take(&mut stroke));
                }
            }
        }
        column.give(&mut stroke);
        strokes.push(stroke);
        strokes.retain(|stroke| !stroke.is_empty());
        strokes
    }

    /// Points in order of x are joined by lines; else they are a cloud.
    pub(crate) fn is_line(&self) -> bool {
        let mut known = self.x.iter().filter(|x| !x.is_nan());
        let Some(mut before) = known.next() else { return false };
        known.all(|x| std::mem::replace(&mut before, x) <= x)
    }

    /// The axes that hold every point, with about so many ticks.
    pub(crate) fn axes(&self, x_ticks: usize, y_ticks: usize) -> Result<(Axis, Axis)> {
        let shown = || self.x.iter().zip(self.y).filter(|(x, y)| x.is_finite() && y.is_finite());
        let x_axis = Axis::new(shown().map(|(x, _)| *x), x_ticks);
        let y_axis = Axis::new(shown().map(|(_, y)| *y), y_ticks);
        x_axis.zip(y_axis).ok_or("nothing to plot: no point has two finite coordinates of moderate size".into())
    }
}

/// The points of a line within one column, with their numbers: the first, lowest, highest and last.
#[derive(Default)]
struct Column(Option<[(usize, (f64, f64)); 4]>);

impl Column {
    fn new(point: (f64, f64)) -> Column {
        Column(Some([(0, point); 4]))
    }

    /// Takes the point if it is of the same column.
    fn takes(&mut self, point: (f64, f64), columns: usize) -> bool {
        let Some([first, lowest, highest, last]) = &mut self.0 else { return false };
        let column = |(x, _): (f64, f64)| (x * columns as f64) as usize;
        if column(first.1) != column(point) {
            return false;
        }
        let numbered = (last.0 + 1, point);
        if point.1 < lowest.1.1 {
            *lowest = numbered;
        }
        if point.1 > highest.1.1 {
            *highest = numbered;
        }
        *last = numbered;
        true
    }

    /// Appends the points in the order they came.
    fn give(&self, stroke: &mut Vec<(f64, f64)>) {
        let Some(mut points) = self.0 else { return };
        points.sort_by_key(|(number, _)| *number);
        let mut before = None;
        for (number, point) in points {
            if before.replace(number) != Some(number) {
                stroke.push(point);
            }
        }
    }
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, count: usize) -> Option<Axis> {
        let (mut low, mut high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
            (low, high) = (low - room, high + room);
        }
        if !(low < high && (high - low).is_normal()) {
            return None;
        }
        let step = round_step((high - low) / count as f64);
        // Rounding must not lose the ticks at the ends.
        let slack = step * 1e-9;
        let first = ((low - slack) / step).ceil();
        let ticks = (0..=2 * count).map(|i| (first + i as f64) * step).take_while(|tick| *tick <= high + slack);
        Some(Axis { low, high, ticks: ticks.map(|tick| (tick, number(tick, step))).collect() })
    }

    pub(crate) fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The least of 1, 2, 5, 10, 20 ... that is no less than `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let least = step * (1.0 - 1e-9);
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|round| *round >= least).unwrap_or(10.0 * power)
}

/// A tick's number, with as many digits as ticks so far apart need.
fn number(value: f64, step: f64) -> String {
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    let size = value.abs().max(step);
    if (1e-3..1e6).contains(&size) && step >= 1e-6 {
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        return format!("{value:.decimals$}");
    }
    // Rounded first, so that 9.999999e5 is not taken for a number of the size below.
    let digits = (size.log10() - step.log10()).round().max(0.0) as usize + 1;
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').expect("an exponent");
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    if mantissa == "0" { "0".to_owned() } else { format!("{mantissa}e{exponent}") }
}

/// Dots of a braille character: columns and rows.
const DOTS: (usize, usize) = (2, 4);
/// The bit of each dot in a braille character, by row and column.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The chart as lines of text, `width` by `height` characters in all.
pub(crate) fn draw(chart: &Chart, width: usize, height: usize) -> Result<String> {
    const AROUND: usize = 4; // lines for the label above, the axis, its numbers and its label
    let rows = height.max(AROUND + 4) - AROUND;
    let (x_axis, y_axis) = chart.axes(width / 10, rows / 2)?;
    let margin = y_axis.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    let columns = width.max(margin + 22) - margin - 2;

    let mut cells = vec![vec![0_u8; columns]; rows];
    let dots = (columns * DOTS.0, rows * DOTS.1);
    let place = |(x, y): (f64, f64)| {
        ((x * (dots.0 - 1) as f64).round() as i64, ((1.0 - y) * (dots.1 - 1) as f64).round() as i64)
    };
    for stroke in chart.strokes(&x_axis, &y_axis, dots.0) {
        let mut before = place(stroke[0]);
        for point in stroke {
            let point = place(point);
            segment(before, point, |x, y| {
                let (x, y) = (x as usize, y as usize);
                cells[y / DOTS.1][x / DOTS.0] |= BITS[y % DOTS.1][x % DOTS.0];
            });
            before = point;
        }
    }

    let row_of = |value: f64| place((0.0, y_axis.fraction(value))).1 as usize / DOTS.1;
    let mut text = format!("{}\n", chart.y_label);
    for (row, cells) in cells.iter().enumerate() {
        let label = y_axis.ticks.iter().find(|(tick, _)| row_of(*tick) == row).map(|(_, label)| label.as_str());
        let mark = if label.is_some() { '┤' } else { '│' };
        let cells: String =
            cells.iter().map(|bits| char::from_u32(0x2800 + u32::from(*bits)).expect("braille")).collect();
        text.push_str(&format!("{:>margin$} {mark}{}\n", label.unwrap_or(""), cells.trim_end_matches('\u{2800}')));
    }
    text.push_str(&below(&x_axis, margin, columns, |value| place((x_axis.fraction(value), 0.0)).0 as usize / DOTS.0));
    text.push_str(&format!("{:>1$}\n", chart.x_label, margin + 2 + columns));
    Ok(text)
}

/// The line of the x axis with its marks, and the line of its numbers.
fn below(axis: &Axis, margin: usize, columns: usize, column_of: impl Fn(f64) -> usize) -> String {
    let mut line = vec!['─'; columns];
    let mut numbers = vec![' '; margin + 2 + columns];
    for (tick, label) in &axis.ticks {
        let column = column_of(*tick);
        line[column] = '┬';
        let length = label.chars().count();
        let start = (margin + 2 + column).saturating_sub(length / 2).min(numbers.len().saturating_sub(length));
        let free = numbers[start.saturating_sub(1)..(start + length).min(numbers.len())].iter().all(|c| *c == ' ');
        if free {
            for (at, c) in label.chars().enumerate() {
                numbers[start + at] = c;
            }
        }
    }
    let (line, numbers): (String, String) = (line.iter().collect(), numbers.iter().collect());
    format!("{:>margin$} └{line}\n{}\n", "", numbers.trim_end())
}

/// Calls `dot` for every place on the way from `a` to `b`, both included.
fn segment(a: (i64, i64), b: (i64, i64), mut dot: impl FnMut(i64, i64)) {
    let steps = (b.0 - a.0).abs().max((b.1 - a.1).abs());
    let along = |from: i64, to: i64, i: i64| {
        if steps == 0 { from } else { from + ((to - from) as f64 * i as f64 / steps as f64).round() as i64 }
    };
    for i in 0..=steps {
        dot(along(a.0, b.0, i), along(a.1, b.1, i));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart<'a>(x: &'a [f64], y: &'a [f64]) -> Chart<'a> {
        Chart { x, y, x_label: "x", y_label: "y" }
    }

    #[test]
    fn a_straight_line_goes_from_corner_to_corner() {
        let x: Vec<f64> = (0..=10).map(f64::from).collect();
        let expected = "\
y
10 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⣀⠤⠒⠉
   │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⣀⠤⠒⠉
 5 ┤⠀⠀⠀⠀⠀⠀⠀⢀⣀⠤⠔⠊
   │⠀⠀⠀⢀⡠⠔⠊⠁
 0 ┤⡠⠔⠊⠁
   └┬─────────┬────────┬
    0         5       10
                       x
";
        assert_eq!(draw(&chart(&x, &x), 23, 9).expect("a chart"), expected);
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let labels = |values: &[f64], count| {
            let axis = Axis::new(values.iter().copied(), count).expect("an axis");
            axis.ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(labels(&[0.0, 1.0], 4), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(&[-3.0, 7.0], 5), ["-2", "0", "2", "4", "6"]);
        assert_eq!(labels(&[2.0, 2.0], 4), ["1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(labels(&[-1e-5, 1e-5], 4), ["-1e-5", "-5e-6", "0", "5e-6", "1e-5"]);
        assert_eq!(labels(&[1e6, 1.2e6], 4), ["1e6", "1.05e6", "1.1e6", "1.15e6", "1.2e6"]);
        assert_eq!(labels(&[0.0, 4e9], 4), ["0", "1e9", "2e9", "3e9", "4e9"]);
    }

    #[test]
    fn a_long_line_is_thinned_to_what_is_seen() {
        let x: Vec<f64> = (0..100_000).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| (x * 0.37).sin()).collect();
        let chart = chart(&x, &y);
        let (x_axis, y_axis) = chart.axes(4, 4).expect("axes");
        let strokes = chart.strokes(&x_axis, &y_axis, 100);
        assert!(strokes.len() == 1 && strokes[0].len() <= 404, "{}", strokes[0].len());
        let least = strokes[0].iter().map(|(_, y)| *y).fold(1.0, f64::min);
        assert!(least == 0.0 && strokes[0].is_sorted_by_key(|(x, _)| *x));
    }

    #[test]
    fn nothing_finite_is_an_error_and_gaps_break_a_line() {
        assert!(draw(&chart(&[f64::NAN], &[1.0]), 40, 12).is_err());
        assert!(draw(&chart(&[], &[]), 40, 12).is_err());
        assert!(draw(&chart(&[-1e308, 1e308], &[1.0, 2.0]), 40, 12).is_err());
        let gap = draw(&chart(&[0.0, 1.0, 2.0], &[0.0, f64::NAN, 0.0]), 40, 12).expect("a chart");
        let dots = gap.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert_eq!(dots, 2, "{gap}");
    }
}
