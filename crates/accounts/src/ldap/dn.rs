//! Distinguished names with variables, whose values are escaped (RFC 4514 section 2.4).

use super::template::{Piece, Values};

/// A name in the directory, in which `%u`, `%n` and `%d` may stand for parts of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DnTemplate(Vec<Piece>);

impl DnTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// If a `%` is followed by anything but `u`, `n`, `d` or `%`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                plain.push(c);
                continue;
            }
            match characters.next() {
                Some('%') => plain.push('%'),
                letter => {
                    let piece = letter.and_then(Piece::variable).ok_or_else(|| {
                        format!("{text:?}: a variable other than %u, %n, %d and %%")
                    })?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into_bytes()));
                    }
                    pieces.push(piece);
                }
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into_bytes()));
        }
        Ok(Self(pieces))
    }

    /// Whether it depends on who is asked for.
    pub(super) fn has_variables(&self) -> bool {
        self.0.iter().any(Piece::is_variable)
    }

    /// The name for these values; none if it needs a domain and there is none.
    pub(super) fn expand(&self, values: &Values<'_>) -> Option<String> {
        let mut dn = String::with_capacity(64);
        for piece in &self.0 {
            let text = std::str::from_utf8(values.get(piece)?).ok()?;
            if piece.is_variable() { escape(text, &mut dn) } else { dn.push_str(text) }
        }
        Some(dn)
    }
}

/// Writes `value` so that it is one value of a name, whatever is in it and around it.
fn escape(value: &str, into: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (position, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                into.push('\\');
                into.push(c);
            }
            '#' if position == 0 => into.push_str("\\#"),
            ' ' if position == 0 || position == last => into.push_str("\\ "),
            c if c.is_ascii_control() => into.push_str(&format!("\\{:02x}", u32::from(c))),
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use address::AccountKey;
    use proptest::prelude::*;

    use super::*;

    fn expand(template: &str, whole: &str) -> Option<String> {
        DnTemplate::parse(template).unwrap().expand(&Values::of_address(whole))
    }

    #[test]
    fn variables_stand_for_parts_of_the_login() {
        let key = AccountKey::parse("Ann@Example.net", None).unwrap();
        let template = DnTemplate::parse("uid=%n,ou=%d,o=100%%").unwrap();
        assert!(template.has_variables());
        let dn = template.expand(&Values::of_login(&key)).unwrap();
        assert_eq!(dn, "uid=ann,ou=example.net,o=100%");
        assert!(!DnTemplate::parse("dc=example").unwrap().has_variables());
        assert_eq!(expand("uid=%u,dc=x", "ann"), Some("uid=ann,dc=x".to_owned()));
        assert_eq!(expand("uid=%n,ou=%d", "ann"), None, "there is no domain");
        for wrong in ["uid=%x", "uid=%", "uid=%U"] {
            assert!(DnTemplate::parse(wrong).unwrap_err().contains("%u, %n, %d"), "{wrong}");
        }
    }

    #[test]
    fn a_value_never_becomes_a_part_of_the_name() {
        for (value, escaped) in [
            ("ann,ou=admins", "ann\\,ou\\=admins"),
            ("a+cn=b", "a\\+cn\\=b"),
            ("#04024869", "\\#04024869"),
            ("a#b", "a#b"),
            (" a b ", "\\ a b\\ "),
            (" ", "\\ "),
            ("a\\2cb", "a\\\\2cb"),
            ("\"a\";<b>", "\\\"a\\\"\\;\\<b\\>"),
            ("a\0b\n", "a\\00b\\0a"),
            ("Lučić", "Lučić"),
        ] {
            assert_eq!(expand("uid=%u,dc=x", value).unwrap(), format!("uid={escaped},dc=x"));
        }
    }

    proptest! {
        /// Reads a value back as RFC 4514 section 3 has it.
        #[test]
        fn what_is_escaped_is_the_value_again(value in "\\PC{0,20}") {
            let mut escaped = String::new();
            escape(&value, &mut escaped);
            let mut back = String::new();
            let mut characters = escaped.chars();
            while let Some(c) = characters.next() {
                prop_assert!(!matches!(c, '"' | '+' | ',' | ';' | '<' | '>'), "bare in {escaped}");
                back.push(if c == '\\' { characters.next().unwrap() } else { c });
            }
            prop_assert_eq!(back, value);
        }
    }
}
