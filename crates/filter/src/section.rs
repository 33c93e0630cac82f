//! A header section, field by field, while filters change it.

/// A header section: whole fields, each with its CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    fields: Vec<Vec<u8>>,
}

/// Octets that a section may grow to.
const OCTETS_MAX: usize = 1024 * 1024;

/// A change that would break the message, or is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadField;

impl Section {
    /// Cuts `octets`, lines with CRLF, into fields. What stands before the first field, or has
    /// no colon, stays where it is and is shown to nobody.
    pub(crate) fn parse(octets: &[u8]) -> Self {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            match fields.last_mut() {
                Some(field) if matches!(line.first(), Some(b' ' | b'\t')) => {
                    field.extend_from_slice(line);
                }
                _ => fields.push(line.to_vec()),
            }
        }
        Self { fields }
    }

    /// Names and values in order; a value is what stands behind the colon, folds and all, without
    /// the last CRLF.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().filter_map(|field| cut(field))
    }

    pub(crate) fn to_octets(&self) -> Vec<u8> {
        self.fields.concat()
    }

    /// Adds a field at the end.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadField> {
        let field = self.make(name, value)?;
        self.fields.push(field);
        Ok(())
    }

    /// Adds a field before the one that has the place `index`, from 0.
    pub(crate) fn insert(&mut self, index: u32, name: &[u8], value: &[u8]) -> Result<(), BadField> {
        let field = self.make(name, value)?;
        let index = (index as usize).min(self.fields.len());
        self.fields.insert(index, field);
        Ok(())
    }

    /// Changes the `nth` field of a name, from 1; with an empty value, removes it. One that is
    /// not there is added.
    pub(crate) fn change(&mut self, name: &[u8], nth: u32, value: &[u8]) -> Result<(), BadField> {
        let is_named =
            |field: &Vec<u8>| cut(field).is_some_and(|(other, _)| other.eq_ignore_ascii_case(name));
        let mut places = (0..self.fields.len()).filter(|&place| is_named(&self.fields[place]));
        let place = places.nth((nth.max(1) - 1) as usize);
        match (place, value.trim_ascii().is_empty()) {
            (Some(place), true) => {
                self.fields.remove(place);
            }
            (None, true) => {}
            (Some(place), false) => self.fields[place] = self.make(name, value)?,
            (None, false) => self.add(name, value)?,
        }
        Ok(())
    }

    /// A field whose lines are all right, whatever the filter thinks of line ends.
    fn make(&self, name: &[u8], value: &[u8]) -> Result<Vec<u8>, BadField> {
        let is_name = |octet: &u8| octet.is_ascii_graphic() && *octet != b':';
        let so_far: usize = self.fields.iter().map(Vec::len).sum();
        let is_large = so_far + name.len() + value.len() > OCTETS_MAX;
        if name.is_empty() || !name.iter().all(is_name) || value.contains(&0) || is_large {
            return Err(BadField);
        }
        let mut field = [name, b":"].concat();
        let lines = value.split(|&octet| octet == b'\n');
        for (number, line) in lines.enumerate() {
            let line: Vec<u8> = line.iter().copied().filter(|&octet| octet != b'\r').collect();
            match (number, line.first()) {
                (0, Some(b' ' | b'\t')) => {}
                (0, _) => field.push(b' '),
                // A blank line would end the header.
                (_, None) => continue,
                (_, Some(b' ' | b'\t')) if line.trim_ascii().is_empty() => continue,
                (_, Some(b' ' | b'\t')) => field.extend_from_slice(b"\r\n"),
                (_, Some(_)) => field.extend_from_slice(b"\r\n\t"),
            }
            field.extend_from_slice(&line);
        }
        field.extend_from_slice(b"\r\n");
        Ok(field)
    }
}

fn cut(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', field)?;
    let (name, value) = field.split_at(colon);
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let value = value.get(1..).unwrap_or_default();
    is_name.then(|| (name, value.strip_suffix(b"\r\n").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section::parse(b"From: a@b.c\r\nX: 1\r\nSubject: a\r\n b\r\nx: 2\r\n")
    }

    fn text(section: &Section) -> String {
        String::from_utf8(section.to_octets()).unwrap()
    }

    #[test]
    fn what_is_cut_is_put_together_again() {
        for octets in [&b"A: 1\r\n b\r\nC: 2\r\n"[..], b" odd\r\nA:\r\n", b"no colon\r\n", b""] {
            assert_eq!(Section::parse(octets).to_octets(), octets);
        }
        let section = section();
        let fields: Vec<_> = section.fields().collect();
        assert_eq!(fields[2], (&b"Subject"[..], &b" a\r\n b"[..]));
    }

    #[test]
    fn fields_are_added_changed_and_removed() {
        let mut section = section();
        section.change(b"X", 2, b"two").unwrap();
        section.change(b"x", 1, b"").unwrap();
        section.insert(0, b"Top", b" is").unwrap();
        section.change(b"New", 1, b"n").unwrap();
        section.change(b"Gone", 1, b"").unwrap();
        section.add(b"End", b"e").unwrap();
        let expected =
            "Top: is\r\nFrom: a@b.c\r\nSubject: a\r\n b\r\nX: two\r\nNew: n\r\nEnd: e\r\n";
        assert_eq!(text(&section), expected);
    }

    #[test]
    fn no_value_breaks_out_of_its_field() {
        let mut section = Section::parse(b"");
        section.add(b"A", b"1\nBcc: x@y.z\r\n\r\nbody\n \n\tend").unwrap();
        assert_eq!(text(&section), "A: 1\r\n\tBcc: x@y.z\r\n\tbody\r\n\tend\r\n");
        assert_eq!(section.add(b"A b", b"1"), Err(BadField));
        assert_eq!(section.add(b"A:", b"1"), Err(BadField));
        assert_eq!(section.add(b"", b"1"), Err(BadField));
        assert_eq!(section.add(b"A", b"\0"), Err(BadField));
        assert_eq!(section.add(b"A", &vec![b'x'; OCTETS_MAX]), Err(BadField));
    }
}
