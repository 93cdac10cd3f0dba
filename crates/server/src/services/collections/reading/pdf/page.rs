//! The text of one page: what is shown, with blanks, line ends and paragraphs where the pen moves by as much.

use std::collections::BTreeMap;

use lopdf::content::Content;
use lopdf::{Document, Object, ObjectId};

use super::super::MAX_TEXT;
use super::font::Font;

/// How far the pen moves for a word to end, in parts of the font's size; more where widths are guesses.
const WORD_GAP: f32 = 0.17;
const GUESSED_GAP: f32 = 0.5;
/// How far it moves down for a line and for a paragraph to end.
const LINE_GAP: f32 = 0.5;
const PARAGRAPH_GAP: f32 = 1.8;
/// Deepest nesting of saved states.
const MAX_SAVED: usize = 256;

/// A transformation of the plane: x' = a x + c y + e, y' = b x + d y + f.
#[derive(Clone, Copy)]
struct Matrix([f32; 6]);

impl Matrix {
    const NONE: Matrix = Matrix([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn shift(x: f32, y: f32) -> Matrix {
        Matrix([1.0, 0.0, 0.0, 1.0, x, y])
    }

    fn read(operands: &[Object]) -> Option<Matrix> {
        let mut numbers = [0.0; 6];
        for (number, operand) in numbers.iter_mut().zip(operands.get(..6)?) {
            *number = operand.as_float().ok()?;
        }
        Some(Matrix(numbers))
    }

    /// This one first, then the other.
    fn then(self, other: Matrix) -> Matrix {
        let [a, b, c, d, e, f] = self.0;
        let [g, h, i, j, k, l] = other.0;
        Matrix([
            a * g + b * i,
            a * h + b * j,
            c * g + d * i,
            c * h + d * j,
            e * g + f * i + k,
            e * h + f * j + l,
        ])
    }

    /// How much larger things become.
    fn scale(self) -> f32 {
        let [a, b, ..] = self.0;
        a.hypot(b)
    }
}

/// Where a shown string ended.
#[derive(Clone, Copy)]
struct End {
    x: f32,
    y: f32,
    size: f32,
}

/// A pen on its way over a page.
struct Pen<'f, 'a> {
    fonts: &'f BTreeMap<Vec<u8>, Font<'a>>,
    font: Option<&'f Font<'a>>,
    size: f32,
    /// Added to each letter, and to each blank.
    letter_gap: f32,
    word_gap: f32,
    stretch: f32,
    leading: f32,
    page: Matrix,
    saved: Vec<Matrix>,
    line: Matrix,
    at: Matrix,
    end: Option<End>,
    out: String,
}

/// The text of a page whose contents unpack to at most so many bytes.
pub(super) fn text(document: &Document, id: ObjectId, most: usize) -> lopdf::Result<String> {
    let fonts = document.get_page_fonts(id)?;
    let fonts = fonts.into_iter();
    let fonts = fonts.map(|(name, font)| (name, Font::of(font, document, most)));
    let fonts: BTreeMap<Vec<u8>, Font<'_>> = fonts.collect();
    let content = document.get_page_content_with_limit(id, most)?;
    let content = Content::decode(&content)?;
    let mut pen = Pen {
        fonts: &fonts,
        font: None,
        size: 1.0,
        letter_gap: 0.0,
        word_gap: 0.0,
        stretch: 1.0,
        leading: 0.0,
        page: Matrix::NONE,
        saved: Vec::new(),
        line: Matrix::NONE,
        at: Matrix::NONE,
        end: None,
        out: String::new(),
    };
    for operation in &content.operations {
        // What is misspelt is passed over, as viewers do.
        let _ = pen.take(&operation.operator, &operation.operands);
    }
    let lines: Vec<&str> = pen.out.trim().lines().map(str::trim_end).collect();
    Ok(lines.join("\n"))
}

fn float(operands: &[Object], at: usize) -> Option<f32> {
    operands.get(at)?.as_float().ok()
}

impl Pen<'_, '_> {
    fn take(&mut self, operator: &str, operands: &[Object]) -> Option<()> {
        match operator {
            "q" if self.saved.len() < MAX_SAVED => self.saved.push(self.page),
            "Q" => self.page = self.saved.pop()?,
            "cm" => self.page = Matrix::read(operands)?.then(self.page),
            "BT" => (self.line, self.at) = (Matrix::NONE, Matrix::NONE),
            "Tf" => {
                self.font = self.fonts.get(operands.first()?.as_name().ok()?);
                self.size = float(operands, 1)?;
            }
            "Tc" => self.letter_gap = float(operands, 0)?,
            "Tw" => self.word_gap = float(operands, 0)?,
            "Tz" => self.stretch = float(operands, 0)? / 100.0,
            "TL" => self.leading = float(operands, 0)?,
            "Td" => self.next_line(float(operands, 0)?, float(operands, 1)?),
            "TD" => {
                self.leading = -float(operands, 1)?;
                self.next_line(float(operands, 0)?, float(operands, 1)?);
            }
            "Tm" => {
                self.line = Matrix::read(operands)?;
                self.at = self.line;
            }
            "T*" => self.next_line(0.0, -self.leading),
            "Tj" => self.show(operands.first()?.as_str().ok()?, false),
            "'" => {
                self.next_line(0.0, -self.leading);
                self.show(operands.first()?.as_str().ok()?, false);
            }
            "\"" => {
                self.word_gap = float(operands, 0)?;
                self.letter_gap = float(operands, 1)?;
                self.next_line(0.0, -self.leading);
                self.show(operands.get(2)?.as_str().ok()?, false);
            }
            "TJ" => {
                let mut within = false;
                for part in operands.first()?.as_array().ok()? {
                    match part {
                        Object::String(shown, _) => {
                            self.show(shown, within);
                            within = true;
                        }
                        part => self.forward(-part.as_float().ok()? / 1000.0 * self.size),
                    }
                }
            }
            _ => {}
        }
        Some(())
    }

    fn next_line(&mut self, x: f32, y: f32) {
        self.line = Matrix::shift(x, y).then(self.line);
        self.at = self.line;
    }

    fn forward(&mut self, by: f32) {
        self.at = Matrix::shift(by * self.stretch, 0.0).then(self.at);
    }

    /// Where the pen is, and how large its letters are.
    fn place(&self) -> End {
        let whole = self.at.then(self.page);
        let [.., x, y] = whole.0;
        let size = (self.size * whole.scale()).abs();
        End { x, y, size }
    }

    /// Shows a string; `within` a list of strings the way from the one before is known exactly.
    fn show(&mut self, shown: &[u8], within: bool) {
        let Some(font) = self.font else {
            return;
        };
        let place = self.place();
        let text = font.text(shown).unwrap_or_default();
        if !text.is_empty() && self.out.len() + text.len() <= MAX_TEXT {
            if let Some(end) = self.end {
                let exact = within || font.has_widths();
                self.part(end, place, if exact { WORD_GAP } else { GUESSED_GAP });
            }
            self.write(&text);
        }
        let mut length = 0.0;
        for (code, width) in font.codes(shown) {
            let blank = if font.is_blank(code) {
                self.word_gap
            } else {
                0.0
            };
            length += width * self.size + self.letter_gap + blank;
        }
        self.forward(length);
        if !text.is_empty() {
            self.end = Some(self.place());
        }
    }

    /// Writes letters that are joined in print as the letters they are, by which people look for them.
    fn write(&mut self, text: &str) {
        for letter in text.chars() {
            let letters = match letter {
                '\u{FB00}' => "ff",
                '\u{FB01}' => "fi",
                '\u{FB02}' => "fl",
                '\u{FB03}' => "ffi",
                '\u{FB04}' => "ffl",
                '\u{FB05}' | '\u{FB06}' => "st",
                other => {
                    self.out.push(other);
                    continue;
                }
            };
            self.out.push_str(letters);
        }
    }

    /// Writes what is between two strings.
    fn part(&mut self, end: End, place: End, gap: f32) {
        let size = end.size.max(place.size);
        let down = (end.y - place.y).abs();
        let between = if down > PARAGRAPH_GAP * size {
            "\n\n"
        } else if down > LINE_GAP * size {
            "\n"
        } else if place.x - end.x > gap * size || end.x - place.x > 2.0 * size {
            " "
        } else {
            return;
        };
        if between != " " || !self.out.ends_with(char::is_whitespace) {
            self.out.push_str(between);
        }
    }
}
