//! Who a message says it is from: the addresses in `From` and `Sender`, read strictly.
//!
//! What this reads decides whether a message may be sent, and other programs will read the
//! same field again. So whatever they might read differently is refused, and each address
//! that anybody could see in the field is among the result: also one that stands, unquoted,
//! where a display name should.

mod names;

use address::Mailbox;

/// The field cannot be read in one way alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Comments within comments.
const NESTING_MAX: usize = 8;

/// Addresses of one field; more have no business in it.
const ADDRESSES_MAX: usize = 100;

/// All that a field of originators shows to whoever reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its addresses, in order.
    pub(crate) addresses: Vec<Mailbox>,
    /// Those that come out of encoded words (RFC 2047): a reader who decodes too early, or a
    /// person, sees them.
    pub(crate) hidden: Vec<Mailbox>,
    /// Those within display names and comments.
    pub(crate) in_names: Vec<Mailbox>,
}

/// Reads a field of originators.
pub(crate) fn read(value: &[u8]) -> Result<Seen, Unreadable> {
    let addresses = addresses(value)?;
    let text = unfold(value)?.replace(FOLD, "");
    let hidden = names::addresses_in(&names::decoded_words(&text)?);
    let in_names = names::addresses_in(&text);
    Ok(Seen { addresses, hidden, in_names })
}

/// The addresses of a field with a list of mailboxes or groups (RFC 5322 section 3.4, RFC
/// 6854). May be none.
pub(crate) fn addresses(value: &[u8]) -> Result<Vec<Mailbox>, Unreadable> {
    let text = unfold(value)?;
    let mut reader =
        Reader { rest: &text, found: Vec::new(), element: Element::default(), is_odd: false };
    let mut in_group = false;
    while let Some(c) = reader.next() {
        match c {
            '"' => reader.quoted()?,
            '(' => reader.comment()?,
            '<' => reader.angle()?,
            ',' => reader.end_of_element()?,
            ':' if !in_group => {
                reader.end_of_group_name()?;
                in_group = true;
            }
            ';' if in_group => {
                reader.end_of_element()?;
                in_group = false;
            }
            ':' | ';' | '>' | ')' | '\\' => return Err(Unreadable),
            FOLD => {}
            c => reader.plain(c)?,
        }
    }
    reader.end_of_element()?;
    // Readers are known that go astray there, and take an address in a name for one that counts.
    let stray = reader.is_odd && text.matches('@').count() > reader.found.len();
    if in_group || stray { Err(Unreadable) } else { Ok(reader.found) }
}

/// Stands where a line was folded.
const FOLD: char = '\n';

/// The value with a mark for each fold.
fn unfold(value: &[u8]) -> Result<String, Unreadable> {
    let text = std::str::from_utf8(value).map_err(|_| Unreadable)?;
    if text.replace("\r\n", "").chars().any(|c| c.is_control() && c != '\t') {
        return Err(Unreadable);
    }
    Ok(text.replace("\r\n", "\n").replace('\t', " "))
}

struct Reader<'a> {
    rest: &'a str,
    found: Vec<Mailbox>,
    element: Element,
    /// Whether it has a fold within a quoted string or a comment, or a bracket in a name.
    is_odd: bool,
}

/// What stands between two commas.
#[derive(Default)]
struct Element {
    /// All but comments and what is in angle brackets, quotes included.
    text: String,
    /// Whether it holds an `@` outside quotes.
    bare_at: bool,
    angle: Option<String>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn plain(&mut self, c: char) -> Result<(), Unreadable> {
        if self.element.angle.is_some() && c != ' ' {
            return Err(Unreadable);
        }
        self.element.bare_at |= c == '@';
        self.is_odd |= matches!(c, '[' | ']');
        self.element.text.push(c);
        Ok(())
    }

    /// A quoted string, up to its end, with its quotes.
    fn quoted(&mut self) -> Result<(), Unreadable> {
        if self.element.angle.is_some() {
            return Err(Unreadable);
        }
        self.element.text.push('"');
        loop {
            let c = self.next().ok_or(Unreadable)?;
            if c == FOLD {
                self.is_odd = true;
                continue;
            }
            self.element.text.push(c);
            match c {
                '"' => return Ok(()),
                '\\' => {
                    let escaped = self.next().filter(|c| *c != FOLD).ok_or(Unreadable)?;
                    self.element.text.push(escaped);
                }
                _ => {}
            }
        }
    }

    fn comment(&mut self) -> Result<(), Unreadable> {
        let mut depth = 1;
        while depth > 0 {
            match self.next().ok_or(Unreadable)? {
                '(' => depth += 1,
                ')' => depth -= 1,
                '\\' => drop(self.next().filter(|c| *c != FOLD).ok_or(Unreadable)?),
                FOLD => self.is_odd = true,
                _ => {}
            }
            if depth > NESTING_MAX {
                return Err(Unreadable);
            }
        }
        // A comment separates words.
        self.element.text.push(' ');
        Ok(())
    }

    fn angle(&mut self) -> Result<(), Unreadable> {
        if self.element.angle.is_some() {
            return Err(Unreadable);
        }
        let mut inner = String::new();
        let mut quoted = false;
        loop {
            let c = self.next().ok_or(Unreadable)?;
            match c {
                '>' if !quoted => break,
                '"' => quoted = !quoted,
                '\\' if quoted => {
                    inner.push(c);
                    inner.push(self.next().ok_or(Unreadable)?);
                    continue;
                }
                _ => {}
            }
            inner.push(c);
        }
        self.element.angle = Some(inner);
        Ok(())
    }

    fn end_of_element(&mut self) -> Result<(), Unreadable> {
        let Element { text, bare_at, angle } = std::mem::take(&mut self.element);
        let text = text.trim_matches(' ');
        match angle {
            Some(address) => {
                if bare_at {
                    self.push(text)?;
                }
                self.push(address.trim_matches(' '))
            }
            None if text.is_empty() => Ok(()),
            None => self.push(text),
        }
    }

    fn end_of_group_name(&mut self) -> Result<(), Unreadable> {
        let name = std::mem::take(&mut self.element);
        let valid = name.angle.is_none() && !name.bare_at && !name.text.trim().is_empty();
        if valid { Ok(()) } else { Err(Unreadable) }
    }

    fn push(&mut self, address: &str) -> Result<(), Unreadable> {
        let mailbox = Mailbox::parse(address).map_err(|_| Unreadable)?;
        if self.found.len() >= ADDRESSES_MAX {
            return Err(Unreadable);
        }
        self.found.push(mailbox);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
