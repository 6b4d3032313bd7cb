//! Points to a chart in a PNG file.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use crate::failure::Result;
use crate::font::{GLYPH, is_inked};
use crate::plot::Chart;

const WIDTH: usize = 800;
const HEIGHT: usize = 500;
/// Pixels a dot of the font is wide and high.
const SCALE: usize = 2;
/// From one character to the next.
const ADVANCE: usize = (GLYPH.0 + 1) * SCALE;
const TEXT_HEIGHT: usize = GLYPH.1 * SCALE;

type Color = [f64; 3];
const PAPER: Color = [255.0; 3];
const INK: Color = [60.0, 60.0, 60.0];
const GRID: Color = [228.0, 228.0, 228.0];
const DATA: Color = [31.0, 108.0, 180.0];

/// A picture of pixels, rows from the top.
struct Canvas(Vec<Color>);

impl Canvas {
    /// Covers a pixel with `color` by the part `cover` of it.
    fn blend(&mut self, x: usize, y: usize, color: Color, cover: f64) {
        if x < WIDTH && y < HEIGHT {
            let pixel = &mut self.0[y * WIDTH + x];
            for (below, above) in pixel.iter_mut().zip(color) {
                *below += (above - *below) * cover;
            }
        }
    }

    fn fill(&mut self, (left, top): (usize, usize), (right, bottom): (usize, usize), color: Color) {
        for y in top..bottom {
            for x in left..right {
                self.blend(x, y, color, 1.0);
            }
        }
    }

    fn text(&mut self, text: &str, left: usize, top: usize) {
        for (i, character) in text.chars().enumerate() {
            for (column, row) in (0..GLYPH.0).flat_map(|column| (0..GLYPH.1).map(move |row| (column, row))) {
                if is_inked(character, column, row) {
                    let corner = (left + i * ADVANCE + column * SCALE, top + row * SCALE);
                    self.fill(corner, (corner.0 + SCALE, corner.1 + SCALE), INK);
                }
            }
        }
    }
}

/// How much of each pixel the data cover, so that lines that meet are no darker than others.
struct Coverage {
    parts: Vec<f64>,
    /// The places of dots, to a quarter of a pixel, so that none is drawn twice.
    dots: HashSet<(i64, i64)>,
}

impl Coverage {
    fn dot(&mut self, at: (f64, f64)) {
        if self.dots.insert(((at.0 * 4.0) as i64, (at.1 * 4.0) as i64)) {
            self.line(at, at, 1.0);
        }
    }

