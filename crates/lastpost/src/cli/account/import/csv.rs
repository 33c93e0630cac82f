//! Comma-separated values (RFC 4180) with a line of column names: what every database exports.

use accounts::Row;

use super::entry::{Entry, Remark, Taken};

/// Most columns of a table.
const COLUMNS_MAX: usize = 64;

/// One record.
struct Record {
    /// The line on which it begins, from 1.
    line: u32,
    cells: Vec<Cell>,
}

/// One value, and where it stands, from 1.
struct Cell {
    text: String,
    line: u32,
    column: u32,
}

/// Reads a table. Values are separated by commas, or by what the first line has instead: a
/// semicolon or a TAB.
pub(super) fn read(input: &[u8]) -> Taken {
    let mut taken = Taken::default();
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let text = match std::str::from_utf8(input) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&input[..error.valid_up_to()]).into_owned();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let problem = "an octet that is not UTF-8; expected the table in UTF-8";
            taken.bad.push(Remark::new(place(line), place(column), problem));
            return taken;
        }
    };
    let first = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t'].into_iter().find(|s| first.contains(*s)).unwrap_or(',');
    let mut scanner = Scanner { text, separator, line: 1, column: 1 };
    let columns = match scanner.next_record() {
        Some(Ok(header)) => match columns(&header) {
            Ok(columns) => columns,
            Err(bad) => {
                taken.bad.extend(bad);
                return taken;
            }
        },
        Some(Err(bad)) => {
            taken.bad.push(bad);
            return taken;
        }
        None => {
            let problem = "expected a first line with column names such as login,password";
            taken.bad.push(Remark::new(1, 1, problem));
            return taken;
        }
    };
    while let Some(record) = scanner.next_record() {
        match record.and_then(|record| entry(&record, &columns)) {
            Ok(Some(entry)) => taken.entries.push(entry),
            Ok(None) => {}
            Err(bad) => taken.bad.push(bad),
        }
    }
    taken
}

/// The columns that the header names.
fn columns(header: &Record) -> Result<Vec<&'static str>, Vec<Remark>> {
    let mut columns: Vec<&'static str> = Vec::new();
    let mut bad = Vec::new();
    for cell in header.cells.iter().take(COLUMNS_MAX) {
        let name = cell.text.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let name = match name.as_str() {
            "user" | "username" | "email" => "login",
            "hash" | "passwd" => "password",
            name => name,
        };
        match Row::COLUMNS.iter().find(|known| **known == name) {
            Some(known) if columns.contains(known) => {
                let problem = format!("the column {known} stands there twice");
                bad.push(Remark::new(cell.line, cell.column, problem));
            }
            Some(known) => columns.push(known),
            None => {
                // The row knows which name was meant.
                let problem = Row::default().set(name, "").err().map(|error| error.to_string());
                bad.push(Remark::new(cell.line, cell.column, problem.unwrap_or_default()));
            }
        }
    }
    if header.cells.len() > COLUMNS_MAX {
        bad.push(Remark::new(header.line, 1, format!("more than {COLUMNS_MAX} columns")));
    }
    if bad.is_empty() && !columns.contains(&"login") {
        bad.push(Remark::new(header.line, 1, "expected a column login"));
    }
    if bad.is_empty() { Ok(columns) } else { Err(bad) }
}

/// None: an empty line.
fn entry(record: &Record, columns: &[&'static str]) -> Result<Option<Entry>, Remark> {
    if let [only] = &record.cells[..]
        && only.text.is_empty()
    {
        return Ok(None);
    }
    if record.cells.len() != columns.len() {
        let problem = format!(
            "{} values; expected {} as in the first line",
            record.cells.len(),
            columns.len()
        );
        return Err(Remark::new(record.line, 1, problem));
    }
    let mut entry = Entry { line: record.line, ..Entry::default() };
    for (column, cell) in columns.iter().zip(&record.cells) {
        entry.set(column, &cell.text, cell.column)?;
    }
    Ok(Some(entry))
}

struct Scanner<'a> {
    text: &'a str,
    separator: char,
    line: u32,
    column: u32,
}

impl Scanner<'_> {
    fn next_record(&mut self) -> Option<Result<Record, Remark>> {
        if self.text.is_empty() {
            return None;
        }
        let mut record = Record { line: self.line, cells: Vec::new() };
        loop {
            let cell = match self.cell() {
                Ok(cell) => cell,
                Err(bad) => {
                    self.skip_line();
                    return Some(Err(bad));
                }
            };
            record.cells.push(cell);
            match self.take() {
                Some(c) if c == self.separator => {}
                // The end of the line, or of the text.
                _ => return Some(Ok(record)),
            }
        }
    }

    /// A value up to its separator or line end, which stays.
    fn cell(&mut self) -> Result<Cell, Remark> {
        let mut cell = Cell { text: String::new(), line: self.line, column: self.column };
        if self.peek() != Some('"') {
            while let Some(c) = self.peek().filter(|c| *c != self.separator && *c != '\n') {
                cell.text.push(c);
                self.take();
            }
            return Ok(cell);
        }
        self.take();
        loop {
            match self.take() {
                Some('"') if self.peek() == Some('"') => {
                    self.take();
                    cell.text.push('"');
                }
                Some('"') => break,
                Some(c) => cell.text.push(c),
                None => {
                    let problem = "a quotation mark that is never closed";
                    return Err(Remark::new(cell.line, cell.column, problem));
                }
            }
        }
        match self.peek() {
            None | Some('\n') => Ok(cell),
            Some(c) if c == self.separator => Ok(cell),
            Some(_) => {
                let problem = "expected a separator behind the closing quotation mark";
                Err(Remark::new(self.line, self.column, problem))
            }
        }
    }

    /// The next character; a line end of two counts as one.
    fn peek(&self) -> Option<char> {
        if self.text.starts_with("\r\n") { Some('\n') } else { self.text.chars().next() }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        let octets = if self.text.starts_with("\r\n") { 2 } else { c.len_utf8() };
        self.text = self.text.get(octets..).unwrap_or_default();
        if c == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(c)
    }

    fn skip_line(&mut self) {
        while self.take().is_some_and(|c| c != '\n') {}
    }
}
