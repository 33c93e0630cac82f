//! Parameters and rows in the binary form of prepared statements.

use zeroize::Zeroizing;

use super::super::driver::{Parameter, Problem};
use super::packet::{Reader, put_text};
use crate::Row;

/// Most columns of an answer.
pub(super) const COLUMNS_MAX: usize = 64;

/// Types of columns.
mod kind {
    pub(super) const TINY: u8 = 0x01;
    pub(super) const SHORT: u8 = 0x02;
    pub(super) const LONG: u8 = 0x03;
    pub(super) const NULL: u8 = 0x06;
    pub(super) const LONGLONG: u8 = 0x08;
    pub(super) const INT24: u8 = 0x09;
    pub(super) const YEAR: u8 = 0x0d;
    pub(super) const BIT: u8 = 0x10;
    pub(super) const STRING: u8 = 0xfd;
    /// VARCHAR; JSON; ENUM and SET; BLOB and TEXT of four sizes; VAR_STRING and STRING.
    pub(super) const TEXTS: [u8; 10] = [0x0f, 0xf5, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe];
}

/// The flag of numbers that have no sign.
const UNSIGNED: u16 = 1 << 5;

/// A column of an answer.
pub(super) struct Column {
    pub(super) name: String,
    kind: u8,
    unsigned: bool,
}

impl Column {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Problem> {
        let mut reader = Reader::new(packet);
        // Catalogue, schema, table and its own name.
        for _ in 0..4 {
            reader.text()?;
        }
        let name = String::from_utf8_lossy(reader.text()?).into_owned();
        reader.text()?;
        reader.length()?;
        // Character set and width.
        reader.skip(6)?;
        let kind = reader.octet()?;
        let unsigned = reader.u16()? & UNSIGNED != 0;
        Ok(Self { name, kind, unsigned })
    }

    /// Whether its values are text or whole numbers.
    pub(super) fn is_readable(&self) -> bool {
        use kind::{BIT, INT24, LONG, LONGLONG, NULL, SHORT, TEXTS, TINY, YEAR};
        TEXTS.contains(&self.kind)
            || [BIT, INT24, LONG, LONGLONG, NULL, SHORT, TINY, YEAR].contains(&self.kind)
    }