    /// A line with round ends.
    fn line(&mut self, a: (f64, f64), b: (f64, f64), radius: f64) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length_squared = dx * dx + dy * dy;
        let reach = radius + 1.0;
        // Steep lines row by row, others column by column, so that only pixels near the line are visited.
        let steep = dy.abs() > dx.abs();
        let (from, to) = if steep { (a.1.min(b.1), a.1.max(b.1)) } else { (a.0.min(b.0), a.0.max(b.0)) };
        let slope = if steep {
            dx / dy
        } else if dx == 0.0 {
            0.0
        } else {
            dy / dx
        };
        for along in (from - reach).floor() as i64..=(to + reach).ceil() as i64 {
            let middle = match steep {
                true => a.0 + ((along as f64).clamp(from, to) - a.1) * slope,
                false => a.1 + ((along as f64).clamp(from, to) - a.0) * slope,
            };
            let spread = reach * 1.5;
            for across in (middle - spread).floor() as i64..=(middle + spread).ceil() as i64 {
                let (x, y) = if steep { (across, along) } else { (along, across) };
                let (px, py) = (x as f64 - a.0, y as f64 - a.1);
                let t =
                    if length_squared == 0.0 { 0.0 } else { ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0) };
                let distance = (px - t * dx).hypot(py - t * dy);
                self.cover(x, y, (radius + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    fn cover(&mut self, x: i64, y: i64, part: f64) {
        if (0..WIDTH as i64).contains(&x) && (0..HEIGHT as i64).contains(&y) {
            let pixel = &mut self.parts[y as usize * WIDTH + x as usize];
            *pixel = pixel.max(part);
        }
    }
}

/// Writes a picture of 800 by 500 pixels.
pub(crate) fn write(chart: &Chart, path: &Path) -> Result<()> {
    let pixels = draw(chart)?;
    let error = |error: &dyn std::fmt::Display| format!("`{}` cannot be written: {error}", path.display());
    let file = File::create(path).map_err(|e| error(&e))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|e| error(&e))?;
    writer.write_image_data(&pixels).map_err(|e| error(&e))?;
    Ok(writer.finish().map_err(|e| error(&e))?)
}

/// Three bytes a pixel.
fn draw(chart: &Chart) -> Result<Vec<u8>> {
    let (x_axis, y_axis) = chart.axes(8, 7)?;
    let widest = y_axis.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    let (left, right) = (widest * ADVANCE + 24, WIDTH - 30);
    let (top, bottom) = (TEXT_HEIGHT + 22, HEIGHT - 2 * TEXT_HEIGHT - 28);
    // Half a pixel of room, so that the outermost points are not cut by the frame.
    let place = |(x, y): (f64, f64)| {
        let inset = 4.0;
        let (width, height) = ((right - left) as f64 - 2.0 * inset, (bottom - top) as f64 - 2.0 * inset);
        (left as f64 + inset + x * width, bottom as f64 - inset - y * height)
    };

    let mut canvas = Canvas(vec![PAPER; WIDTH * HEIGHT]);
    for (tick, label) in &x_axis.ticks {
        let x = place((x_axis.fraction(*tick), 0.0)).0.round() as usize;
        canvas.fill((x, top), (x + 1, bottom), GRID);
        canvas.fill((x, bottom), (x + 1, bottom + 6), INK);
        let length = label.chars().count() * ADVANCE;
        canvas.text(label, x.saturating_sub(length / 2).min(WIDTH.saturating_sub(length)), bottom + 10);
    }
    for (tick, label) in &y_axis.ticks {
        let y = place((0.0, y_axis.fraction(*tick))).1.round() as usize;
        canvas.fill((left, y), (right, y + 1), GRID);
        canvas.fill((left - 6, y), (left, y + 1), INK);
        canvas.text(label, left - 10 - label.chars().count() * ADVANCE, y.saturating_sub(7));
    }
    let label_room = |label: &str| (WIDTH / ADVANCE - 2).min(label.chars().count());
    let y_label: String = chart.y_label.chars().take(label_room(chart.y_label)).collect();
    canvas.text(&y_label, 12, 10);
    let x_label: String = chart.x_label.chars().take(label_room(chart.x_label)).collect();
    canvas.text(&x_label, (WIDTH - 18).saturating_sub(x_label.chars().count() * ADVANCE), HEIGHT - TEXT_HEIGHT - 6);

    let mut coverage = Coverage { parts: vec![0.0; WIDTH * HEIGHT], dots: HashSet::new() };
    for stroke in chart.strokes(&x_axis, &y_axis, WIDTH) {
        let stroke: Vec<(f64, f64)> = stroke.into_iter().map(place).collect();
        match stroke.as_slice() {
            [dot] => coverage.dot(*dot),
            line => line.windows(2).for_each(|ends| coverage.line(ends[0], ends[1], 0.7)),
        }
    }
    for (at, cover) in coverage.parts.iter().enumerate() {
        canvas.blend(at % WIDTH, at / WIDTH, DATA, *cover);
    }
    canvas.fill((left - 1, top), (left, bottom), INK);
    canvas.fill((left - 1, bottom), (right, bottom + 1), INK);
    Ok(canvas.0.iter().flatten().map(|level| level.round() as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_paper_axes_and_data() {
        let x: Vec<f64> = (0..100).map(|i| f64::from(i) / 10.0).collect();
        let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
        let pixels = draw(&Chart { x: &x, y: &y, x_label: "x", y_label: "sin(x)" }).expect("a picture");
        assert_eq!(pixels.len(), WIDTH * HEIGHT * 3);
        let count = |color: Color| {
            pixels.chunks(3).filter(|pixel| color.iter().zip(*pixel).all(|(a, b)| *a == f64::from(*b))).count()
        };
        assert!(count(PAPER) > WIDTH * HEIGHT / 2 && count(INK) > 1000 && count(DATA) > 500);
    }
}