    /// Reads one value; if it is none that can be, what it is.
    fn value(&self, reader: &mut Reader<'_>) -> Result<Result<String, &'static str>, Problem> {
        let octets = match self.kind {
            kind::TINY => 1,
            kind::SHORT | kind::YEAR => 2,
            kind::LONG | kind::INT24 => 4,
            kind::LONGLONG => 8,
            kind::BIT => {
                let octets = reader.text()?;
                let value = octets
                    .iter()
                    .fold(0_u64, |value, octet| value.wrapping_shl(8) | u64::from(*octet));
                return Ok(Ok(value.to_string()));
            }
            _ => {
                let text = std::str::from_utf8(reader.text()?);
                return Ok(text.map(str::to_owned).map_err(|_| "no UTF-8"));
            }
        };
        let number = reader.number(octets)?;
        if self.unsigned {
            return Ok(Ok(number.to_string()));
        }
        let unused = 64 - 8 * u32::try_from(octets).unwrap_or(8);
        Ok(Ok((number.wrapping_shl(unused).cast_signed() >> unused).to_string()))
    }
}

/// A row; if a value of it cannot be read, what is wrong with which column.
pub(super) fn row(columns: &[Column], packet: &[u8]) -> Result<Result<Row, String>, Problem> {
    let mut reader = Reader::new(packet);
    if reader.octet()? != super::OK {
        return Err(Problem::Nonsense("a row of no kind".to_owned()));
    }
    let nulls = reader.take((columns.len() + 9) / 8)?;
    let mut row = Row::default();
    for (position, column) in columns.iter().enumerate() {
        let bit = position + 2;
        let is_null = nulls.get(bit / 8).is_some_and(|octet| octet >> (bit % 8) & 1 == 1);
        if is_null || column.kind == kind::NULL {
            continue;
        }
        let value = match column.value(&mut reader)? {
            Ok(value) => Zeroizing::new(value),
            Err(problem) => return Ok(Err(format!("column {}: {problem}", column.name))),
        };
        if let Err(unknown) = row.set(&column.name, &value) {
            return Ok(Err(unknown.to_string()));
        }
    }
    Ok(Ok(row))
}

/// The body of the command that executes a statement.
pub(super) fn parameters(statement: u32, parameters: &[Parameter]) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(512));
    body.extend_from_slice(&statement.to_le_bytes());
    // No cursor, once.
    body.extend_from_slice(&[0, 1, 0, 0, 0]);
    if parameters.is_empty() {
        return body;
    }
    let mut nulls = vec![0_u8; parameters.len().div_ceil(8)];
    for (position, parameter) in parameters.iter().enumerate() {
        if let (Parameter::Nothing, Some(octet)) = (parameter, nulls.get_mut(position / 8)) {
            *octet |= 1 << (position % 8);
        }
    }
    body.extend_from_slice(&nulls);
    // The types follow.
    body.push(1);
    for parameter in parameters {
        body.extend_from_slice(match parameter {
            Parameter::Text(_) => &[kind::STRING, 0],
            Parameter::Number(_) => &[kind::LONGLONG, 0x80],
            Parameter::Nothing => &[kind::NULL, 0],
        });
    }
    for parameter in parameters {
        match parameter {
            Parameter::Text(text) => put_text(&mut body, text.as_bytes()),
            Parameter::Number(number) => body.extend_from_slice(&number.to_le_bytes()),
            Parameter::Nothing => {}
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: u8, unsigned: bool) -> Column {
        Column { name: name.to_owned(), kind, unsigned }
    }

    fn one(column: Column, octets: &[u8]) -> Option<String> {
        let packet = [&[0, 0][..], octets].concat();
        row(&[column], &packet).ok()?.ok()?.quota
    }

    #[test]
    fn numbers_and_texts_become_text() {
        let quota = |kind, unsigned, octets: &[u8]| one(column("quota", kind, unsigned), octets);
        assert_eq!(quota(kind::TINY, false, &[0xff]).unwrap(), "-1");
        assert_eq!(quota(kind::TINY, true, &[0xff]).unwrap(), "255");
        assert_eq!(quota(kind::SHORT, false, &[0, 0x80]).unwrap(), "-32768");
        assert_eq!(quota(kind::LONG, true, &[0xff; 4]).unwrap(), "4294967295");
        assert_eq!(quota(kind::LONGLONG, false, &[0xff; 8]).unwrap(), "-1");
        assert_eq!(quota(kind::LONGLONG, true, &[0xff; 8]).unwrap(), u64::MAX.to_string());
        assert_eq!(quota(kind::BIT, true, &[1, 1]).unwrap(), "1");
        assert_eq!(quota(kind::STRING, false, b"\x021G").unwrap(), "1G");
        let null = row(&[column("quota", kind::STRING, false)], &[0, 4]);
        assert_eq!(null.unwrap().unwrap().quota, None);
    }

    #[test]
    fn what_is_cut_off_or_no_text_is_no_value() {
        let columns = [column("login", kind::STRING, false)];
        for packet in [&[][..], &[0], &[1, 0], &[0, 0, 5, b'a'], &[0, 0, 0xfc], &[0, 0, 0xff]] {
            assert!(row(&columns, packet).is_err(), "{packet:?}");
        }
        let problem = row(&columns, &[0, 0, 1, 0xff]).unwrap().unwrap_err();
        assert_eq!(problem, "column login: no UTF-8");
        assert!(Column::read(b"\x03def\x00").is_err());
        assert!(!column("x", 0x0c, false).is_readable(), "a date");
    }

    #[test]
    fn parameters_are_laid_out_as_the_manual_says() {
        let body =
            parameters(7, &[Parameter::text("ab"), Parameter::Nothing, Parameter::Number(258)]);
        let expected = [
            &[7, 0, 0, 0, 0, 1, 0, 0, 0][..],
            &[0b010, 1],
            &[kind::STRING, 0, kind::NULL, 0, kind::LONGLONG, 0x80],
            &[2, b'a', b'b'],
            &[2, 1, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(*body, expected.concat());
    }
}
